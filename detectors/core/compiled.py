"""The one gate to the compiler of hot loops.

A loop over rows that carries state from one row to the next is exact and short as a loop, and neither as array
expressions. numba compiles it, without the interpreter's lock held while it runs. Compiled code is kept beside its
module, so only the first run on a machine waits for it.
"""

from collections.abc import Callable
from typing import ParamSpec, TypeVar, cast

import numba

P = ParamSpec("P")
R = TypeVar("R")


def compiled(function: Callable[P, R]) -> Callable[P, R]:
    """Compile ``function`` at its first call for the dtypes it is called with."""
    return cast("Callable[P, R]", numba.njit(cache=True, nogil=True)(function))


def in_place(function: Callable[P, R]) -> Callable[P, R]:
    """Likewise, for loops over many arrays that make none: numba then counts no references to them.

    Counting takes most of the time of a loop that hands a tuple of arrays on to small functions. What is handed in
    must be held by the caller; the compiler refuses a function that makes an array.
    """
    compiler = numba.njit(cache=True, nogil=True, _nrt=False)  # type: ignore[call-overload]  # not among its stubs
    return cast("Callable[P, R]", compiler(function))
