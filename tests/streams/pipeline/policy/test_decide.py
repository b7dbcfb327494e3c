"""From findings to alerts and blocks, with requests through the whole pipeline."""

from collections.abc import Sequence
from itertools import pairwise
from typing import ClassVar, Final

import pytest

from schemas.alert import Alert, AlertMode, AlertStatus, Severity
from schemas.block import Action, Block, BlockMode
from schemas.event_time import format_time, parse_time_us
from schemas.incident import Incident
from schemas.mode import Mode
from streams.pipeline.policy.decide import Decision, Lift
from tests import days
from tests.low import low
from tests.requests import START_S, request_of, views

PLAIN: Final = """
[detectors.profile_rate]
block_ratio = 2.0
[detectors.profile_rate.account]
hour = 5
[detectors.profile_rate.ip]
hour = 5
[detectors.profile_rate.net]
hour = 5
[detectors.profile_rate.fingerprint]
hour = 5
"""
ENTRY: Final = 'owner = "sre"\nreason = "contract"\n'
DAY_S: Final = 86_400


class Decided:
    """What requests come to; the actors of one scope at a time."""

    def __init__(self, values: Sequence[bytes], more: str = "", mode: Mode | None = Mode.ENFORCE, **run: int) -> None:
        flow = days.pipeline(low(PLAIN + more), mode=mode, only="profile_rate")
        self.all: list[Decision] = days.run_whole(flow, list(values), **run)
        self._flow = flow

    def of(self, scope: str) -> list[Decision]:
        """Decisions on actors of a scope."""
        return [decision for decision in self.all if decision.actor.scope == scope]

    def alerts(self, scope: str = "account") -> list[Alert]:
        """Alerts on actors of a scope."""
        return days.alerts(self.of(scope))

    def blocks(self, scope: str = "account") -> list[Block]:
        """Blocks of actors of a scope."""
        return days.blocks(self.of(scope))

    def going_on(self) -> list[Incident]:
        """Incidents that are open at the end."""
        return self._flow.assessors[0].decider.going_on()


def at(decision: Alert | Block) -> float:
    """Seconds from the start to the event that made a decision."""
    return parse_time_us(decision.event_time) / 1_000_000 - START_S


class TestCooldown:
    """When an incident is told again."""

    def test_limits(self) -> None:
        """The fifth profile opens, the tenth makes it worse and blocks, the twentieth is critical, then it is quiet."""
        decided = Decided(views(START_S, 60, account="u1"))
        assert [(at(alert), alert.status, alert.severity) for alert in decided.alerts()] == [
            (4, AlertStatus.OPEN, Severity.MEDIUM),
            (9, AlertStatus.UPDATED, Severity.HIGH),
            (19, AlertStatus.UPDATED, Severity.CRITICAL),
        ]
        assert [at(block) for block in decided.blocks()] == [9, 19]

    def test_again_after_it(self) -> None:
        """What goes on is told again once the cooldown is over, by the first event at its end."""
        values = views(START_S, 45, 60.0, account="u1")
        alerts = Decided(values, "[policy]\ncooldown_s = 900\n").alerts()
        assert [round(at(alert) / 60) for alert in alerts] == [4, 9, 19, 34]

    def test_blocks_are_extended_while_findings_go_on(self) -> None:
        """A cooldown that outlasts the block does not leave a gap between two blocks."""
        values = views(START_S, 45, 60.0, account="u1")
        blocks = Decided(values, "[policy]\ncooldown_s = 900\nblock_s = 300\n").blocks()
        assert [round(at(block) / 60) for block in blocks][:4] == [9, 12, 15, 18]
        assert all(later.event_time < earlier.until for earlier, later in pairwise(blocks))
        assert at(blocks[-1]) > 42 * 60

    def test_below(self) -> None:
        """One profile below the limit is nothing at all."""
        assert Decided(views(START_S, 4, account="u1")).all == []


