"""Memory is bounded, and neither forgetting nor sleep makes anybody somebody else."""

import json
from collections.abc import Iterable
from typing import Final

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from msgspec.structs import replace

from schemas.event_time import parse_time_us
from schemas.mode import Mode
from streams.pipeline.assess.assessor import Assessor
from streams.pipeline.batch import Batch
from streams.pipeline.pipeline import Pipeline
from streams.pipeline.policy.decide import Decision
from streams.settings import Settings
from tests import days
from tests.low import low

START_US: Final = 1_800_000_000_000_000
DAY_US: Final = 86_400_000_000
HOUR_US: Final = 3_600_000_000
MANY: Final = 120
"""Profiles that are too many for an account in a day under `LIMITS`."""
LIMITS: Final = "[detectors.profile_rate.account]\nminute = 100\nday = 100\n"


def settings_of(memory: str, rest: str = "") -> Settings:
    """Settings with a section ``[memory]`` of these lines."""
    return low(f"[memory]\n{memory}\n{LIMITS}{rest}")


def view(time_us: int, who: str, profile: int, address: str = "192.0.2.1") -> bytes:
    """An account's view of one profile."""
    return json.dumps(
        {
            "@timestamp": time_us,
            "http.request.method": "GET",
            "url.path": f"/people/{profile}",
            "http.response.status_code": 200,
            "user.id": who,
            "session.id": f"s-{who}",
            "client.address": address,
        }
    ).encode()


def views(start_us: int, who: str, count: int, first: int = 0) -> list[bytes]:
    """So many views of one account, one a 100 ms."""
    return [view(start_us + k * 100_000, who, first + k) for k in range(count)]


class Fed:
    """A pipeline of one partition that is fed record lists as they come."""

    def __init__(self, settings: Settings, only: str | None = "profile_rate") -> None:
        self.flow: Pipeline = days.pipeline(settings, mode=Mode.ENFORCE, only=only)
        self.assessor: Assessor = self.flow.assessors[0]
        self.decisions: list[Decision] = []
        self._at = 0

    def feed(self, values: list[bytes]) -> "Fed":
        """Take one batch."""
        batch = Batch(days.TOPIC, 0, self._at, self._at + len(values), values)
        for outcome in self.flow.feed(batch, lambda: 0)[1]:
            self.decisions += outcome.decisions
        self._at += len(values)
        return self

    def end(self) -> "Fed":
        """Judge what waits."""
        self.flow.idle(days.TOPIC, 0, self._at)
        for outcome in self.flow.advance(lambda: 0):
            self.decisions += outcome.decisions
        return self

    def known(self, scope: str, value: str) -> dict[str, float] | None:
        """What is known of an actor, None if it has no slot."""
        actors = self.assessor.actors
        for slot in range(len(actors)):
            if (actors.scope(slot).label, actors.value(slot)) == (scope, value):
                names = ("exposed", "first_seen_us", "last_seen_s", "inexact")
                return {name: float(actors.columns[name][slot]) for name in names}
        return None

    @property
    def turnover(self) -> dict[str, int]:
        """How many went and came back."""
        return {name: self.assessor.bounds.counts()[name] for name in ("forgotten", "put_to_sleep", "woken", "evicted")}


