"""What is asked for of a topic, as it is written on the command line."""

import numpy as np
import pytest

from schemas.errors import InputError
from streams.live.recorded import Stretch, _up_to, stretch_of
from streams.pipeline.batch import Batch


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("kafka://http.requests", Stretch("http.requests", None, None)),
        ("kafka://http.requests/", Stretch("http.requests", None, None)),
        ("kafka://Web?from=1800000000", Stretch("Web", 1_800_000_000_000, None)),
        ("kafka://web?to=2027-01-15T08:00:00Z", Stretch("web", None, 1_800_000_000_000)),
        ("kafka://web?to=2027-01-15T09:00:00%2B01:00&from=1", Stretch("web", 1_000, 1_800_000_000_000)),
        ("kafka://web?from=2027-01-15T09:00:00+01:00", Stretch("web", 1_800_000_000_000, None)),
        ("kafka://web?from=2027-01-15T08:00:00.0001Z", Stretch("web", 1_800_000_000_001, None)),
    ],
)
def test_a_stretch(text: str, expected: Stretch) -> None:
    """Times as the records have them, escaped or not, up to the next whole millisecond."""
    assert stretch_of(text) == expected


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("kafka://", "must be kafka://TOPIC"),
        ("kafka:web", "must be kafka://TOPIC"),
        ("kafka://broker:9092/web", "must be kafka://TOPIC"),
        ("kafka://web?since=1", "'since' is none of from and to"),
        ("kafka://web?from=1&from=2", "'from' is none of from and to, or comes twice"),
        ("kafka://web?from=yesterday", "from: time is neither RFC 3339 nor a number; write"),
        ("kafka://web?from=2027-01-15T08:00:00", "from: time names no zone"),
        ("kafka://web?to=", "to: time is neither"),
        ("kafka://web?from=2&to=2", "from must be before to"),
    ],
)
def test_what_is_none(text: str, told: str) -> None:
    """Said in one line that begins with the text."""
    with pytest.raises(InputError) as refused:
        stretch_of(text)
    assert str(refused.value).startswith(f"{text}: ")
    assert told in str(refused.value)


@pytest.mark.parametrize(
    ("end", "values"), [(14, [b"a", b"b"]), (13, [b"a"]), (12, [b"a"]), (11, []), (20, [b"a", b"b"])]
)
def test_a_batch_with_holes_is_cut_by_offset(end: int, values: list[bytes]) -> None:
    """What lies at the end or behind it is left out, with its offset and its time."""
    whole = Batch("t", 0, 10, 20, [b"a", b"b"], np.array([11, 13]), timestamps_ms=np.array([1, 2]))
    part = _up_to(whole, end)
    assert (part.lo, part.hi, part.values) == (10, end, values)
    assert part.offsets is not None
    assert part.timestamps_ms is not None
    assert len(part.offsets) == len(part.timestamps_ms) == len(values)


@pytest.mark.parametrize(("end", "count"), [(10, 0), (11, 1), (12, 2), (14, 2)])
def test_a_batch_without_holes(end: int, count: int) -> None:
    """Likewise; a range that ends in nothing keeps all records."""
    part = _up_to(Batch("t", 0, 10, 14, [b"a", b"b"]), end)
    assert (part.hi, len(part), part.offsets) == (end, count, None)
