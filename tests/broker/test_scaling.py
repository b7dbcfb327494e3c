"""From one worker to four and back to one on real Apache Kafka, while events come."""

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Final

import pytest

from streams.offline.simulate import PRESETS
from tests.broker.installation import Installation
from tests.brokers import Broker
from tests.faults.campaign import Plan, run
from tests.faults.fault import Site
from tests.faults.feeding import Feeding

pytestmark = pytest.mark.timeout(600)

PARTITIONS: Final = 4
"""One for each worker when there are most."""
FEW: Final = replace(PRESETS["small"], people=40, anonymous=10, members=1_000)
"""A day of 15,000 events with every kind of scraper in it."""
SHARE_AT_ONCE: Final = 0.45
"""So that scrapers are at work while workers come and go. No partition then is quiet for as long as an idle one."""
MOVES: Final = 20
"""Events by which progress shows."""


def out_and_in(site: Site, feeding: Feeding, _: int) -> Iterator[str]:
    """Three workers join one; then all but the last of them leave at once."""
    weir = site.weir
    goes_on(weir, "one worker")
    joined = [weir.start() for _ in range(PARTITIONS - 1)]
    weir.wait(lambda: all("restored" in worker.output() for worker in joined), "a partition for each worker")
    goes_on(weir, "four workers")
    assert not feeding.done, "nothing was fed any more: this says nothing about scaling"
    yield "one to four"
    *leaving, last = weir.workers
    before = last.output().count("restored")
    for worker in leaving:
        worker.process.terminate()
    assert [worker.process.wait(timeout=120) for worker in leaving] == [0] * len(leaving)
    weir.wait(lambda: last.output().count("restored") >= before + PARTITIONS, "all partitions for the last worker")
    goes_on(weir, "one worker again")
    assert not feeding.done, "nothing was fed any more: this says nothing about scaling"
    yield "four to one"
    feeding.hurry()


def goes_on(weir: Installation, who: str) -> None:
    """Wait until events are observed that were not yet."""
    before = observed(weir)
    weir.wait(lambda: observed(weir) > before + MOVES, f"events that {who} observed")


def observed(weir: Installation) -> int:
    """Events that are committed."""
    return sum(weir.committed(weir.requests).values())


def test_one_four_one(kafka_broker: Broker, tmp_path: Path) -> None:
    """Ids and contents of decisions, and all that is known of each actor, are those of one undisturbed process."""
    plan = Plan(seed=1, faults=0, duration_s=160, idle_ms=8_000, partitions=PARTITIONS, day=FEW, at_once=SHARE_AT_ONCE)
    alone = partial(Site, workers_min=1)
    found = run(kafka_broker, tmp_path, plan, alone, hurt=out_and_in)
    assert set(found.faults) == {"one to four", "four to one"}
    assert found.differences == []
    assert not found.ended
    assert found.alerts > 20
    assert found.actors > 400
