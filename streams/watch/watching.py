"""The logs through the pipeline, and what comes of it to disk and to enforcers."""

import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import msgspec
import numpy as np
from msgspec.structs import replace

from schemas import topic
from schemas.alert import ALERT_CODEC, ALERTS_FILE, Alert, AlertStatus
from schemas.block import BLOCK_CODEC, BLOCKS_FILE, Block, BlockStatus, decode_block
from schemas.errors import CheckpointError, RecordError
from schemas.model import ModelDelta
from schemas.override import decode_override
from streams.clock import Clock
from streams.enrichment import LOOK_S, enrichment_of
from streams.pipeline.assess.outcome import Outcome
from streams.pipeline.assess.timeline import Timeline
from streams.pipeline.batch import Batch
from streams.pipeline.checkpoint.snapshot import encode, restore, take
from streams.pipeline.observe.observer import Observed
from streams.pipeline.pipeline import Pipeline
from streams.pipeline.policy.decide import Lift
from streams.pipeline.policy.lateness import timely
from streams.pipeline.policy.overrides import Overrides
from streams.robots import RobotLists
from streams.settings import Settings
from streams.watch.deciding import Deciding
from streams.watch.following import Followed, Place
from streams.watch.keeping import Kept, Manifest
from streams.watch.operators import Operators
from streams.watch.piped import Piped
from streams.watch.written import Written

TOPIC: Final = "watch"
BATCH_LINES: Final = 10_000
FORGET_S: Final = 60.0
HEAR_S: Final = 0.5
"""How often is looked whether operators have said something."""

log = logging.getLogger(__name__)

Source = Followed | Piped


@dataclass(slots=True)
class Told:
    """What is known of one log besides its place."""

    source: Source
    watermark_us: int = -1
    quiet_since_s: float | None = None
    """By the monotonic clock; None while it has something new."""
    idle: bool = False
    """The pipeline was told that there is nothing more for now."""


@dataclass(slots=True)
class Seen:
    """What came of it all since the start."""

    lines: int = 0
    bad: int = 0
    disclosed: int = 0
    alerts: int = 0
    blocks: int = 0
    withheld: int = 0
    """Blocks that were decided too long after their events to be sent: `timely`."""
    samples: list[str] = field(default_factory=list)
    """The first bad lines: where, why, and how they begin."""

    @property
    def blocked(self) -> str:
        """How many blocks, and how many came too late to be any."""
        late = f", {self.withheld} too old to be sent" if self.withheld else ""
        return f"{self.blocks} blocks{late}"


