"""The Faust app of a worker: its settings, its stages, what they share."""

import logging
from collections.abc import Collection, Mapping
from typing import Final

import faust

from detectors.core.contract import Detector, DetectorConfig
from schemas import topic
from schemas.mode import Mode
from streams import config
from streams.clock import Clock, wall_clock_us
from streams.live import topics
from streams.live.assessing import Assessing
from streams.live.model_feed import ModelFeed
from streams.live.observing import Observing
from streams.live.tally import Tally
from streams.live.transport import FetchOptions, configure, register
from streams.pipeline.assess import Assessor
from streams.pipeline.model.models import Models
from streams.settings import Settings

STAGES: Final = ("observe", "assess")
TELL_S: Final = 10.0
SEND_BYTES: Final = 16 << 20

log = logging.getLogger(__name__)


def build(settings: Settings, stages: Collection[str] = STAGES, clock: Clock = wall_clock_us) -> faust.App:
    """The app of a worker that runs ``stages``.

    Raises:
        TransportError: the broker cannot be reached, or a topic is missing.
    """
    names = [settings.input.topic, topic.ACTIVITY.name, topic.ALERTS.name, topic.BLOCKS.name]
    found = topics.partitions(
        settings.kafka.bootstrap, [*names, topic.DEAD_LETTERS.name, topic.MODEL.name]
    )
    app = _app(settings, found)
    tally = Tally()
    if "observe" in stages:
        Observing(app, settings, found[topic.ACTIVITY.name], tally)
    if "assess" in stages:
        _assess(app, settings, found, clock, tally)

    @app.timer(TELL_S, on_leader=False)
    async def tell() -> None:
        tally.tell()

    return app


def _app(settings: Settings, found: Mapping[str, int]) -> faust.App:
    register()
    kafka = settings.kafka
    session_s = kafka.session_timeout_ms / 1000
    app = faust.App(
        kafka.application,
        broker=[f"batch://{address}" for address in kafka.bootstrap.split(",")],
        broker_session_timeout=session_s,
        broker_rebalance_timeout=max(session_s, 4.0),
        broker_heartbeat_interval=max(session_s / 10, 0.3),
        broker_commit_interval=0.5,
        broker_max_poll_interval=300.0,
        consumer_auto_offset_reset="earliest",
        producer_acks=-1,
        producer_linger=0.005,
        producer_max_batch_size=256 << 10,
        producer_max_request_size=SEND_BYTES,
        stream_recovery_delay=0.0,
        stream_wait_empty=False,
        topic_allow_declare=False,
        topic_disable_leader=True,
        topic_partitions=found[topic.ACTIVITY.name],
        web_enabled=False,
    )
    configure(
        app,
        FetchOptions(
            batch_records=kafka.batch_records, batch_bytes=kafka.batch_bytes, wait_ms=kafka.fetch_wait_ms
        ),
    )
    return app


def _assess(app: faust.App, settings: Settings, found: Mapping[str, int], clock: Clock, tally: Tally) -> None:
    models = Models(settings.model, found[topic.ACTIVITY.name])
    detectors: list[tuple[Detector[DetectorConfig], Mode]] = config.detectors(settings)
    revision = config.revision(settings)

    def new_assessor(partition: int) -> Assessor:
        return Assessor(settings, detectors, models, revision, partition, found[settings.input.topic])

    feed = ModelFeed(settings.kafka.bootstrap, found[topic.MODEL.name], models)
    Assessing(app, new_assessor, feed, models, clock, tally, settings.kafka.model_wait_ms / 1000)
