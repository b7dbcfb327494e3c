"""Memory that a watch needs at its start alone, given back to the system.

The compiler's own code takes some 70 MB of a process: to load what is compiled, it is run through once. Its pages are
those of a file and as they stand there, so that the system may have them back, and reads them again should a page be
asked for. What the allocator has kept of the start goes with them.
"""

import ctypes
import logging
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

COMPILER: Final = "libllvmlite"
"""What the name of its library begins with."""
_DONTNEED: Final = 4
_ARENA_MAX, _TRIM_THRESHOLD, _MMAP_THRESHOLD = -8, -1, -3
KEPT_BYTES: Final = 256 << 10
"""Free bytes that the heap keeps, and size from which what is allocated lies outside of it."""
_MAPS: Final = Path("/proc/self/smaps")

log = logging.getLogger(__name__)


class Mapping(NamedTuple):
    """A part of a file that is mapped into memory."""

    start: int
    size: int
    resident_kb: int


def give_back(name: str = COMPILER) -> int:
    """Give back code of the library ``name`` and what is free; kilobytes of that code. Elsewhere than on Linux nothing.

    Nothing that runs is disturbed: a page of code that is asked for again is read from its file.
    """
    if not sys.platform.startswith("linux"):
        return 0
    try:
        libc = ctypes.CDLL(None, use_errno=True)
        given = sum(one.resident_kb for one in clean(_MAPS.read_text("utf-8", "replace"), name) if _dropped(libc, one))
        if hasattr(libc, "malloc_trim"):
            libc.malloc_trim(0)
    except OSError:
        return 0  # a hardened system shows no process its own map
    log.debug("%d kB of the compiler's code given back", given)
    return given


def one_heap() -> None:
    """Let all threads share one heap, which keeps little of what they give back. Call it before they begin.

    Left to itself the allocator has a heap for each thread, and keeps the more the larger what it gave: of each
    checkpoint some megabytes. The lock that they then share is idle, since one thread judges and the other answers.
    Elsewhere than with glibc nothing.
    """
    if sys.platform.startswith("linux") and hasattr(libc := ctypes.CDLL(None), "mallopt"):
        libc.mallopt(_ARENA_MAX, 1)
        libc.mallopt(_TRIM_THRESHOLD, KEPT_BYTES)
        libc.mallopt(_MMAP_THRESHOLD, KEPT_BYTES)


def _dropped(libc: ctypes.CDLL, one: Mapping) -> bool:
    found: int = libc.madvise(ctypes.c_void_p(one.start), ctypes.c_size_t(one.size), _DONTNEED)
    return found == 0


def clean(maps: str, name: str) -> Iterator[Mapping]:
    """Mappings of a library that hold nothing but what stands in its file, by a text as ``/proc/self/smaps`` has it.

    That they cannot be written now is not enough: what the loader filled in before it locked them would be lost.
    """
    head: list[str] = []
    figures: dict[str, int] = {}
    for line in [*maps.splitlines(), "0-0 end"]:
        words = line.split()
        if "-" in words[0] and not words[0].endswith(":"):
            if _is_clean(head, figures, name):
                start, _, end = head[0].partition("-")
                yield Mapping(int(start, 16), int(end, 16) - int(start, 16), figures["Rss:"])
            head, figures = words, {}
        elif len(words) > 1 and words[1].isdigit():
            figures[words[0]] = int(words[1])


def _is_clean(head: list[str], figures: dict[str, int], name: str) -> bool:
    if len(head) < 6 or not head[5].rpartition("/")[2].startswith(name):
        return False
    return "w" not in head[1] and not any(
        figures.get(key, 1) for key in ("Anonymous:", "Private_Dirty:", "Shared_Dirty:")
    )
