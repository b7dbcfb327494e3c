"""Stretches of traffic through assessors whose state is taken, encoded and put into new ones on the way."""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Final, NamedTuple

import numpy as np

from schemas.mode import Mode
from schemas.model import ModelDelta
from streams import config
from streams.pipeline.assess.assessor import Assessor
from streams.pipeline.assess.outcome import Outcome
from streams.pipeline.checkpoint.snapshot import encode, restore, take
from streams.pipeline.model.models import Models
from streams.pipeline.observe.observer import idle_progress
from streams.pipeline.sightings import decode
from streams.settings import Settings
from tests import days
from tests.low import low
from tests.streams.pipeline.test_same_decisions import LATENESS_US, dealt, interleaved

BOUNDED: Final = low(
    "[model]\nlearning_s = 36000\ntaste_half_life = 1000\nmembers = 3000\n"
    "[detectors.profile_rate.account]\nhour = 200\n"
    "[detectors.long_tail]\nlimit = 8\n[detectors.cohort]\nlimit = 8\n"
    "[memory]\nactors_max = 300\nsleeping_max = 120\n"
)
"""`days.QUICK` with less memory than the day asks for: actors sleep and wake, sleepers are evicted."""


class Stretch(NamedTuple):
    """Traffic, and how it comes."""

    tight: bool = False
    """Under `BOUNDED`."""
    partitions: int = 1
    sources: int = 1
    delay: int = 0
    """Steps that a delta is on its way."""
    cuts: int = 20
    seed: int = 1

    @property
    def settings(self) -> Settings:
        """Under which it is judged."""
        return BOUNDED if self.tight else days.QUICK


PLAIN: Final = Stretch()
SPREAD: Final = Stretch(partitions=2, sources=3, delay=1, cuts=8)
"""Sources out of step, so that rows wait for the watermark, and deltas late, so that rows wait for a model."""
TIGHT: Final = Stretch(tight=True, cuts=30)


@cache
def steps(stretch: Stretch) -> list[list[bytes]]:
    """Messages to each partition, step by step; the last ones say that the sources are at their end."""
    rng = np.random.default_rng(stretch.seed)
    flow = days.pipeline(stretch.settings, mode=Mode.ENFORCE, sources=stretch.sources, partitions=stretch.partitions)
    split = [
        days.shuffle(timed, LATENESS_US, rng) for timed in dealt(days.records(days.HALF_DAY), stretch.sources, rng)
    ]
    found = []
    for batch in interleaved(split, stretch.cuts, rng):
        observed = flow.observer.observe(batch)
        found.append([observed.progress() if one is None else one for one in observed.messages])
    for source, values in enumerate(split):
        found.append([idle_progress(days.TOPIC, source, len(values))] * stretch.partitions)
    return found + [found[-1]] * (60 * stretch.delay)


@dataclass
class Run:
    """Assessors and what they have said, by partition, in full."""

    stretch: Stretch
    models: Models = field(init=False)
    assessors: list[Assessor] = field(init=False)
    said: list[list[Any]] = field(init=False)
    under_way: deque[tuple[int, list[ModelDelta]]] = field(default_factory=deque)
    settled: list[bool] = field(default_factory=list)
    """Of each step, whether nothing waited for a model."""
    at: int = 0

    def __post_init__(self) -> None:
        self.models = Models(self.stretch.settings.model, self.stretch.partitions)
        self.assessors = [self.fresh(partition) for partition in range(self.stretch.partitions)]
        self.said = [[] for _ in self.assessors]

    def fresh(self, partition: int) -> Assessor:
        """An assessor that knows nothing yet."""
        settings = self.stretch.settings
        detectors = config.detectors(settings, Mode.ENFORCE)
        revision = config.revision(settings, Mode.ENFORCE)
        return Assessor(settings, detectors, self.models, revision, partition, self.stretch.sources)

    def step(self) -> None:
        """Take the next messages; what waits for a model goes on when one comes."""
        heard = [self.hear(partition, message) for partition, message in enumerate(steps(self.stretch)[self.at])]
        self.settled.append(all(outcome.settled for outcome in heard))
        while self.deliver(heard) and not all(outcome.settled for outcome in heard):
            heard = [self.go_on(partition) for partition in range(self.stretch.partitions)]
        self.at += 1

    def deliver(self, heard: Sequence[Outcome]) -> bool:
        """Send what was learned, and let the models have what has come; whether anything has."""
        self.under_way += [(self.at + self.stretch.delay, outcome.deltas) for outcome in heard]
        came = list[ModelDelta]()
        while self.under_way and self.under_way[0][0] <= self.at:
            came += self.under_way.popleft()[1]
        for delta in came:
            self.models.add(delta)
        return bool(came)

    def hear(self, partition: int, message: bytes) -> Outcome:
        """Let one partition take a message and note what it says."""
        self.assessors[partition].accept(decode(message))
        return self.go_on(partition)

    def go_on(self, partition: int) -> Outcome:
        """Let one partition judge what it can and note what it says."""
        outcome = self.assessors[partition].advance(lambda: 0)
        self.said[partition] += [*outcome.decisions, *outcome.deltas, *outcome.incidents]
        return outcome

    def end(self) -> list[list[Any]]:
        """Take all that is left; what was said in all."""
        while self.at < len(steps(self.stretch)):
            self.step()
        return self.said


@cache
def expected(stretch: Stretch) -> list[list[Any]]:
    """What is said when nobody takes a checkpoint."""
    return Run(stretch).end()


class Kept:
    """The blobs of one partition by name, as a topic would keep them: the newest of each name."""

    def __init__(self) -> None:
        self.blobs: dict[str, bytes] = {}
        self.names: Sequence[str] = ()

    def write(self, assessor: Assessor, *, everything: bool = False) -> tuple[str, ...]:
        """Take a checkpoint; the names that were written."""
        snapshot = take(assessor, everything=everything)
        written = dict(encode(snapshot))
        assert [*written] == [*snapshot.written, "rest"]
        self.blobs |= written
        self.names = snapshot.names
        return snapshot.written

    def read(self, into: Assessor) -> Assessor:
        """Put exactly what the last checkpoint names into a new assessor."""
        restore(into, {name: self.blobs[name] for name in self.names})
        return into
