"""What a worker's page says, and when the worker is ready."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Final, cast

import pytest
from faust.types import TP, AppT

from schemas.audit import DegradedReason
from schemas.override import EVERYTHING
from streams import metrics as m
from streams.live import measuring
from streams.live.condition import Condition
from streams.live.figures import Figures
from streams.live.measuring import Measuring, lag
from streams.live.tally import Tally
from streams.live.transport import PartitionState
from streams.pipeline.assess.bounds import Turnover
from streams.pipeline.policy.brake import Brake

US: Final = 1_000_000
NOW_US: Final = 1_000 * US
REQUESTS, ACTIVITY = "http.requests", "weir.activity.v1"


@dataclass
class Assess:
    """The stage, as a test has it."""

    rebuilding: int = 0
    model_end_us: int | None = None
    unread: str = ""
    now: Figures = field(default_factory=Figures)
    take: Callable[[], None] = lambda: None
    waits: asyncio.Event | None = None
    waiting: dict[int, int] = field(default_factory=dict)

    def first_waiting(self, partition: int) -> int | None:
        """As the test has it."""
        return self.waiting.get(partition)

    def behind(self) -> str:
        """As the test has it."""
        return self.unread

    async def figures(self) -> Figures:
        """As the test has it."""
        if self.waits is not None:
            await self.waits.wait()
        return self.now


@dataclass
class Worker:
    """A worker whose surroundings a test moves."""

    app: SimpleNamespace = field(default_factory=lambda: SimpleNamespace(rebalancing_count=1, rebalancing=False))
    states: dict[TP, PartitionState] = field(default_factory=dict)
    held: list[int] = field(default_factory=list)
    assess: Assess = field(default_factory=Assess)
    tally: Tally = field(default_factory=Tally)
    condition: Condition = field(default_factory=lambda: Condition("worker:here:1", "sha256:1"))
    measuring: Measuring = field(init=False)

    def page(self) -> m.Metrics:
        """Metrics as a page would have them now."""
        asyncio.run(self.measuring.copy())
        return self.measuring.metrics


@pytest.fixture
def worker(monkeypatch: pytest.MonkeyPatch) -> Worker:
    """One with both stages, that has partition 0 of each topic."""
    made = Worker()
    monkeypatch.setattr(measuring, "partition_states", lambda _: made.states)
    stages = {REQUESTS: "observe", ACTIVITY: "assess"}
    made.measuring = Measuring(cast(AppT, made.app), made.tally, made.condition, stages, lambda: NOW_US)
    made.measuring.observing, made.measuring.assessing = SimpleNamespace(held=made.held), made.assess
    made.states |= {TP(REQUESTS, 0): PartitionState(9, 5, 5), TP(ACTIVITY, 0): PartitionState(0, 7, 7)}
    return made


def test_ready(worker: Worker) -> None:
    """Once partitions were assigned, reading has begun, everything it must know is read and nothing is rebuilt."""
    assert worker.measuring.missing() == ""
    worker.assess.rebuilding = 2
    assert worker.measuring.missing() == "partitions being rebuilt: 2"
    worker.assess.unread = "the model has not been read yet"
    assert worker.measuring.missing() == "the model has not been read yet"
    worker.states[TP(ACTIVITY, 1)] = PartitionState(0, None, None)
    assert worker.measuring.missing() == "reading has not begun"
    worker.app.rebalancing = True
    assert worker.measuring.missing() == "partitions are being assigned"
    worker.app.rebalancing_count = 0
    assert worker.measuring.missing() == "no partitions have been assigned yet"


def test_rebuilding_before_the_first_batch(worker: Worker) -> None:
    """A partition that is read below where it was committed is being rebuilt, whether or not the stage knows it yet."""
    worker.states[TP(ACTIVITY, 0)] = PartitionState(7, 6, 7)
    assert worker.measuring.missing() == "partitions being rebuilt: 1"
    assert worker.page().value(m.REBUILDING) == 1
    worker.states[TP(ACTIVITY, 0)] = PartitionState(7, 7, 7)
    assert worker.page().value(m.REBUILDING) == 0


def test_what_waits_for_its_turn_is_not_judged(worker: Worker) -> None:
    """Batches that the agent has taken and nobody has judged count as waiting, and as not rebuilt."""
    worker.states[TP(ACTIVITY, 0)] = PartitionState(7, 9, 12)
    worker.assess.waiting[0] = 5
    assert worker.measuring.missing() == "partitions being rebuilt: 1"
    assert worker.page().value(m.LAG, "assess") == 7
    worker.assess.waiting.clear()
    assert (worker.measuring.missing(), worker.page().value(m.LAG, "assess")) == ("", 3)


def test_ready_without_partitions(worker: Worker) -> None:
    """A worker that is one too many has nothing to do, and stands by."""
    worker.states.clear()
    assert worker.measuring.missing() == ""


def test_before_the_first_assignment(worker: Worker, monkeypatch: pytest.MonkeyPatch) -> None:
    """There is a page before there is a consumer to ask."""
    monkeypatch.setattr(measuring, "partition_states", lambda _: pytest.fail("there is no consumer yet"))
    worker.app.rebalancing_count = 0
    assert worker.page().value(m.PARTITIONS, "observe") == 0


def test_stages(worker: Worker) -> None:
    """Partitions and what waits in them, by stage, over all partitions."""
    worker.states |= {TP(REQUESTS, 1): PartitionState(0, 5, 25), TP(REQUESTS, 2): PartitionState(0, 1, 11)}
    page = worker.page()
    assert (page.value(m.PARTITIONS, "observe"), page.value(m.PARTITIONS, "assess")) == (3, 1)
    assert (page.value(m.LAG, "observe"), page.value(m.LAG, "assess")) == (30, 0)


@pytest.mark.parametrize(("position", "end", "waits"), [(3, 10, 7), (None, 10, 0), (3, None, 0), (11, 10, 0)])
def test_lag(position: int | None, end: int | None, waits: int) -> None:
    """0 while it is not known, and where more was read than the last fetch knew of."""
    assert lag(PartitionState(0, position, end)) == waits


def test_counts(worker: Worker) -> None:
    """What the log counts stands on the page."""
    tally = worker.tally
    tally.records, tally.exempt, tally.profiles, tally.rows = 10, 1, 20, 30
    tally.judged, tally.late, tally.duplicates, tally.turnover = 29, 2, 1, Turnover(1, 2, 3, 4)
    tally.dead_about["json"], tally.caution["blocks_withheld"], tally.caution["overflowed"] = 3, 5, 6
    worker.held.append(0)
    page = worker.page()
    for metric, value in {m.EVENTS: 10, m.EXEMPT: 1, m.PROFILES: 20, m.SIGHTINGS: 30, m.HELD: 1}.items():
        assert page.value(metric) == value
    for metric, value in {m.JUDGED: 29, m.LATE: 2, m.DUPLICATES: 1}.items():
        assert page.value(metric) == value
    assert page.value(m.DEAD_LETTERS, "json") == 3
    assert page.value(m.WITHHELD, "too_late") == 5
    assert page.value(m.CAUTION, "overflowed") == 6
    assert [page.value(m.TURNOVER, move) for move in m.TURNOVER.known] == [1, 2, 3, 4]


def test_condition(worker: Worker) -> None:
    """Every reason is 1 or 0, and the revision is that of now alone."""
    worker.condition.look({DegradedReason.LAGGING: "far behind"}, 0)
    assert worker.page().value(m.DEGRADED, "lagging") == 1
    assert worker.page().value(m.DEGRADED, "rebuilding") == 0
    assert worker.page().value(m.CONFIG, "sha256:1") == 1
    worker.condition.config = "sha256:2"
    page = worker.page()
    assert (page.value(m.CONFIG, "sha256:1"), page.value(m.CONFIG, "sha256:2")) == (None, 1)


def test_figures(worker: Worker) -> None:
    """What the partitions hold."""
    worker.assess.now = Figures(
        awake=4, asleep=3, memory_bytes=2, unkept_s=1.5, brakes=(Brake.BLOCKED_SHARE,) * 2, off=frozenset({"id_walk"})
    )
    worker.assess.model_end_us = NOW_US - 90 * US
    page = worker.page()
    assert (page.value(m.ACTORS, "awake"), page.value(m.ACTORS, "asleep"), page.value(m.MEMORY)) == (4, 3, 2)
    assert (page.value(m.CHECKPOINT_AGE), page.value(m.MODEL_AGE)) == (1.5, 90)
    assert (page.value(m.BRAKES, "blocked_share"), page.value(m.BRAKES, "blocks_per_minute")) == (2, 0)
    assert (page.value(m.KILL_SWITCH, "id_walk"), page.value(m.KILL_SWITCH, "long_tail")) == (1, 0)
    assert page.value(m.KILL_SWITCH, m.ALL) == 0
    worker.assess.now = Figures(off=frozenset({EVERYTHING}))
    assert worker.page().value(m.KILL_SWITCH, m.ALL) == 1


def watermark_lag(worker: Worker, **now: tuple[tuple[int, int], ...]) -> float | None:
    """What the page says of it."""
    worker.assess.now = Figures(**now)  # type: ignore[arg-type]  # those of pairs
    return worker.page().value(m.WATERMARK)


def test_watermark_lag(worker: Worker) -> None:
    """That of the partition farthest behind, of those in which something waits to be read or to be judged."""
    old, older = (0, NOW_US - 60 * US), (1, NOW_US - 90 * US)
    assert watermark_lag(worker, bounds_us=(old, older)) == 0
    assert watermark_lag(worker, bounds_us=(old, older), waiting_us=(old,)) == 60
    assert watermark_lag(worker, bounds_us=(old, older), waiting_us=(old, older)) == 90
    worker.states[TP(ACTIVITY, 1)] = PartitionState(0, 7, 8)
    assert watermark_lag(worker, bounds_us=(old, older)) == 90


def test_a_page_does_not_wait_for_long(worker: Worker, monkeypatch: pytest.MonkeyPatch) -> None:
    """While the thread that judges is busy, the page says what was so before; nothing is asked twice meanwhile."""
    monkeypatch.setattr(measuring, "PATIENCE_S", 0.01)
    worker.assess.now = Figures(awake=4)

    async def story() -> list[float | None]:
        await worker.measuring.copy()
        worker.assess.waits, worker.assess.now = asyncio.Event(), Figures(awake=5)
        said = []
        for _ in range(2):
            await worker.measuring.copy()
            said.append(worker.measuring.metrics.value(m.ACTORS, "awake"))
        asked = worker.measuring._asked
        worker.assess.waits.set()
        await worker.measuring.copy()
        assert worker.measuring._asked is asked
        return [*said, worker.measuring.metrics.value(m.ACTORS, "awake")]

    assert asyncio.run(story()) == [4, 4, 5]


def test_one_stage(worker: Worker) -> None:
    """A worker that only observes is ready without a model, and says nothing of what it does not do."""
    worker.measuring.assessing = None
    assert worker.measuring.missing() == ""
    assert worker.page().value(m.JUDGED) is None