class TestIncident:
    """From first sighting to end."""

    VALUES: ClassVar[list[bytes]] = [
        *views(START_S, 12, account="u1"),
        *views(START_S + 9 * 3_600, 12, account="u1", first=50),
    ]
    CLOSE = "[policy]\nincident_close_s = 7200\n"

    def test_closes_by_time(self) -> None:
        """Two hours after its last finding an incident is closed, at that very time, and the next one is another."""
        alerts = Decided(self.VALUES, self.CLOSE).alerts()
        assert [alert.status.value for alert in alerts] == ["open", "updated", "closed", "open", "updated"]
        assert at(alerts[2]) == 9 + 7_200
        assert len({alert.incident for alert in alerts[:3]}) == 1
        assert alerts[3].incident != alerts[0].incident

    def test_closed_by_the_watermark(self) -> None:
        """Nobody needs to come back for an incident to close: other people's time is enough."""
        values = [*views(START_S, 12, account="u1"), request_of(START_S + 9 + 7_200, "x", account="u2")]
        assert "closed" not in [alert.status.value for alert in Decided(values[:12], self.CLOSE).alerts()]
        closed = Decided([*values, request_of(START_S + 9_000, "y", account="u2")], self.CLOSE).alerts()[-1]
        assert (closed.status, at(closed)) == (AlertStatus.CLOSED, 9 + 7_200)

    def test_still_open(self) -> None:
        """A microsecond before its time it is open, and the next finding is an update of it."""
        last = START_S + 9 + 7_199.999_999
        alerts = Decided(
            [*views(START_S, 12, account="u1"), *views(last, 6, 0, account="u1", first=90)], self.CLOSE
        ).alerts()
        assert [alert.status.value for alert in alerts[:3]] == ["open", "updated", "updated"]

    def test_at_its_end(self) -> None:
        """A finding at the very end of an incident belongs to the next one."""
        values = [*views(START_S, 12, account="u1"), *views(START_S + 9 + 7_200, 5, 0, account="u1", first=90)]
        alerts = Decided(values, self.CLOSE).alerts()
        assert [alert.status.value for alert in alerts] == ["open", "updated", "closed", "open"]
        assert alerts[3].event_time == alerts[2].event_time

    @pytest.mark.parametrize(("beyond_us", "closed"), [(-1, False), (0, True)])
    def test_the_watermark_at_its_end(self, beyond_us: int, closed: bool) -> None:
        """The watermark closes it, and lifts its block, when it gets there, not a microsecond before."""
        text = PLAIN + "[policy]\nincident_close_s = 7200\nblock_s = 7200\n"
        flow = days.pipeline(low(text), mode=Mode.ENFORCE, only="profile_rate")
        end_s = START_S + 9 + 7_200 + 0.5
        values = [*views(START_S, 12, account="u1"), request_of(end_s + beyond_us / 1e6, "x", account="u2")]
        made = days.run(flow, days.batches(0, values, [12]), [])
        assert [alert.status is AlertStatus.CLOSED for alert in days.alerts(made)][2:] == [True] * closed
        assert [isinstance(decision, Lift) for decision in made].count(True) == closed

    @pytest.mark.parametrize("step", [1, 3, 24])
    def test_any_batches(self, step: int) -> None:
        """Whether the watermark or the actor's own next finding closes it, the records are the same."""
        assert days.said(Decided(self.VALUES, self.CLOSE, step=step).all) == days.said(
            Decided(self.VALUES, self.CLOSE).all
        )

    def test_exposure(self) -> None:
        """It counts what was disclosed since the episode began, not what the actor saw before."""
        values = [*views(START_S - 2 * DAY_S, 3, account="u1", prefix="old"), *views(START_S, 12, account="u1")]
        decided = Decided(values)
        assert [alert.exposure.profiles for alert in decided.alerts()] == [5, 10]
        assert [block.exposure.profiles for block in decided.blocks()] == [10]
        incident = decided.going_on()[0]
        assert incident.exposure_before_block is not None
        assert incident.exposure_before_block.profiles == 10

    def test_first_seen(self) -> None:
        """It began when the actor came, if that is less than a window ago; the event that decided is told apart."""
        alert = Decided(views(START_S, 5, account="u1")).alerts()[0]
        assert alert.first_seen == format_time(START_S * 1_000_000)
        assert at(alert) == 4

    def test_search_results_make_it_inexact(self) -> None:
        """What a search showed is counted every time, and said to be."""
        search = request_of(START_S - 1, "x", account="u1", url__path="/search/people", weir__targets=["a", "b"])
        assert Decided([search, *views(START_S, 5, account="u1")]).alerts()[0].exposure.exact is False
        assert Decided(views(START_S, 5, account="u1")).alerts()[0].exposure.exact is True


