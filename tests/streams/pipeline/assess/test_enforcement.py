"""Blocks fed back into a replay: denied from the very event that made the decision."""

from typing import Final

import numpy as np
import pytest

from schemas.event_time import parse_time_us
from schemas.mode import Mode
from streams.pipeline.assess import assessor, enforcement
from streams.pipeline.assess.enforcement import Enforcement, principals
from streams.pipeline.pipeline import Pipeline
from streams.pipeline.policy.decide import Decision
from streams.pipeline.rows import Rows
from tests import days
from tests.low import low
from tests.requests import START_S, request_of, views
from tests.streams.pipeline.rows_of import rows_of

TEXT: Final = """
[policy]
block_s = 600
[detectors.profile_rate.account]
minute = 4
[detectors.profile_rate.ip]
minute = 4
"""
"""A block comes with the fifth profile."""


class Replayed:
    """A replay that enforces, or one that does not."""

    def __init__(
        self, values: list[bytes], step: int = 10_000, *, enforce: bool = True, mode: Mode = Mode.ENFORCE
    ) -> None:
        self.allowed: list[int] = []
        self.denied: list[int] = []
        settings = low(TEXT)
        judge = Enforcement(self._seen, enforce=enforce)
        self.flow: Pipeline = days.pipeline(settings, mode=mode, only="profile_rate", judge=judge)
        self.decisions: list[Decision] = days.run_whole(self.flow, values, step)

    def _seen(self, rows: Rows, allowed: bool) -> None:
        assert len(rows)
        told = self.allowed if allowed else self.denied
        told += principals(rows).offset.tolist()
        told.sort()

    def exposed(self, name: str) -> int:
        """Profiles disclosed to an actor."""
        actors = self.flow.assessors[0].actors
        slot = next(slot for slot in range(len(actors)) if actors.actor(slot).key == name)
        return int(actors.columns["exposed"][slot])


MIXED: Final = [
    request_of(START_S + n, f"p{n}", account=f"u{n % 3}", ip=f"203.0.113.{n % 2}", fingerprint="f") for n in range(90)
]


class TestCut:
    """Where denial begins."""

    @pytest.mark.parametrize("step", [1, 2, 7, 30])
    def test_behind_the_deciding_event(self, step: int) -> None:
        """The fifth profile is served, the sixth is not, whatever the batch."""
        replayed = Replayed(views(START_S, 30, account="u1"), step)
        assert (replayed.allowed, replayed.denied) == (list(range(5)), list(range(5, 30)))
        assert replayed.exposed("account:u1") == 5

    @pytest.mark.parametrize("at_once", [(1, 1), (7, 4_096), (4_096, 7), (4_096, 4_096)])
    def test_a_response_is_whole(self, at_once: tuple[int, int], monkeypatch: pytest.MonkeyPatch) -> None:
        """A response that disclosed eight profiles has disclosed all eight, though the fifth decided."""
        monkeypatch.setattr(assessor, "BATCH_ROWS", at_once[0])
        monkeypatch.setattr(enforcement, "STEP_ROWS", at_once[1])
        many = request_of(START_S, "x", account="u1", weir__targets=[f"t{n}" for n in range(8)])
        replayed = Replayed([many, *views(START_S + 1, 3, account="u1")])
        assert replayed.exposed("account:u1") == 8
        assert (replayed.allowed, replayed.denied) == ([0] * 8, [1, 2, 3])

    def test_at_one_time(self) -> None:
        """Of events at one and the same time those behind the deciding one are denied, those before it not."""
        replayed = Replayed(views(START_S, 30, 0.0, account="u1"))
        assert (replayed.allowed, replayed.denied) == (list(range(5)), list(range(5, 30)))

    def test_until_the_end(self) -> None:
        """A block ends at its time: one microsecond before it is denied, at it served."""
        values = views(START_S, 5, account="u1")
        end_s = START_S + 4 + 600
        values += [request_of(end_s - 0.000_001, "late", account="u1"), request_of(end_s, "after", account="u1")]
        replayed = Replayed(values)
        assert parse_time_us(days.blocks(replayed.decisions)[0].until) == end_s * 1_000_000
        assert (replayed.allowed, replayed.denied) == ([0, 1, 2, 3, 4, 6], [5])

    @pytest.mark.parametrize("step", [1, 4, 11, 90])
    def test_any_batches(self, step: int) -> None:
        """Several actors blocked within a batch: decisions, and what was served, do not depend on the cuts."""
        whole, cut = Replayed(MIXED), Replayed(MIXED, step)
        assert days.said(cut.decisions) == days.said(whole.decisions)
        assert (cut.allowed, cut.denied) == (whole.allowed, whole.denied)
        assert len(days.blocks(whole.decisions)) == 3

    @pytest.mark.parametrize("rows_at_once", [1, 2, 3, 5, 100])
    def test_any_steps(self, rows_at_once: int, monkeypatch: pytest.MonkeyPatch) -> None:
        """Nor on how many rows are judged at once, though an event's rows may lie on both sides of such a step."""
        whole = Replayed(MIXED)
        monkeypatch.setattr(enforcement, "STEP_ROWS", rows_at_once)
        stepped = Replayed(MIXED)
        monkeypatch.setattr(enforcement, "STEP_ROWS", 4_096)
        monkeypatch.setattr(assessor, "BATCH_ROWS", rows_at_once)
        cut = Replayed(MIXED)
        for other in (stepped, cut):
            assert days.said(other.decisions) == days.said(whole.decisions)
            assert (other.allowed, other.denied) == (whole.allowed, whole.denied)


