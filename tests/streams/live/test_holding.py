"""Partitions that are held: what waits, what is tried again, what a rebalance leaves of it."""

import asyncio
import logging
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import cast

import pytest
from faust.types import TP, AppT, EventT

from schemas.errors import FloodError
from streams.live import holding
from streams.live.holding import Holding
from streams.pipeline.batch import Batch

HERE, THERE = TP("http.requests", 0), TP("http.requests", 1)
FLOOD = FloodError(*HERE, 7, 0.1, 1000, "$: is no JSON")


@dataclass(slots=True)
class Stage:
    """A stage with everything around its held partitions replaced."""

    paused: list[TP] = field(default_factory=list)
    resumed: list[TP] = field(default_factory=list)
    begun: list[int] = field(default_factory=list)
    let_go: list[int] = field(default_factory=list)
    flooding: set[int] = field(default_factory=set)
    app: SimpleNamespace = field(init=False)
    holding: Holding = field(init=False)

    def __post_init__(self) -> None:
        """An app of two partitions."""
        consumer = SimpleNamespace(
            pause_partitions=self.paused.extend, resume_partitions=self.resumed.extend, assignment=lambda: {HERE, THERE}
        )
        self.app = SimpleNamespace(consumer=consumer, consumer_generation_id=1)
        self.holding = Holding(cast(AppT, self.app), self.begin)

    async def begin(self, event: EventT[Batch]) -> bool:
        """Take a batch unless it floods."""
        if lo_of(event) in self.flooding:
            self.holding.hold(event, FLOOD)
            return False
        self.begun.append(lo_of(event))
        return True

    def retry(self) -> None:
        """One try."""
        asyncio.run(self.holding.retry())


def lo_of(event: EventT[Batch]) -> int:
    """First offset of its batch."""
    return cast(Batch, event.value).lo


def event(lo: int, tp: TP = HERE, generation: int = 1) -> EventT[Batch]:
    """A batch that begins at ``lo``."""
    message = SimpleNamespace(tp=tp, generation_id=generation)
    return cast("EventT[Batch]", SimpleNamespace(value=SimpleNamespace(lo=lo), message=message))


@pytest.fixture
def stage(monkeypatch: pytest.MonkeyPatch) -> Stage:
    """One whose partition HERE is held at the batch that begins at 5."""
    made = Stage(flooding={5})

    def let_go(_: object, one: EventT[Batch]) -> None:
        made.let_go.append(lo_of(one))

    monkeypatch.setattr(holding, "let_go", let_go)
    made.holding.hold(event(5), FLOOD)
    return made


def test_held(stage: Stage) -> None:
    """The partition is fetched no further, what is on its way waits behind, and no rebalance waits for it."""
    assert (stage.paused, HERE in stage.holding, len(stage.holding)) == ([HERE], True, 1)
    assert stage.holding.keeps(event(8))
    assert stage.let_go == [5, 8]
    assert not stage.holding.keeps(event(3, THERE))


def test_retry_in_vain(stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    """As long as it floods it is held, and each try says so."""
    with caplog.at_level(logging.ERROR):
        stage.retry()
        stage.retry()
    assert [str(FLOOD) in message for message in caplog.messages] == [True, True]
    assert (stage.begun, stage.resumed, stage.paused) == ([], [], [HERE])


def test_goes_on(stage: Stage) -> None:
    """When it floods no longer all that waited goes on in order, and the partition is fetched again."""
    stage.holding.keeps(event(8))
    stage.flooding.clear()
    stage.retry()
    assert (stage.begun, stage.resumed, HERE in stage.holding) == ([5, 8], [HERE], False)
    assert not stage.holding.keeps(event(9))


def test_goes_on_to_the_next_flood(stage: Stage) -> None:
    """A batch behind that floods in its turn is what is held now."""
    stage.holding.keeps(event(8))
    stage.flooding = {8}
    stage.retry()
    assert (stage.begun, stage.resumed, HERE in stage.holding) == ([5], [], True)
    stage.flooding.clear()
    stage.retry()
    assert (stage.begun, stage.resumed) == ([5, 8], [HERE])


def test_rebalance_forgets(stage: Stage) -> None:
    """What is held of an assignment that is over is read again by whoever owns it now: here it comes anew."""
    stage.app.consumer_generation_id = 2
    assert not stage.holding.keeps(event(5, generation=2))
    assert HERE not in stage.holding


def test_retry_after_rebalance(stage: Stage) -> None:
    """Nothing of the old assignment is taken on its way."""
    stage.flooding.clear()
    stage.app.consumer_generation_id = 2
    stage.retry()
    assert (stage.begun, stage.resumed, HERE in stage.holding) == ([], [], False)


def test_rebalance_during_a_try(stage: Stage) -> None:
    """What came of the new assignment while an old batch was tried stays held."""

    async def begin(_: EventT[Batch]) -> bool:
        stage.app.consumer_generation_id = 2
        stage.holding.keeps(event(5, generation=2))
        stage.holding.hold(event(5, generation=2), FLOOD)
        return True

    stage.holding._begin = begin  # type: ignore[misc]  # it stands in for the stage
    stage.retry()
    assert (HERE in stage.holding, stage.resumed) == (True, [])


def test_rebalance_while_another_is_tried(stage: Stage) -> None:
    """A partition that went while others were tried is nobody's to try, nor to read on."""
    stage.holding.hold(event(3, THERE), FLOOD)

    async def begin(_: EventT[Batch]) -> bool:
        stage.app.consumer_generation_id = 2
        stage.holding.keeps(event(3, THERE, generation=2))
        return True

    stage.holding._begin = begin  # type: ignore[misc]  # it stands in for the stage
    stage.retry()
    assert (len(stage.holding), stage.resumed) == (0, [])
