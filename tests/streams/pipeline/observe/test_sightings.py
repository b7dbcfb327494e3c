import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.errors import StopError
from schemas.sighting import COLUMNS, DETAIL_COLUMNS, VERSION, Flag, Progress, SightingBatch
from streams.pipeline.sightings import decode
from tests.streams.pipeline.observe.records import actor_value, observe, record


def message() -> SightingBatch:
    """Two views by one person, as they travel."""
    observed = observe([record(), record({"url.path": "/people/8"})], destinations=1, lo=10)
    return msgspec.msgpack.decode(observed.messages[0] or b"", type=SightingBatch)


def changed(**columns: object) -> bytes:
    """The message with some of its fields replaced."""
    return msgspec.msgpack.encode(msgspec.structs.replace(message(), **columns))


def u4(*values: int) -> bytes:
    """A column of 32 bits."""
    return np.array(values, "<u4").tobytes()


def test_columns_come_out_as_they_went_in() -> None:
    """Every column holds the bytes of the message, as a view of them."""
    sightings, batch = decode(changed()), message()
    assert (sightings.lo, sightings.hi, len(sightings)) == (10, 12, 14)
    for name in (*COLUMNS, *DETAIL_COLUMNS):
        assert getattr(sightings, name).tobytes() == getattr(batch, name)
        assert not getattr(sightings, name).flags.writeable
    assert [actor_value(sightings, actor) for actor in range(2)] == ["u1", "s1"]


@pytest.mark.parametrize(
    ("columns", "text"),
    [
        ({"version": VERSION + 1}, f"version {VERSION + 1}"),
        ({"time_us": b"\0" * 111}, "time_us"),
        ({"time_us": b"\0" * 104}, "length"),
        ({"asn": b"\0" * 4}, "length"),
        ({"member_key": b"\0" * 16}, "length"),
        ({"flags": bytes([Flag.PRINCIPAL] * 14)}, "beyond"),
        ({"member_text": b"x"}, "beyond"),
        ({"actor_scope": b"\1"}, "length"),
        ({"actor": u4(*[7] * 14)}, "beyond"),
        ({"offset": u4(*[2] * 14)}, "beyond"),
        ({"tier": b"\2" * 14}, "beyond"),
        ({"actor_text": b"u1"}, "beyond"),
        ({"actor_text_end": u4(2, 1, 4, 5, 6, 7, 8)}, "beyond"),
        ({"hi": 9}, "beyond"),
        ({"start": 9}, "beyond"),
        ({"others": [Progress("http.requests", 4, 8, 7, -1, idle=False)]}, "beyond"),
    ],
)
def test_a_damaged_message_stops_with_its_place(columns: dict[str, object], text: str) -> None:
    """What compiled code would read past an end for is refused, with topic, partition and offsets."""
    with pytest.raises(StopError, match=rf"^http.requests\[3\].*{text}"):
        decode(changed(**columns))


@pytest.mark.parametrize("columns", [{"actor": u4(*[6] * 14)}, {"offset": u4(*[1] * 14)}, {"tier": b"\1" * 14}])
def test_the_last_of_each_is_still_inside(columns: dict[str, object]) -> None:
    """Indices up to the end are sound."""
    assert len(decode(changed(**columns))) == 14


@given(data=st.binary(max_size=60) | st.integers(1, 600).map(lambda cut: changed()[:-cut]))
def test_what_is_no_message_stops(data: bytes) -> None:
    """Any bytes are refused with one line, and nothing else is raised."""
    with pytest.raises(StopError):
        decode(data)


@given(at=st.integers(0, 600), byte=st.integers(0, 255))
def test_a_wrong_byte_stops_or_stays_within_bounds(at: int, byte: int) -> None:
    """Whatever a byte is changed to, indices that get through point at something."""
    data = bytearray(changed())
    data[at % len(data)] = byte
    try:
        sightings = decode(bytes(data))
    except StopError:
        return
    assert (sightings.actor < len(sightings.actor_key)).all()
    assert (sightings.tier < len(sightings.tiers)).all()
    assert (sightings.offset < sightings.hi - sightings.start).all()
    assert len(sightings.number) == np.count_nonzero(sightings.flags & Flag.PRINCIPAL)
