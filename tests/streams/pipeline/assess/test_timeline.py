"""Configurations come into force at points of event time: the same decisions however the stream is cut."""

from collections.abc import Iterable, Sequence
from functools import cache
from typing import Final

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from detectors.id_walk import Config as IdWalkConfig
from schemas.alert import Alert, AlertStatus
from schemas.block import Block
from schemas.event_time import parse_time_us
from schemas.mode import Mode
from streams import config
from streams.pipeline.assess.outcome import Switch
from streams.pipeline.assess.release import LONG_AGO
from streams.pipeline.assess.timeline import Timeline
from streams.pipeline.batch import Batch
from streams.pipeline.checkpoint.snapshot import encode, restore, take
from streams.pipeline.pipeline import Pipeline
from streams.section import with_hot
from streams.settings import Settings
from tests import days
from tests.low import low
from tests.streams.pipeline.test_same_decisions import dealt, interleaved

BASE: Final = low(
    "[mode]\ndefault = 'enforce'\n[model]\nlearning_s = 36000\ntaste_half_life = 1000\nmembers = 3000\n"
    "[detectors.profile_rate.account]\nhour = 200\n[detectors.long_tail]\nlimit = 8\n[detectors.cohort]\nlimit = 8\n"
)
STRICT: Final = with_hot(
    BASE,
    low(
        "[mode]\ndefault = 'enforce'\n[policy]\nincident_close_s = 3600\ncooldown_s = 300\n"
        "[detectors.profile_rate.account]\nhour = 60\n[detectors.long_tail]\nlimit = 7\ncap = 2\n"
        "[detectors.cohort]\nmode = 'off'\n"
    ),
)
"""Lower limits, shorter incidents, a lower cap, and one detector muted."""
ENTRY: Final = "owner = 'sre'\nreason = 'probes'\nexpires = 2028-01-31\n"
ANYTHING: Final = (
    "",
    "[mode]\nceiling = 'off'\n",
    "[mode]\nceiling = 'alert'\n",
    "[mode]\ndefault = 'enforce'\n[detectors.id_walk]\nmode = 'off'\n[policy]\ncooldown_s = 60\nblock_s = 120\n",
    "[mode]\ndefault = 'enforce'\n[detectors.long_tail]\ncap = 0.0\n[fusion]\nlimit = 14.0\nblock_limit = 15.0\n",
    f"[[allow]]\nactor = 'net:10.0.0.0/8'\n{ENTRY}[detectors.cohort]\nlimit = 8\n",
    f"[mode]\ndefault = 'enforce'\n[[collectors]]\nactor = 'account:1'\nprofiles_per_day = 5\n{ENTRY}",
)
START_US: Final = days.records(days.HALF_DAY)[0][0]
HOUR_US: Final = 3_600_000_000
POINTS: Final = (
    START_US + 17 * HOUR_US + 1_234_567,
    (START_US // HOUR_US + 20) * HOUR_US,
    START_US + 22 * HOUR_US + 7,
)
"""In the half of the day that scrapers are in: one anywhere, one at a full hour, where an epoch ends."""
Published = Sequence[tuple[int, Settings]]
CHANGES: Final[Published] = tuple(zip(POINTS, (STRICT, BASE, STRICT), strict=True))


def timeline(published: Published, first: Settings = BASE) -> Timeline:
    """All known beforehand."""
    made = Timeline.of(first)
    for point in published:
        made.add(*point)
    return made


def flow_of(told: Timeline, sources: int = 1, partitions: int = 1) -> Pipeline:
    """A pipeline that goes by a timeline."""
    first = told.first
    return Pipeline(
        first.settings, first.detectors, first.revision, sources=sources, partitions=partitions, timeline=told
    )


@cache
def expected() -> list[Alert | Block]:
    """What the day comes to in one source, one partition and large batches."""
    return days.said(days.run_whole(flow_of(timeline(CHANGES)), days.values(days.HALF_DAY), step=12_000))


@cache
def unchanged() -> list[Alert | Block]:
    """What it comes to when nothing is published."""
    return days.said(days.run_whole(flow_of(Timeline.of(BASE)), days.values(days.HALF_DAY), step=12_000))


def at_us(record: Alert | Block) -> int:
    """Event time of a decision, to the millisecond."""
    return parse_time_us(record.event_time)


class TestInForce:
    """What a switch changes, and what it does not."""

    def test_each_decision_names_what_was_in_force(self) -> None:
        """By its event time; an incident that ends by itself names what its last finding was judged by."""
        told = timeline(CHANGES)
        found = [one for one in expected() if not (isinstance(one, Alert) and one.status is AlertStatus.CLOSED)]
        assert {one.config for one in found} == {config.revision(BASE), config.revision(STRICT)}
        for one in found:
            # A record has milliseconds, a point microseconds.
            assert one.config in {told.at(at_us(one)).revision, told.at(at_us(one) + 999).revision}

    def test_nothing_before_the_first_point_changes(self) -> None:
        """Up to it the decisions are those of a day in which nothing is published."""
        before = [one for one in expected() if at_us(one) < POINTS[0] - 1_000]
        assert before == [one for one in unchanged() if at_us(one) < POINTS[0] - 1_000]
        assert len(before) > 10

    def test_windows_are_kept(self) -> None:
        """The same published again is no change at all: no window, evidence, incident or cooldown begins anew."""
        same = days.said(
            days.run_whole(flow_of(timeline([(point, BASE) for point in POINTS])), days.values(days.HALF_DAY))
        )
        assert same == unchanged()

    def test_a_muted_detector_is_silent_and_goes_on(self) -> None:
        """While it is off it finds nothing and adds nothing, and learns all the same; then it speaks again."""
        off = replace(BASE, detectors={**BASE.detectors, "id_walk": IdWalkConfig(mode=Mode.OFF)})
        span = POINTS[0], POINTS[0] + HOUR_US // 2
        flow, plain = flow_of(timeline([(span[0], off), (span[1], BASE)])), flow_of(Timeline.of(BASE))
        muted, _ = (days.said(days.run_whole(one, days.values(days.HALF_DAY))) for one in (flow, plain))
        walks = [at_us(one) for one in muted for name in detectors_of(one) if name == "id_walk" and opens(one)]
        assert len([time_us for time_us in walks if time_us < span[0]]) > 3
        assert [time_us for time_us in walks if span[0] < time_us < span[1] - 1_000] == []
        assert len([time_us for time_us in walks if time_us > span[1]]) > 3
        kept, wanted = (one.assessors[0].actors.principals.state["id_walk"] for one in (flow, plain))
        for name in ("numbers", "known"):  # what hangs on the model differs a little: who is calm teaches it
            assert kept[name].any()
            np.testing.assert_array_equal(kept[name], wanted[name])

    def test_what_was_off_stays_off(self) -> None:
        """A detector that was off at the beginning has no state and stays off, as the revision says."""
        off = config.parse("[detectors.metronome]\nmode = 'off'\n")
        told = Timeline.of(off)
        regime = told.add(5, config.parse(""))
        modes = {one.name: mode for one, mode in told.of_stateful(regime)}
        assert "metronome" not in modes
        assert regime.settings.detectors["metronome"].mode is Mode.OFF
        assert regime.revision == config.revision(off)
        assert "metronome" in Timeline.of(off, newest=config.parse("")).stateful

    def test_cold_sections_stay(self) -> None:
        """Of what is published only the hot sections come into force; the revision is that of both together."""
        told = Timeline.of(BASE)
        other = config.parse("[memory]\nactors_max = 7\n[model]\nmembers = 9\n[policy]\nblock_s = 61\n")
        regime = told.add(5, other)
        assert regime.settings == with_hot(BASE, other)
        assert (regime.settings.model, regime.settings.policy.block_s) == (BASE.model, 61)
        assert regime.revision == config.revision(with_hot(BASE, other)) != config.revision(other)


def opens(one: Alert | Block) -> bool:
    """It is the first word on an incident: later ones repeat what was found before."""
    return isinstance(one, Alert) and one.status is AlertStatus.OPEN


def detectors_of(one: Alert | Block) -> list[str]:
    """Names of the detectors of an alert."""
    return [finding.detector for finding in one.findings] if isinstance(one, Alert) else []


class TestOrder:
    """Points in any order."""

    @given(st.lists(st.tuples(st.integers(0, 9), st.integers(1, 9)), max_size=12), st.integers(-1, 11))
    def test_at(self, points: list[tuple[int, int]], time_us: int) -> None:
        """At any time the newest point that is not later counts; of two at one time that which was added last."""
        told = Timeline.of(Settings(detectors=BASE.detectors))
        for point, seconds in points:
            told.add(point, config.parse(f"[policy]\nblock_s = {seconds}\n"))
        due = [(point, number, seconds) for number, (point, seconds) in enumerate(points) if point <= time_us]
        wanted = max(due, default=(0, 0, 3_600))[2]
        assert told.at(time_us).settings.policy.block_s == wanted
        later = [point for point, _ in points if point > time_us]
        assert told.next_us(time_us) == min(later, default=-LONG_AGO)


class TestSameDecisions:
    """The same records in other ways."""

    def test_the_day_is_worth_it(self) -> None:
        """Under each of the four regimes something is decided, and some incident goes on through a point."""
        found = [one for one in expected() if isinstance(one, Alert)]
        spans = [(LONG_AGO, POINTS[0]), (POINTS[0], POINTS[1]), (POINTS[1], POINTS[2]), (POINTS[2], -LONG_AGO)]
        assert all(any(lo <= at_us(one) < hi for one in found) for lo, hi in spans)
        revisions: dict[str, set[str]] = {}
        for one in found:
            revisions.setdefault(one.incident, set()).add(one.config)
        assert any(len(named) > 1 for named in revisions.values())

    @settings(max_examples=8, deadline=None, derandomize=True)
    @given(seed=st.integers(0, 2**32), sources=st.integers(1, 5), partitions=st.integers(1, 5), cuts=st.integers(0, 40))
    def test_any_way(self, seed: int, sources: int, partitions: int, cuts: int) -> None:
        """Any cuts, sources and partitions; each revision is published any time before its point is reached."""
        rng = np.random.default_rng(seed)
        sorted_in = [[value for _, value in part] for part in dealt(days.records(days.HALF_DAY), sources, rng)]
        told = Timeline.of(BASE)
        flow = flow_of(told, sources, partitions)
        order = published_between(interleaved(sorted_in, cuts, rng), told, flow, rng)
        found = days.run(flow, order, [len(values) for values in sorted_in])
        assert days.said(found) == by_arrival(sources, seed)

    @settings(max_examples=4, deadline=None, derandomize=True)
    @given(seed=st.integers(0, 2**32), count=st.integers(1, 6), partitions=st.integers(1, 3), cuts=st.integers(0, 60))
    def test_whatever_is_published(self, seed: int, count: int, partitions: int, cuts: int) -> None:
        """Ceilings, muted detectors, caps, limits, cooldowns, at any time: no cut shows, nor do partitions."""
        rng, values = np.random.default_rng(seed), days.values(days.HALF_DAY)
        points = sorted((START_US + rng.integers(16 * HOUR_US, 24 * HOUR_US, count)).tolist())
        published = [(point, config.parse(ANYTHING[int(rng.integers(len(ANYTHING)))])) for point in points]
        whole = days.run_whole(flow_of(timeline(published)), values, step=12_000)
        order = days.batches(0, values, rng.integers(1, len(values), cuts).tolist())
        found = days.run(flow_of(timeline(published), 1, partitions), order, [len(values)])
        assert days.said(found) == days.said(whole)

    def test_at_every_place(self) -> None:
        """A cut right before, at and behind the events around a point changes nothing."""
        times = [time_us for time_us, _ in days.records(days.HALF_DAY)]
        near = [int(np.searchsorted(times, point)) for point in POINTS]
        cuts = [place + step for place in near for step in range(-3, 4)]
        flow = flow_of(timeline(CHANGES))
        values = days.values(days.HALF_DAY)
        assert days.said(days.run(flow, days.batches(0, values, cuts), [len(values)])) == expected()


@cache
def by_arrival(sources: int, seed: int) -> list[Alert | Block]:
    """The whole day at once, with all that is published known beforehand, dealt out as ``seed`` deals it."""
    rng = np.random.default_rng(seed)
    values = [[value for _, value in part] for part in dealt(days.records(days.HALF_DAY), sources, rng)]
    flow = flow_of(timeline(CHANGES), sources)
    order = [batch for number, each in enumerate(values) for batch in days.batches(number, each, [])]
    return days.said(days.run(flow, order, [len(each) for each in values]))


def published_between(
    batches: Iterable[Batch], told: Timeline, flow: Pipeline, rng: np.random.Generator
) -> Iterable[Batch]:
    """The batches, with each revision added before one of them, at the latest when a batch may reach its point."""
    waiting = list(CHANGES)
    for batch in batches:
        ahead_us = max(assessor.release.let_go_us for assessor in flow.assessors)
        last_us = max((parse_time_us(days_time(value)) for value in batch.values if value), default=0)
        while waiting and (rng.random() < 0.1 or waiting[0][0] <= max(ahead_us, last_us)):
            told.add(*waiting.pop(0))
        yield batch
    for point in waiting:
        told.add(*point)


def days_time(value: bytes) -> int:
    """Time of a request event of `days`."""
    return int(value.partition(b'"@timestamp": ')[2].partition(b",")[0].rstrip(b"}"))


class TestLate:
    """A revision whose point has passed already."""

    @pytest.fixture
    def cut(self) -> int:
        """Place of a record in the middle of the scrapers' half."""
        return int(np.searchsorted([time_us for time_us, _ in days.records(days.HALF_DAY)], POINTS[1]))

    def test_from_the_next_cut_on(self, cut: int) -> None:
        """It is in force from where the partition stands, never for what is judged, and is told as late."""
        told, values = Timeline.of(BASE), days.values(days.HALF_DAY)
        flow = flow_of(told)
        first, second = days.batches(0, values, [cut])
        before = [one for outcome in flow.feed(first, lambda: 0)[1] for one in outcome.decisions]
        stands_us = flow.assessors[0].release.let_go_us
        told.add(POINTS[0], STRICT)
        outcomes = flow.feed(second, lambda: 0)[1]
        assert {one.config for one in days.said(before)} == {config.revision(BASE)}
        (switch,) = [switch for outcome in outcomes for switch in outcome.switches]
        assert (switch.late, switch.at_us, switch.after.revision) == (True, stands_us, config.revision(STRICT))
        opened = [one for outcome in outcomes for one in days.said(outcome.decisions) if opens(one)]
        assert {one.config for one in opened} == {config.revision(STRICT)}

    def test_behind_another(self, cut: int) -> None:
        """What was to be in force before something that already is does nothing."""
        told = timeline([(POINTS[0], STRICT)])
        flow, values = flow_of(told), days.values(days.HALF_DAY)
        first, second = days.batches(0, values, [cut])
        flow.feed(first, lambda: 0)
        told.add(POINTS[0] - 1, BASE)
        assert [outcome.switches for outcome in flow.feed(second, lambda: 0)[1] if outcome.switches] == []
        assert flow.assessors[0].revision == config.revision(STRICT)

    def test_in_time(self) -> None:
        """At its point it is not late, a microsecond behind it it is."""
        first, later = timeline([(5, STRICT)]).at(0), timeline([(5, STRICT)]).at(5)
        assert not Switch(first, later, 5).late
        assert Switch(first, later, 6).late


class TestRestart:
    """A checkpoint taken anywhere, restored beside the same timeline."""

    @pytest.mark.parametrize("after_us", [-1_000_000, 0, 1_000_000, 1_800_000_000])
    def test_goes_on_under_what_was_in_force(self, after_us: int) -> None:
        """Before, at and behind a point: what is decided is the same, and no point is told of twice."""
        values = days.values(days.HALF_DAY)
        times = [time_us for time_us, _ in days.records(days.HALF_DAY)]
        cut = int(np.searchsorted(times, POINTS[1] + after_us))
        first, second = days.batches(0, values, [cut])
        flow = flow_of(timeline(CHANGES))
        outcomes = flow.feed(first, lambda: 0)[1]
        snapshot = take(flow.assessors[0], everything=True)
        fresh = flow_of(timeline(CHANGES)).assessors[0]
        restore(fresh, dict(encode(snapshot)))
        # Models are kept apart from the state of a partition, and are shared here.
        fresh._models = flow.models
        flow.assessors[0] = fresh
        outcomes += flow.feed(second, lambda: 0)[1]
        flow.idle(days.TOPIC, 0, len(values))
        outcomes += flow.advance(lambda: 0)
        assert days.said([one for outcome in outcomes for one in outcome.decisions]) == expected()
        told = [switch.after.from_us for outcome in outcomes for switch in outcome.switches]
        assert told == list(POINTS)
        assert not any(switch.late for outcome in outcomes for switch in outcome.switches)
