"""What overrides do to decisions, with requests through the whole pipeline."""

import pytest

from schemas.actor import Actor
from schemas.alert import AlertMode
from schemas.block import Action, Block, BlockMode, BlockStatus
from schemas.event_time import format_time, parse_time_us
from schemas.identity import stable_id
from schemas.mode import Mode
from schemas.override import EVERYTHING
from streams.pipeline.policy.decide import Lift
from streams.pipeline.policy.overrides import Overrides
from streams.pipeline.policy.overruling import Overruling, block_of
from streams.settings import Settings
from tests import days
from tests.requests import START_S
from tests.streams.pipeline.policy.overriding import ACCOUNT, LONG, VIEWS, at, decided, flow_of, override, us, words
from tests.streams.pipeline.policy.test_fused import FUSION
from tests.streams.pipeline.rows_of import START_US, rows_of
from tests.streams.pipeline.staged import Scripted, Staged


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
