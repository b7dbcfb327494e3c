"""Values of actors in one array."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.pipeline.actors import texts as module
from streams.pipeline.actors.texts import Texts, pick_spans


@given(st.lists(st.binary(max_size=400).map(lambda some: some.hex()), min_size=1, max_size=30), st.data())
def test_what_is_kept(values: list[str], data: st.DataObject) -> None:
    """Each value is found where it was put, however much came after it, and when only some are kept."""
    texts, starts = Texts(), list[int]()
    for value in values:
        source = np.frombuffer(f"<{value}>".encode(), np.uint8)
        starts += texts.keep(source, np.array([1]), np.array([len(value)])).tolist()
    assert [texts.value(start, len(value)) for start, value in zip(starts, values, strict=True)] == values
    kept = data.draw(st.lists(st.integers(0, len(values) - 1), unique=True))
    lengths = np.array([len(values[k]) for k in kept], np.int64)
    moved = texts.gather(np.array([starts[k] for k in kept], np.int64), lengths)
    assert [texts.value(*span) for span in zip(moved.tolist(), lengths.tolist(), strict=True)] == [
        values[k] for k in kept
    ]


def test_spans() -> None:
    """In the order asked for, of any dtype."""
    source = np.arange(10, dtype=np.uint32)
    assert pick_spans(source, np.array([7, 0, 3]), np.array([2, 0, 3])).tolist() == [7, 8, 3, 4, 5]


def test_where_a_text_begins_fits(monkeypatch: pytest.MonkeyPatch) -> None:
    """More than 32 bits can point at is refused, and not told under another actor's name."""
    monkeypatch.setattr(module, "END_MAX", 2_000)
    texts, source = Texts(), np.zeros(1_500, np.uint8)
    texts.keep(source, np.array([0]), np.array([1_500]))
    with pytest.raises(MemoryError, match="4 GiB"):
        texts.keep(source, np.array([0]), np.array([501]))
