"""How long blocks last, one after the other."""

from typing import Any, Final

import numpy as np
import pytest
from numpy.typing import NDArray

from schemas.actor import Actor, Scope
from streams.pipeline.policy.lifetime import JITTER, TIMES_MAX, forgive, lasting_until, longest_s, renewal_s
from streams.settings import PolicySettings, ScopeMaxSettings

POLICY: Final = PolicySettings(block_s=100, block_growth=4.0, block_max_s=1_000, block_memory_s=5_000)
ACTOR: Final = Actor("account", "u1")
SECOND_US: Final = 1_000_000
START_S: Final = 1_800_000_000


class Blocked:
    """What is remembered of one actor."""

    def __init__(self, policy: PolicySettings = POLICY, actor: Actor = ACTOR) -> None:
        self._policy, self._actor = policy, actor
        self.columns: dict[str, NDArray[Any]] = {
            "times_blocked": np.zeros(1, "u1"),
            "block_ended_us": np.zeros(1, "i8"),
        }

    def at(self, at_s: float) -> float:
        """Seconds from the start to the end of a block that begins with an event."""
        event_us = round((START_S + at_s) * SECOND_US)
        return lasting_until(self._policy, self.columns, 0, self._actor, event_us) / SECOND_US - START_S

    @property
    def times(self) -> int:
        """Blocks so far."""
        return int(self.columns["times_blocked"][0])


def test_the_first() -> None:
    """It lasts what is configured, to the microsecond."""
    assert Blocked().at(0) == 100


def test_who_comes_back() -> None:
    """Each block after one that has ended is four times as long, up to the longest, and up to a tenth more."""
    one, begin_s, lasted = Blocked(), 0.0, []
    for _ in range(4):
        end_s = one.at(begin_s)
        lasted.append(end_s - begin_s)
        begin_s = end_s + 1
    for seconds, plain in zip(lasted, [100, 400, 1_000, 1_000], strict=True):
        assert plain <= seconds < plain * (1 + JITTER)
    assert one.times == 4


@pytest.mark.parametrize(("at_s", "times"), [(99.999_999, 1), (100, 2)])
def test_while_one_stands(at_s: float, times: int) -> None:
    """A block that comes before the last one's end extends it and is the same one; at its end it is the next."""
    one = Blocked()
    one.at(0)
    end_s = one.at(at_s)
    assert one.times == times
    assert (end_s < at_s + 200) is (times == 1)


def test_never_shorter() -> None:
    """What is in force is not cut short by another that began with an earlier event."""
    one = Blocked()
    assert one.at(50) == one.at(0) == 150


@pytest.mark.parametrize(("quiet_s", "times"), [(4_999.999_999, 2), (5_000, 1)])
def test_forgotten(quiet_s: float, times: int) -> None:
    """After so long without one it is the first again."""
    one = Blocked()
    one.at(one.at(0) + quiet_s)
    assert one.times == times


def test_a_first_one_longer_than_the_longest() -> None:
    """What an operator asks for as a first block is cut by nothing but the longest of its scope."""
    policy = PolicySettings(block_s=100_000, block_max_s=1_000, scope_max_s=ScopeMaxSettings(account=200_000))
    one = Blocked(policy)
    assert one.at(0) == 100_000
    assert one.at(100_001) >= 200_001


@pytest.mark.parametrize("scope", list(Scope))
def test_the_longest_of_a_scope(scope: Scope) -> None:
    """However often an actor comes back, no block on it lasts longer than its scope allows, the tenth apart."""
    policy = PolicySettings(block_s=100, block_max_s=1_000, scope_max_s=ScopeMaxSettings(**{scope.label: 300}))
    one, begin_s, lasted = Blocked(policy, Actor(scope.label, "x")), 0.0, []
    for _ in range(4):
        end_s = one.at(begin_s)
        lasted.append(end_s - begin_s)
        begin_s = end_s + 1
    assert lasted[0] == 100
    assert all(300 <= seconds < 300 * (1 + JITTER) for seconds in lasted[1:])
    assert longest_s(policy, Actor(scope.label, "x")) == 300


def test_the_longest_holds_for_extensions() -> None:
    """Each extension reaches no farther than the longest from its own event, though more had been promised before."""
    one, ip = Blocked(PolicySettings(block_s=40_000), Actor("account", "u1")), Actor("ip", "192.0.2.1")
    assert one.at(0) == 40_000
    shorter = Blocked(PolicySettings(block_s=40_000), ip)
    shorter.columns = one.columns
    assert 14_400 + 10 <= shorter.at(10) <= 14_400 * (1 + JITTER) + 10


def test_the_wider_the_shorter() -> None:
    """By default nothing on a network or ASN lasts as long as on an address or browser, nor that as on an account."""
    longest = {scope: longest_s(PolicySettings(), Actor(scope.label, "x")) for scope in Scope}
    assert longest[Scope.NET] == longest[Scope.ASN] < longest[Scope.IP] == longest[Scope.FINGERPRINT]
    assert longest[Scope.IP] < longest[Scope.ACCOUNT] == longest[Scope.SESSION]


def test_renewal() -> None:
    """What stands is extended when half of the shortest of all scopes has gone, so that no gap is left."""
    assert renewal_s(PolicySettings(block_s=500)) == 250
    assert renewal_s(PolicySettings(block_s=500, scope_max_s=ScopeMaxSettings(asn=60))) == 30
    assert renewal_s(PolicySettings(block_s=1)) == 1


def test_the_same_in_every_replay() -> None:
    """The bit more follows from actor and event: the same again, another for another actor."""

    def second(actor: Actor) -> float:
        one = Blocked(actor=actor)
        one.at(0)
        return one.at(200)

    assert second(ACTOR) == second(ACTOR)
    assert len({second(Actor("account", f"u{number}")) for number in range(20)}) == 20


def test_however_often() -> None:
    """The count stops at its end, and the length with it."""
    one, begin_s = Blocked(PolicySettings(block_s=1, block_growth=4.0, block_max_s=10)), 0.0
    for _ in range(TIMES_MAX + 10):
        begin_s = one.at(begin_s)
    assert one.times == TIMES_MAX


def test_taken_back() -> None:
    """A block that is taken back has ended then, and counts for nothing: the next one lasts as long as it did."""
    one = Blocked()
    one.columns["denied_until_us"] = np.full(1, round((START_S + 100) * SECOND_US))
    one.at(0)
    forgive(one.columns, 0, (START_S + 10) * SECOND_US)
    assert one.times == 0
    assert one.columns["block_ended_us"].tolist() == one.columns["denied_until_us"].tolist() == [
        (START_S + 10) * SECOND_US
    ]  # fmt: skip
    assert one.at(50) == 150
    forgive(one.columns, 0, (START_S + 60) * SECOND_US)
    forgive(one.columns, 0, (START_S + 70) * SECOND_US)
    assert one.times == 0
    assert one.columns["block_ended_us"].tolist() == [(START_S + 60) * SECOND_US]
