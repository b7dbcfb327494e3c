"""A group that configuration names is judged, and decided on, as any group."""

from typing import Final

import pytest

from schemas.block import Action
from tests.requests import START_S, request_of
from tests.streams.pipeline.policy.test_decide import Decided, crowd

ACTOR: Final = "combination:pair:f@203.0.113.0/24"
GROUPS: Final = """
[detectors.profile_rate.combination]
hour = 5
[[groups]]
name = "pair"
of = ["fingerprint", "net"]
"""


def fleet(count: int = 12, fingerprint: str = "f") -> list[bytes]:
    """One view each, from as many addresses of one network."""
    return [request_of(START_S + n, f"p{n}", ip=f"203.0.113.{n}", fingerprint=fingerprint) for n in range(count)]


def test_found_and_blocked() -> None:
    """Its actor names its parts, its alert its members, and the exposure is what these saw, not counted one by one."""
    decided = Decided(fleet(), GROUPS)
    alerts, blocks = decided.alerts("combination"), decided.blocks("combination")
    assert {alert.actor.key for alert in alerts} == {ACTOR}
    assert [alert.exposure.profiles for alert in alerts] == [pytest.approx(5, abs=1), pytest.approx(10, abs=2)]
    assert not any(alert.exposure.exact for alert in alerts)
    assert [alert.members.total for alert in alerts] == [5, 10]
    assert [(block.actor.key, block.action) for block in blocks] == [(ACTOR, Action.BLOCK)]


def test_another_pair() -> None:
    """Who shares one part alone is in another group."""
    apart = [*fleet(4), *fleet(5, "g")[1:]]
    apart += [request_of(START_S + 20, "more", ip="203.0.113.200", fingerprint="h")]
    assert not Decided(apart, GROUPS).alerts("combination")
    assert Decided(apart, GROUPS).alerts("net")


@pytest.mark.parametrize("accounts", [0, 3])
def test_collateral(accounts: int) -> None:
    """Accounts behind it spare it."""
    found = Decided([*crowd(accounts), *fleet()], GROUPS)
    assert found.alerts("combination")
    assert bool(found.blocks("combination")) == (accounts == 0)


def test_challenged_at_most() -> None:
    """Where policy names its scope."""
    blocks = Decided(fleet(), GROUPS + '[policy]\nchallenge_scopes = ["combination"]\n').blocks("combination")
    assert {block.action for block in blocks} == {Action.CHALLENGE}


@pytest.mark.parametrize("actor", [ACTOR, "ip:203.0.113.250", "fingerprint:f"])
def test_allowed(actor: str) -> None:
    """Named itself, or by anybody within its network, or by what it lies within."""
    entry = f"[[allow]]\nactor = '{actor}'\nowner = 'sre'\nreason = 'x'\nexpires = 2027-12-31\n"
    found = Decided(fleet(), GROUPS + entry)
    assert found.alerts("combination")
    assert not found.blocks("combination")


def test_no_limit_of_its_own() -> None:
    """By default plain limits do not touch it, and without `[[groups]]` there is none."""
    assert not Decided(fleet(), GROUPS.replace("hour = 5", "hour = 0")).of("combination")
    assert not Decided(fleet(), GROUPS[: GROUPS.index("[[groups]]")]).of("combination")
