"""What the model knows, since when, and which detectors it leaves blind: for people to read."""

from collections.abc import Sequence
from typing import Final

import msgspec
import numpy as np

from detectors.core.contract import Detector, DetectorConfig
from detectors.core.model import BEYOND, ENOUGH, SHARE, Model, tail
from detectors.core.popularity import members_estimate
from schemas.mode import Mode
from streams.pipeline.model.models import LAG, Models
from streams.pipeline.policy.fused import ADDRESSES, EVERYBODY, limit_of
from streams.settings import EnrichSettings, FusionSettings, Settings

BY_POPULARITY: Final = ("long_tail", "cohort")
"""Detectors that judge by the popularity of profiles, which no declaration of theirs says."""


class Lessons(msgspec.Struct, frozen=True):
    """What one table of a detector has counted, decayed."""

    table: str
    total: float
    places: int
    """Places of the table that are not zero."""


class Population(msgspec.Struct, frozen=True):
    """Limits in force for the sum of all detectors; evidence in natural logarithms."""

    name: str
    principal_days: float
    """Days of principals whose peaks are known, decayed."""
    start: float | None
    """Where the tail begins; None without peaks."""
    mean_excess: float | None
    alert: float
    block: float
    fitted: bool
    why: str
    """Why the limits are not this population's own; empty when they are."""


class Summary(msgspec.Struct, frozen=True):
    """A model in numbers."""

    model: str
    """Start of the newest epoch learned from, ``none`` for the empty model."""
    partitions_heard: int
    partitions_expected: int
    learning_since_s: int | None
    """Event time, seconds since 1970; None while nothing was learned."""
    learning_left_s: int
    """How long it still learns before it speaks; 0 when it is ripe."""
    members: float | None
    """None while they cannot be estimated."""
    members_configured: bool
    profiles: int
    honest: list[float]
    """q: share of honest first contacts by popularity bin."""
    uniform: list[float]
    """u: share of members by popularity bin."""
    principals_a_day: float
    lessons: list[Lessons]
    populations: list[Population]
    blind: list[str]
    """What cannot be seen yet, and why."""

    @property
    def complete(self) -> bool:
        """Every partition was heard of."""
        return self.partitions_heard >= self.partitions_expected


def summarise(
    models: Models, settings: Settings, detectors: Sequence[tuple[Detector[DetectorConfig], Mode]]
) -> Summary:
    """Sum up the newest complete model for the ``detectors`` in force."""
    model, own = models.serve(models.complete + LAG), settings.model
    first, last = models.learned
    learned_s = 0 if first is None or last is None else (last + 1 - first) * own.epoch_s
    left_s = max(own.learning_s - learned_s, 0 if first is not None else own.lessons_s)
    members = float(own.members) if own.members else members_estimate(models.popularity_counts)
    populations = [_population(name, model, settings.fusion) for name in sorted({*model.peaks, ADDRESSES, EVERYBODY})]
    return Summary(
        model=model.label,
        partitions_heard=models.heard,
        partitions_expected=models.expected,
        learning_since_s=None if first is None else first * own.epoch_s,
        learning_left_s=left_s,
        members=members if np.isfinite(members) and members > 0 else None,
        members_configured=own.members > 0,
        profiles=int(models.popularity_counts.size),
        honest=model.popularity.honest.tolist(),
        uniform=model.popularity.uniform.tolist(),
        principals_a_day=model.principals_a_day,
        lessons=[
            Lessons(table, float(counts.sum()), int(np.count_nonzero(counts)))
            for table, counts in sorted(model.lessons.items())
        ],
        populations=populations,
        blind=[*_blind(model, left_s, populations, detectors, settings.fusion), *_unlisted(settings.enrich)],
    )


def _population(name: str, model: Model, settings: FusionSettings) -> Population:
    peaks = model.peaks.get(name)
    days = 0.0 if peaks is None else float(peaks.sum())
    ends = None if peaks is None or days <= 0 else tail(peaks, max(SHARE, min(BEYOND / days, 1.0)))
    alert = limit_of(model, name, settings.budget, settings.limit, settings.floor)
    block = limit_of(model, name, settings.block_budget, settings.block_limit, settings.block_floor)
    own = model.limit(name, settings.budget, settings.limit).fitted
    held = f"the limits of {EVERYBODY} hold" if alert.fitted else "the configured limits hold"
    why = "" if own else f"{days:.0f} of {ENOUGH} principal-days; {held}"
    return Population(
        name,
        days,
        None if ends is None else ends[0],
        None if ends is None else ends[1],
        alert.value,
        max(block.value, alert.value),
        alert.fitted,
        why,
    )


def _blind(
    model: Model,
    left_s: int,
    populations: Sequence[Population],
    detectors: Sequence[tuple[Detector[DetectorConfig], Mode]],
    settings: FusionSettings,
) -> list[str]:
    out = []
    for detector, _ in detectors:
        name = detector.name
        empty = [
            table for table in detector.lessons if model.counts(f"{name}.{table}", detector.lessons[table]).sum() <= 0
        ]
        popular = name in BY_POPULARITY
        if left_s and (popular or detector.lessons):
            out.append(f"{name}: the model is not ripe for another {left_s / 3600:.1f} h")
        elif popular and np.array_equal(model.popularity.honest, model.popularity.uniform):
            out.append(f"{name}: honest taste or the number of members is unknown")
        elif empty:
            out.append(f"{name}: no lessons in {', '.join(empty)}")
    out += [
        f"the sum for {one.name}: stays in {settings.until_fitted.value}, {one.why}"
        for one in populations
        if not one.fitted
    ]
    return out


def _unlisted(settings: EnrichSettings) -> list[str]:
    """What nothing but the records can say of an address."""
    files = {"ASN": ("asn_file", settings.asn_file), "country": ("country_file", settings.country_file)}
    why = "unknown where the record does not name it, as there is no"
    return [f"{what}: {why} enrich.{key}" for what, (key, file) in files.items() if not file]
