"""How far the sightings on a broker tell of the days of collectors."""

from dataclasses import replace

import pytest

from schemas.actor import Scope
from schemas.sighting import Progress
from streams.config import parse
from streams.live.collecting import LATEST, SETTLED_US, Words, homes, reach_of
from streams.pipeline.batch import Batch
from streams.pipeline.observe.observer import Observer
from streams.pipeline.sightings import Sightings, decode
from tests.requests import START_S, request_of, views
from tests.streams.pipeline.observe.records import actor_value

S = 1_000_000


def message(watermark_s: int, *, idle: bool = False, others: tuple[Progress, ...] = ()) -> Sightings:
    """What observe says of one source partition that has come so far."""
    settings = parse("")
    observer = Observer(settings.input, settings.surfaces, 1, settings.bots, settings.groups, None)
    sent = observer.observe(Batch("t", 0, 0, 1, views(START_S, 1))).messages[0]
    return replace(decode(sent or b""), watermark_us=watermark_s * S, idle=idle, others=others)


def words(*told: tuple[Sightings, int]) -> Words:
    """After messages, each with the second in which it was written."""
    made = Words()
    for one, written_s in told:
        made.take(one, written_s * S)
    return made


def test_the_source_that_is_behind_counts() -> None:
    """What it has still to tell may belong to the day."""
    other = Progress("t", 1, 0, 5, 70 * S, False)
    found = reach_of(words((message(100), 500), (message(200, others=(other,)), 501)), deleted=False)
    assert (found.from_us, found.to_us) == (0, 70 * S - SETTLED_US)


def test_an_idle_source_is_as_far_as_it_was_heard() -> None:
    """Nothing came up to then; what comes later, while workers are down, it knows nothing of."""
    found = reach_of(words((message(100), 500), (message(100, idle=True), 900)), deleted=False)
    assert found.to_us == 900 * S - SETTLED_US


def test_what_retention_may_have_taken_ends_with_the_first_message() -> None:
    """All that was deleted lay before its watermark, for every source."""
    other = Progress("t", 1, 0, 5, 170 * S, False)
    found = reach_of(words((message(100), 500), (message(200, others=(other,)), 501)), deleted=True)
    assert found.from_us == 170 * S


@pytest.mark.parametrize("deleted", [False, True])
def test_without_a_word_nothing_is_known(deleted: bool) -> None:
    """An empty topic says nothing of any day."""
    found = reach_of(Words(), deleted=deleted)
    assert found.to_us < 0
    assert found.from_us == LATEST


def test_of_days_before_the_first_message_nothing_is_known() -> None:
    """Though nothing was deleted: perhaps nobody looked yet. Of its own day, what is there is all there was."""
    day_s = 86_400
    found = reach_of(words((message(0), 400), (message(3 * day_s + 5), 500)), deleted=False)
    assert found.from_us == 3 * day_s * S


def test_homes_are_where_observe_sends() -> None:
    """Of actors of every scope that is found by its value alone; of the others all partitions."""
    settings = parse("")
    observer = Observer(settings.input, settings.surfaces, 7, settings.bots, settings.groups, None)
    values = [
        request_of(START_S, f"p{n}", account=f"a{n}", ip=f"10.0.{n}.1", asn=64_500 + n, fingerprint=f"f{n}")
        for n in range(20)
    ]
    found = 0
    for number, sent in enumerate(observer.observe(Batch("t", 0, 0, 20, values)).messages):
        if sent is None:
            continue
        sightings = decode(sent)
        for at, scope in enumerate(sightings.actor_scope.tolist()):
            assert homes([f"{Scope(scope).label}:{actor_value(sightings, at)}"], 7) == [number]
            found += 1
    assert found == 120
    assert homes(["session:s"], 7) == list(range(7))
    assert homes(["nothing:s"], 7) == []
