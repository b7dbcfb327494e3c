"""Every metric there is, and the page of them that Prometheus reads.

Names begin with ``weir_``, have base units, and end with ``_total`` where they only grow. What is dropped is counted by
reason. Labels have few values each, known beforehand: never an actor, an address, an id or a key of an enforcer.

A page is made when it is asked for. What is counted elsewhere is copied into it then (`Metrics.on_page`), so that
measuring costs the stream nothing.
"""

from bisect import bisect_left
from collections.abc import Awaitable, Callable, Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from itertools import accumulate
from typing import Final

from prometheus_client import CollectorRegistry, PlatformCollector, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.core import Metric as Family
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

from schemas.audit import DegradedReason
from streams.pipeline.policy.brake import Brake

DECISION_S: Final = (0.1, 0.25, 0.5, 0.75, 1.0, 1.25, 1.5, 2.0, 3.0, 5.0, 10.0, 30.0, 60.0, 300.0, 900.0)
"""Fine around the 1.5 s within which 99 of 100 decisions should be made."""
BATCH_S: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)
ALL: Final = "all"
CHECKPOINT_S: Final = (0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)


class Kind(StrEnum):
    """What a metric is to Prometheus."""

    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric; equal ones are one."""

    name: str
    """As it stands on the page."""
    kind: Kind
    meaning: str
    labels: tuple[str, ...] = ()
    known: tuple[str, ...] = ()
    """Values of the only label that are there from the beginning, at 0."""
    buckets: tuple[float, ...] = ()
    """Upper bounds of a histogram, inclusive, in order; infinity is understood."""


def _counter(name: str, meaning: str, *labels: str, known: Iterable[str] = ()) -> Metric:
    return Metric(name, Kind.COUNTER, meaning, labels, tuple(known))


def _gauge(name: str, meaning: str, *labels: str, known: Iterable[str] = ()) -> Metric:
    return Metric(name, Kind.GAUGE, meaning, labels, tuple(known))


def _histogram(name: str, meaning: str, buckets: tuple[float, ...], *labels: str) -> Metric:
    return Metric(name, Kind.HISTOGRAM, meaning, labels, (), buckets)


BUILD: Final = _gauge("weir_build_info", "1, with the version that runs.", "version")
CONFIG: Final = _gauge("weir_config_info", "1, with the revision of the configuration that is in force.", "revision")
RELOADED: Final = _gauge(
    "weir_config_last_reload_successful",
    "1 while the configuration that was read last is in force; 0 if it was refused.",
)
RELOADED_AT: Final = _gauge(
    "weir_config_last_reload_success_timestamp_seconds", "When a configuration came into force last."
)
READY: Final = _gauge("weir_ready", "1 while /readyz answers with 200.")

EVENTS: Final = _counter("weir_events_total", "Request events read, whatever came of them.")
DEAD_LETTERS: Final = _counter(
    "weir_dead_letters_total",
    "Records that could not be read, by the key of the request event that is wrong; json: no JSON; record: the whole.",
    "reason",
)
EXEMPT: Final = _counter("weir_events_exempt_total", "Request events of verified robots: counted, never judged.")
ROBOT_LIST_MADE: Final = _gauge(
    "weir_bot_list_timestamp_seconds", "When the list of a verified robot's addresses was made, as it says.", "bot"
)
PROFILES: Final = _counter("weir_profiles_disclosed_total", "Profiles that responses showed; once for each response.")
SIGHTINGS: Final = _counter("weir_sightings_total", "Sightings that observe wrote: actors times events that matter.")
HELD: Final = _gauge(
    "weir_source_partitions_held", "Source partitions that are held, as too much of them cannot be read."
)
LAG: Final = _gauge(
    "weir_consumer_lag_records",
    "Records that wait, by the last fetch: request events before observe, messages of sightings before assess.",
    "stage",
)
PARTITIONS: Final = _gauge("weir_partitions", "Partitions that this worker has been assigned.", "stage")
BATCH: Final = _histogram("weir_batch_duration_seconds", "Work on one batch, without waiting.", BATCH_S, "stage")

JUDGED: Final = _counter("weir_sightings_judged_total", "Sightings judged.")
LATE: Final = _counter(
    "weir_sightings_late_total", "Sightings that came later than the allowed lateness; judged all the same."
)
DUPLICATES: Final = _counter("weir_sightings_duplicate_total", "Sightings that came again, and were dropped.")
CAUTION: Final = _counter("weir_cautions_total", "What was cut, refused or forgotten, by reason.", "reason")
DECISIONS: Final = _counter(
    "weir_decisions_total",
    "Decisions sent: an alert, a block, or a lift, which ends a block's record; an alert has no action.",
    "kind",
    "status",
    "action",
    "mode",
)
BEHIND: Final = _counter(
    "weir_decision_detectors_total",
    "Decisions sent, for each detector behind them: one of several detectors counts once for each.",
    "kind",
    "mode",
    "detector",
)
WITHHELD: Final = _counter("weir_blocks_withheld_total", "Blocks decided and not sent, by reason.", "reason")
DECISION: Final = _histogram(
    "weir_decision_latency_seconds",
    "From the time of the event that made a decision until the broker had the decision.",
    DECISION_S,
    "kind",
)
WATERMARK: Final = _gauge(
    "weir_watermark_lag_seconds",
    "Age of the event time before which all is judged, of the partition farthest behind; 0 while all is idle.",
)
ACTORS: Final = _gauge("weir_actors", "Actors remembered.", "state", known=("awake", "asleep"))
TURNOVER: Final = _counter(
    "weir_actor_moves_total",
    "Actors that were forgotten, put to sleep, woken, or evicted from sleep.",
    "move",
    known=("forgotten", "put_to_sleep", "woken", "evicted"),
)
MEMORY: Final = _gauge("weir_actor_memory_bytes", "Memory of what is remembered of actors.")
CHECKPOINTS: Final = _counter("weir_checkpoints_total", "Checkpoints written.")
CHECKPOINT_BYTES: Final = _counter("weir_checkpoint_bytes_total", "Bytes of state written for checkpoints, compressed.")
CHECKPOINT: Final = _histogram("weir_checkpoint_duration_seconds", "From copying the state to the end.", CHECKPOINT_S)
CHECKPOINT_AGE: Final = _gauge(
    "weir_checkpoint_age_seconds", "How long the state of a partition has not been kept, the longest; 0 where all is."
)
RESTORED: Final = _counter(
    "weir_partitions_begun_total",
    "Partitions taken over, by how their state began: from a checkpoint, rebuilt from the log, or without a past.",
    "how",
    known=("restored", "rebuilt", "new"),
)
REBUILDING: Final = _gauge("weir_partitions_rebuilding", "Partitions whose state is behind what was decided before.")
DEGRADED: Final = _gauge(
    "weir_degraded", "1 while the worker is degraded by this reason.", "reason", known=DegradedReason
)
BRAKES: Final = _gauge(
    "weir_brakes_tripped",
    "Partitions in which the brake holds: only alerts come of what it stopped.",
    "brake",
    known=Brake,
)
KILL_SWITCH: Final = _gauge(
    "weir_kill_switch",
    "1 while the kill switch of this detector is on; all: of every detector.",
    "detector",
    known=(ALL,),
)
MODEL_AGE: Final = _gauge(
    "weir_model_age_seconds",
    "Since the end of the newest epoch that all partitions have told; absent before the first.",
)

SERVE_REQUESTS: Final = _counter(
    "weir_serve_requests_total", "Answers, by path and status; none: the client was gone before.", "endpoint", "code"
)
SERVE_DURATION: Final = _histogram(
    "weir_serve_request_duration_seconds", "From a request until all of its answer was sent.", BATCH_S, "endpoint"
)
SERVE_ACTORS: Final = _gauge("weir_serve_actors", "Actors of whom serve knows something to tell.")
SERVE_COMPLETE: Final = _gauge("weir_serve_complete", "1 while answers are known to be complete; else serve says 503.")
SERVE_AGE: Final = _gauge(
    "weir_serve_age_seconds", "Since serve last knew that it had read all of the topic; absent before the first time."
)
SERVE_UNREADABLE: Final = _counter("weir_serve_records_unreadable_total", "Records of the topic that are no block.")
SERVE_ENFORCERS: Final = _gauge(
    "weir_serve_enforcers", "Enforcers whose place is remembered: a key and an address that have pulled the stream."
)

NOTIFY_MESSAGES: Final = _counter(
    "weir_notify_messages_total",
    "Alerts sent to a receiver, by what became of them: taken, refused for good, failed and sent again; unreadable "
    "records make none.",
    "receiver",
    "fate",
)
NOTIFY_LAG: Final = _gauge(
    "weir_notify_lag_records", "Records of alerts and audit that a receiver has not been told of.", "receiver"
)
NOTIFY_SUCCESS: Final = _gauge(
    "weir_notify_last_success_timestamp_seconds", "When a receiver took something last; absent before.", "receiver"
)

CHALLENGE_ACTORS: Final = _gauge(
    "weir_challenge_actors",
    "Actors blocked or alerted on since the comparison began, by who did: alike, both otherwise, live or challenger.",
    "kind",
    "by",
)
CHALLENGE_LAG: Final = _gauge(
    "weir_challenge_lag_records", "Messages of sightings that the challenger has not read; absent before it compares."
)

BOTH: Final = (BUILD, CONFIG, READY)
WORKER: Final = (
    *BOTH,
    *(RELOADED, RELOADED_AT),
    *(EVENTS, DEAD_LETTERS, EXEMPT, ROBOT_LIST_MADE, PROFILES, SIGHTINGS, HELD, LAG, PARTITIONS, BATCH),
    *(JUDGED, LATE, DUPLICATES, CAUTION, DECISIONS, BEHIND, WITHHELD, DECISION, WATERMARK),
    *(ACTORS, TURNOVER, MEMORY, CHECKPOINTS, CHECKPOINT_BYTES, CHECKPOINT, CHECKPOINT_AGE),
    *(RESTORED, REBUILDING, DEGRADED, BRAKES, KILL_SWITCH, MODEL_AGE),
)
"""What a worker shows."""
SERVE: Final = (
    *BOTH,
    *(SERVE_REQUESTS, SERVE_DURATION, SERVE_ACTORS, SERVE_COMPLETE, SERVE_AGE, SERVE_UNREADABLE, SERVE_ENFORCERS),
)
"""What `weir serve` shows."""
NOTIFY: Final = (*BOTH, NOTIFY_MESSAGES, NOTIFY_LAG, NOTIFY_SUCCESS)
"""What `weir notify` shows."""
CHALLENGE: Final = (*BOTH, CHALLENGE_ACTORS, CHALLENGE_LAG)
"""What `weir challenge` shows."""
CATALOGUE: Final = tuple(dict.fromkeys((*WORKER, *SERVE, *NOTIFY, *CHALLENGE)))
"""All, in the order of the documentation."""

Labels = tuple[str, ...]
"""Values of a metric's labels, in its order."""


