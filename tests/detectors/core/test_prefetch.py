"""What is asked for in time changes no result."""

from typing import Any, cast

import numba
import numpy as np
from numpy.typing import NDArray

from detectors.core.compiled import in_place
from detectors.core.prefetch import AHEAD, prefetch


@in_place
def _gather(
    at: NDArray[np.int32], numbers: NDArray[np.int64], rows: NDArray[np.uint16], out: NDArray[np.int64]
) -> None:
    for i in range(at.size):
        # Beyond the end on purpose, and before the begin where `at` is negative.
        prefetch(at[i] + AHEAD, (numbers, rows))
        if at[i] >= 0:
            out[i] = numbers[at[i]] + rows[at[i], 1]


def test_a_loop_that_asks_ahead_gives_what_it_would_without() -> None:
    """Entries are read as they are, also where the question goes beyond the arrays or before them."""
    numbers, rows = np.arange(50), np.arange(150, dtype=np.uint16).reshape(50, 3)
    at = np.array([3, 49, -1, 0, -1_000_000, 49], np.int32)
    out = np.zeros(at.size, np.int64)

    _gather(at, numbers, rows, out)

    assert out.tolist() == [3 + 10, 49 + 148, 0, 1, 0, 49 + 148]


def test_the_compiler_is_told_to_ask_for_each_array() -> None:
    """The machine's own instruction stands in the code; else all of this would be for nothing."""
    # Compiled here and now: code that was kept has no text.
    fresh: Any = numba.njit(cast("Any", _gather).py_func)
    fresh(np.zeros(1, np.int32), np.zeros(1, np.int64), np.zeros((1, 3), np.uint16), np.zeros(1, np.int64))

    (code,) = fresh.inspect_llvm().values()

    assert code.count("call void @llvm.prefetch") >= 2
