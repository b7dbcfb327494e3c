import json
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from schemas.event_time import parse_time_us
from streams.pipeline.batch import Batch
from streams.pipeline.observe import Observed, Observer
from streams.pipeline.observe.event_time import YEAR_1995_US, YEAR_2100_US, read_times
from streams.pipeline.observe.events import Fault
from streams.pipeline.observe.reading import read
from streams.settings import InputSettings
from streams.surfaces.setting import DEFAULT_SURFACES
from tests.streams.pipeline.observe.records import NOW_US, batch_of, observe, record, timestamps

ZONES = st.integers(-1439, 1439).map(lambda minutes: timezone(timedelta(minutes=minutes)))
MOMENTS = st.datetimes(datetime(1968, 1, 1), datetime(2150, 1, 1), timezones=ZONES)  # noqa: DTZ001  # as hypothesis wants
SPELLINGS = st.builds(
    lambda moment, separator, timespec, zulu: (
        moment.astimezone(UTC).isoformat(separator, timespec).replace("+00:00", "Z")
        if zulu
        else moment.isoformat(separator, timespec)
    ),
    MOMENTS,
    st.sampled_from("TTT t"),
    st.sampled_from(("seconds", "milliseconds", "microseconds", "minutes")),
    st.booleans(),
)
MANGLED = st.builds(
    lambda text, at, letter: text[:at] + letter + text[at + 1 :],
    SPELLINGS,
    st.integers(0, 31),
    st.sampled_from("0123456789-+:.TZz ,x") | st.just(""),
)
NUMBERS = (
    st.integers(-10, 2**64 + 10)
    | st.integers(0, 5 * 10**10).flatmap(lambda s: st.sampled_from([s, s * 10**3, s * 10**6, s * 10**9]))
    | st.floats(-1, 1e19, allow_nan=False)
    | st.floats(9e8, 5e9)
)


def read_one(time: object) -> tuple[int, Fault]:
    """Time and fault of a record with ``@timestamp``; records that carry no event at all count as no time."""
    value = json.dumps({"@timestamp": time, "http.request.method": "GET", "url.path": "/", "user.id": "u"}).encode()
    reading = read(batch_of([value]), 10**6)
    if reading.dead:
        return -1, Fault.TIME
    events = reading.events
    return int(read_times(events, reading.records)[0]), Fault(events.fault[0])


@given(time=SPELLINGS | MANGLED | NUMBERS | st.text(max_size=40))
@example(time="2026-02-29T00:00:00Z")
@example(time="2024-02-29T23:59:59.9999999Z")
@example(time="2026-06-30T23:59:60Z")
@example(time="2026-11-24T09:15:02.Z")
@example(time="2026-11-24T09:15:02+24:00")
@example(time="1795511702.118")
@example(time=10**11)
@example(time=10**14 - 1)
@example(time=10**17)
@example(time=1e17)
@example(time=2**63)
def test_time_is_read_as_the_schema_reads_it(time: str | float) -> None:
    """The compiled loop and `parse_time_us` agree on every spelling, on the microsecond and on what is none."""
    try:
        expected = parse_time_us(time)
    except ValueError:
        assert read_one(time)[1] == Fault.TIME
        return
    found, fault = read_one(time)
    assert found == expected
    assert (fault == Fault.NONE) == (YEAR_1995_US <= expected < YEAR_2100_US)


@pytest.mark.parametrize(
    ("time", "fault"),
    [
        ("1994-12-31T23:59:59.999999Z", Fault.TIME_RANGE),
        ("1995-01-01T00:00:00Z", Fault.NONE),
        ("2099-12-31T23:59:59.999999Z", Fault.NONE),
        ("2100-01-01T00:00:00Z", Fault.TIME_RANGE),
    ],
)
def test_years_1995_to_2099_are_taken(time: str, fault: Fault) -> None:
    """Both ends of the range of years, on the microsecond."""
    assert read_one(time)[1] == fault


def observe_at(timestamp_ms: int, skew_max_s: int, ahead_max_s: int = 86_400) -> Observed:
    """A record of NOW whose own timestamp is ``timestamp_ms``."""
    batch = Batch("http.requests", 0, 0, 1, [record()], timestamps_ms=timestamps([timestamp_ms]))
    settings = InputSettings(time_skew_max_s=skew_max_s, time_ahead_max_s=ahead_max_s)
    return Observer(settings, DEFAULT_SURFACES, 1).observe(batch)


@pytest.mark.parametrize(("away_ms", "dead"), [(60_000, 0), (60_001, 1), (-60_000, 0), (-60_001, 1)])
def test_a_time_too_far_from_its_record_is_a_dead_letter(away_ms: int, dead: int) -> None:
    """The greatest skew is still taken on both sides, one ms more is not."""
    observed = observe_at(NOW_US // 1000 + away_ms, 60)
    assert [(one.where, "skew" in one.reason) for one in observed.dead] == [("$.@timestamp", True)] * dead
    assert observed.counts.disclosed == 1 - dead


@pytest.mark.parametrize(("ahead_ms", "dead"), [(5_000, 0), (5_001, 1), (-60_000, 0)])
def test_a_time_ahead_of_its_record_has_a_limit_of_its_own(ahead_ms: int, dead: int) -> None:
    """The watermark follows whatever lies ahead, so less of it is taken than of what lies behind."""
    assert observe_at(NOW_US // 1000 - ahead_ms, 60, 5).counts.dead == dead


@pytest.mark.parametrize("timestamp_ms", [2**63 - 1, NOW_US // 1000 + 2**61, 0])
def test_any_timestamp_of_a_record_is_compared(timestamp_ms: int) -> None:
    """A timestamp that overflows in microseconds, the second to the very event time, is as far off as it looks."""
    assert observe_at(timestamp_ms, 86_400).counts.dead == 1


def test_a_record_without_timestamp_and_a_skew_of_0_are_not_compared() -> None:
    """Kafka's -1 means that there is no timestamp; a greatest skew of 0 takes any time."""
    assert observe_at(-1, 60).counts.disclosed == 1
    assert observe_at(0, 0).counts.disclosed == 1


def test_a_year_away_is_a_dead_letter_that_does_not_move_the_watermark() -> None:
    """One broken clock does not push the watermark of its partition a year ahead."""
    values = [record(), record({"@timestamp": "2027-11-24T09:15:02Z"})]
    batch = Batch("http.requests", 0, 0, 2, values, timestamps_ms=timestamps([NOW_US // 1000] * 2))
    observed = Observer(InputSettings(), DEFAULT_SURFACES, 1).observe(batch)
    assert [dead.index for dead in observed.dead] == [1]
    assert observed.watermark_us == NOW_US


def test_times_are_compared_with_the_record_they_stand_in() -> None:
    """A dead record before an event does not shift the timestamps against the events."""
    batch = Batch(
        "http.requests", 0, 0, 2, [b"{", record()], timestamps_ms=timestamps([NOW_US // 1000 - 10**9, NOW_US // 1000])
    )
    assert Observer(InputSettings(), DEFAULT_SURFACES, 1).observe(batch).counts.disclosed == 1


def test_a_batch_without_timestamps_is_judged_by_years_alone() -> None:
    """Recorded files have no record timestamps: old events in them are events."""
    assert observe([record({"@timestamp": "2001-01-01T00:00:00Z"})]).counts.disclosed == 1