class Watching:
    """All logs, one partition of actors."""

    def __init__(self, settings: Settings, kept: Kept, sources: Sequence[Source], clock: Clock, samples: int) -> None:
        """Go on where ``kept`` says; ``samples`` bad lines are kept to be shown.

        Raises:
            ConfigError: a surface's path is no pattern, or a file of [enrich] cannot be read.
            UsageError: the directory cannot be written.
        """
        self._settings, self._kept, self._clock, self._samples = settings, kept, clock, samples
        self._told = [Told(source) for source in sources]
        manifest = kept.manifest()
        self._places = {} if manifest is None else {place.number: place for place in manifest.places}
        # Of logs that are followed no longer, too: the state waits for them until it is told that they are idle.
        self._numbers = 1 + max(self._places.keys() | {source.place.number for source in sources})
        self._said_at = 0 if manifest is None else manifest.said
        """Up to there operators' blocks stand in our own file, whatever has come over them there since."""
        self._operators, self._overrides = Operators(kept.directory), Overrides(at_once=True)
        self._enrichment, self._looked_s = enrichment_of(settings.enrich), time.monotonic()
        self._lists = RobotLists(settings.bots, clock)
        self._timeline = Timeline.of(replace(settings, bots=self._lists.bots))
        self._pipeline = self._restored(manifest)
        self.alerts = Written(kept.directory / ALERTS_FILE, ALERT_CODEC)
        self.blocks = Written(kept.directory / BLOCKS_FILE, BLOCK_CODEC)
        self._orders: dict[str, str] = {}
        """Id of the operator's block that was said last of an actor, by the actor's key."""
        self.deciding = Deciding(map(self._noted, self.blocks.records()), clock)
        self.seen = Seen()
        self._fresh: list[Block | Lift] = []
        self._opened: list[Alert] = []
        self._first = True
        """The logs have not been read to their end yet: nobody waits for what they may get meanwhile."""
        self._everything = True
        self._kept_at = -1, -1
        """Lines, and bytes of what operators have said, at the last checkpoint."""
        self._heard_s = -HEAR_S
        self._hear()
        self._forgot_s = time.monotonic()
        for number in range(self._numbers):
            if all(told.source.place.number != number for told in self._told):
                self._idle(number, self._position(number))

    def _new(self) -> Pipeline:
        first = self._timeline.first
        return Pipeline(
            first.settings,
            first.detectors,
            first.revision,
            sources=self._numbers,
            timeline=self._timeline,
            overrides=self._overrides,
            origins=self._enrichment,
        )

    def _restored(self, manifest: Manifest | None) -> Pipeline:
        """The pipeline as it was at the last checkpoint; where none serves a new one, with what was learned."""
        if manifest is None:
            return self._new()
        try:
            deltas = list(self._kept.deltas())
        except CheckpointError as error:
            log.warning("what was known cannot be used, and is learned anew: %s", error)
            return self._new()
        pipeline = self._with(deltas)
        try:
            restore(pipeline.assessors[0], self._kept.parts(manifest))
        except CheckpointError as error:
            log.warning("what was known of actors cannot be used, and is learned anew: %s", error)
            return self._with(deltas)
        log.info("restored %d actors", len(pipeline.assessors[0].actors))
        return pipeline

    def _with(self, deltas: Sequence[ModelDelta]) -> Pipeline:
        pipeline = self._new()
        for delta in deltas:
            pipeline.models.add(delta)
        return pipeline

    def _position(self, number: int) -> int:
        return self._places[number].line if number in self._places else 0

    @property
    def ended(self) -> bool:
        """Nothing more can come: all were pipes, and all have ended."""
        return all(told.source.ended and told.idle for told in self._told)

    def step(self) -> bool:
        """Read and judge one batch of the log that is farthest behind; False when there is nothing new."""
        now_s = time.monotonic()
        if now_s - self._heard_s >= HEAR_S:
            self._heard_s = now_s
            self._hear()
        if now_s - self._looked_s >= LOOK_S:
            self._looked_s = now_s
            self._look_at_files()
        for told in sorted(self._told, key=lambda told: told.watermark_us):
            place = told.source.place
            lo = place.line
            lines = told.source.read(BATCH_LINES, now_s)
            if lines:
                told.quiet_since_s, told.idle = None, False
                self._judge(told, lo, lines)
                return True
            self._note_quiet(told, now_s)
        self._first = self._first and not all(told.idle for told in self._told)
        self.alerts.flush()
        self.blocks.flush()
        return False

    def _look_at_files(self) -> None:
        if self._enrichment is not None:
            self._enrichment.refresh()
        if self._lists.refresh():
            self._pipeline.observer.know(self._lists.bots)
            self._timeline.know(self._lists.bots)

    def _hear(self) -> None:
        """Heed what operators have said meanwhile."""
        for one in self._operators.read():
            try:
                if one.topic == topic.OVERRIDES.name:
                    self._overrides.take(one.key, decode_override(one.content))
                elif one.topic == topic.BLOCKS.name and self._operators.at > self._said_at:
                    block = decode_block(one.content)
                    if block is not None:
                        self._say(block, again=True)
            except RecordError as error:
                log.warning("what an operator said of %s is no record: %s", one.topic, error)
        for decision in self._pipeline.assessors[0].overrule(self._clock()):
            if isinstance(decision, Block):
                self._say(decision)

    def _say(self, block: Block, *, again: bool = False) -> None:
        if _is_order(block):
            # It has the same id each time that it comes into force again.
            again = self._orders.get(block.actor.key) != block.id
        if self.blocks.add(block, again=again):
            self.seen.blocks += 1
            self._fresh.append(self._noted(block))

    def _noted(self, block: Block) -> Block:
        self._orders.pop(block.actor.key, None)
        if _is_order(block):
            self._orders[block.actor.key] = block.id
        return block

    def deliver(self) -> list[Alert]:
        """Let enforcers see what was decided, in the thread that answers them; returns the alerts that opened."""
        fresh, self._fresh = self._fresh, []
        for decision in fresh:
            self.deciding.take(decision)
        # Not as all are idle at once: a log that never rests would keep enforcers waiting for ever.
        if all(told.source.caught_up for told in self._told):
            self.deciding.complete()
        if time.monotonic() - self._forgot_s >= FORGET_S:
            self._forgot_s = time.monotonic()
            self.deciding.forget()
        opened, self._opened = self._opened, []
        return opened

    def _note_quiet(self, told: Told, now_s: float) -> None:
        if told.quiet_since_s is None:
            told.quiet_since_s = now_s
        long_quiet = now_s - told.quiet_since_s >= self._settings.input.idle_after_ms / 1000
        if not told.idle and told.source.at_end and (self._first or told.source.ended or long_quiet):
            told.idle = True
            self._idle(told.source.place.number, told.source.place.line)

    def _idle(self, number: int, line: int) -> None:
        self._pipeline.idle(TOPIC, number, line)
        self._take(self._pipeline.advance(self._clock))

    def _judge(self, told: Told, lo: int, lines: list[bytes]) -> None:
        place = told.source.place
        written = [n for n, line in enumerate(lines) if line.strip()]
        offsets = None if len(written) == len(lines) else lo + np.array(written, np.int64)
        values = lines if offsets is None else [lines[n] for n in written]
        batch = Batch(TOPIC, place.number, lo, lo + len(lines), values, offsets)
        observed, outcomes = self._pipeline.feed(batch, self._clock)
        told.watermark_us = max(told.watermark_us, observed.watermark_us)
        self.seen.lines += len(values)
        self.seen.disclosed += observed.counts.disclosed
        self._note_bad(place, batch, observed)
        self._take(outcomes)

    def _note_bad(self, place: Place, batch: Batch, observed: Observed) -> None:
        self.seen.bad += len(observed.dead)
        for dead in observed.dead[: max(self._samples - len(self.seen.samples), 0)]:
            value = (batch.values[dead.index] or b"")[:200].decode("utf-8", "backslashreplace")
            self.seen.samples.append(f"{place.path}, line {dead.offset + 1}: {dead.where}: {dead.reason}: {value}")

    def _take(self, outcomes: Sequence[Outcome]) -> None:
        age_us = self._settings.policy.block_age_max_s * 1_000_000
        for outcome in outcomes:
            for delta in outcome.deltas:
                self._kept.learn(delta)
            decisions = timely(outcome.decisions, self._clock(), age_us)
            self.seen.withheld += len(outcome.decisions) - len(decisions)
            for decision in decisions:
                if isinstance(decision, Alert):
                    if self.alerts.add(decision) and decision.status is AlertStatus.OPEN:
                        self.seen.alerts += 1
                        self._opened.append(decision)
                elif not isinstance(decision, Block):
                    self._orders.pop(decision.actor.key, None)
                    self._fresh.append(decision)
                else:
                    self._say(decision)

    def keep(self) -> int:
        """Write a checkpoint, unless nothing was read or said since the last; returns its bytes; raises `OSError`."""
        at = sum(told.source.place.line for told in self._told), self._operators.at
        if at == self._kept_at:
            return 0
        # Decisions first: what the checkpoint has behind it is not decided again.
        self.alerts.sync()
        self.blocks.sync()
        snapshot = take(self._pipeline.assessors[0], everything=self._everything, lent=True)
        self._everything = True  # until this one is written
        places = [msgspec.structs.replace(told.source.place) for told in self._told]
        gone = [place for number, place in self._places.items() if number not in {each.number for each in places}]
        parts, names = encode(snapshot), list(snapshot.names)
        size = self._kept.keep(snapshot.sequence, parts, names, [*places, *gone], self._operators.at)
        self._everything, self._kept_at = False, at
        return size

    def close(self) -> None:
        """Keep what there is, and let go of everything."""
        self.keep()
        for told in self._told:
            told.source.close()
        self.alerts.close()
        self.blocks.close()
        self._kept.close()


def _is_order(block: Block) -> bool:
    """An operator's block names no detector."""
    return not block.detectors and block.status is BlockStatus.ACTIVE
