"""The counters of a worker and the line it logs."""

import logging

import pytest

from streams import metrics as m
from streams.live.tally import Tally
from streams.pipeline.assess.bounds import Turnover
from streams.pipeline.observe.reading import Dead, about


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


def test_dead_letters_by_what_is_wrong() -> None:
    """They add up over batches, under the key that is wrong."""
    tally = Tally()
    tally.buried([Dead(0, 5, "byte 7", "not UTF-8"), Dead(1, 6, "$.url.path", "holds a NUL")])
    tally.buried([Dead(0, 7, "byte 9", "not UTF-8")])
    assert tally.dead_about == {"json": 2, "url.path": 1}


@pytest.mark.parametrize(
    ("where", "said"),
    [
        ("byte 0", "json"),
        ("$", "record"),
        ("$.weir.targets[7]", "weir.targets"),
        ("$.@timestamp", "@timestamp"),
        ("$.http", "record"),
        ("$.somebody@example.org", "record"),
        ("$[...]", "record"),
    ],
)
def test_few_reasons(where: str, said: str) -> None:
    """Whatever records hold, a reason is a key of the request event, ``json`` or ``record``."""
    assert about(Dead(0, 0, where, "wrong")) == said


def test_work_and_checkpoints() -> None:
    """Batches by stage, checkpoints with their bytes and how long they took, and how partitions began."""
    tally = Tally()
    tally.worked("assess", 0.2)
    tally.kept(1_000, 0.5)
    tally.kept(500, 0.1)
    tally.begun("restored")
    metrics = tally.metrics
    assert (metrics.value(m.BATCH, "assess"), metrics.value(m.BATCH, "observe")) == (1, None)
    assert (metrics.value(m.CHECKPOINTS), metrics.value(m.CHECKPOINT_BYTES)) == (2, 1_500)
    assert metrics.value(m.CHECKPOINT) == 2
    assert (metrics.value(m.RESTORED, "restored"), metrics.value(m.RESTORED, "rebuilt")) == (1, 0)