class TestForget:
    """Who is not seen for `idle_s` is forgotten."""

    SETTINGS: Final = settings_of("idle_s = 172800")

    def test_returns_as_a_new_one(self) -> None:
        """Decisions on an actor that was forgotten are those on one that never came before."""
        later_us = START_US + 3 * DAY_US
        back = Fed(self.SETTINGS).feed(views(START_US, "a", 2 * MANY)).feed(views(later_us, "a", 2 * MANY)).end()
        new = Fed(self.SETTINGS).feed(views(later_us, "a", 2 * MANY)).end()
        assert back.turnover["forgotten"] >= 4
        expected = [replace(one, model="") for one in days.said(new.decisions)]
        assert len(expected) > 2
        # By an older model or by none: this detector asks none.
        found = [replace(one, model="") for one in days.said(back.decisions)]
        assert [one for one in found if parse_time_us(one.event_time) >= later_us] == expected

    @pytest.mark.parametrize(("hours", "forgotten"), [(48, False), (50, True)])
    def test_limit(self, hours: int, forgotten: bool) -> None:
        """It goes at the first begin of an epoch at which it was unseen for longer, and not before."""
        start_us = START_US // HOUR_US * HOUR_US + 1
        fed = Fed(self.SETTINGS).feed([view(start_us, "a", 1)])
        fed.feed([view(start_us + hours * HOUR_US, "b", 2, "198.51.100.9")]).end()
        assert (fed.known("account", "a") is None) == forgotten
        assert fed.known("account", "b") is not None

    def test_forgotten_while_rows_wait(self) -> None:
        """One whose next sighting waits already is forgotten all the same, and keeps its slot."""
        later_us = START_US + 3 * DAY_US
        fed = Fed(self.SETTINGS).feed([view(START_US, "a", 1)])
        fed.feed([view(later_us, "a", 2)]).end()
        known = fed.known("account", "a")
        assert known is not None
        assert (known["exposed"], known["first_seen_us"]) == (1, later_us)

    def test_not_before_its_incident_ends(self) -> None:
        """A block that stands for longer than `idle_s` is lifted at its end, under the actor's name."""
        settings = settings_of("idle_s = 86400", "[policy]\nblock_s = 432000\ncooldown_s = 900\n")
        fed = Fed(settings).feed(views(START_US, "a", 2 * MANY))
        fed.feed([view(START_US + 3 * DAY_US, "b", 1, "198.51.100.9")]).end()
        assert fed.known("account", "a") is not None
        fed.feed([view(START_US + 20 * DAY_US, "b", 1, "198.51.100.9")]).end()
        assert fed.known("account", "a") is None
        lifted = [decision.actor.key for decision in fed.decisions if type(decision).__name__ == "Lift"]
        assert lifted == ["account:a"]

    def test_members(self) -> None:
        """What a member did within a group goes after `members_idle_s`, before the actors do."""
        fed = Fed(settings_of("members_idle_s = 86400"))
        fed.feed([view(START_US + k, f"a{k}", 1) for k in range(20)])
        assert fed.end().assessor.actors.pairs.count == 20
        fed.feed([view(START_US + 2 * DAY_US, "b", 1)]).end()
        assert fed.assessor.actors.pairs.count == 1
        assert fed.known("account", "a1") is not None

    @hypothesis_settings(max_examples=3, deadline=None, derandomize=True)
    @given(seed=st.integers(0, 2**32), partitions=st.integers(1, 6), cuts=st.integers(0, 20))
    def test_same_decisions(self, seed: int, partitions: int, cuts: int) -> None:
        """A day, and the same people again after three weeks: neither batches nor partitions show."""
        values = [value for _, value in days.records(days.HALF_DAY)]
        again = [json.loads(value) for value in values[:6_000]]
        values += [json.dumps(one | {"@timestamp": one["@timestamp"] + 21 * DAY_US}).encode() for one in again]
        rng = np.random.default_rng(seed)
        one, other = (days.pipeline(days.QUICK, mode=Mode.ENFORCE, partitions=p) for p in (1, partitions))
        expected = days.said(days.run_whole(one, values))
        found = days.run(other, days.batches(0, values, rng.integers(1, len(values), cuts).tolist()), [len(values)])
        assert days.said(found) == expected
        gone = [sum(each.bounds.turnover.forgotten for each in flow.assessors) for flow in (one, other)]
        assert gone[0] == gone[1] > 100


def crowd(start_us: int, first: int, count: int) -> list[bytes]:
    """So many accounts that come once, each from an address of its own, one a 10 ms."""
    return [
        view(start_us + k * 10_000, f"c{first + k}", k, f"100.{64 + (n >> 16)}.{n >> 8 & 255}.{n & 255}")
        for k, n in enumerate(range(first, first + count))
    ]