class TestMode:
    """How far it goes."""

    TWO = "[detectors.profile_rate.tiers.x]\n[detectors.profile_rate.session]\nhour = 5\n"

    @pytest.mark.parametrize(
        ("mode", "alert_mode", "block_mode"),
        [
            (Mode.SHADOW, AlertMode.SHADOW, BlockMode.SHADOW),
            (Mode.ALERT, AlertMode.ALERT, BlockMode.SHADOW),
            (Mode.ENFORCE, AlertMode.ENFORCE, BlockMode.ENFORCE),
        ],
    )
    def test_each(self, mode: Mode, alert_mode: AlertMode, block_mode: BlockMode) -> None:
        """In every mode everything is found and told; only enforce enforces."""
        decided = Decided(views(START_S, 12, account="u1"), mode=mode)
        assert {alert.mode for alert in decided.alerts()} == {alert_mode}
        assert {block.mode for block in decided.blocks()} == {block_mode}
        assert len(decided.blocks()) == 1

    def test_off(self) -> None:
        """A detector that is off finds nothing."""
        assert Decided(views(START_S, 60, account="u1"), mode=Mode.OFF).all == []

    def test_ceiling(self) -> None:
        """Whatever is asked for, nothing goes above the ceiling."""
        decided = Decided(views(START_S, 12, account="u1"), "[mode]\nceiling = 'shadow'\n")
        assert {alert.mode for alert in decided.alerts()} == {AlertMode.SHADOW}

    def test_sessions_of_accounts(self) -> None:
        """Where an account is known it is decided on, not its session; a session without one is decided on."""
        decided = Decided(views(START_S, 12, account="u1", session="s1"), self.TWO)
        assert decided.of("session") == []
        assert decided.alerts("account")
        assert Decided(views(START_S, 12, session="s1"), self.TWO).alerts("session")


class TestBlocks:
    """What enforcement is told."""

    @pytest.mark.parametrize("mode", [Mode.SHADOW, Mode.ENFORCE])
    def test_expiry(self, mode: Mode) -> None:
        """Every block, in shadow too, ends an hour after the event that made it, says why, and is lifted then."""
        values = [*views(START_S, 12, account="u1"), request_of(START_S + 4_000, "x", account="u2")]
        decided = Decided(values, mode=mode)
        block = decided.blocks()[0]
        assert parse_time_us(block.until) - parse_time_us(block.event_time) == 3_600 * 1_000_000
        assert block.detectors == ["profile_rate"]
        assert block.reason == "10 distinct profiles within an hour; the limit is 5"
        assert block.public_reason == "too many profiles in too short a time"
        lifts = [decision for decision in decided.of("account") if isinstance(decision, Lift)]
        assert [lift.until_us for lift in lifts] == [parse_time_us(block.until)]

    def test_extended_while_it_goes_on(self) -> None:
        """Who goes on is blocked on: each block is prolonged before it ends, and lifted once, at the last end."""
        values = [*views(START_S, 60, 60.0, account="u1"), request_of(START_S + 3 * 3_600, "x", account="u2")]
        decided = Decided(values)
        blocks = decided.blocks()
        assert len(blocks) > 2
        assert all(later.event_time < earlier.until for earlier, later in pairwise(blocks))
        lifts = [decision for decision in decided.of("account") if isinstance(decision, Lift)]
        assert [lift.until_us for lift in lifts] == [parse_time_us(blocks[-1].until)]

    @pytest.mark.parametrize("step", [1, 50])
    def test_lifted_before_the_next(self, step: int) -> None:
        """A block that has ended is lifted before the actor's next one, though all came in one batch."""
        values = [*views(START_S, 12, account="u1"), *views(START_S + 5_000, 12, account="u1", first=50)]
        kinds = [type(decision).__name__ for decision in Decided(values, step=step).of("account")]
        assert kinds == ["Alert", "Alert", "Block", "Lift", "Alert", "Alert", "Block"]

    @pytest.mark.parametrize(
        ("scopes", "action"), [('["net"]', Action.CHALLENGE), ("[]", Action.BLOCK), ('["asn", "ip"]', Action.BLOCK)]
    )
    def test_challenge(self, scopes: str, action: Action) -> None:
        """Scopes that policy names are challenged at most."""
        decided = Decided(views(START_S, 12), f"[policy]\nchallenge_scopes = {scopes}\n")
        assert {block.action for block in decided.blocks("net")} == {action}


def crowd(accounts: int, start_s: float = START_S - 3_600) -> list[bytes]:
    """One view each by so many accounts behind one address, network and fingerprint."""
    return [request_of(start_s + n, f"own{n}", account=f"c{n}", fingerprint="f") for n in range(accounts)]


