"""The ladder observe < alert < challenge < throttle < block, and who is enforced against at all."""

from itertools import pairwise
from typing import Final

import pytest

from schemas.actor import Actor
from schemas.block import Action, BlockMode
from schemas.event_time import parse_time_us
from streams.pipeline.policy.decide import Lift
from streams.pipeline.policy.standing import Standing
from tests.requests import START_S, views
from tests.streams.pipeline.policy.test_decide import Decided, at

EVERY_MINUTE: Final = views(START_S, 60, 60.0)
"""An address of a network, for an hour: the network is challenged at most."""
LADDER: Final = [(mode, action) for mode in BlockMode for action in Action]


def standing(mode: BlockMode, action: Action) -> Standing:
    """A record that stands."""
    return Standing(1, Actor("account", "a"), mode, action, 0, ("canary",), "sha256:a")


@pytest.mark.parametrize(("mode", "action"), LADDER)
def test_outweighs(mode: BlockMode, action: Action) -> None:
    """What is enforced goes before what would be, then the rungs in their order; a record gives way to its like."""
    place = LADDER.index((mode, action))
    lesser = [other for other in LADDER if standing(mode, action).outweighs(*other)]
    assert lesser == LADDER[:place]


class TestThrottle:
    """A challenge that does not help."""

    @staticmethod
    def rungs(text: str = "", values: list[bytes] = EVERY_MINUTE) -> list[tuple[int, Action]]:
        """Minutes and actions against the network."""
        return [(round(at(block) / 60), block.action) for block in Decided(values, text).blocks("net")]

    def test_after_its_time(self) -> None:
        """A challenge that has stood for a quarter of an hour while findings go on is a throttle from then on."""
        found = self.rungs()
        assert found[0][1] is Action.CHALLENGE
        begun = found[0][0]
        assert found == [(minute, Action.THROTTLE if minute - begun >= 15 else Action.CHALLENGE) for minute, _ in found]
        assert [action for _, action in found].count(Action.THROTTLE) >= 2

    @pytest.mark.parametrize(("after_s", "throttled"), [(600, True), (601, False)])
    def test_to_the_second(self, after_s: int, throttled: bool) -> None:
        """It counts from the first challenge, to the second."""
        found = self.rungs(f"[policy]\ncooldown_s = 600\nthrottle_after_s = {after_s}\n", views(START_S, 20, 60.0))
        assert [minute for minute, _ in found] == [9, 19]
        assert found[-1][1] is (Action.THROTTLE if throttled else Action.CHALLENGE)

    def test_not_after_a_gap(self) -> None:
        """Who was let go and comes back begins with a challenge again."""
        values = [*views(START_S, 12), *views(START_S + 5_000, 12, first=50)]
        decided = Decided(values)
        assert [block.action for block in decided.blocks("net")] == [Action.CHALLENGE] * 2
        assert any(isinstance(decision, Lift) for decision in decided.of("net"))

    def test_never_where_a_block_is_allowed(self) -> None:
        """An address that may be blocked is."""
        assert {block.action for block in Decided(EVERY_MINUTE).blocks("ip")} == {Action.BLOCK}

    def test_no_longer_than_its_scope_allows(self) -> None:
        """A challenge or throttle on a network ends within its longest, and is extended before it does."""
        blocks = Decided(EVERY_MINUTE, "[policy.scope_max_s]\nnet = 600\n").blocks("net")
        assert {parse_time_us(one.until) - parse_time_us(one.event_time) for one in blocks} == {600_000_000}
        assert all(later.event_time < earlier.until for earlier, later in pairwise(blocks))
        assert blocks[-1].action is Action.THROTTLE

    def test_shown_in_shadow(self) -> None:
        """What would be throttled is shown as that."""
        decided = Decided(EVERY_MINUTE, mode=None)
        assert [(one.mode, one.action) for one in decided.blocks("net")][-1] == (BlockMode.SHADOW, Action.THROTTLE)


class TestEnforceShare:
    """A gradual start."""

    @staticmethod
    def enforced(share: float, count: int = 60) -> set[str]:
        """Accounts that are blocked in earnest, of so many that scrape; all are found."""
        values = [value for n in range(count) for value in views(START_S + 20 * n, 12, account=f"u{n}")]
        decided = Decided(values, f"[mode]\nenforce_share = {share}\n")
        assert {block.actor.value for block in decided.blocks()} == {f"u{n}" for n in range(count)}
        assert {alert.mode.value for alert in decided.alerts()} == {"enforce"}
        return {block.actor.value for block in decided.blocks() if block.mode is BlockMode.ENFORCE}

    def test_shares(self) -> None:
        """None at 0, everybody at 1, about as many as asked for between them; a larger share only adds to it."""
        found = [self.enforced(share) for share in (0, 0.25, 0.5, 1)]
        assert all(smaller < larger for smaller, larger in pairwise(found))
        assert [len(each) for each in found] == [0, pytest.approx(15, abs=8), pytest.approx(30, abs=10), 60]
