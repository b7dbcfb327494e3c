"""What overrides do that are in force as they come, by the wall clock."""

import pytest

from schemas.actor import Actor
from schemas.block import Action, Block, BlockMode, BlockStatus
from schemas.event_time import parse_time_us
from schemas.identity import stable_id
from schemas.override import EVERYTHING, Override
from streams.pipeline.policy.overrides import Overrides
from streams.pipeline.policy.overruling import Overruling, block_of
from tests import days
from tests.requests import START_S, views
from tests.streams.pipeline.policy.overriding import ACCOUNT, LONG, VIEWS, at, decided, flow_of, override, us, words


class TestLive:
    """Overrides that are in force as they come, by the wall clock."""

    def test_the_block_came_first(self) -> None:
        """What was sent before the override is known again, and is taken back once more, under the same id, once only.

        Whoever decided it may have ended before it could take it back.
        """
        overrides = Overrides([override("unblock", ACCOUNT, 30)], at_once=True)
        flow = flow_of(overrides)
        assessor = flow.assessors[0]
        assessor.heed(False)
        made = days.run_whole(flow, list(VIEWS))
        said = [one for one in days.blocks(made) if one.actor.key == ACCOUNT]
        assert [one.status for one in said] == [BlockStatus.ACTIVE, BlockStatus.ACTIVE, BlockStatus.REVOKED]
        assert assessor.overdue(us(70))
        taken = assessor.overrule(us(70))
        assert [(one.id, one.until) for one in days.blocks(taken)] == [(said[2].id, said[1].until)]
        assert not assessor.overdue(us(70))
        assert assessor.overrule(us(71)) == []

    @pytest.mark.parametrize(
        "one", [override("unblock", ACCOUNT, -9), override("kill_switch", EVERYTHING, -9, None)], ids=str
    )
    def test_the_override_came_first(self, one: Override) -> None:
        """Judged once more, nothing is decided against it: there is nothing to brake and nothing to take back."""
        flow = flow_of(Overrides([one], at_once=True))
        assessor = flow.assessors[0]
        assessor.heed(False)
        made = days.run_whole(flow, [*VIEWS, *views(START_S + 100, 60, account="u2"), *views(START_S + 200, 60)])
        assert not any(one.actor.key == ACCOUNT and one.mode is BlockMode.ENFORCE for one in days.blocks(made))
        assert not any(one.actor.key == ACCOUNT for one in assessor.overrule(us(300)))

    def test_one_that_came_after_what_is_judged(self) -> None:
        """An override of now was not in force then: what stood before it is decided again, as it was."""
        overrides = Overrides([override("unblock", ACCOUNT, 10_000)], at_once=True)
        flow = flow_of(overrides)
        flow.assessors[0].heed(False)
        made = days.run_whole(flow, list(VIEWS))
        assert words([one for one in made if one.actor.key == ACCOUNT]) == words(decided())

    def test_what_was_not_said_outlasts_a_checkpoint(self) -> None:
        """Who ends while it judges once more leaves what was taken back to be said by who goes on from there; once."""
        overrides = Overrides([override("unblock", ACCOUNT, 30)], at_once=True)
        flow = flow_of(overrides)
        assessor = flow.assessors[0]
        assessor.heed(False)
        days.run_whole(flow, list(VIEWS))
        assessor.decider.overruling = Overruling(overrides)
        assert [one.status for one in days.blocks(assessor.overrule(us(70)))] == [BlockStatus.REVOKED]
        assessor.decider.overruling = Overruling(overrides)
        assert assessor.overrule(us(71)) == []

    def test_what_has_ended_is_not_said(self) -> None:
        """What would have ended by now needs nobody to take it back."""
        flow = flow_of(Overrides([override("unblock", ACCOUNT, 30)], at_once=True))
        flow.assessors[0].heed(False)
        days.run_whole(flow, list(VIEWS))
        assert flow.assessors[0].overrule(us(80_000)) == []

    def test_blocked_again_since(self) -> None:
        """What was taken back in silence is not said where the override has ended and something stands again."""
        overrides = Overrides([override("unblock", ACCOUNT, 30, 100)], at_once=True)
        flow = flow_of(overrides)
        assessor = flow.assessors[0]
        assessor.heed(False)
        made = days.run_whole(flow, LONG)
        said = [one for one in days.blocks(made) if one.actor.key == ACCOUNT]
        assert {one.status for one in said[2:3]} == {BlockStatus.REVOKED}
        assert {one.status for one in said[3:]} == {BlockStatus.ACTIVE}
        assert assessor.overrule(us(4_100)) == []

    def test_what_was_said_is_not_said_anew_each_time(self) -> None:
        """A partition that goes to and fro between what was sent and what was not says an order once."""
        flow = flow_of(Overrides([override("block", ACCOUNT, 30)], at_once=True))
        assessor = flow.assessors[0]
        for heeding, number in ((False, 0), (True, 1), (False, 0), (True, 0)):
            assessor.heed(heeding)
            made = days.run_whole(flow, list(VIEWS)) if not number and not assessor.judged else []
            assert len(assessor.overrule(us(70)) if heeding else []) == number, made

    def test_a_challenge_comes_back_without_a_request(self) -> None:
        """When what was stronger has ended by the clock: nobody's request need move the watermark on. Once."""
        order = override("block", ACCOUNT, -1, action="challenge")
        flow = flow_of(Overrides([order], at_once=True))
        assessor = flow.assessors[0]
        made = days.run_whole(flow, list(VIEWS))
        block = [one for one in days.blocks(made) if one.action is Action.BLOCK][-1]
        until_us = parse_time_us(block.until)
        assessor.overrule(until_us - 1)
        assert not assessor.overdue(until_us - 1)
        assert assessor.overdue(until_us)
        assert assessor.overrule(until_us) == [block_of(order, assessor.revision)]
        assert not assessor.overdue(until_us + 1)

    @pytest.mark.parametrize("ended_by", ["unblock", "end"])
    def test_a_challenge_that_was_ended_does_not_come_back(self, ended_by: str) -> None:
        """Neither by the clock nor by the watermark, whatever stood over it."""
        overrides = Overrides([override("block", ACCOUNT, -1, action="challenge")], at_once=True)
        flow = flow_of(overrides)
        assessor = flow.assessors[0]
        days.run_whole(flow, list(VIEWS))
        overrides.take(ACCOUNT, override("unblock", ACCOUNT, 60, 70) if ended_by == "unblock" else None)
        assert all(one.status is BlockStatus.REVOKED for one in days.blocks(assessor.overrule(us(61))))
        assert assessor.overrule(us(100_000)) == []
        later = days.run_whole(flow, views(START_S + 100_000, 3, account="u2"))
        assert not any(one.actor.key == ACCOUNT for one in days.blocks(later))

    def test_after_a_restart_too(self) -> None:
        """Whoever goes on from a checkpoint knows of it from what stands."""
        order = override("block", ACCOUNT, -START_S, action="challenge")
        flow = flow_of(Overrides([order], at_once=True))
        assessor = flow.assessors[0]
        made = days.run_whole(flow, list(VIEWS))
        until_us = max(parse_time_us(one.until) for one in days.blocks(made) if one.action is Action.BLOCK)
        assessor.decider.overruling = Overruling(Overrides([order], at_once=True))
        assert assessor.overrule(until_us - 1) == []
        assert assessor.overrule(until_us) == [block_of(order, assessor.revision)]

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
