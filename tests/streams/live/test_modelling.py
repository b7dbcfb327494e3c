"""What a worker keeps of the model, and how it gets back what it has let go of: from the topic, on a broker."""

import asyncio
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from typing import Final, cast

from msgspec.structs import replace

from schemas.model import MODEL_CODEC, ModelDelta
from streams.live.modelling import SPARE_EPOCHS, Modelling
from streams.live.topic_feed import TopicFeed
from streams.pipeline.assess.assessor import Assessor
from streams.pipeline.assess.release import LONG_AGO
from streams.pipeline.model.models import Models
from tests.brokers import Broker, Sent
from tests.streams.pipeline.model.test_models import SETTINGS, E, delta, same

WAIT_S: Final = 30.0
SHORT: Final = replace(SETTINGS, epoch_s=7_200 * 6)
"""So long epochs that twenty of them are more than what is kept of any."""
DELTAS: Final = [one for n in range(20) for one in delta(E + n, 0, [n])]

Feed = TopicFeed[ModelDelta]


def fed(broker: Broker, story: Callable[[Feed], Awaitable[None]]) -> None:
    """Tell a story of a feed that has read a topic with twenty deltas."""
    name = broker.topic()
    broker.send(name, [Sent(MODEL_CODEC.encode(one), key=one.key.encode()) for one in DELTAS])

    async def run() -> None:
        feed: Feed = TopicFeed(broker.kafka, name, 1, lambda _, value: MODEL_CODEC.decode(value or b""))
        async with feed:
            await read(feed)
            await story(feed)

    asyncio.run(run())


async def read(feed: Feed) -> None:
    """Wait until all of it has been read."""
    await asyncio.wait_for(feed.caught_up.wait(), WAIT_S)


def learn(models: Models, feed: Feed) -> None:
    """Take what has been read."""
    for one in feed.take():
        models.add(one)


def test_a_topic_once_more(embedded_broker: Broker) -> None:
    """What was not taken does not come twice, and it is not read to its end until it has been once more."""

    async def story(feed: Feed) -> None:
        feed.rewind()
        assert not feed.caught_up.is_set()
        assert feed.take() == []
        await read(feed)
        assert feed.take() == DELTAS
        feed.rewind()
        feed.rewind()
        await read(feed)
        assert feed.take() == DELTAS

    fed(embedded_broker, story)


def test_recalled(embedded_broker: Broker) -> None:
    """A partition that stands before what is kept finds the very model that served its epoch; others lose nothing."""
    with ThreadPoolExecutor(1) as judging:

        async def story(feed: Feed) -> None:
            models = Models(SETTINGS, 1)
            one = Modelling(models, feed, SETTINGS.epoch_s, judging)
            learn(models, feed)
            early, newest = models.serve(E + 3), models.serve(E + 20)
            assert one.end_us == (E + 20) * SETTINGS.epoch_s * 1_000_000
            one.keep([E + 20, E + 19], all_there=False)
            assert models.is_kept(E)
            one.keep([E + 20, E + 19, LONG_AGO], all_there=True)
            assert models.is_kept(E), "one has not begun yet"
            one.keep([E + 20, E + 19], all_there=True)
            assert [models.is_kept(E + n) for n in (18 - SPARE_EPOCHS, 19 - SPARE_EPOCHS)] == [False, True]
            assert not await one.recall(cast(Assessor, SimpleNamespace(epoch=E + 19, partition=0)))
            assert models.complete_for(E + 20), "nothing is read again for those that are kept"
            assert await one.recall(cast(Assessor, SimpleNamespace(epoch=E + 3, partition=0)))
            learn(models, feed)
            assert models.complete_for(E + 3)
            assert same(models.serve(E + 3), early)
            assert same(models.serve(E + 20), newest)

        fed(embedded_broker, story)


def test_days_behind_another(embedded_broker: Broker) -> None:
    """One partition is judged days before another of the same worker: what it needs stays, and is read again once."""
    with ThreadPoolExecutor(1) as judging:

        async def story(feed: Feed) -> None:
            models = Models(SHORT, 1)
            one = Modelling(models, feed, SHORT.epoch_s, judging)
            learn(models, feed)
            models.serve(E + 20)
            behind = cast(Assessor, SimpleNamespace(epoch=E + 3, partition=0))
            assert await one.recall(behind), "merging forgets what lies that far back"
            learn(models, feed)
            models.serve(E + 3)
            models.serve(E + 20)
            assert not await one.recall(behind)
            one.keep([E + 20, E + 4], all_there=False)
            models.serve(E + 20)
            assert models.is_kept(E + 4)

        fed(embedded_broker, story)
