"""What was cut, refused or forgotten, in a worker's log."""

import logging

import pytest

from streams.live.tally import Tally


def test_caution_is_told(caplog: pytest.LogCaptureFixture) -> None:
    """What rose is counted, what fell is not, and what never happened is not said."""
    tally = Tally(records=1)
    tally.warned({"late": 2, "overflowed": 5, "duplicates": 0}, {"late": 3, "overflowed": 1, "duplicates": 0})
    with caplog.at_level(logging.INFO):
        tally.tell()
    assert caplog.messages[0].endswith("evicted; caution: 1 late")
