"""The counters of a worker and the line it logs."""

import logging

import pytest

from streams.live.tally import Tally
from streams.pipeline.assess.bounds import Turnover


def test_tell(caplog: pytest.LogCaptureFixture) -> None:
    """A line says what was done; nothing is said again while nothing happens."""
    tally = Tally(records=5, dead=1, exempt=3, judged=7, late=2, turnover=Turnover(1, 20, 3, 4))
    with caplog.at_level(logging.INFO):
        tally.tell()
        tally.tell()
        assert len(caplog.messages) == 1
        assert caplog.messages[0].startswith("observed 5 records: 0 profiles disclosed, 1 dead letters, 3 exempt, ")
        assert "judged 7 sightings (2 late, 0 duplicates)" in caplog.messages[0]
        assert caplog.messages[0].endswith("actors: 1 forgotten, 20 put to sleep, 3 woken, 4 evicted")
        tally.judged += 1
        tally.tell()
    assert len(caplog.messages) == 2