class TestCollateral:
    """Who would be hurt."""

    @pytest.mark.parametrize(("accounts", "blocked"), [(0, True), (1, True), (2, True), (3, False), (40, False)])
    @pytest.mark.parametrize("scope", ["ip", "net", "fingerprint"])
    def test_accounts_behind(self, scope: str, accounts: int, blocked: bool) -> None:
        """An address or group with more accounts behind it than allowed is not blocked; it is told all the same."""
        long_known = request_of(START_S - 2 * DAY_S, "first", fingerprint="f")
        decided = Decided([long_known, *crowd(accounts), *views(START_S, 12, fingerprint="f")])
        assert bool(decided.blocks(scope)) is blocked
        assert len(decided.alerts(scope)) == 2
        if blocked:
            assert decided.blocks(scope)[0].collateral.accounts == accounts

    def test_not_those_of_yesterday(self) -> None:
        """Only accounts of the last 24 h count."""
        decided = Decided([*crowd(40, START_S - DAY_S - 100), *views(START_S, 12, fingerprint="f")])
        assert decided.blocks("fingerprint")[0].collateral.accounts == 0

    @pytest.mark.parametrize(("known_s", "blocked"), [(DAY_S - 10, False), (DAY_S, True)])
    def test_known_for_a_day(self, known_s: int, blocked: bool) -> None:
        """With any account behind it a group must have been known for a day when it is blocked; without one not."""
        first = request_of(START_S + 9 - known_s, "first", fingerprint="f")
        decided = Decided([first, *crowd(1), *views(START_S, 12, fingerprint="f")])
        assert bool(decided.blocks("fingerprint")) is blocked
        assert Decided(views(START_S, 12, fingerprint="f")).blocks("fingerprint")

    def test_those_who_come_later_spare_nobody(self) -> None:
        """Accounts that come behind the deciding event do not spare the address, in one batch or in many."""
        values = [*views(START_S, 12), *crowd(40, START_S + 20)]
        assert days.said(Decided(values).all) == days.said(Decided(values, step=1).all)
        assert Decided(values).blocks("ip")

    def test_members(self) -> None:
        """A group states how many stand behind it."""
        values = [request_of(START_S + n, f"p{n}", ip=f"203.0.113.{n}", fingerprint="f") for n in range(9)]
        assert Decided(values).alerts("fingerprint")[0].members.total == 5
        assert Decided(views(START_S, 9, account="u1")).alerts("account")[0].members.total == 0


class TestExemptions:
    """Who is recognised."""

    @staticmethod
    def allow(actor: str, expires: str = "2027-12-31") -> str:
        """An entry of the allowlist."""
        return f"[[allow]]\nactor = '{actor}'\n{ENTRY}expires = {expires}\n"

    @staticmethod
    def collector(quota: int, expires: str = "2027-12-31") -> str:
        """An authorised collector."""
        return f"[[collectors]]\nactor = 'account:u1'\nprofiles_per_day = {quota}\n{ENTRY}expires = {expires}\n"

    @pytest.mark.parametrize("actor", ["ip:203.0.113.9", "net:203.0.113.0/24"])
    def test_allowed(self, actor: str) -> None:
        """Who is on the allowlist is told of and not blocked, nor is the network around it."""
        decided = Decided(views(START_S, 12), self.allow(actor))
        assert decided.alerts("ip")
        assert decided.blocks("ip") == decided.blocks("net") == []

    @pytest.mark.parametrize(("range_", "spared"), [("203.0.113.8/31", True), ("203.0.113.10/31", False)])
    def test_an_impostor_at_a_robots_address(self, range_: str, spared: bool) -> None:
        """Who comes from a robot's address under another name is told of, and the address is not blocked."""
        bot = f"[[bots]]\nname = 'b'\nranges = ['{range_}']\nuser_agent = 'b'\nlisted = 2027-01-01\n{ENTRY}"
        decided = Decided(views(START_S, 12), bot + "expires = 2027-12-31\n")
        assert decided.alerts("ip")
        assert (not decided.blocks("ip")) == spared

    def test_others_are_not(self) -> None:
        """The allowlist spares nobody else."""
        assert Decided(views(START_S, 12), self.allow("ip:203.0.113.10") + "").blocks("ip")
        assert Decided(views(START_S, 12), self.allow("ip:203.0.113.9", "2027-01-14")).blocks("ip")
        assert not Decided(views(START_S, 12), self.allow("ip:203.0.113.9", "2027-01-15")).blocks("ip")

    @pytest.mark.parametrize("quota", [3, 5, 30])
    def test_collector(self, quota: int) -> None:
        """Within its quota a collector is no case; the first profile above it is one, at once."""
        alerts = Decided(views(START_S, 40, account="u1"), self.collector(quota)).alerts()
        assert at(alerts[0]) == max(quota, 4)
        assert alerts[0].status is AlertStatus.OPEN
        assert Decided(views(START_S, max(quota, 4), account="u1"), self.collector(quota)).alerts() == []

    def test_collector_after_its_contract(self) -> None:
        """After its expiry a collector is an ordinary case."""
        assert Decided(views(START_S, 12, account="u1"), self.collector(900, "2027-01-14")).alerts()
        assert not Decided(views(START_S, 12, account="u1"), self.collector(900, "2027-01-15")).alerts()

    def test_other_accounts(self) -> None:
        """A quota is its owner's alone."""
        assert Decided(views(START_S, 12, account="u2"), self.collector(900)).alerts()