class TestNothingEnforced:
    """Where no detector is enforced, or nothing denies."""

    @pytest.mark.parametrize(("mode", "enforce"), [(Mode.SHADOW, True), (Mode.ENFORCE, False)])
    def test_nothing_is_kept_to_be_put_back(self, mode: Mode, enforce: bool, monkeypatch: pytest.MonkeyPatch) -> None:
        """All rows are judged once, and served; the decisions are those of who keeps everything."""
        wanted = days.run_whole(days.pipeline(low(TEXT), mode=mode, only="profile_rate"), MIXED, 11)
        monkeypatch.setattr(enforcement, "save", None)
        replayed = Replayed(MIXED, 11, enforce=enforce, mode=mode)
        assert days.said(replayed.decisions) == days.said(wanted)
        assert (replayed.allowed, replayed.denied) == (list(range(90)), [])
        assert len(days.blocks(replayed.decisions)) >= 3

    def test_whether_anything_is(self) -> None:
        """One enforced detector is enough."""
        for mode, enforces in ((Mode.SHADOW, False), (Mode.ALERT, False), (Mode.ENFORCE, True)):
            assert days.pipeline(low(TEXT), mode=mode, only="profile_rate").assessors[0].enforces is enforces


class TestDenied:
    """What a denied request does: nothing."""

    def test_other_actors_are_not_moved(self) -> None:
        """A denied request shows its address, network and fingerprint nothing, and counts for none of them."""
        values = views(START_S, 30, session="s1", account="u1", fingerprint="f")
        replayed = Replayed(values)
        assert replayed.exposed("account:u1") == 5
        assert replayed.exposed("net:203.0.113.0/24") == replayed.exposed("fingerprint:f") == 5
        actors = replayed.flow.assessors[0].actors
        assert int(actors.columns["exposed"].sum()) == 15

    def test_a_blocked_address_denies_its_visitors(self) -> None:
        """Whoever comes from a blocked address is denied, with an account or not; others are served."""
        values = views(START_S, 5)
        values += [
            request_of(START_S + 10, "a", account="u1"),
            request_of(START_S + 11, "b", account="u1", ip="192.0.2.1"),
        ]
        replayed = Replayed(values)
        assert (replayed.allowed, replayed.denied) == ([0, 1, 2, 3, 4, 6], [5])

    def test_nothing_is_learned_from_it(self) -> None:
        """What was denied teaches no popularity."""
        values = [*views(START_S, 30, account="u1"), request_of(START_S + 3_700, "x", account="u2")]
        served = Replayed([*values, request_of(START_S + 7_300, "y", account="u2")])
        model = served.flow.models.serve(served.flow.assessors[0].epoch)
        assert np.count_nonzero(model.popularity.table) == 5

    def test_without_enforcement(self) -> None:
        """Told not to enforce, it judges like the live stream and denies nobody."""
        values = views(START_S, 30, account="u1")
        replayed = Replayed(values, enforce=False)
        assert replayed.denied == []
        live = days.run_whole(days.pipeline(low(TEXT), mode=Mode.ENFORCE, only="profile_rate"), values)
        assert days.said(replayed.decisions) == days.said(live)

    def test_a_block_in_shadow_denies_nobody(self) -> None:
        """Only what is enforced is fed back."""
        seen = list[bool]()
        judge = Enforcement(lambda rows, allowed: seen.append(allowed), enforce=True)
        flow = days.pipeline(low(TEXT), mode=Mode.SHADOW, only="profile_rate", judge=judge)
        assert days.blocks(days.run_whole(flow, views(START_S, 30, account="u1")))
        assert set(seen) == {True}


def test_event_end() -> None:
    """Rows of one event share source and offset; events of one record differ in time or principal."""
    rows = rows_of([1, 1, 2, 2, 2, 2, 3], offsets=[0, 0, 1, 1, 2, 2, 2], principals=[7, 7, 7, 7, 7, 8, 8])
    assert [rows.event_end(row) for row in range(7)] == [2, 2, 4, 4, 5, 6, 7]
