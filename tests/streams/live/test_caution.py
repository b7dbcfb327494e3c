"""What was cut, refused or forgotten, in a worker's log."""

import logging

import pytest

from streams.live.tally import Counted, Tally
from streams.pipeline.assess.bounds import Turnover


def test_caution_is_told(caplog: pytest.LogCaptureFixture) -> None:
    """What rose is counted, what fell is not, and what never happened is not said."""
    tally = Tally(records=1)
    before = Counted(4, 1, 0, Turnover(2), {"late": 2, "overflowed": 5, "duplicates": 0})
    after = Counted(9, 3, 1, Turnover(3), {"late": 3, "overflowed": 1, "duplicates": 0})
    tally.advanced(before, after)
    assert (tally.judged, tally.late, tally.duplicates, tally.turnover) == (5, 2, 1, Turnover(1))
    with caplog.at_level(logging.INFO):
        tally.tell()
    assert caplog.messages[0].endswith("evicted; caution: 1 late")
