"""The steps on the way from an event to its block, by what stands in the logs."""

import pytest

from tests.bench.journey import _Home, key_of, medians


def test_watermark_passes() -> None:
    """An event is passed when every source is beyond it by the lateness; a source that is idle holds nobody up."""
    home = _Home(lateness_us=100, expected=2)
    home.hear(1.0, 0, 1_000, idle=False)
    assert home.passed_ms(0) is None, "one source has not been heard of"
    home.hear(2.0, 1, 500, idle=False)
    assert [home.passed_ms(event_us) for event_us in (0, 399, 400)] == [2.0, 2.0, None]
    home.hear(3.0, 1, 450, idle=False)
    home.hear(4.0, 1, 450, idle=True)
    assert [home.passed_ms(event_us) for event_us in (399, 400, 899, 900)] == [2.0, 4.0, 4.0, None]


def test_medians_of_steps() -> None:
    """Each step counts from the one before it, block by block."""
    assert medians([(0.0, 1.0, 11.0), (100.0, 103.0, 133.0), (5.0, 7.0, 27.0)]) == [2.0, 20.0]
    assert medians([]) == []


def test_key_of_an_account() -> None:
    """The key that sightings have: the digest with the scope's number in its low bits."""
    assert key_of("u1") & 7 == 1
    assert key_of("u1") != key_of("u2")


@pytest.mark.parametrize("event_us", [0, 10**18])
def test_nothing_was_heard(event_us: int) -> None:
    """Of a partition without a message nothing is known."""
    assert _Home(0, 1).passed_ms(event_us) is None
