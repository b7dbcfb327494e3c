"""Same input, same decisions: neither batches nor partitions nor arrival show in what is decided."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import cache
from typing import Final

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.alert import Alert, AlertStatus
from schemas.block import Block
from schemas.mode import Mode
from streams.pipeline.assess.enforcement import Enforcement
from streams.pipeline.batch import Batch
from streams.pipeline.policy.decide import Decision
from tests import days

LATENESS_US: Final = days.QUICK.input.allowed_lateness_ms * 1000
TOUCHED: Final = replace(days.HALF_DAY, other_ratio=1.0)
"""The same with pages, assets and calls beside the views."""
Timed = Sequence[tuple[int, bytes]]


@cache
def expected() -> list[Alert | Block]:
    """What the day comes to in one source, one partition and large batches."""
    flow = days.pipeline(days.QUICK, mode=Mode.ENFORCE)
    return days.said(days.run_whole(flow, days.values(days.HALF_DAY), step=12_000))


@cache
def expected_enforced() -> list[Alert | Block]:
    """Likewise, with blocked actors denied."""
    return days.said(_enforced([]))


def _enforced(cuts: list[int]) -> list[Decision]:
    flow = days.pipeline(days.QUICK, mode=Mode.ENFORCE, judge=Enforcement(lambda rows, allowed: None, enforce=True))
    values = days.values(days.HALF_DAY)
    return days.run(flow, days.batches(0, values, cuts), [len(values)])


def dealt(timed: Timed, count: int, rng: np.random.Generator) -> list[Timed]:
    """Records dealt out to ``count`` source partitions, each in order of time."""
    owner = rng.integers(0, count, len(timed))
    return [[timed[place] for place in np.flatnonzero(owner == source).tolist()] for source in range(count)]


def interleaved(sources: Sequence[Sequence[bytes]], cuts: int, rng: np.random.Generator) -> Iterator[Batch]:
    """Batches of all sources at random cuts, those of each in order, the sources' in any order."""
    waiting = [
        list(days.batches(source, values, rng.integers(1, max(len(values), 2), cuts).tolist()))
        for source, values in enumerate(sources)
    ]
    while any(waiting):
        source = rng.choice([number for number, left in enumerate(waiting) if left])
        yield waiting[source].pop(0)


class TestTheDay:
    """The day that the rest compares."""

    def test_holds_everything(self) -> None:
        """It has plain and statistical findings, the sum's, updates, closed incidents, repeated blocks, a group."""
        alerts = [record for record in expected() if isinstance(record, Alert)]
        assert {finding.detector for alert in alerts for finding in alert.findings} >= {"long_tail", "profile_rate"}
        assert any("nats_of_all" in finding.evidence for alert in alerts for finding in alert.findings)
        assert {alert.status for alert in alerts} == set(AlertStatus)
        assert {alert.actor.scope for alert in alerts} >= {"account", "fingerprint"}
        assert len({record.model for record in expected()}) > 4
        assert len([record for record in expected() if isinstance(record, Block)]) > 4

    def test_ids_are_unique(self) -> None:
        """No two records share an id."""
        assert len({record.id for record in expected()}) == len(expected())


