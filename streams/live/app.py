"""The Faust app of a worker: its settings, its stages, what they share."""

import asyncio
from collections.abc import Callable, Collection, Coroutine, Sequence
from functools import partial
from typing import Final, NamedTuple, Protocol

import faust
from msgspec.structs import replace

from schemas import topic
from schemas.errors import TransportError
from schemas.model import MODEL_CODEC, ModelDelta
from streams import config
from streams.clock import Clock, wall_clock_us
from streams.config_file import Loaded
from streams.enrichment import LOOK_S as LISTS_S
from streams.live import access, topics
from streams.live.assessing import Assessing
from streams.live.auditing import Auditing, worker_name
from streams.live.condition import Condition
from streams.live.credentials import credentials
from streams.live.measuring import Measuring
from streams.live.observing import Observing
from streams.live.overriding import Overriding
from streams.live.publications import standing
from streams.live.reloading import LOOK_S, Reloading
from streams.live.revising import Revising
from streams.live.sending import Sender
from streams.live.starting import asked
from streams.live.tally import Tally
from streams.live.topic_feed import TopicFeed
from streams.live.transport import FetchOptions, configure, register, stop_process
from streams.metrics import ROBOT_LIST_MADE, Metrics
from streams.pipeline.assess.assessor import Assessor
from streams.pipeline.model.models import Models
from streams.robots import RobotLists
from streams.settings import Bot, KafkaSettings, Settings

STAGES: Final = ("observe", "assess")
TELL_S: Final = 10.0
SEND_BYTES: Final = topics.LARGE_BYTES - 4096
"""A little below what topics take: the broker counts the batch around a record too."""

SEND_S: Final = 120.0
"""How long the broker may keep a record from being sent; Faust alone would wait 20 minutes for a lost answer."""

METADATA_MS: Final = 30_000
"""How often a worker looks for partitions that were added and topics that are gone; else five minutes would pass."""

POLL_S: Final = 900.0
"""How long a worker may take between two reads; at an assignment it restores all its partitions in between."""


class Partitions(NamedTuple):
    """How many partitions the topics have that a worker must know of."""

    requests: int
    activity: int
    model: int
    state: int
    """0 where none is kept."""
    overrides: int
    config: int


class Built(NamedTuple):
    """A worker's app, and what says how it does."""

    app: faust.App
    measuring: Measuring
    reloading: Reloading
    """Takes a changed configuration."""


def build(
    settings: Settings,
    stages: Collection[str] = STAGES,
    clock: Clock = wall_clock_us,
    loaded: Loaded | None = None,
) -> Built:
    """The app of a worker that runs ``stages``; ``loaded`` is the file that its settings come from, if there is one.

    Raises:
        TransportError: the broker cannot be reached, or a topic is missing.
    """
    asked(partial(access.require, settings, stages))
    lists = RobotLists(settings.bots, clock)
    settings = replace(settings, bots=lists.bots)
    partitions = asked(partial(_partitions, settings, stages))
    app, tally = _app(settings.kafka, partitions), Tally()
    condition = Condition(worker_name(), config.revision(settings))
    reads = {"observe": settings.input.topic, "assess": access.name_of(topic.ACTIVITY, settings)}
    measuring = Measuring(app, tally, condition, {reads[stage]: stage for stage in stages}, clock)
    sender, observing, revising = Sender(app, settings.kafka.prefix), None, None
    auditing = Auditing(sender, condition, tally, settings.policy.lag_max_s, clock)
    if "observe" in stages:
        measuring.observing = observing = Observing(app, settings, partitions.activity, tally)
        auditing.held = measuring.observing.held.__len__
    if "assess" in stages:
        revising = Revising(settings, asked(partial(standing, settings.kafka)), partitions.config, clock)
        condition.config = revising.in_force
        measuring.assessing = assessing = _assess(app, settings, partitions, clock, tally, revising)
        auditing.rebuilding, auditing.noted = lambda: assessing.rebuilding, revising.entries
    reloading = Reloading(loaded or settings, revising, sender.send, clock, measuring.reloaded)
    measuring.reloaded(refused=False)

    async def tell() -> None:
        tally.tell()
        if revising is not None:
            condition.config, auditing.lag_max_s = revising.in_force, revising.newest.policy.lag_max_s
        try:
            await auditing.look()
        except Exception as error:  # noqa: BLE001 - nobody would be told any more
            stop_process(error, "audit")

    async def look() -> None:
        try:
            await reloading.look()
        except Exception as error:  # noqa: BLE001 - nothing would be reloaded any more
            stop_process(error, "reloading")

    if lists:
        told: tuple[Knows | None, ...] = observing, revising.timeline if revising is not None else None
        follow(app, lists, measuring.metrics, [one for one in told if one is not None])
    app.timer(TELL_S, on_leader=False)(tell)
    app.timer(LOOK_S, on_leader=False)(look)
    return Built(app, measuring, reloading)


