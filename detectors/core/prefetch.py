"""Asks the processor for what a loop will need a few rows later.

Actors come in no order, so the state of each lies somewhere else, and most of it in no cache. A loop that waits for it
row by row spends most of its time waiting; what was asked for in time is there. The loop over the columns of 600,000
actors (`streams/pipeline/windows/aggregate.py`) takes half of the time so. It changes no result.
"""

from collections.abc import Callable
from typing import Any, Final, cast

import numpy as np
from llvmlite import ir  # type: ignore[import-untyped]  # has no types
from numba.core import cgutils, types
from numba.extending import intrinsic
from numpy.typing import NDArray

AHEAD: Final = 12
"""Rows between the question and the need: they take about as long as memory does."""
_BYTE, _INT = ir.IntType(8), ir.IntType(32)
_TO_WRITE: Final = 1
_NEAREST: Final = 3
_DATA: Final = 1


@intrinsic
def _prefetch(_typing: Any, at: Any, arrays: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        index = context.cast(builder, arguments[0], signature.args[0], types.intp)
        for number, kind in enumerate(signature.args[1].types):
            array = context.make_array(kind)(context, builder, builder.extract_value(arguments[1], number))
            where = [index] + [ir.Constant(index.type, 0)] * (kind.ndim - 1)
            item = cgutils.get_item_pointer(  # type: ignore[no-untyped-call]  # has no types
                context, builder, kind, array, where, wraparound=False
            )
            place = builder.bitcast(item, _BYTE.as_pointer())
            takes = ir.FunctionType(ir.VoidType(), [place.type, _INT, _INT, _INT])
            ask = builder.module.declare_intrinsic("llvm.prefetch", [place.type], takes)
            builder.call(ask, [place, _INT(_TO_WRITE), _INT(_NEAREST), _INT(_DATA)])
        return context.get_dummy_value()

    return types.void(at, arrays), generate


prefetch = cast("Callable[[int | np.integer[Any], tuple[NDArray[Any], ...]], None]", _prefetch)
"""In compiled code: ask for the entry ``at`` of each array. What lies outside of one is asked for in vain."""
