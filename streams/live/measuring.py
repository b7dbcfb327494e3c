"""What a worker's page of metrics says, and whether the worker is ready.

Nothing is measured while batches are in work: all this is asked for when somebody reads the page, every 15 s or so.
"""

import asyncio
from collections.abc import Iterable, Sized
from dataclasses import asdict, replace
from importlib.metadata import version
from typing import Final, Protocol

from faust.types import AppT

from detectors.core.discovery import classes
from schemas.override import EVERYTHING
from streams import metrics as m
from streams.clock import Clock
from streams.live.condition import US, Condition
from streams.live.figures import Figures
from streams.live.tally import Tally
from streams.live.transport import PartitionState, partition_states
from streams.pipeline.policy.brake import Brake

PATIENCE_S: Final = 2.0
"""How long a page waits for the thread that judges; then it tells what was so at the last page."""


States = dict[tuple[str, int], PartitionState]
"""By stage and number of the partition."""


class Observes(Protocol):
    """The stage of that name."""

    @property
    def held(self) -> Sized:
        """Source partitions that are held."""


class Assesses(Protocol):
    """The stage of that name."""

    @property
    def rebuilding(self) -> int:
        """Partitions whose state is behind."""

    @property
    def model_end_us(self) -> int | None:
        """End of the newest epoch of the model that all partitions have told."""

    def behind(self) -> str:
        """What it has not read yet that it must know; empty when it has."""

    async def figures(self) -> Figures:
        """What its partitions hold."""

    def first_waiting(self, partition: int) -> int | None:
        """Where what waits to be judged of a partition begins; None where nothing waits."""


