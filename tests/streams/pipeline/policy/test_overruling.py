"""What overrides do to decisions, with requests through the whole pipeline."""

from collections.abc import Sequence
from typing import Final

import pytest

from schemas.actor import Actor
from schemas.alert import AlertMode
from schemas.block import Action, Block, BlockMode, BlockStatus
from schemas.event_time import format_time, parse_time_us
from schemas.identity import stable_id
from schemas.mode import Mode
from schemas.override import EVERYTHING, Override
from streams import config
from streams.pipeline.pipeline import Pipeline
from streams.pipeline.policy.decide import Decision, Lift
from streams.pipeline.policy.overrides import Overrides
from streams.pipeline.policy.overruling import Overruling, block_of
from streams.settings import Settings
from tests import days
from tests.low import low
from tests.requests import START_S, views
from tests.streams.pipeline.policy.overriding import override, us
from tests.streams.pipeline.policy.test_decide import PLAIN
from tests.streams.pipeline.policy.test_fused import FUSION
from tests.streams.pipeline.rows_of import START_US, rows_of
from tests.streams.pipeline.staged import Scripted, Staged

ACCOUNT: Final = "account:u1"
VIEWS: Final = views(START_S, 60, account="u1")
"""The tenth profile, at 9 s, makes a block, the twentieth, at 19 s, another one that is worse."""
LONG: Final = [*VIEWS, *views(START_S + 4_000, 60, account="u1", first=100)]
"""Again after the block has ended."""


def flow_of(overrides: Overrides, more: str = "") -> Pipeline:
    """The pipeline, with plain limits enforced."""
    settings = low(PLAIN + more)
    chosen = [(one, mode) for one, mode in config.detectors(settings, Mode.ENFORCE) if one.name == "profile_rate"]
    return Pipeline(settings, chosen, config.revision(settings, Mode.ENFORCE), overrides=overrides)


def decided(*overrides: Override, values: Sequence[bytes] = VIEWS, more: str = "", step: int = 5_000) -> list[Decision]:
    """What is decided on the account, or what ends it."""
    made = days.run_whole(flow_of(Overrides(overrides), more), list(values), step)
    return [one for one in made if one.actor.key == ACCOUNT]


def words(made: Sequence[Decision]) -> list[tuple[str, str]]:
    """What the blocks topic is told: mode or status, and when, in event time from the start."""
    told = []
    for one in made:
        if isinstance(one, Block):
            how = one.mode.value if one.status is BlockStatus.ACTIVE else one.status.value
            told.append((how, one.decided_at if one.status is BlockStatus.REVOKED else one.event_time))
        elif isinstance(one, Lift):
            told.append(("lift", format_time(one.until_us)))
    return told


def at(seconds: float) -> str:
    """A moment from the start as records have it."""
    return format_time(us(seconds))