@dataclass(slots=True)
class Spread:
    """How often a value lay in each bucket, the last of which has no bound; and the sum of all values."""

    counts: list[int]
    total: float = 0.0


class Metrics(Collector):
    """Values of metrics. All of it belongs to the thread of the event loop."""

    def __init__(self, metrics: Iterable[Metric]) -> None:
        """Show ``metrics`` and what the operating system says of this process."""
        self._values: dict[Metric, dict[Labels, float]] = {}
        self._spreads: dict[Metric, dict[Labels, Spread]] = {}
        for metric in metrics:
            if metric.kind is Kind.HISTOGRAM:
                self._spreads[metric] = {}
            else:
                self._values[metric] = {(value,): 0.0 for value in metric.known}
        self._copies: list[Callable[[], Awaitable[None]]] = []
        self._registry = CollectorRegistry()
        self._registry.register(self)
        ProcessCollector(registry=self._registry)
        PlatformCollector(registry=self._registry)

    def add(self, metric: Metric, amount: float, *labels: str) -> None:
        """Let a counter grow."""
        values = self._values[metric]
        values[labels] = values.get(labels, 0.0) + amount

    def put(self, metric: Metric, value: float, *labels: str) -> None:
        """Say what a gauge is now, or a counter that is counted elsewhere."""
        self._values[metric][labels] = value

    def drop(self, metric: Metric) -> None:
        """Say nothing of a metric any more: what it was is not known, or had other labels."""
        self._values[metric] = {}

    def note(self, metric: Metric, value: float, *labels: str) -> None:
        """Add a value to a histogram."""
        spreads = self._spreads[metric]
        spread = spreads.get(labels)
        if spread is None:
            spread = spreads[labels] = Spread([0] * (len(metric.buckets) + 1))
        spread.counts[bisect_left(metric.buckets, value)] += 1
        spread.total += value

    def value(self, metric: Metric, *labels: str) -> float | None:
        """What the page would say; of a histogram how many values there were. None where it says nothing."""
        if metric.kind is Kind.HISTOGRAM:
            spread = self._spreads[metric].get(labels)
            return None if spread is None else float(sum(spread.counts))
        return self._values[metric].get(labels)

    def on_page(self, copy: Callable[[], Awaitable[None]]) -> None:
        """Await ``copy`` before each page: it puts what is counted elsewhere."""
        self._copies.append(copy)

    async def page(self, accept: str) -> tuple[bytes, str]:
        """The page, in the format that the header ``accept`` asks for, and its content type."""
        for copy in self._copies:
            await copy()
        try:
            encode, content_type = choose_encoder(accept)
            return encode(self._registry), content_type
        except (TypeError, ValueError):  # a version or an escaping that does not exist
            encode, content_type = choose_encoder("")
            return encode(self._registry), content_type

    def collect(self) -> Iterator[Family]:
        """What there is to say, for the registry."""
        for metric, values in self._values.items():
            make = CounterMetricFamily if metric.kind is Kind.COUNTER else GaugeMetricFamily
            family = make(metric.name, metric.meaning, labels=metric.labels)
            for labels, value in values.items():
                family.add_metric(labels, value)
            yield family
        for metric, spreads in self._spreads.items():
            histogram = HistogramMetricFamily(metric.name, metric.meaning, labels=metric.labels)
            bounds = [*(str(bound) for bound in metric.buckets), "+Inf"]
            for labels, spread in spreads.items():
                buckets = list(zip(bounds, accumulate(spread.counts), strict=True))
                histogram.add_metric(labels, buckets, spread.total)
            yield histogram