class TestSleep:
    """Above `actors_max` those unseen longest are put to sleep."""

    SETTINGS: Final = settings_of("actors_max = 1000")

    def crowded(self, fed: Fed, lots: int = 6, first: int = 0) -> Fed:
        """Let hundreds of others come, lot by lot, each an hour after the last."""
        for lot in range(lots):
            fed.feed(crowd(START_US + (first + lot + 1) * HOUR_US, (first + lot) * 200, 200))
        return fed

    def test_bounded(self) -> None:
        """However many come once: actors, their members and bytes stay below a bound, and all are counted."""
        fed = Fed(settings_of("actors_max = 1000\nsleeping_max = 3000"))
        sizes = []
        for lot in range(60):
            fed.feed(crowd(START_US + lot * 10_000_000, lot * 200, 200))
            actors = fed.assessor.actors
            sizes.append(actors.nbytes + fed.assessor.bounds.nbytes)
            assert len(actors) <= 1_000 + 3 * 201
            assert actors.pairs.count <= 2_000 + 4 * 200
        assert max(sizes[30:]) <= 1.3 * max(sizes[10:20])
        counts = fed.end().assessor.bounds.counts()
        assert counts["asleep"] <= 3_000
        assert counts["put_to_sleep"] == counts["asleep"] + counts["woken"] + counts["evicted"]
        assert counts["evicted"] > 10_000

    def test_returns_as_itself(self) -> None:
        """It has its first sighting, its exposure, and says that the latter is inexact from now on."""
        fed = self.crowded(Fed(self.SETTINGS).feed(views(START_US, "a", 50)))
        assert fed.known("account", "a") is None
        fed.feed(views(START_US + 8 * HOUR_US, "a", 3, 500)).end()
        known = fed.known("account", "a")
        assert known is not None
        assert (known["exposed"], known["first_seen_us"], known["inexact"]) == (53, START_US, 1)
        assert fed.turnover["woken"] >= 2

    def test_evidence(self) -> None:
        """Evidence of the sum over all detectors is that of before, faded, and goes on from there."""
        fed = Fed(self.SETTINGS, only="id_walk").feed([view(START_US + k * 10**7, "a", 1_000 + k) for k in range(12)])
        before = evidence(fed, "a")
        assert before is not None
        assert before[0] > 5
        self.crowded(fed)
        assert evidence(fed, "a") is None
        fed.feed([view(START_US + 8 * HOUR_US, "a", 900_000)]).end()
        after = evidence(fed, "a")
        assert after is not None
        assert before[0] * 0.8 < after[0] <= before[0] * 1.001
        assert before[1] * 0.5 < after[1] <= before[1] * 1.001

    def test_incident(self) -> None:
        """Who has an open incident or a standing block does not sleep, and is found in whatever slot it moves to."""
        settings = settings_of("actors_max = 1000", "[policy]\nincident_close_s = 86400\nblock_s = 86400\n")
        fed = Fed(settings).feed(crowd(START_US - HOUR_US, 9_000, 50)).feed(views(START_US, "a", 2 * MANY))
        self.crowded(fed)
        known = fed.known("account", "a")
        assert known is not None
        assert known["exposed"] == 2 * MANY
        assert fed.known("account", "c0") is None
        fed.feed(views(START_US + 7 * HOUR_US, "a", MANY, 1_000)).end()
        alerts = [alert for alert in days.alerts(fed.decisions) if alert.actor.value == "a"]
        assert len({alert.incident for alert in alerts}) == 1
        assert {decision.actor.key for decision in days.blocks(fed.decisions)} == {"account:a"}

    def test_last_of_all(self) -> None:
        """Groups stay while visitors can go, and of addresses those with accounts behind them of late."""
        fed = Fed(self.SETTINGS)
        fed.feed([view(START_US, "a", 1, "192.0.2.77")])
        self.crowded(fed, lots=3)
        assert fed.known("account", "a") is None
        shared, group = fed.known("ip", "192.0.2.77"), fed.known("net", "192.0.2.0/24")
        assert shared is not None
        assert group is not None
        assert shared["inexact"] == group["inexact"] == 0

    def test_rows_that_wait(self) -> None:
        """Sightings that wait for others are judged as their own actors', wherever these have moved."""
        settings = settings_of("actors_max = 300", "[input]\nallowed_lateness_ms = 120000\n")
        fed = Fed(settings).feed(views(START_US, "a", 30))
        for lot in range(12):
            fed.feed(crowd(START_US + 70_000_000 + lot * 30_000_000, lot * 60, 60))
            fed.feed([view(START_US + 71_000_000 + lot * 30_000_000, f"late{lot}", lot)])
        fed.end()
        assert fed.turnover["put_to_sleep"] > 300
        for lot in range(9, 12):
            known = fed.known("account", f"late{lot}")
            assert known is not None
            assert (known["exposed"], known["first_seen_us"]) == (1, START_US + 71_000_000 + lot * 30_000_000)

    def test_decisions_the_same_when_nobody_returns(self) -> None:
        """Others that come once and sleep change nothing for who is there all the time."""
        found = []
        for most in (0, 500):
            fed = Fed(settings_of(f"actors_max = {most}"))
            fed.flow.assessors[0].decider._config = "the same"
            for lot in range(8):
                start_us = START_US + lot * 60_000_000
                fed.feed(sorted(views(start_us, "a", 60, 60 * lot) + crowd(start_us, 150 * lot, 150), key=time_of))
            found.append([one for one in days.said(fed.end().decisions) if one.actor.value == "a"])
        assert found[0] == found[1]
        assert len(found[0]) >= 2


def time_of(record: bytes) -> int:
    """Its time in us."""
    time_us: int = json.loads(record)["@timestamp"]
    return time_us


def evidence(fed: Fed, value: str) -> tuple[float, float] | None:
    """Part in the sum over all detectors and the detector's own sum of an account, None if it has no slot."""
    actors = fed.assessor.actors
    slots: Iterable[int] = (slot for slot in range(len(actors)) if actors.actor(slot).key == f"account:{value}")
    slot = next(iter(slots), None)
    if slot is None:
        return None
    place = actors.principal_places(np.array([slot]))
    own = actors.principals.state["id_walk"]["sum"]
    return float(actors.principals.columns["nats"][place[0], 0]), float(own[place[0]])
