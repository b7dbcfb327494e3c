"""Simulated days as records, and the pipeline driven by them without Kafka."""

import json
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from itertools import pairwise
from typing import Final

import numpy as np
from msgspec.structs import replace

from detectors.core.model import Model
from schemas.alert import Alert
from schemas.block import Block
from schemas.event_time import parse_time_us
from schemas.mode import Mode
from streams import config
from streams.offline.simulate import Day, Plan, simulate
from streams.pipeline.assess.assessor import Assessor, Judge
from streams.pipeline.batch import Batch
from streams.pipeline.model.models import Models
from streams.pipeline.observe import Observer
from streams.pipeline.pipeline import Pipeline
from streams.pipeline.policy.decide import Decision
from streams.pipeline.rows import Rows
from streams.pipeline.sightings import decode
from streams.settings import Settings
from tests.low import low

TOPIC: Final = "http.requests"
HALF_DAY: Final = Plan(
    seed=3,
    quiet_days=0.5,
    scraper_days=0.5,
    people=100,
    anonymous=40,
    members=3_000,
    popularity_exponent=1.15,
    other_ratio=0.0,
)
"""Half a day of people, then half a day with every kind of scraper: 11,000 views and searches."""
QUICK: Final = low(
    "[model]\nlearning_s = 36000\ntaste_half_life = 1000\nmembers = 3000\n"
    "[detectors.profile_rate.account]\nhour = 200\n"
    "[detectors.long_tail]\nlimit = 8\n[detectors.cohort]\nlimit = 8\n"
)
"""Settings under which both plain and statistical detectors speak within `HALF_DAY`."""


@cache
def day(plan: Plan) -> Day:
    """The day of a plan, made once."""
    return simulate(plan)


@cache
def records(plan: Plan) -> tuple[tuple[int, bytes], ...]:
    """Event time in us, different for each, and record of all requests of a plan in order of time."""
    found: list[tuple[int, bytes]] = []
    last_us = 0
    for event in day(plan).events():
        last_us = max(parse_time_us(event["@timestamp"]), last_us + 1)  # type: ignore[arg-type]  # always a time
        found.append((last_us, json.dumps(event | {"@timestamp": last_us}).encode()))
    return tuple(found)


def values(plan: Plan) -> list[bytes]:
    """Records of a plan in order of time."""
    return [value for _, value in records(plan)]


def pipeline(
    settings: Settings,
    *,
    mode: Mode | None = None,
    only: str | None = None,
    sources: int = 1,
    partitions: int = 1,
    judge: Judge | None = None,
) -> Pipeline:
    """The whole pipeline under ``settings``, with all detectors or ``only`` one."""
    chosen = [(one, each) for one, each in config.detectors(settings, mode) if only in (None, one.name)]
    revision = config.revision(settings, mode)
    return Pipeline(settings, chosen, revision, sources=sources, partitions=partitions, judge=judge)


def batches(source: int, all_values: Sequence[bytes], cuts: Iterable[int]) -> Iterator[Batch]:
    """The records of a source partition, cut at ``cuts``."""
    bounds = sorted({0, len(all_values), *cuts})
    for lo, hi in pairwise(bounds):
        yield Batch(TOPIC, source, lo, hi, all_values[lo:hi])


def run(flow: Pipeline, order: Iterable[Batch], ends: Sequence[int]) -> list[Decision]:
    """Feed batches in ``order``, then say that every source partition has come to its end; all decisions."""
    decisions: list[Decision] = []
    for batch in order:
        for outcome in flow.feed(batch, _undated)[1]:
            decisions += outcome.decisions
    for source, end in enumerate(ends):
        flow.idle(TOPIC, source, end)
    for outcome in flow.advance(_undated):
        decisions += outcome.decisions
    return decisions


def run_whole(flow: Pipeline, all_values: Sequence[bytes], step: int = 5_000) -> list[Decision]:
    """Feed one source partition in steps."""
    cuts = range(step, len(all_values), step)
    return run(flow, batches(0, all_values, cuts), [len(all_values)])


def said(decisions: Iterable[Decision]) -> list[Alert | Block]:
    """Alerts and blocks by id, without what tells of the machine: the clock, and how far the watermark had got."""
    told: list[Alert | Block] = []
    for decision in decisions:
        if isinstance(decision, Alert):
            told.append(replace(decision, decided_at="", watermark=""))
        elif isinstance(decision, Block):
            told.append(replace(decision, decided_at=""))
    return sorted(told, key=lambda record: record.id)


def alerts(decisions: Iterable[Decision]) -> list[Alert]:
    """Only the alerts."""
    return [decision for decision in decisions if isinstance(decision, Alert)]


def blocks(decisions: Iterable[Decision]) -> list[Block]:
    """Only the blocks."""
    return [decision for decision in decisions if isinstance(decision, Block)]


@cache
def learned(plan: Plan) -> Model:
    """The newest model that the pipeline learns from a plan's day."""
    flow = pipeline(QUICK)
    run_whole(flow, values(plan))
    model = flow.models.serve(flow.assessors[0].epoch)
    assert model.popularity.uniform[0] < 1, "the day was too short to learn from"
    return model


def assessor(settings: Settings, only: str | None = None) -> Assessor:
    """One partition of assess, with all detectors or ``only`` one."""
    chosen = [(one, mode) for one, mode in config.detectors(settings) if only in (None, one.name)]
    return Assessor(settings, chosen, Models(settings.model, 1), "sha256:test", 0, 1)


def rows(to: Assessor, all_values: Sequence[bytes]) -> Rows:
    """Sightings of a source partition's records in order of judgement, known to the assessor ``to``."""
    observer = Observer(to._settings.input, to._settings.surfaces, 1)
    message = observer.observe(Batch(TOPIC, 0, 0, len(all_values), all_values)).messages[0]
    if message is not None:
        to.accept(decode(message))
    return to.release.take(1 << 62)


def shuffled(plan: Plan, lateness_us: int, rng: np.random.Generator) -> list[bytes]:
    """Records of a plan in an order in which none comes later than ``lateness_us``."""
    return shuffle(records(plan), lateness_us, rng)


def shuffle(timed: Sequence[tuple[int, bytes]], lateness_us: int, rng: np.random.Generator) -> list[bytes]:
    """Records in an order in which none comes more than ``lateness_us`` behind one that is later."""
    arrival = [
        time_us + int(delay)
        for (time_us, _), delay in zip(timed, rng.integers(0, lateness_us, len(timed)), strict=True)
    ]
    return [timed[place][1] for place in np.argsort(arrival, kind="stable")]


def _undated() -> int:
    return 0
