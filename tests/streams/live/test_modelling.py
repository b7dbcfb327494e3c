"""What a worker keeps of the model, and how it gets back what it has let go of: from the topic, on a broker."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from typing import Final, cast

import numpy as np
from msgspec.structs import replace

from schemas.model import MODEL_CODEC, ModelDelta
from streams.live.modelling import SPARE_S, Modelling
from streams.live.topic_feed import TopicFeed
from streams.pipeline.assess.assessor import Assessor
from streams.pipeline.assess.release import LONG_AGO
from streams.pipeline.model.epochs import Epochs
from streams.pipeline.model.learner import Learner
from streams.pipeline.model.models import Models
from tests.brokers import Broker, Sent
from tests.streams.pipeline.model.test_models import SETTINGS, E, delta, same

WAIT_S: Final = 30.0
SHORT: Final = replace(SETTINGS, epoch_s=7_200 * 6)
"""So long epochs that twenty of them are more than what is kept of any."""
DELTAS: Final = [one for n in range(20) for one in delta(E + n, 0, [n])]

Feed = TopicFeed[ModelDelta]


def fed(broker: Broker, story: Callable[[Feed], Awaitable[None]], epoch_s: int = SETTINGS.epoch_s) -> None:
    """Tell a story of a feed that has read a topic with twenty deltas."""
    name = broker.topic()
    broker.send(name, [Sent(MODEL_CODEC.encode(replace(one, epoch_s=epoch_s)), key=one.key.encode()) for one in DELTAS])

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
            spare = SPARE_S // SETTINGS.epoch_s
            assert [models.is_kept(E + n) for n in (18 - spare, 19 - spare)] == [False, True]
            assert not await one.recall(cast(Assessor, SimpleNamespace(epoch=E + 19, partition=0)))
            assert models.complete_for(E + 20), "nothing is read again for those that are kept"
            assert await one.recall(cast(Assessor, SimpleNamespace(epoch=E + 3, partition=0)))
            learn(models, feed)
            assert models.complete_for(E + 3)
            assert same(models.serve(E + 3), early)
            assert same(models.serve(E + 20), newest)

        fed(embedded_broker, story)


def test_suspects_travel(embedded_broker: Broker) -> None:
    """What is told with an epoch of ten minutes is known in the next but one, once all partitions are as far."""
    short, name = replace(SETTINGS, epoch_s=600), embedded_broker.topic()
    first = E * 6
    finder, other = (Learner(partition, Epochs.of(short)) for partition in (0, 1))
    finder.learn(np.array([1], np.uint64), np.zeros(1, np.uint8), np.ones(1, np.bool_))
    said = finder.leave(first - 1, first)
    finder.suspect(np.array([7], np.uint64))
    said += finder.leave(first, first + 1)

    async def run() -> None:
        models = Models(short, 2)
        feed: Feed = TopicFeed(embedded_broker.kafka, name, 1, lambda _, value: MODEL_CODEC.decode(value or b""))
        async with feed:
            await read(feed)
            for told, complete, known in ((said, False, []), (other.tell(first), True, [7])):
                await asyncio.to_thread(send, embedded_broker, name, told)
                came = list[ModelDelta]()
                async with asyncio.timeout(WAIT_S):
                    while len(came) < len(told):
                        await feed.changed.wait()
                        feed.changed.clear()
                        came += feed.take()
                for one in came:
                    models.add(one)
                assert models.complete_for(first + 2) is complete
                assert models.serve(first + 2).suspects.tolist() == known

    asyncio.run(run())


def send(broker: Broker, name: str, told: Sequence[ModelDelta]) -> None:
    """Put deltas on a topic."""
    broker.send(name, [Sent(MODEL_CODEC.encode(one), key=one.key.encode()) for one in told])


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

        fed(embedded_broker, story, SHORT.epoch_s)