class TestSpared:
    """Allow and unblock."""

    def test_without(self) -> None:
        """What comes of the same requests when nobody overrides."""
        assert words(decided()) == [("enforce", at(9)), ("enforce", at(19))]

    @pytest.mark.parametrize("kind", ["allow", "unblock"])
    def test_before(self, kind: str) -> None:
        """Nothing is enforced; alerts are the same but for that."""
        made = decided(override(kind, ACCOUNT, -100))
        assert words(made) == []
        assert days.said(days.alerts(made)) == days.said(days.alerts(decided()))

    def test_until(self) -> None:
        """From its end on everything is as before."""
        assert words(decided(override("allow", ACCOUNT, -100, 19))) == [("enforce", at(19))]
        assert words(decided(override("allow", ACCOUNT, -100, 19.001))) == []

    def test_after(self) -> None:
        """What stands is taken back where the override begins, and its tombstone comes at its end."""
        made = decided(override("unblock", ACCOUNT, 30), values=LONG)
        _, again, revoked, lifted = (one for one in made if isinstance(one, Block | Lift))
        assert isinstance(again, Block)
        assert isinstance(revoked, Block)
        assert isinstance(lifted, Lift)
        assert revoked.id == stable_id("revoke", again.id, "unblock-account:u1-30")
        assert (revoked.status, revoked.decided_at, revoked.until) == (BlockStatus.REVOKED, at(30), again.until)
        assert (revoked.reason, revoked.public_reason) == ("unblock by anna: test", "decided by an operator")
        assert (revoked.incident, revoked.config, revoked.detectors) == (again.incident, again.config, again.detectors)
        assert format_time(lifted.until_us) == again.until

    def test_an_account_spares_its_sessions(self) -> None:
        """Whoever stands behind an actor may be named in its place."""
        found = Overruling(Overrides([override("unblock", ACCOUNT)]))
        session = [Actor("session", "s"), Actor("account", "u1")]
        assert found.forbids(session, BlockMode.ENFORCE, Action.BLOCK, us(5))
        assert not found.forbids(session[:1], BlockMode.ENFORCE, Action.BLOCK, us(5))

    def test_nobody_pays_for_it_later(self) -> None:
        """After an override has ended a block is a first one, and no longer than that."""
        plain = days.blocks(decided(values=LONG))[-1]
        forgiven = days.blocks(decided(override("unblock", ACCOUNT, 30, 100), values=LONG))[-1]
        assert plain.event_time == forgiven.event_time
        assert plain.until > forgiven.until == format_time(parse_time_us(forgiven.event_time) + 3_600_000_000)

    @pytest.mark.parametrize("step", [1, 7, 13])
    @pytest.mark.parametrize("kind", ["unblock", "block"])
    def test_batches_do_not_show(self, kind: str, step: int) -> None:
        """Where a replay cuts its input changes nothing."""
        one = override(kind, ACCOUNT, 15.5, 200)
        whole = decided(one, values=LONG)
        assert days.said(decided(one, values=LONG, step=step)) == days.said(whole)
        assert words(decided(one, values=LONG, step=step)) == words(whole)


class TestSwitched:
    """Kill switches and revokes."""

    @pytest.mark.parametrize("about", [EVERYTHING, "profile_rate"])
    def test_kill_switch(self, about: str) -> None:
        """What stands is taken back; from then on a block is one that would have been."""
        made = decided(override("kill_switch", about, 12, None))
        assert words(made) == [("enforce", at(9)), ("revoked", at(12)), ("shadow", at(19))]
        assert days.alerts(decided(override("kill_switch", about, -1, None)))[0].mode is AlertMode.ALERT

    def test_of_another(self) -> None:
        """The switch of another detector changes nothing."""
        assert words(decided(override("kill_switch", "metronome", 12, None))) == words(decided())

    def test_off_again(self) -> None:
        """Whoever goes on is blocked again."""
        made = decided(override("kill_switch", EVERYTHING, 12, 15))
        assert words(made) == [("enforce", at(9)), ("revoked", at(12)), ("enforce", at(19))]

    def test_revoke(self) -> None:
        """Of the revision that decides, or of another one."""
        block = next(one for one in decided() if isinstance(one, Block))
        made = decided(override("revoke", block.config, 12))
        assert words(made) == [("enforce", at(9)), ("revoked", at(12)), ("shadow", at(19))]
        assert words(decided(override("revoke", "sha256:0", 12))) == words(decided())

    @pytest.mark.parametrize(
        ("about", "nats", "enforced"),
        [
            ("d2", (25.0, 25.0), Action.BLOCK),
            ("d0", (25.0, 25.0), Action.BLOCK),
            ("d0", (25.0, 15.0), Action.CHALLENGE),
            ("d0", (25.0, 9.0), None),
            (EVERYTHING, (25.0, 25.0), None),
        ],
    )
    def test_the_sum(self, about: str, nats: tuple[float, float], enforced: Action | None) -> None:
        """It enforces what it would without what the detector that is off adds; 20 is a block, 10 a challenge."""
        detectors = [(Scripted(f"d{n}", (), [each] * 4), Mode.ENFORCE) for n, each in enumerate(nats)]
        staged = Staged(*detectors, settings=Settings(fusion=FUSION))
        switch = override("kill_switch", about, -1e9, None)
        staged.assessor.decider.overruling = Overruling(Overrides([switch]))
        made = staged.decide(rows_of([START_US + n * 1_000_000 for n in range(4)]))
        blocks = [one for one in made if isinstance(one, Block)]
        assert blocks
        actions = [one.action for one in blocks if one.mode is BlockMode.ENFORCE]
        assert max(actions, key=lambda action: action.rank, default=None) == enforced