class Measuring:
    """Of one worker."""

    def __init__(self, app: AppT, tally: Tally, condition: Condition, stages: dict[str, str], clock: Clock) -> None:
        """``stages`` are names by the topic that each reads; set `observing` and `assessing` where they run."""
        self._app, self._tally, self._condition = app, tally, condition
        self._stages, self._clock = stages, clock
        self._figures = Figures()
        self._asked: asyncio.Task[Figures] | None = None
        self.observing: Observes | None = None
        self.assessing: Assesses | None = None
        self.metrics = tally.metrics
        self.metrics.on_page(self.copy)
        self.reloaded(refused=False)

    def missing(self) -> str:
        """Why the worker does not do its work, in words; empty when it does."""
        if not self._app.rebalancing_count:
            return "no partitions have been assigned yet"
        if self._app.rebalancing:
            return "partitions are being assigned"
        states = self._states()
        if any(state.position is None for state in states.values()):
            return "reading has not begun"
        if self.assessing is not None:
            rebuilding = self._rebuilding(self.assessing, states)
            return self.assessing.behind() or (f"partitions being rebuilt: {rebuilding}" if rebuilding else "")
        return ""

    @staticmethod
    def _rebuilding(assessing: Assesses, states: States) -> int:
        # Without checkpoints the stage knows of a partition only when the first batch of it has come.
        mine = (state for (stage, _), state in states.items() if stage == "assess")
        return max(assessing.rebuilding, sum((state.position or 0) < state.committed for state in mine))

    def _states(self) -> States:
        if not self._app.rebalancing_count:
            return {}
        states = partition_states(self._app)
        found = {(self._stages[tp.topic], tp.partition): state for tp, state in states.items()}
        return {key: self._judged(*key, state) for key, state in found.items()}

    def _judged(self, stage: str, partition: int, state: PartitionState) -> PartitionState:
        # What waits for its turn has been taken by the agent, and yet nobody has looked at it.
        first = None
        if self.assessing is not None and stage == "assess" and state.position is not None:
            first = self.assessing.first_waiting(partition)
        return state if first is None else replace(state, position=first)

    async def copy(self) -> None:
        """Put everything on the page that is counted elsewhere."""
        page, states = self.metrics, self._states()
        page.put(m.BUILD, 1, version("weir"))
        page.drop(m.CONFIG)
        page.put(m.CONFIG, 1, self._condition.config)
        for stage in self._stages.values():
            mine = [state for (of, _), state in states.items() if of == stage]
            page.put(m.PARTITIONS, len(mine), stage)
            page.put(m.LAG, sum(map(lag, mine)), stage)
        for reason in m.DEGRADED.known:
            page.put(m.DEGRADED, reason in self._condition.reasons, reason)
        if self.observing is not None:
            self._copy_observed(len(self.observing.held))
        if self.assessing is not None:
            await self._copy_assessed(self.assessing, states)

    def reloaded(self, *, refused: bool) -> None:
        """Note what became of a configuration that was read."""
        self.metrics.put(m.RELOADED, not refused)
        if not refused:
            self.metrics.put(m.RELOADED_AT, self._clock() / 1e6)

    def _copy_observed(self, held: int) -> None:
        page, tally = self.metrics, self._tally
        page.put(m.HELD, held)
        for metric, count in (
            (m.EVENTS, tally.records),
            (m.EXEMPT, tally.exempt),
            (m.PROFILES, tally.profiles),
            (m.SIGHTINGS, tally.rows),
        ):
            page.put(metric, count)
        self._copy_counts(m.DEAD_LETTERS, tally.dead_about.items())
        self._copy_counts(m.CAUTION, tally.caution.items())

    async def _copy_assessed(self, assessing: Assesses, states: States) -> None:
        page, tally = self.metrics, self._tally
        for metric, count in ((m.JUDGED, tally.judged), (m.LATE, tally.late), (m.DUPLICATES, tally.duplicates)):
            page.put(metric, count)
        self._copy_counts(m.CAUTION, tally.caution.items())
        self._copy_counts(m.WITHHELD, [("too_late", tally.caution["blocks_withheld"])])
        self._copy_counts(m.TURNOVER, asdict(tally.turnover).items())
        page.put(m.REBUILDING, self._rebuilding(assessing, states))
        if assessing.model_end_us is not None:
            page.put(m.MODEL_AGE, max(self._clock() - assessing.model_end_us, 0) / US)
        now = await self._taken(assessing)
        page.put(m.ACTORS, now.awake, "awake")
        page.put(m.ACTORS, now.asleep, "asleep")
        page.put(m.MEMORY, now.memory_bytes)
        page.put(m.CHECKPOINT_AGE, now.unkept_s)
        for brake in Brake:
            page.put(m.BRAKES, now.brakes.count(brake), brake.value)
        for detector in (EVERYTHING, *classes()):
            page.put(m.KILL_SWITCH, detector in now.off, m.ALL if detector == EVERYTHING else detector)
        page.put(m.WATERMARK, self._watermark_lag_s(now, states))

    def _watermark_lag_s(self, now: Figures, states: States) -> float:
        # Where all sources are idle and all is read, the watermark is as old as the last event, however long ago.
        waiting = {number for number, _ in now.waiting_us}
        unread = {number for (stage, number), state in states.items() if stage == "assess" and lag(state)}
        bounds = [bound for number, bound in now.waiting_us] + [
            bound for number, bound in now.bounds_us if number in unread - waiting
        ]
        return max((self._clock() - bound for bound in bounds), default=0) / US

    def _copy_counts(self, metric: m.Metric, counts: Iterable[tuple[str, int]]) -> None:
        for label, count in counts:
            self.metrics.put(metric, count, label)

    async def _taken(self, assessing: Assesses) -> Figures:
        if self._asked is None or self._asked.done():
            self._asked = asyncio.create_task(assessing.figures())
        done, _ = await asyncio.wait([self._asked], timeout=PATIENCE_S)
        if done:
            self._figures = self._asked.result()
        return self._figures


def lag(state: PartitionState) -> int:
    """Records that wait; 0 while that is not known."""
    return max(state.end - state.position, 0) if state.end is not None and state.position is not None else 0