class TestSameDecisions:
    """The same records in other ways."""

    @settings(max_examples=10, deadline=None, derandomize=True)
    @given(
        seed=st.integers(0, 2**32), sources=st.integers(1, 12), partitions=st.integers(1, 12), cuts=st.integers(0, 30)
    )
    def test_any_way(self, seed: int, sources: int, partitions: int, cuts: int) -> None:
        """Any number of source and of assess partitions, any cuts, any arrival within the allowed lateness."""
        rng = np.random.default_rng(seed)
        shuffled = [days.shuffle(timed, LATENESS_US, rng) for timed in dealt(days.records(days.HALF_DAY), sources, rng)]
        flow = days.pipeline(days.QUICK, mode=Mode.ENFORCE, sources=sources, partitions=partitions)
        found = days.run(flow, interleaved(shuffled, cuts, rng), [len(values) for values in shuffled])
        assert sum(assessor.release.late for assessor in flow.assessors) == 0
        assert days.said(found) == expected()

    def test_record_by_record(self) -> None:
        """Single records, at the densest time of the day, are no different."""
        values = days.values(days.HALF_DAY)
        flow = days.pipeline(days.QUICK, mode=Mode.ENFORCE, partitions=2)
        cuts = [*range(0, 4_000, 500), *range(7_000, 7_300)]
        assert days.said(days.run(flow, days.batches(0, values, cuts), [len(values)])) == expected()

    def test_sent_again(self) -> None:
        """Batches that come again, whole or in part and cut in other ways, change nothing."""
        values, rng = days.values(days.HALF_DAY), np.random.default_rng(8)
        flow = days.pipeline(days.QUICK, mode=Mode.ENFORCE, partitions=3)
        found = days.run(flow, _stuttering(values, rng), [len(values)])
        assert sum(assessor.release.duplicates for assessor in flow.assessors) > 1_000
        assert days.said(found) == expected()

    @pytest.mark.parametrize("seed", [1, 2])
    def test_ties(self, seed: int) -> None:
        """Where events share a time, source partition and offset order them, so the same split gives the same."""
        second = 1_000_000
        timed = [
            (at // second * second, value.replace(str(at).encode(), str(at // second * second).encode()))
            for at, value in days.records(days.HALF_DAY)
        ]
        split = [[value for _, value in part] for part in dealt(timed, 3, np.random.default_rng(0))]
        runs = []
        for partitions, cuts in ((1, 0), (1 + seed * 3, 30)):
            flow = days.pipeline(days.QUICK, mode=Mode.ENFORCE, sources=3, partitions=partitions)
            order = interleaved(split, cuts, np.random.default_rng(seed))
            runs.append(days.said(days.run(flow, order, [len(values) for values in split])))
        assert runs[0] == runs[1]
        assert len(runs[0]) > 10

    @settings(max_examples=5, deadline=None, derandomize=True)
    @given(cuts=st.lists(st.integers(1, 11_000), max_size=40))
    def test_enforced(self, cuts: list[int]) -> None:
        """A replay that denies what it blocks cuts behind the deciding event, not where batches end."""
        assert days.said(_enforced(cuts)) == expected_enforced()
        assert expected_enforced() != expected()

    @pytest.mark.parametrize("seed", [1, 2])
    def test_touches(self, seed: int) -> None:
        """Touches, of which a batch keeps one a cell, come once more wherever a batch ends; no decision shows it."""
        rng, timed = np.random.default_rng(seed), days.records(TOUCHED)
        whole = days.run_whole(days.pipeline(days.QUICK, mode=Mode.ENFORCE), days.values(TOUCHED), step=12_000)
        flow = days.pipeline(days.QUICK, mode=Mode.ENFORCE, sources=3, partitions=4)
        split = [days.shuffle(part, LATENESS_US, rng) for part in dealt(timed, 3, rng)]
        found = days.run(flow, interleaved(split, 100, rng), [len(values) for values in split])
        assert days.said(found) == days.said(whole)
        assert days.said(whole) != expected()

    def test_other_config_other_ids(self) -> None:
        """A change of the configuration is another decision: no id comes back."""
        flow = days.pipeline(days.QUICK, mode=Mode.SHADOW)
        found = days.said(days.run_whole(flow, days.values(days.HALF_DAY)))
        assert not {record.id for record in found} & {record.id for record in expected()}


def _stuttering(values: Sequence[bytes], rng: np.random.Generator) -> Iterator[Batch]:
    at = 0
    while at < len(values):
        lo = max(0, at - int(rng.integers(0, 700)))
        hi = min(len(values), max(lo + 1, at + int(rng.integers(-300, 900))))
        yield Batch(days.TOPIC, 0, lo, hi, values[lo:hi])
        at = max(at, hi)
