"""Which models a worker keeps: it lets go of old ones, and reads all of them again where one of those is needed."""

import asyncio
import logging
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from schemas.model import ModelDelta
from streams.live.topic_feed import TopicFeed
from streams.pipeline.assess.assessor import Assessor
from streams.pipeline.assess.release import LONG_AGO
from streams.pipeline.model.models import Models

log = logging.getLogger(__name__)

SPARE_S: Final = 6 * 3_600
"""Models of so long before the oldest epoch that is judged are kept: most take-overs come from no farther behind."""


class Modelling:
    """The models of one worker, and the topic of deltas that they are merged from."""

    def __init__(self, models: Models, feed: TopicFeed[ModelDelta], epoch_s: int, judging: ThreadPoolExecutor) -> None:
        """Touch ``models`` in the thread ``judging`` alone, as whoever judges does."""
        self._models, self._feed, self._judging = models, feed, judging
        self._epoch_us, self._spare = epoch_s * 1_000_000, SPARE_S // epoch_s

    @property
    def end_us(self) -> int | None:
        """End of the newest epoch of the model that all partitions have told; None before the first."""
        complete = self._models.complete
        return None if complete < 0 else (complete + 1) * self._epoch_us

    def keep(self, epochs: Sequence[int], *, all_there: bool) -> None:
        """Keep what partitions need that are judged in ``epochs``, `LONG_AGO` before their first.

        What none needs is forgotten, unless a state is still being rebuilt, and not ``all_there``.
        """
        begun = [epoch for epoch in epochs if epoch > LONG_AGO]
        if begun:
            self._models.hold(min(begun))
        if all_there and epochs:
            self._models.forget(min(epochs) - self._spare)

    async def recall(self, assessor: Assessor) -> bool:
        """Read everything again if the model that a partition waits for was let go of; whether it had been.

        It was taken over from farther behind. Nothing may be judged meanwhile: by half of what there is it would be
        judged otherwise than before, and what it learned then would seem to be new.
        """
        if self._models.is_kept(assessor.epoch):
            return False
        log.info("partition %d: the model of its time was let go of: reading it again", assessor.partition)
        self._feed.rewind()
        await asyncio.get_running_loop().run_in_executor(self._judging, self._begin_anew, assessor.epoch)
        await self._feed.caught_up.wait()
        return True

    def _begin_anew(self, epoch: int) -> None:
        self._models.begin_anew()
        # Or the next one that is judged, if it is days ahead, would have it forgotten once more.
        self._models.hold(epoch)
