"""The whole pipeline without Kafka: observe, the partitions of assess, and the models they share, in one process.

What the live worker spreads over topics and processes, this calls in turn. The objects are the same, so what was
tuned on recorded requests is what runs.
"""

from collections.abc import Callable, Sequence

from detectors.core.contract import Detector, DetectorConfig
from schemas.mode import Mode
from streams.pipeline.assess.assessor import Assessor, Judge
from streams.pipeline.assess.outcome import Outcome
from streams.pipeline.assess.timeline import Timeline
from streams.pipeline.batch import Batch
from streams.pipeline.model.models import Models
from streams.pipeline.observe.observer import Observed, Observer, idle_progress
from streams.pipeline.observe.origin import Origins
from streams.pipeline.policy.overrides import Overrides
from streams.pipeline.sightings import decode
from streams.settings import Settings


class Pipeline:
    """Batches in, decisions out."""

    def __init__(
        self,
        settings: Settings,
        detectors: Sequence[tuple[Detector[DetectorConfig], Mode]],
        config: str,
        *,
        sources: int = 1,
        partitions: int = 1,
        judge: Judge | None = None,
        timeline: Timeline | None = None,
        overrides: Overrides | None = None,
        origins: Origins | None = None,
    ) -> None:
        """Read ``sources`` source partitions, keep actors in ``partitions``; see `Observer` and `Assessor`."""
        self.observer = Observer(settings.input, settings.surfaces, partitions, settings.bots, settings.groups, origins)
        self.models = Models(settings.model, partitions)
        self.assessors = [
            Assessor(settings, detectors, self.models, config, partition, sources, judge, timeline, overrides)
            for partition in range(partitions)
        ]

    def feed(self, batch: Batch, decided_us: Callable[[], int]) -> tuple[Observed, list[Outcome]]:
        """Take one batch; batches of a source partition come in order."""
        observed = self.observer.observe(batch)
        return observed, self.take(observed.told(), decided_us)

    def take(self, messages: Sequence[bytes], decided_us: Callable[[], int]) -> list[Outcome]:
        """Take what was observed of one batch, here or elsewhere: a message for each partition (`Observed.told`)."""
        for assessor, message in zip(self.assessors, messages, strict=True):
            assessor.accept(decode(message))
        return self.advance(decided_us)

    def idle(self, topic: str, partition: int, position: int) -> None:
        """Say that a source partition has nothing beyond offset ``position`` for now."""
        for assessor in self.assessors:
            assessor.accept(decode(idle_progress(topic, partition, position)))

    def advance(self, decided_us: Callable[[], int]) -> list[Outcome]:
        """Judge all that the watermark has passed, model after model."""
        outcomes: list[Outcome] = []
        while True:
            latest = [assessor.advance(decided_us) for assessor in self.assessors]
            outcomes += latest
            for outcome in latest:
                for delta in outcome.deltas:
                    self.models.add(delta)
            if all(outcome.settled for outcome in latest) or not any(outcome.deltas for outcome in latest):
                self.models.forget(min(assessor.epoch for assessor in self.assessors))
                return outcomes
