"""What live workers know at the end, beside what one undisturbed process makes of the same events.

Live state is read from the checkpoints that workers leave when they stop in good order: so this checks them as well.
"""

import asyncio
from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np

from schemas import topic
from streams import config
from streams.live.checkpoint.reading import StateReader
from streams.pipeline.assess.assessor import Assessor
from streams.pipeline.batch import Batch
from streams.pipeline.checkpoint.snapshot import restore
from streams.pipeline.model.models import Models
from streams.pipeline.pipeline import Pipeline
from streams.settings import Settings
from tests.broker.installation import Installation, partition_of
from tests.streams.pipeline.checkpoint.picture import of_the_input, picture, unlike

STEP: Final = 2_000
"""Events between two looks at the watermark."""


def differing_actors(weir: Installation, events: Sequence[bytes]) -> tuple[int, list[str]]:
    """How many actors there are, and in what they differ, by partition."""
    differences: list[str] = []
    undisturbed = _undisturbed(weir.settings, weir.requests, events)
    live = asyncio.run(_live(weir))
    for one, other in zip(undisturbed, live, strict=True):
        expected, found = of_the_input(picture(one)), of_the_input(picture(other))
        differences += [
            f"partition {one.partition}: {name} is {_short(found.get(name))}, not {_short(expected.get(name))}"
            for name in sorted(unlike(expected, found))
        ]
    return sum(len(one.actors) for one in undisturbed), differences


def _short(value: object) -> str:
    text = np.frombuffer(value, np.uint8).tolist() if isinstance(value, bytes) else value
    return str(text)[:300]


def _undisturbed(settings: Settings, requests: str, events: Sequence[bytes]) -> list[Assessor]:
    partitions = settings.kafka.partitions
    flow = Pipeline(
        settings, config.detectors(settings), config.revision(settings), sources=partitions, partitions=partitions
    )
    ends = [0] * partitions
    for batch in _batches(requests, events, ends):
        flow.feed(batch, lambda: 0)
    for number, end in enumerate(ends):
        flow.idle(requests, number, end)
    flow.advance(lambda: 0)
    return flow.assessors


def _batches(requests: str, events: Sequence[bytes], ends: list[int]) -> Iterator[Batch]:
    for start in range(0, len(events), STEP):
        dealt: list[list[bytes | None]] = [[] for _ in ends]
        for event in events[start : start + STEP]:
            dealt[partition_of(event, len(ends))].append(event)
        for number, values in enumerate(dealt):
            if values:
                yield Batch(requests, number, ends[number], ends[number] + len(values), values)
                ends[number] += len(values)


async def _live(weir: Installation) -> list[Assessor]:
    settings, partitions = weir.settings, weir.partitions
    detectors, revision = config.detectors(settings), config.revision(settings)
    models, found = Models(settings.model, partitions), []
    async with StateReader(settings.kafka, weir.own(topic.STATE), range(partitions)) as reader:
        for partition in range(partitions):
            assessor = Assessor(settings, detectors, models, revision, partition, partitions)
            kept = await reader.find(partition)
            restore(assessor, await reader.blobs(partition, kept.manifests[0], kept))
            found.append(assessor)
    return found
