"""What one Alertmanager is told, from records to alerts."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.alert import AlertMode, AlertStatus, Severity
from schemas.audit import ChangeOf, DegradedReason
from schemas.event_time import format_time
from schemas.override import Override, OverrideKind
from streams.live.auditing import brake_entry
from streams.live.operating import described
from streams.notify.board import HOLD_US, WORKER_SILENT_US, Board
from streams.outputs.alertmanager import Posting
from streams.pipeline.policy.brake import Brake, Braking
from tests.streams.notify.saying import CONFIG, T0_US, US, alert, changed, degraded

SILENT_US = 18_900 * US
BRAKE = Brake.BLOCKS_PER_MINUTE


def board(incidents_max: int = 5) -> Board:
    """An empty one."""
    return Board(incidents_max, {"cluster": "eu"}, SILENT_US)


def told(one: Board, at_us: int = T0_US) -> list[Posting]:
    """What goes on, once the receiver has taken it."""
    one.forget(at_us)
    found = one.postings(at_us)
    one.tell(at_us)
    return found


def incidents(postings: list[Posting]) -> list[str]:
    """Those with an alert of their own."""
    return sorted(one.labels["incident"] for one in postings if "incident" in one.labels)


def more(postings: list[Posting]) -> list[str]:
    """What is said of the others, kind by kind."""
    return [one.annotations["summary"] for one in postings if "incident" not in one.labels]


class TestIncidents:
    """As they come and go."""

    def test_one(self) -> None:
        """It has an alert of its own from its first message until it is closed, since its first sighting."""
        one = board()
        one.alert(alert("a"), T0_US, told=False)
        (posting,) = told(one)
        assert posting.labels["incident"] == "a"
        assert posting.labels["cluster"] == "eu"
        assert posting.starts_us == T0_US - 60 * US
        one.alert(alert("a", AlertStatus.UPDATED, T0_US + US, profiles=500), T0_US + US, told=False)
        (posting,) = told(one, T0_US + US)
        assert "500 profiles" in posting.annotations["summary"]
        one.alert(alert("a", AlertStatus.CLOSED), T0_US + 2 * US, told=False)
        assert told(one, T0_US + 2 * US) == []
        assert len(one) == 0

    def test_a_wave_is_a_handful(self) -> None:
        """Five of a kind are told one by one; all others are one alert with their number, and each end counts down."""
        one = board()
        for number in range(100):
            one.alert(alert(f"{number:03}", actor=f"account:{number}"), T0_US, told=False)
        found = told(one)
        assert incidents(found) == ["000", "001", "002", "003", "004"]
        assert more(found) == ["95 more incidents beside the 5 with an alert of their own"]
        assert "weir incidents 005" in found[-1].annotations["description"]
        for number in range(98):
            one.alert(alert(f"{number:03}", AlertStatus.CLOSED), T0_US, told=False)
        assert more(told(one)) == ["2 more incidents"]
        one.alert(alert("new"), T0_US, told=False)
        assert incidents(told(one)) == ["new"]

    def test_kinds_are_apart(self) -> None:
        """Another detector, severity, mode or scope is another kind, with places of its own."""
        one = board(1)
        for number in range(2):
            for name, options in {
                "a": {},
                "b": {"detector": "id_walk"},
                "c": {"severity": Severity.LOW},
                "d": {"mode": AlertMode.SHADOW},
                "e": {"actor": "ip:203.0.113.7"},
            }.items():
                one.alert(alert(f"{name}{number}", **options), T0_US, told=False)  # type: ignore[arg-type]
        found = told(one)
        assert incidents(found) == ["a0", "b0", "c0", "d0", "e0"]
        assert more(found) == ["1 more incidents beside the 1 with an alert of their own"] * 5

    def test_one_that_becomes_worse(self) -> None:
        """It is an alert of the new severity, and no longer one of the old: people are told anew."""
        one = board()
        one.alert(alert("a", severity=Severity.MEDIUM), T0_US, told=False)
        told(one)
        one.alert(alert("a", AlertStatus.UPDATED, severity=Severity.CRITICAL), T0_US, told=False)
        assert [posting.labels["severity"] for posting in told(one)] == ["critical"]

    @pytest.mark.parametrize("incidents_max", [5, 0])
    def test_what_ended_untold(self, incidents_max: int) -> None:
        """It is told all the same, and for long enough that people hear of it."""
        one = board(incidents_max)
        one.alert(alert("a"), T0_US, told=False)
        one.alert(alert("a", AlertStatus.CLOSED), T0_US, told=False)
        one.forget(T0_US + 10 * HOLD_US)
        told_us = T0_US + 10 * HOLD_US
        assert len(told(one, told_us)) == 1
        assert len(told(one, told_us + HOLD_US - 1)) == 1
        assert told(one, told_us + HOLD_US) == []

    def test_only_its_end_is_known(self) -> None:
        """The first messages may be older than what the topic keeps; it is told as any other that ended untold."""
        one = board()
        one.alert(alert("a", AlertStatus.CLOSED), T0_US, told=False)
        assert incidents(told(one)) == ["a"]

    def test_what_was_told_before_a_restart(self) -> None:
        """What goes on does, and what ended before or after needs no telling."""
        one = board()
        for name in "abc":
            one.alert(alert(name), T0_US, told=True)
        one.alert(alert("b", AlertStatus.CLOSED), T0_US, told=True)
        one.alert(alert("c", AlertStatus.CLOSED), T0_US, told=False)
        assert incidents(told(one)) == ["a"]

    def test_a_worker_that_never_closes(self) -> None:
        """No message for longer than an incident can go on without one: it has ended."""
        one = board()
        one.alert(alert("a"), T0_US, told=False)
        assert len(told(one, T0_US + SILENT_US - 1)) == 1
        assert told(one, T0_US + SILENT_US) == []
        assert len(one) == 0

    @given(st.lists(st.tuples(st.integers(0, 8), st.sampled_from(AlertStatus), st.sampled_from(Severity)), max_size=60))
    def test_any_history(self, history: list[tuple[int, AlertStatus, Severity]]) -> None:
        """After any messages, once all was told, exactly the open incidents are told, each once, in bounded number."""
        one, going_on = board(2), set[str]()
        for number, status, severity in history:
            name = f"i{number}"
            one.alert(alert(name, status, severity=severity), T0_US, told=False)
            told(one)
            (going_on.discard if status is AlertStatus.CLOSED else going_on.add)(name)
        found = told(one, T0_US + HOLD_US)
        assert len(one) == len(going_on)
        own = incidents(found)
        assert set(own) <= going_on
        assert len(own) + sum(int(text.partition(" ")[0]) for text in more(found)) == len(going_on)
        assert len({tuple(sorted(posting.labels.items())) for posting in found}) == len(found) <= 3 * len(Severity)


class TestAudit:
    """What people are paged for."""

    @pytest.mark.parametrize("over", ["", "off"])
    @pytest.mark.parametrize(
        ("of", "name"), [(ChangeOf.BRAKE, "WeirBrakeHolds"), (ChangeOf.KILL_SWITCH, "WeirEnforcementOff")]
    )
    def test_while_it_lasts(self, of: ChangeOf, name: str, over: str) -> None:
        """A brake that was tripped, enforcement that was stopped; one of several does not end with another."""
        one = board()
        for subject in ("all", "long_tail"):
            one.audit(changed(of, subject, "on"), T0_US)
        assert [posting.labels["alertname"] for posting in told(one)] == [name, name]
        one.audit(changed(of, "all", over), T0_US)
        assert [posting.labels["subject"] for posting in told(one)] == ["long_tail"]

    def test_a_brake_in_every_partition(self) -> None:
        """A wave trips it in all of them, and that is one alert, until the last lets go."""
        one = board()
        for number in range(48):
            one.audit(brake_entry(Braking(BRAKE, number, True, T0_US, "more than 9 new blocks", CONFIG), T0_US), T0_US)
        (posting,) = told(one)
        assert posting.labels["subject"] == "blocks_per_minute"
        assert posting.annotations["summary"].endswith("48 such in all")
        assert posting.annotations["description"] == "more than 9 new blocks"
        for number in range(48):
            assert len(told(one)) == 1
            one.audit(brake_entry(Braking(BRAKE, number, False, T0_US, "not tripped", CONFIG), T0_US), T0_US)
        assert told(one) == []

    @pytest.mark.parametrize("lasting_us", [None, 3_600 * US])
    def test_a_switch_that_ends_by_itself(self, lasting_us: int | None) -> None:
        """Nobody writes an entry when its time is over; one without an end lasts."""
        until = None if lasting_us is None else format_time(T0_US + lasting_us)
        override = Override(
            id="x",
            kind=OverrideKind.KILL_SWITCH,
            owner="sre",
            reason="r",
            since=format_time(T0_US),
            until=until,
            detector="long_tail",
        )
        one = board()
        after = f"{described(override)}, 3 blocks taken back"
        one.audit(changed(ChangeOf.KILL_SWITCH, "long_tail", after), T0_US)
        assert len(told(one, T0_US + 3_600 * US - 1)) == 1
        assert len(told(one, T0_US + 3_600 * US)) == (1 if until is None else 0)

    def test_other_changes_page_nobody(self) -> None:
        """A new configuration, an override, a key."""
        one = board()
        for of in set(ChangeOf) - {ChangeOf.BRAKE, ChangeOf.KILL_SWITCH}:
            one.audit(changed(of, "x", "y"), T0_US)
        assert told(one) == []

    def test_workers(self) -> None:
        """One alert a reason, with the number of workers; a worker's last word counts, for a day."""
        one = board()
        for number in range(20):
            one.audit(degraded(f"worker:{number}", DegradedReason.LAGGING, DegradedReason.OLDER_MODEL), T0_US)
        found = told(one)
        assert [posting.labels["reason"] for posting in found] == ["lagging", "older_model"]
        assert found[0].annotations["summary"] == "20 degraded: lagging"
        for number in range(19):
            one.audit(degraded(f"worker:{number}"), T0_US + US)
        assert [posting.annotations["summary"] for posting in told(one)] == [
            "1 degraded: lagging",
            "1 degraded: older_model",
        ]
        assert len(told(one, T0_US + WORKER_SILENT_US - 1)) == 2
        assert told(one, T0_US + WORKER_SILENT_US) == []
