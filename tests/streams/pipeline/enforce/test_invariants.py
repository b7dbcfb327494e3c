"""The ten invariants that suit every enforcer, held by a machine that says, passes time and pulls as it likes.

Enforcers of three views go to either of two replicas. One that matches values alone is in `test_histories.py`; those
here match the type too, so that a `deleted` of another type than was told last lifts nothing.
"""

import re
from dataclasses import dataclass, field
from typing import Any, Final

import hypothesis
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from schemas.block import Action, BlockMode, BlockStatus
from streams.pipeline.enforce.decisions import US, Answer, Cursor, Decisions, Told
from streams.pipeline.enforce.target import Target
from streams.pipeline.enforce.word import View
from streams.pipeline.enforce.wording import Decision, decision
from tests.streams.pipeline.enforce.saying import T0_US, Log, block

KEYS: Final = ("ip:203.0.113.7", "ip:2001:db8:1:2::/64", "net:2001:db8:1:2::/64", "account:42")
VIEWS: Final = (
    View(),
    View(types=frozenset({"ban"})),
    View(types=frozenset({"ban", "captcha", "throttle"}), scopes=frozenset({"Range", "username"})),
)
DURATION: Final = re.compile(r"-?([0-9]+h)?([0-9]+m)?[0-9]+s")


@dataclass
class Typed:
    """An enforcer that lifts a value only if it is told the type that it holds: SPOA, the custom bouncer."""

    view: View
    cursors: list[Cursor | None] = field(default_factory=lambda: list[Cursor | None]([None, None]))
    held: dict[Target, str] = field(default_factory=dict)

    def take(self, answer: Answer) -> None:
        """Carry an answer out."""
        for told in answer.deleted:
            if self.held.get(told.target) == told.word.type:
                del self.held[told.target]
        for told in answer.new:
            self.held[told.target] = told.word.type


class Invariants(RuleBasedStateMachine):
    """A topic, two replicas, three enforcers."""

    @initialize()
    def begin(self) -> None:
        """Nothing has been said."""
        self.log, self.at_us = Log(partitions=2), T0_US
        self.replicas = [Decisions(2), Decisions(2)]
        self.enforcers = [Typed(view) for view in VIEWS]

    def _say(self, key: str, said: Any) -> None:
        self.log.say((self.at_us - T0_US) / US, key, said)
        for replica in self.replicas:
            self.log.into(replica)

    @rule(
        key=st.sampled_from(KEYS),
        length_s=st.sampled_from((0.3, 1.0, 5.0, 12.0, 60.0)),
        action=st.sampled_from(list(Action)),
        mode=st.sampled_from([BlockMode.ENFORCE] * 4 + [BlockMode.SHADOW]),
        status=st.sampled_from([BlockStatus.ACTIVE] * 4 + [BlockStatus.REVOKED]),
    )
    def say(self, key: str, length_s: float, action: Action, mode: BlockMode, status: BlockStatus) -> None:
        """A block, of whatever kind."""
        self._say(key, block(key, length_s, action=action, mode=mode, status=status, from_us=self.at_us))

    @rule(key=st.sampled_from(KEYS), length_s=st.sampled_from((12.0, 60.0)), strong=st.booleans())
    def block(self, key: str, length_s: float, strong: bool) -> None:
        """One that all but the last enforcer may see."""
        action = Action.BLOCK if strong else Action.CHALLENGE
        self._say(key, block(key, length_s, action=action, from_us=self.at_us))

    @rule(key=st.sampled_from(KEYS))
    def lift(self, key: str) -> None:
        """A tombstone."""
        self._say(key, None)

    @rule(seconds=st.sampled_from((0.3, 1.0, 2.0, 5.0, 10.0)))
    def pass_time(self, seconds: float) -> None:
        """Nothing happens."""
        self.at_us += int(seconds * US)

    @rule(place=st.integers(0, 1), anew=st.sampled_from([False] * 4 + [True]))
    def pull(self, place: int, anew: bool) -> None:
        """Every enforcer asks one of the replicas."""
        replica = self.replicas[place]
        for enforcer in self.enforcers:
            answer = replica.since(None if anew else enforcer.cursors[place], enforcer.view, self.at_us)
            enforcer.cursors[place] = Cursor(replica.positions, self.at_us)
            standing = {told.target: told.word.type for told in replica.active(enforcer.view, self.at_us)}
            check(answer, enforcer.view, standing)
            enforcer.take(answer)
            # 2, 3, 9: what ended or was taken back is told, in the type that is held, by whichever replica.
            assert enforcer.held == standing


def check(answer: Answer, view: View, standing: dict[Target, str]) -> None:
    """What holds for each answer by itself, by the number of the invariant."""
    told = [*answer.new, *answer.deleted]
    targets, new = [one.target for one in told], {one.target for one in answer.new}
    assert len(new) == len(answer.new), "1: a value twice"
    assert not new & {one.target for one in answer.deleted}, "4: a value in both"
    kinds = [(one.target, one.word.type) for one in answer.deleted]
    assert len(kinds) == len(set(kinds)), "2: an end twice"
    assert {one.target: one.word.type for one in answer.new}.items() <= standing.items(), "1: not what stands"
    assert not standing.keys() & {one.target for one in answer.deleted}, "2: deleted, though something stands"
    assert view.scopes is not None
    assert {target.scope for target in targets} <= view.scopes, "7: a scope that was not asked for"
    assert {one.word.type for one in told} <= view.types, "8: a type that the enforcer may not know"
    for one in told:
        require_spelled(decision(one), one)


def require_spelled(one: Decision, told: Told) -> None:
    """What each decision must look like."""
    texts = (one.origin, one.type, one.scope, one.value, one.duration, one.scenario, one.uuid)
    assert all(texts), "5: a text is missing"
    assert DURATION.fullmatch(one.duration), "6: not in whole seconds"
    assert (one.duration.startswith("-") or one.duration == "0s") == (told.left_us <= 0), "6: what stands has time left"
    assert 0 <= one.id < 1 << 53, "ids are whole numbers to Lua and JavaScript too"


TestInvariants = Invariants.TestCase
TestInvariants.settings = hypothesis.settings(max_examples=100, stateful_step_count=40)
