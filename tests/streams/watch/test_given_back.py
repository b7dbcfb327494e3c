"""What a watch gives back of its start."""

import subprocess
import sys
from pathlib import Path

import pytest

from streams.watch import given_back
from streams.watch.given_back import Mapping, clean, give_back

CODE = """7f00-7f10 {perms} 00001000 08:01 77 /opt/lib/{name}
Size:                 64 kB
Rss:                  48 kB
Shared_Clean:          0 kB
Shared_Dirty:          0 kB
Private_Clean:        48 kB
Private_Dirty:         {dirty} kB
Anonymous:             {anonymous} kB
VmFlags: rd ex mr mw me
"""
OTHER = """7e00-7e10 rw-p 00000000 00:00 0
Rss:                  64 kB
Anonymous:            64 kB
7e20-7e30 r-xp 00000000 08:01 78 /opt/lib/libother.so
Rss:                  64 kB
Shared_Dirty:          0 kB
Private_Dirty:         0 kB
Anonymous:             0 kB
"""


def code(perms: str = "r-xp", name: str = "libllvmlite.so", dirty: int = 0, anonymous: int = 0) -> str:
    """A mapping as the system tells of it."""
    return CODE.format(perms=perms, name=name, dirty=dirty, anonymous=anonymous)


def test_code_as_it_stands_in_its_file_is_found() -> None:
    """Between others, as the last, and under a version's name."""
    wanted = Mapping(0x7F00, 0x10, 48)
    assert list(clean(OTHER + code() + OTHER, "libllvmlite")) == [wanted]
    assert list(clean(code(name="libllvmlite-3.so"), "libllvmlite")) == [wanted]


@pytest.mark.parametrize(
    "text",
    [
        "",
        OTHER,
        code(perms="rw-p"),
        code(dirty=4),
        code(anonymous=4),
        code(name="liblvm.so"),
        "\n".join(line for line in code().splitlines() if "Anonymous" not in line),
        "7f00-7f10 r-xp 00001000 08:01 77 /opt/lib/libllvmlite.so\n",
    ],
)
def test_what_would_be_lost_is_kept(text: str) -> None:
    """What can be written or was, what somebody else's is, and what not all is known of."""
    assert list(clean(text, "libllvmlite")) == []


SCRIPT = """
from streams.watch.given_back import clean, give_back
from pathlib import Path
from numba import njit
def resident():
    return sum(one.resident_kb for one in clean(Path("/proc/self/smaps").read_text(), "libllvmlite"))
before = njit(lambda x: x + 1)(1)
there = resident()
given = give_back()
left = resident()
print(before, njit(lambda x: x + 2)(1), given == there, there > 10_000, left < there / 10)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="memory is given back on Linux alone")
def test_the_compiler_goes_on_without_what_was_given_back() -> None:
    """Its code leaves memory, and is read again when something is compiled."""
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=True, timeout=120)
    assert done.stdout.split() == ["2", "3", "True", "True", "True"]


def test_where_the_system_tells_nothing_all_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    """Another system, or one that hides a process's map from it."""
    monkeypatch.setattr(sys, "platform", "darwin")
    assert give_back() == 0
    monkeypatch.undo()
    monkeypatch.setattr(given_back, "_MAPS", Path("/nowhere/smaps"))
    assert give_back() == 0