class TestOrdered:
    """An operator's own block."""

    def test_nothing_less_replaces_it(self) -> None:
        """While it is in force nothing else is written, and its tombstone does not come of what stood before."""
        order = override("block", ACCOUNT, 15, 7_000)
        made = decided(order, values=LONG)
        assert words(made) == [("enforce", at(9)), ("enforce", at(15))]
        assert days.blocks(made)[-1] == block_of(order, days.blocks(made)[0].config)

    def test_what_is_stronger_gives_way_to_it_again(self) -> None:
        """A block goes before an operator's challenge, which is said again in place of the block's tombstone."""
        order = override("block", ACCOUNT, -1, 7_000, action="challenge")
        made = decided(order, values=LONG, more="[policy]\nblock_s = 1000\ncooldown_s = 900\n")
        assert words(made)[:4] == [
            ("enforce", at(-1)), ("enforce", at(9)), ("enforce", at(19)), ("enforce", at(-1)),
        ]  # fmt: skip
        said = days.blocks(made)[:4]
        assert [one.action for one in said] == [Action.CHALLENGE, Action.BLOCK, Action.BLOCK, Action.CHALLENGE]
        assert said[0] == said[3]
        assert not [one for one in made if isinstance(one, Lift)]

    def test_a_network_that_is_allowed_around_it(self) -> None:
        """What is stronger is not decided there, or is taken back; the operator's challenge stands on."""
        order, around = override("block", ACCOUNT, -1, action="challenge"), override("kill_switch", "profile_rate", 12)
        said = days.blocks(decided(order, around))
        assert [(one.action, one.status) for one in said[:4]] == [
            (Action.CHALLENGE, BlockStatus.ACTIVE),
            (Action.BLOCK, BlockStatus.ACTIVE),
            (Action.BLOCK, BlockStatus.REVOKED),
            (Action.CHALLENGE, BlockStatus.ACTIVE),
        ]
        found = Overruling(Overrides([override("block", "ip:203.0.113.9"), override("allow", "net:203.0.113.0/24")]))
        assert found.forbids([Actor("ip", "203.0.113.9")], BlockMode.ENFORCE, Action.BLOCK, us(5))

    def test_after_a_restart(self) -> None:
        """What is stronger than an operator's challenge, and was decided after it, stays."""
        overrides = Overrides([override("block", ACCOUNT, -START_S, action="challenge")], at_once=True)
        flow = flow_of(overrides)
        flow.assessors[0].heed(False)
        days.run_whole(flow, list(VIEWS))
        assert flow.assessors[0].overrule(us(61)) == []
        weaker = Overrides([override("block", ACCOUNT, 5, action="challenge")], at_once=True)
        flow.assessors[0].decider.overruling = Overruling(weaker)
        assert [one.actor.key for one in flow.assessors[0].overrule(us(61))] == [ACCOUNT]


