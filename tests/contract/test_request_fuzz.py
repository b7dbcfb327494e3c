"""Whatever arrives on the input topic, the decoder gives an event or a `RecordError`."""

import json

from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.codec import DECODE_ERRORS
from schemas.errors import RecordError
from schemas.request import FAST_DECODER, RequestEvent, decode_request
from tests.contract.golden_file import lines
from tests.schemas.strategy import json_values

GOLDEN = lines("request_event.v1") + lines("request_event.v1.unknown") + lines("request_event.v1.nested")
KEYS = sorted({key for line in GOLDEN for key in json.loads(line)})


def read(value: bytes) -> RequestEvent | RecordError:
    """The event, or why it is none; anything else that is raised fails the test."""
    try:
        return decode_request(value)
    except RecordError as error:
        return error


def read_fast(value: bytes) -> RequestEvent | None:
    """What the fast decoder makes of it, None where it refuses."""
    try:
        return FAST_DECODER.decode(value)
    except DECODE_ERRORS:
        return None


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """A golden record with a few spans overwritten, cut out, doubled or filled with noise."""
    value = draw(st.sampled_from(GOLDEN))
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(value)))
        end = draw(st.integers(start, min(len(value), start + 20)))
        put = draw(
            st.binary(max_size=4) | st.just(value[start:end] * 2) | st.sampled_from([b'"', b"{", b"}", b",", b"\\"])
        )
        value = value[:start] + put + value[end:]
    return value


@st.composite
def rewritten(draw: st.DrawFn) -> bytes:
    """A golden record with any JSON under a few of the known keys."""
    record = json.loads(draw(st.sampled_from(GOLDEN)))
    changes = draw(st.dictionaries(st.sampled_from(KEYS), json_values, min_size=1, max_size=3))
    return json.dumps(record | changes).encode()


@given(st.binary(max_size=300))
def test_arbitrary_bytes(value: bytes) -> None:
    """Noise is refused; the reason fits a header."""
    outcome = read(value)
    assert isinstance(outcome, RecordError)
    assert 0 < len(str(outcome)) < 200


@settings(max_examples=500)
@given(damaged() | rewritten())
def test_damaged_records(value: bytes) -> None:
    """Damage gives an event or a `RecordError`, and the two decoders agree on what they both read."""
    outcome, fast = read(value), read_fast(value)
    if isinstance(outcome, RecordError):
        assert 0 < len(str(outcome)) < 200
    elif fast is not None:
        assert all(getattr(fast, name) == getattr(outcome, name) for name in RequestEvent.__struct_fields__)


@settings(max_examples=500)
@given(rewritten())
def test_what_is_read_can_be_written(value: bytes) -> None:
    """An accepted event survives encoding, however odd its texts."""
    outcome = read(value)
    if isinstance(outcome, RequestEvent):
        assert decode_request(json.dumps(json.loads(value)).encode()) == outcome
        for text in (outcome.path, outcome.user, outcome.address, outcome.session):
            assert (text or "").encode().decode() == (text or "")


@given(st.sampled_from(GOLDEN), st.data())
def test_truncated_records(value: bytes, data: st.DataObject) -> None:
    """A record cut anywhere is refused, never read as a shorter one."""
    end = data.draw(st.integers(0, len(value) - 1))
    assert isinstance(read(value[:end]), RecordError)
