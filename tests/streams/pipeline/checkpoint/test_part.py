"""Some actors with all that is known of them, picked and cut out."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from streams.pipeline.checkpoint.part import Part, picked
from streams.pipeline.checkpoint.snapshot import take
from tests.streams.pipeline.checkpoint.stretch import TIGHT, Run


@pytest.fixture(scope="module")
def part() -> Part:
    """A partition's actors half way through a day, some of them asleep."""
    run = Run(TIGHT)
    for _ in range(15):
        run.step()
    found = take(run.assessors[0], everything=True).buckets
    assert found.keys.size > 100
    assert found.pair_keys.size > 100
    assert found.sleeping.size > 10
    return found


def arrays(part: Part) -> Iterator[tuple[str, NDArray[Any]]]:
    """All that a part consists of."""
    for name in ("keys", "placed", "texts", "pair_keys", "sleeping", "sleepers"):
        yield name, getattr(part, name)
    contacts, members = part.memories
    yield from contacts._asdict().items()
    yield from ((f"members {name}", values) for name, values in members._asdict().items())
    yield from part.columns.items()


@given(seed=st.integers(0, 2**32 - 1), shares=st.tuples(*[st.floats(0, 1)] * 3))
def test_a_stretch_is_what_picking_it_gives(part: Part, seed: int, shares: tuple[float, float, float]) -> None:
    """Whatever the order, and also where a stretch holds nobody."""
    rng = np.random.default_rng(seed)
    sizes = part.keys.size, part.pair_keys.size, part.sleeping.size
    orders = [rng.permutation(size) for size in sizes]
    cuts = [round(share * size) for share, size in zip(shares, sizes, strict=True)]
    (a, b, c), (actors, pairs, sleeping) = cuts, sizes
    bounds = [(slice(0, a), slice(0, b), slice(0, c)), (slice(a, actors), slice(b, pairs), slice(c, sleeping))]
    found = list(part.pick(*orders).cut(bounds))
    assert len(found) == len(bounds)
    for one, bound in zip(found, bounds, strict=True):
        wanted = part.pick(*(order[some] for order, some in zip(orders, bound, strict=True)))
        for (name, values), (_, expected) in zip(arrays(one), arrays(wanted), strict=True):
            np.testing.assert_array_equal(values, expected, err_msg=name)


@pytest.mark.parametrize("dtype", [np.bool_, np.int8, np.uint16, np.float32, np.uint64])
@pytest.mark.parametrize("shape", [(9,), (9, 3), (9, 0), (0,), (0, 2)])
def test_picked_as_numpy_picks(dtype: type[np.generic], shape: tuple[int, ...]) -> None:
    """Any width of entry, none of them included."""
    column = np.arange(np.prod(shape)).reshape(shape).astype(dtype)
    places = np.array([2, 0, 8, 8] if len(column) else [], np.int64)
    found = picked(column, places)
    assert found.dtype == column.dtype
    np.testing.assert_array_equal(found, column[places])


@pytest.mark.parametrize("place", [-1, 9])
def test_nothing_beyond_a_column_is_read(place: int) -> None:
    """A compiled loop would read whatever lies there."""
    with pytest.raises(IndexError, match="9 of a column"):
        picked(np.arange(9), np.array([0, place]))
