"""From when on is compared, where the broker's part is played by the test."""

import asyncio
from pathlib import Path
from typing import Final

import pytest
from aiokafka import TopicPartition

from schemas import topic
from schemas.event_time import format_time
from streams.challenge.process import Asked, Challenge
from streams.challenge.reading import Reading
from streams.config import parse
from streams.pipeline.batch import Batch
from streams.pipeline.model.epochs import Epochs
from streams.pipeline.model.learner import Learner
from streams.pipeline.observe.observer import Observer
from tests.requests import START_S, request_of

SETTINGS: Final = parse("[kafka]\nbootstrap = 'localhost:9'\n[input]\ntime_skew_max_s = 0\n")
EARLY: Final = "2020-01-01T00:00:00.000Z"


@pytest.fixture(autouse=True)
def _all_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    async def passed(_: Reading, __: TopicPartition) -> bool:
        return True

    monkeypatch.setattr(Reading, "passed", passed)


def sightings(*at_s: float) -> bytes:
    """The message that observe makes of a view at each time."""
    observer = Observer(SETTINGS.input, SETTINGS.surfaces, 1, SETTINGS.bots, SETTINGS.groups)
    values = [request_of(when, "p1", account="a") for when in at_s]
    message = observer.observe(Batch("http.requests", 0, 0, len(values), values)).messages[0]
    assert message is not None
    return message


async def since_of(out: Path, first: int, since_us: int | None, message: bytes) -> tuple[str, bool]:
    """Since when is compared, and whether that is later than asked for, of a log whose first offset is ``first``."""
    places = {one: (one.name, 1) for one in topic.CATALOGUE}
    challenge = Challenge(SETTINGS, places, Asked(out, since_us, 60), lambda: 0)
    try:
        number = TopicPartition(topic.ACTIVITY.name, 0)
        challenge._activity.firsts = {number: first}
        for delta in Learner(0, Epochs.of(SETTINGS.model)).finish(int(START_S) // SETTINGS.model.epoch_s):
            challenge.judging.learn(delta)
        await challenge._judge(0, [message])
        await challenge._note_progress()
        return challenge.comparison.since, b'"history_cut": true' in (out / "summary.json").read_bytes()
    finally:
        await challenge._activity.end()
        await challenge._said.end()


@pytest.mark.parametrize(
    ("first", "since_us", "wanted", "cut"),
    [
        (0, 0, "1970-01-01T00:00:00.000Z", False),
        (5, 0, format_time(int(START_S * 1e6)), True),
        (5, 1 << 52, format_time(1 << 52), False),
    ],
    ids=["whole log", "log that was cut", "later than the cut"],
)
def test_nothing_is_compared_from_before_the_log(
    tmp_path: Path, first: int, since_us: int, wanted: str, cut: bool
) -> None:
    """Where retention has deleted something, the comparison begins with what is left, and says so."""
    found = asyncio.run(since_of(tmp_path, first, since_us, sightings(START_S)))
    assert found == (wanted, cut)


def test_it_begins_where_the_log_ends(tmp_path: Path) -> None:
    """Unless it is told otherwise; a report that is there goes on."""
    message = sightings(START_S, START_S + 100)
    begun = asyncio.run(since_of(tmp_path, 0, None, message))
    assert begun[0] > format_time(int(START_S * 1e6))
    assert asyncio.run(since_of(tmp_path, 0, None, sightings(START_S, START_S + 500))) == begun