class TestLive:
    """Overrides that are in force as they come, by the wall clock."""

    def test_the_block_came_first(self) -> None:
        """What was judged without heeding, as it had been sent before, is taken back then, and once only."""
        overrides = Overrides([override("unblock", ACCOUNT)], at_once=True)
        flow = flow_of(overrides)
        assessor = flow.assessors[0]
        assessor.heed(False)
        made = days.run_whole(flow, list(VIEWS))
        assert [one.status for one in days.blocks(made) if one.actor.key == ACCOUNT] == [BlockStatus.ACTIVE] * 2
        assert assessor.overdue(us(70))
        taken = assessor.overrule(us(70))
        assert words(taken) == [("revoked", at(70))]
        assert not assessor.overdue(us(70))
        assert assessor.overrule(us(71)) == []

    def test_one_more_comes(self) -> None:
        """Another override makes nobody take back twice; one that has ended takes nothing back."""
        overrides = Overrides(at_once=True)
        flow = flow_of(overrides)
        days.run_whole(flow, list(VIEWS))
        assessor = flow.assessors[0]
        assert assessor.overrule(us(60)) == []
        overrides.take(ACCOUNT, override("unblock", ACCOUNT, 0, 61))
        assert assessor.overrule(us(62)) == []
        overrides.take(ACCOUNT, override("unblock", ACCOUNT, 0, 100))
        assert len(assessor.overrule(us(63))) == 1
        overrides.take("account:u2", override("unblock", "account:u2", 0, 100))
        assert assessor.overrule(us(64)) == []

    @pytest.mark.parametrize("ended_by", ["unblock", "end", "kill_switch", "block", "time"])
    def test_an_order_that_is_ended_at_once(self, ended_by: str) -> None:
        """What was said of it here may stand behind its end on the topic, and is taken back as whoever ended it did."""
        overrides = Overrides(at_once=True)
        flow = flow_of(overrides)
        days.run_whole(flow, list(VIEWS))
        order, assessor = override("block", ACCOUNT, 60), flow.assessors[0]
        overrides.take(ACCOUNT, order)
        (said,) = assessor.overrule(us(61))
        assert isinstance(said, Block)
        switch = override("kill_switch", EVERYTHING, 62, None)
        word = {
            "unblock": override("unblock", ACCOUNT, 62),
            "kill_switch": switch,
            "block": override("block", ACCOUNT, 62),
        }
        overrides.take(switch.key if ended_by == "kill_switch" else ACCOUNT, word.get(ended_by))
        made = days.blocks(assessor.overrule(us(100_000 if ended_by == "time" else 63)))
        if ended_by in ("block", "time"):
            assert [one.status for one in made] == ([BlockStatus.ACTIVE] if ended_by == "block" else [])
        else:
            by = word.get(ended_by, order)
            assert [(one.status, one.id) for one in made] == [
                (BlockStatus.REVOKED, stable_id("revoke", said.id, by.id))
            ]
        overrides.take("account:u2", override("unblock", "account:u2"))
        assert assessor.overrule(us(64)) == []

    @pytest.mark.parametrize(("action", "times"), [(Action.BLOCK, 0), (Action.CHALLENGE, 1), (Action.THROTTLE, 1)])
    def test_what_is_forgiven_is_the_block_alone(self, action: Action, times: int) -> None:
        """A challenge that is taken back leaves the block of before in memory: it was none of it."""
        overrides = Overrides(at_once=True)
        flow = flow_of(overrides)
        days.run_whole(flow, list(VIEWS))
        assessor, actor = flow.assessors[0], Actor("account", "u1")
        (slot,) = assessor.actors.find(actor)
        assessor.decider._blocked[slot] = assessor.decider._blocked[slot]._replace(action=action)
        overrides.take(ACCOUNT, override("unblock", ACCOUNT))
        assert words(assessor.overrule(us(60))) == [("revoked", at(60))]
        assert int(assessor.actors.columns["times_blocked"][slot]) == times

    def test_an_order_is_said_again_by_who_knows_the_actor(self) -> None:
        """Once: what was decided before the order was read may stand behind it on the topic."""
        overrides = Overrides(at_once=True)
        flow = flow_of(overrides)
        days.run_whole(flow, list(VIEWS))
        order, stranger = override("block", ACCOUNT, 60), override("block", "account:stranger", 60)
        overrides.take(order.key, order)
        overrides.take(stranger.key, stranger)
        assessor = flow.assessors[0]
        assert assessor.overrule(us(61)) == [block_of(order, assessor.revision)]
        overrides.take("account:u2", override("unblock", "account:u2"))
        assert assessor.overrule(us(62)) == []
        standing = [one.actor.key for _, one in assessor.decider.state(assessor.actors.keys()).blocked]
        assert ACCOUNT not in standing
