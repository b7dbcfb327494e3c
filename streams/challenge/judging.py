"""The challenger itself: every partition's state under other settings, from the beginning of the log on.

It learns nothing that anybody hears of: the model that live workers have made serves it too. Overrides are in force
from their `since` on in event time, as in a replay: history is judged once more at each start, and live decisions knew
of none that came later.
"""

import time
from collections.abc import Sequence

from schemas.alert import Alert
from schemas.block import Block
from schemas.errors import UsageError
from schemas.model import ModelDelta
from streams import config
from streams.clock import Clock
from streams.live.overriding import Said
from streams.pipeline.assess.assessor import Assessor
from streams.pipeline.model.models import Models
from streams.pipeline.policy.overrides import Overrides
from streams.pipeline.sightings import decode
from streams.publication import Publication, named
from streams.section import OWN, changed
from streams.settings import Settings


def challenger_of(live: Settings, challenger: Settings, known: Sequence[Publication]) -> Settings:
    """The ``challenger`` as this process goes by it; what is a process's own is that of the ``live`` file.

    Raises:
        UsageError: it differs from what is in force, the last of ``known`` or else ``live``, in what takes a restart.
    """
    reference = known[-1].settings if known else live
    cold = [one for one in changed(reference, challenger) if one.cold and not one.own]
    if cold:
        what = f"revision {known[-1].record.revision}, published last" if known else "the live configuration"
        reason = "the same traffic would mean something else under it, as after a restart of every worker"
        raise UsageError(f"no challenger to {what}: {named(cold)} differ; {reason}")
    own = {name: getattr(live, name) for name in OWN}
    return type(live)(**{name: own.get(name, getattr(challenger, name)) for name in challenger.__struct_fields__})


class Judging:
    """All partitions in one process."""

    def __init__(self, settings: Settings, sources: int, partitions: int, clock: Clock) -> None:
        """Judge ``partitions`` of sightings of ``sources`` source partitions."""
        self._clock, self._patience_s = clock, settings.kafka.model_wait_ms / 1000
        self._models, self._overrides = Models(settings.model, partitions), Overrides()
        chosen, self.revision = config.detectors(settings), config.revision(settings)
        self._assessors = [
            Assessor(settings, chosen, self._models, self.revision, number, sources, overrides=self._overrides)
            for number in range(partitions)
        ]
        self._due_s: dict[int, float] = {}
        self.reached_us = [0] * partitions
        """Event time before which all is judged, by partition."""
        self.brakes = 0
        """How often a brake of its own has tripped or let go."""

    @property
    def waiting(self) -> list[int]:
        """Partitions with sightings whose model is still due."""
        return list(self._due_s)

    def learn(self, delta: ModelDelta) -> None:
        """Take a part of the live model."""
        self._models.add(delta)

    def overrule(self, said: Said) -> None:
        """Take what an operator says."""
        self._overrides.take(said.key, said.override)

    def judge(self, partition: int, values: Sequence[bytes]) -> list[Alert | Block]:
        """What comes of messages of sightings; without any, of what waited for its model.

        Raises:
            GapError: a message before these was lost.
        """
        assessor = self._assessors[partition]
        for value in values:
            assessor.accept(decode(value))
        due_s = self._due_s.get(partition)
        impatient = due_s is not None and time.monotonic() - due_s > self._patience_s
        outcome = assessor.advance(self._clock, impatient=impatient)
        if outcome.settled:
            self._due_s.pop(partition, None)
        else:
            self._due_s.setdefault(partition, time.monotonic())
        self.brakes += len(outcome.brakes)
        self.reached_us[partition] = max(self.reached_us[partition], outcome.reached_us or 0)
        self._models.forget(min(one.epoch for one in self._assessors))
        return [one for one in outcome.decisions if isinstance(one, Alert | Block)]
