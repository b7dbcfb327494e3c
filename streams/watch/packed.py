"""Loops as they come out of their files, without what the compiler alone would need.

numba holds a loaded loop twice: as code that runs, and opened in the compiler's own form, from which a loop that calls
it would be compiled. And before it loads the first one it loads all that it knows of translating Python. Where every
loop comes out of a file nobody asks for either: of the 50 loops of a watch that is 14 MB opened, 1 MB packed, and 6 MB
of translating. Should a loop be compiled after all, the one is opened again and the other loaded then.
"""

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, ClassVar, Final

import llvmlite.binding as llvm  # type: ignore[import-untyped]  # ships no types
import zstandard
from numba.core.caching import FunctionCache
from numba.core.dispatcher import Dispatcher
from numba.core.runtime.nrt import rtsys

from streams.watch.given_back import give_back

OWN: Final = ("detectors", "streams")
"""Packages whose loops are meant."""
EVERY: Final = 8
"""After the first loop and so many more the compiler's code is given back, lest it stands beside all that is loaded."""
_OPENED: Final = "_shared_module"
_FILES: Final = "_cache"

log = logging.getLogger(__name__)


class Packed:
    """Stands in for a module of the compiler: offers what numba does with one that others are linked with."""

    def __init__(self, bitcode: bytes) -> None:
        """Keep a module's ``bitcode``."""
        self._packed: Final = zstandard.ZstdCompressor(level=1).compress(bitcode)

    def as_bitcode(self) -> bytes:
        """What was given."""
        return zstandard.ZstdDecompressor().decompress(self._packed)

    def clone(self) -> Any:
        """The module, opened; numba links a copy and never the one that is kept."""
        return llvm.parse_bitcode(self.as_bitcode())


class NotCompiledError(Exception):
    """A loop is in no file, where none may be compiled; its name."""


class LeanCache(FunctionCache):
    """The files of one loop."""

    may_compile: ClassVar[bool] = True
    loaded: ClassVar[int] = 0
    complaint: ClassVar[str] = ""
    """What was said last about files that cannot be written: of sixty loops once."""

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        """As numba does, for a caller that holds its lock; None where there is no such file."""
        # numba refreshes all of the context here, and again where it compiles. Loaded code needs counted memory alone.
        rtsys.initialize(target_context)
        with self._guard_against_spurious_io_errors():
            found = self._load_overload(sig, target_context)  # type: ignore[no-untyped-call]  # numba has hardly any types
            # At once, not all in the end: what is loaded next would lie behind what is to go.
            if found is not None:
                pack(found.library)
                if LeanCache.loaded % EVERY == 0:
                    give_back()
                LeanCache.loaded += 1
            elif not LeanCache.may_compile:
                raise NotCompiledError(self._py_func.__qualname__)
            return found

    def save_overload(self, sig: Any, data: Any) -> None:
        """As numba does; where there is no room, the loop is compiled again by the next start."""
        try:
            super().save_overload(sig, data)  # type: ignore[no-untyped-call]  # numba has hardly any types
        except OSError as error:
            complaint = error.strerror or str(error)
            if complaint != LeanCache.complaint:
                LeanCache.complaint = complaint
                log.warning("what is compiled cannot be kept: %s: %s", self.cache_path, complaint)


@contextmanager
def only_loaded() -> Iterator[None]:
    """Within, a loop that `load_packed` knows and that is in no file raises `NotCompiledError`."""
    LeanCache.may_compile = False
    try:
        yield
    finally:
        LeanCache.may_compile = True


def pack(library: Any) -> None:
    """Pack what a loaded loop holds for others; of another form it is left as it is."""
    opened = getattr(library, _OPENED, None)
    if isinstance(opened, llvm.ModuleRef):
        setattr(library, _OPENED, Packed(opened.as_bitcode()))


def load_packed() -> int:
    """Have all loops that are known so far loaded so; call it before the first one is. Returns how many."""
    found = list(_loops())
    for loop in found:
        # What `numba.njit(cache=True)` does, with another class.
        setattr(loop, _FILES, LeanCache(loop.py_func))  # type: ignore[no-untyped-call]  # numba has hardly any types
    return len(found)


def _loops() -> Iterator[Any]:
    """Each once: whoever imports a loop has it among its names, too."""
    modules = [module for name, module in sys.modules.items() if name.partition(".")[0] in OWN]
    named = (value for module in modules for value in list(vars(module).values()))
    loops = {id(value): value for value in named if isinstance(value, Dispatcher)}
    # Those that are kept in files, and not ours yet.
    return (loop for loop in loops.values() if type(getattr(loop, _FILES, None)) is FunctionCache)
