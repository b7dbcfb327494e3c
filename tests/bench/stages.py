"""The stages by themselves, in this process and one thread: decode, observe, assess."""

import gc
from collections.abc import Sequence

from schemas.request import FAST_DECODER
from streams import config
from streams.pipeline.assess.assessor import Assessor
from streams.pipeline.batch import Batch
from streams.pipeline.model.models import Models
from streams.pipeline.observe.observer import Observed, Observer
from streams.pipeline.sightings import decode
from streams.settings import Settings
from tests.bench.measure import Results, Run, Size, timed
from tests.bench.traffic import Traffic, batches

DECIDED_US = 1_800_000_000_000_000


class Stages:
    """One traffic through each stage: what one stage made is what the next one takes."""

    def __init__(self, settings: Settings, traffic: Traffic, values: list[bytes], partitions: int) -> None:
        """Cut ``values`` into batches as a worker gets them, of as many source as activity partitions."""
        self._settings, self._traffic, self._partitions = settings, traffic, partitions
        self._events = len(values)
        self._batches: Sequence[Batch] = list(batches(values, partitions, settings.kafka.batch_records))

    def run(self, results: Results) -> None:
        """Each stage once."""
        results.add(self._traffic, "decode", self._decode())
        observed, run = self._observe()
        results.add(self._traffic, "observe (with decode)", run)
        assessors, run = self._assess(observed)
        results.add(self._traffic, "assess", run)
        note_size(results, str(self._traffic), assessors)

    def _decode(self) -> Run:
        gc.collect()
        with timed(self._events) as run:
            for batch in self._batches:
                list(map(FAST_DECODER.decode, batch.values))  # type: ignore[arg-type]  # none of them is a tombstone
        return run

    def _observe(self) -> tuple[list[Observed], Run]:
        observer = Observer(self._settings.input, self._settings.surfaces, self._partitions)
        gc.collect()
        with timed(self._events) as run:
            observed = [observer.observe(batch) for batch in self._batches]
        dead = sum(one.counts.dead for one in observed)
        if dead:
            raise AssertionError(f"{dead} events of the benchmark are none")
        return observed, run

    def _assess(self, observed: Sequence[Observed]) -> tuple[list[Assessor], Run]:
        models = Models(self._settings.model, self._partitions)
        detectors, revision = config.detectors(self._settings), config.revision(self._settings)
        assessors = [
            Assessor(self._settings, detectors, models, revision, partition, self._partitions)
            for partition in range(self._partitions)
        ]
        gc.collect()
        with timed(self._events) as run:
            for one in observed:
                feed(assessors, models, one)
        return assessors, run


def feed(assessors: Sequence[Assessor], models: Models, observed: Observed) -> None:
    """Give each partition its part of one batch, and the model what they have learned from it."""
    for assessor, message in zip(assessors, observed.messages, strict=True):
        assessor.accept(decode(observed.progress() if message is None else message))
        for delta in assessor.advance(lambda: DECIDED_US).deltas:
            models.add(delta)


def note_size(results: Results, traffic: str, assessors: Sequence[Assessor]) -> None:
    """Note what an actor takes, once a traffic: every run is the same."""
    actors = sum(len(assessor.actors) for assessor in assessors)
    if actors and traffic not in {size.traffic for size in results.sizes}:
        nbytes = sum(assessor.actors.nbytes for assessor in assessors)
        results.sizes.append(Size(traffic, actors, nbytes / actors))
