from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.event_time import format_time, parse_time_us
from tests.schemas.strategy import YEAR_9999_US, times_us

MOMENT_US = 1_795_511_702_118_345  # 2026-11-24T09:15:02.118345Z


@pytest.mark.parametrize(
    ("value", "expected_us"),
    [
        ("2026-11-24T09:15:02.118345Z", MOMENT_US),
        ("2026-11-24T09:15:02.118345678Z", MOMENT_US),
        ("2026-11-24t09:15:02.118345z", MOMENT_US),
        ("2026-11-24 09:15:02.118345+00:00", MOMENT_US),
        ("2026-11-24T14:45:02.118345+05:30", MOMENT_US),
        ("2026-11-24T01:15:02.118345-0800", MOMENT_US),
        ("2026-11-24T09:15:02Z", MOMENT_US // 1_000_000 * 1_000_000),
        ("1970-01-01T00:00:00Z", 0),
        ("9998-12-31T23:59:59.999999Z", YEAR_9999_US - 1),
        ("2016-12-31T23:59:60Z", 1_483_228_800_000_000),
        ("2016-12-31T23:59:60.25Z", 1_483_228_800_250_000),
        ("1795511702.118345", MOMENT_US),
        ("1795511702118345678", MOMENT_US),
    ],
)
def test_text_is_read(value: str, expected_us: int) -> None:
    """RFC 3339 in all its spellings, and digits, give microseconds; what is finer is cut off."""
    assert parse_time_us(value) == expected_us


@pytest.mark.parametrize(
    ("value", "expected_us"),
    [
        (0, 0),
        (1_795_511_702, 1_795_511_702_000_000),
        (1_795_511_702.118345, MOMENT_US),
        (1_795_511_702_118, MOMENT_US // 1000 * 1000),
        (1_795_511_702_118.345, MOMENT_US),
        (MOMENT_US, MOMENT_US),
        (MOMENT_US * 1000 + 999, MOMENT_US),
    ],
)
def test_number_is_read_in_its_unit(value: float, expected_us: int) -> None:
    """The same moment in s, ms, us and ns, whole or broken, gives the same microseconds."""
    assert parse_time_us(value) == expected_us


@pytest.mark.parametrize(
    ("value", "expected_us"),
    [
        (10**11 - 1, (10**11 - 1) * 1_000_000),
        (10**11, 10**14),
        (10**14 - 1, (10**14 - 1) * 1_000),
        (10**14, 10**14),
        (10**17 - 1, 10**17 - 1),
        (10**17, 10**14),
        (2**63 - 1, 9_223_372_036_854_775),
    ],
)
def test_units_change_at_their_bounds(value: int, expected_us: int) -> None:
    """Each bound itself belongs to the finer unit."""
    assert parse_time_us(value) == expected_us


@pytest.mark.parametrize(
    "value",
    [
        *("", "now", "nan", "-1", "1e9", "1.", "2026-11-24", "20261124T091502Z", "2026-W48-2T09:15:02Z"),
        *("2026-11-24T09:15Z", "2026-13-24T09:15:02Z", "2026-11-24T25:15:02Z", "2026-11-24T09:15:61Z"),
        *("2016-12-31T23:59:60Z\n", "2016-12-31T23:59:60", "\uff12026-11-24T09:15:02Z", "99999999999999999999"),
        *("1969-12-31T23:59:59.999999Z", "1970-01-01T00:00:00+01:00", "9999-01-01T00:00:00Z"),
        *("0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "9999-12-31T23:59:60Z"),
        *(-1, -0.001, 2**63, 10**30, float("inf"), float("-inf"), float("nan")),
    ],
)
def test_what_is_no_time_is_refused(value: str | float) -> None:
    """Nothing outside the grammar or the range gets a time, and nothing but ValueError comes out."""
    with pytest.raises(ValueError, match=r"^time "):
        parse_time_us(value)


@pytest.mark.parametrize("value", ["2026-11-24T09:15:02", "2026-11-24T09:15:02.118", "2026-11-24 09:15:02.118345"])
def test_time_without_zone_is_refused(value: str) -> None:
    """A local time could be any of 26 hours, so it is refused, and the reason says so."""
    with pytest.raises(ValueError, match="names no zone"):
        parse_time_us(value)


@given(times_us)
def test_written_time_is_read_back_to_the_millisecond(time_us: int) -> None:
    """What is written differs from what was meant by less than a millisecond, never upwards."""
    assert parse_time_us(format_time(time_us)) == time_us // 1000 * 1000


@given(times_us, times_us)
def test_written_times_sort_as_times(one_us: int, other_us: int) -> None:
    """Comparing the texts is comparing the milliseconds."""
    assert (format_time(one_us) < format_time(other_us)) == (one_us // 1000 < other_us // 1000)


@given(st.datetimes(datetime(1970, 1, 2), datetime(9998, 12, 30)), st.integers(-14 * 60, 14 * 60))  # noqa: DTZ001 - a strategy wants bounds without a zone
def test_zone_is_taken_off(local: datetime, offset_minutes: int) -> None:
    """Any zone's text gives the moment that Python's own arithmetic gives."""
    moment = local.replace(tzinfo=timezone(timedelta(minutes=offset_minutes)))
    since = moment - datetime(1970, 1, 1, tzinfo=UTC)
    assert parse_time_us(moment.isoformat(timespec="microseconds")) == since // timedelta(microseconds=1)


@given(st.text(max_size=40) | st.floats() | st.integers())
def test_anything_gives_a_time_or_value_error(value: str | float) -> None:
    """No text and no number makes the reader raise anything else, or give a time that cannot be written."""
    try:
        time_us = parse_time_us(value)
    except ValueError:
        return
    assert format_time(time_us).endswith("Z")
