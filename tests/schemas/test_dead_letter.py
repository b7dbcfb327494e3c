import pytest
from hypothesis import given

from schemas.dead_letter import DeadLetter, headers_for, original_headers, read_headers
from schemas.errors import RecordError
from tests.schemas.strategy import dead_letters

ERROR = RecordError("$.url.path", "required, but missing or null")
HEADERS = headers_for(ERROR, "http.requests", 3, 90_071_992_547, "observe")


def test_headers_are_those_of_kafka_streams() -> None:
    """Names and texts are what other tools for dead letters read."""
    assert HEADERS == [
        ("__streams.errors.topic", b"http.requests"),
        ("__streams.errors.partition", b"3"),
        ("__streams.errors.offset", b"90071992547"),
        ("__streams.errors.exception", b"RecordError"),
        ("__streams.errors.message", b"$.url.path: required, but missing or null"),
        ("weir.error.stage", b"observe"),
    ]


@given(dead_letters)
def test_headers_are_read_as_they_were_written(letter: DeadLetter) -> None:
    """Numbers and texts come back."""
    assert read_headers(letter.headers()) == letter


def test_second_death_counts() -> None:
    """A record that was sent again and failed again tells of the last failure."""
    again = headers_for(RecordError("$", "names nobody"), "retry", 0, 5, "observe")
    letter = read_headers([("traceparent", b"00-1"), *HEADERS, *again])
    assert (letter.topic, letter.partition, letter.offset, letter.message) == ("retry", 0, 5, "$: names nobody")


def test_original_headers_come_back_untouched() -> None:
    """Sending a dead letter again sends the record that once came, in its order, doubles and broken bytes included."""
    original = [("b", b"\xff"), ("a", b""), ("b", b"2")]
    assert original_headers([*original, *HEADERS]) == original


@pytest.mark.parametrize("without", range(len(HEADERS)))
def test_missing_header_is_named(without: int) -> None:
    """What is no dead letter is refused with the header that it lacks."""
    with pytest.raises(RecordError, match=HEADERS[without][0]):
        read_headers(HEADERS[:without] + HEADERS[without + 1 :])


def test_broken_offset_is_refused() -> None:
    """An offset that is no number points nowhere."""
    with pytest.raises(RecordError, match="offset"):
        read_headers([*HEADERS, ("__streams.errors.offset", b"far")])


def test_long_message_is_cut() -> None:
    """Headers count towards the size of a record, which a broker limits."""
    message = dict(headers_for(RecordError("$", "x" * 5000), "t", 0, 0, "observe"))["__streams.errors.message"]
    assert len(message) == 1000