class Knows(Protocol):
    """Goes by the robots that it was told of last."""

    def know(self, bots: tuple[Bot, ...]) -> None:
        """Go by these from now on."""


def follow(
    app: faust.App, lists: RobotLists, page: Metrics, told: Sequence[Knows]
) -> Callable[[], Coroutine[None, None, None]]:
    """Take in lists of robots as they change; returns what looks whether they have."""

    def say() -> None:
        for name, made_s in lists.made_s.items():
            page.put(ROBOT_LIST_MADE, made_s, name)

    async def look() -> None:
        if await asyncio.to_thread(lists.refresh):
            for one in told:
                one.know(lists.bots)
            say()

    say()
    app.timer(LISTS_S, on_leader=False)(look)
    return look


def _partitions(settings: Settings, stages: Collection[str]) -> Partitions:
    # The topics of these stages only: more the rights of their role may not let it see.
    names = [rule.name for stage in stages for rule in access.rules(stage, settings) if rule.kind == access.TOPIC]
    found = topics.partitions(settings.kafka, names)
    counted = (topic.REQUESTS, topic.ACTIVITY, topic.MODEL, topic.STATE, topic.OVERRIDES, topic.CONFIG)
    partitions = Partitions(*(found.get(access.name_of(each, settings), 0) for each in counted))
    if partitions.state and partitions.state < partitions.activity:
        state, activity = (access.name_of(each, settings) for each in (topic.STATE, topic.ACTIVITY))
        raise TransportError(
            f"topic {state} has {partitions.state} partitions, and {activity} has {partitions.activity}"
        )
    return partitions


def _app(kafka: KafkaSettings, partitions: Partitions) -> faust.App:
    register()
    session_s = kafka.session_timeout_ms / 1000
    app = faust.App(
        kafka.application,
        broker=[f"batch://{address}" for address in kafka.bootstrap.split(",")],
        broker_credentials=credentials(kafka),
        broker_session_timeout=session_s,
        broker_rebalance_timeout=max(session_s, 4.0),
        broker_heartbeat_interval=max(session_s / 10, 0.3),
        broker_commit_interval=0.5,
        broker_max_poll_interval=POLL_S,
        consumer_auto_offset_reset="earliest",
        consumer_metadata_max_age_ms=METADATA_MS,
        producer_acks=-1,
        producer_linger=0.005,
        producer_max_batch_size=256 << 10,
        producer_max_request_size=SEND_BYTES,
        producer_request_timeout=SEND_S,
        stream_recovery_delay=0.0,
        stream_wait_empty=True,
        topic_allow_declare=False,
        topic_disable_leader=True,
        topic_partitions=partitions.activity,
        web_enabled=False,
    )
    configure(
        app,
        FetchOptions(batch_records=kafka.batch_records, batch_bytes=kafka.batch_bytes, wait_ms=kafka.fetch_wait_ms),
    )
    return app


def _assess(
    app: faust.App, settings: Settings, partitions: Partitions, clock: Clock, tally: Tally, revising: Revising
) -> Assessing:
    models, first = Models(settings.model, partitions.activity), revising.timeline.first
    overriding = Overriding(settings.kafka, partitions.overrides)

    def new_assessor(partition: int) -> Assessor:
        return Assessor(
            settings,
            first.detectors,
            models,
            first.revision,
            partition,
            partitions.requests,
            timeline=revising.timeline,
            overrides=overriding.overrides,
        )

    name = access.name_of(topic.MODEL, settings)
    feed = TopicFeed(settings.kafka, name, partitions.model, read_delta)
    return Assessing(app, new_assessor, feed, models, clock, tally, settings, overriding, revising)


def read_delta(_: bytes | None, value: bytes | None) -> ModelDelta | None:
    """What a record of the model topic holds."""
    return None if value is None else MODEL_CODEC.decode(value)
