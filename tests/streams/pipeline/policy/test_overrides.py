"""Overrides as deciders heed them: whom, whose word, when."""

import pytest

from schemas.actor import Actor
from schemas.errors import RecordError
from schemas.override import EVERYTHING, Override
from streams.pipeline.policy.overrides import NEVER, Overrides
from tests.streams.pipeline.policy.overriding import override, us


def named(*keys: str) -> list[Actor]:
    """Actors by key."""
    return [Actor(*key.split(":", 1)) for key in keys]


@pytest.mark.parametrize(
    ("about", "actors", "spared"),
    [
        ("account:42", ["account:42"], True),
        ("account:42", ["account:43"], False),
        ("account:42", ["session:x", "account:42"], True),
        ("ip:203.0.113.9", ["ip:203.0.113.9"], True),
        ("ip:203.0.113.9", ["net:203.0.113.0/24"], True),
        ("ip:203.0.113.9", ["net:203.0.114.0/24"], False),
        ("net:203.0.113.0/25", ["ip:203.0.113.127"], True),
        ("net:203.0.113.0/25", ["ip:203.0.113.128"], False),
        ("net:2001:db8::/48", ["ip:2001:db8::/64"], True),
        ("net:2001:db8::/48", ["ip:2001:db9::/64"], False),
        ("net:0.0.0.0/8", ["ip:::/64"], False),
        ("asn:64500", ["fingerprint_asn:a@64500", "fingerprint:a", "asn:64500"], True),
        ("asn:64500", ["ip:203.0.113.9"], False),
        ("ip:203.0.113.9", ["combination:g:a@203.0.113.0/24", "fingerprint:a", "net:203.0.113.0/24"], True),
    ],
)
@pytest.mark.parametrize("kind", ["allow", "unblock"])
def test_who_is_spared(kind: str, about: str, actors: list[str], spared: bool) -> None:
    """Whoever is named, whatever lies within it, and whatever shares an address with it."""
    one = override(kind, about)
    assert Overrides([one]).spares(named(*actors), us(5)) == (one if spared else None)


def test_the_word_on_exactly_an_actor_stands() -> None:
    """An operator's block is in force in an allowed network; what Weir itself decides there is spared."""
    found = Overrides([override("allow", "net:203.0.113.0/24"), override("block", "ip:203.0.113.9")])
    assert found.ordered(Actor("ip", "203.0.113.9"), us(5)) is not None
    assert found.ordered(Actor("ip", "203.0.113.8"), us(5)) is None
    assert [order.key for order in found.orders(us(5))] == ["ip:203.0.113.9"]
    assert found.spares(named("ip:203.0.113.9"), us(5)) is not None


@pytest.mark.parametrize(("at_s", "held"), [(9.999, False), (10, True), (19.999, True), (20, False)])
@pytest.mark.parametrize("about", ["account:42", "ip:203.0.113.9"])
def test_from_when_until_when(about: str, at_s: float, held: bool) -> None:
    """Half-open, in event time."""
    found = Overrides([override("allow", about, 10, 20)])
    assert (found.spares(named(about), us(at_s)) is not None) is held
    assert (found.under(about, us(at_s)) is not None) is held


@pytest.mark.parametrize(("at_s", "held"), [(-1e6, True), (0, True), (19.999, True), (20, False)])
def test_at_once(at_s: float, held: bool) -> None:
    """Live, what has come is in force, though the clock that wrote it is ahead; its end is its end."""
    found = Overrides([override("allow", "ip:203.0.113.9", 10, 20)], at_once=True)
    assert (found.spares(named("ip:203.0.113.9"), us(at_s)) is not None) is held
    assert found.next_us(us(-1e9)) == NEVER


def test_the_last_word_under_a_key_counts() -> None:
    """Whatever kind it is of; a tombstone takes it back, and each change shows."""
    found = Overrides([override("allow", "account:42")])
    versions = [found.version]
    found.take("account:42", override("block", "account:42", 5))
    versions.append(found.version)
    assert found.spares(named("account:42"), us(6)) is None
    assert found.ordered(Actor("account", "42"), us(6)) is not None
    assert len(found.all()) == 1
    found.take("account:42", None)
    versions.append(found.version)
    assert found.all() == []
    assert versions == [1, 2, 3]


@pytest.mark.parametrize(
    ("about", "detectors", "against"),
    [
        (EVERYTHING, ["a"], True),
        (EVERYTHING, [], True),
        ("a", ["a", "b"], True),
        ("a", ["b"], False),
        ("a", [], False),
    ],
)
def test_kill_switch(about: str, detectors: list[str], against: bool) -> None:
    """It is against what stands on a detector's word, or on anybody's; without an end it lasts."""
    one = override("kill_switch", about, until_s=None)
    found = Overrides([one])
    assert found.against(named("account:42"), detectors, "sha256:1", us(1e8)) == (one if against else None)
    assert found.off("sha256:1", us(5)) == {about}
    assert found.off("sha256:1", us(-1)) == set()


def test_revoke() -> None:
    """It is against one revision, under which nobody enforces any more."""
    one = override("revoke", "sha256:1")
    found = Overrides([one])
    assert found.against(named("account:42"), ["a"], "sha256:1", us(5)) == one
    assert found.against(named("account:42"), ["a"], "sha256:12", us(5)) is None
    assert found.off("sha256:1", us(5)) == {EVERYTHING}
    assert found.off("sha256:12", us(5)) == set()


def test_no_orders_while_all_is_off() -> None:
    """An operator's block is in force again when the switch is turned off."""
    found = Overrides([override("block", "account:42"), override("kill_switch", EVERYTHING, 10, 20)])
    assert [len(found.orders(us(at_s))) for at_s in (9, 10, 20)] == [1, 0, 1]
    assert [found.ordered(Actor("account", "42"), us(at_s)) is None for at_s in (9, 10, 20)] == [False, True, False]


def test_where_something_begins() -> None:
    """A replay must stop at each `since`, and look again at what stands: the stage is another one."""
    found = Overrides([override("allow", "account:1", 10), override("allow", "account:2", 20)])
    assert [found.next_us(us(at_s)) for at_s in (0, 9.999, 10, 20)] == [us(10), us(10), us(20), NEVER]
    stages = [found.stage(us(at_s)) for at_s in (0, 9.999, 10, 19, 20, 1e6)]
    assert stages[0] == stages[1] != stages[2] == stages[3] != stages[4] == stages[5]


@pytest.mark.parametrize(
    ("key", "one", "said"),
    [
        ("account:43", override("allow", "account:42"), "another's"),
        ("ip:203.0.113.999", override("allow", "ip:203.0.113.999"), "neither an address"),
        ("host:x", override("allow", "host:x"), "no such scope"),
        ("account:42", override("allow", "account:42", since="2026-13-01T00:00:00.000Z"), "time"),
    ],
)
def test_what_is_none_changes_nothing(key: str, one: Override, said: str) -> None:
    """It is refused with what is wrong, without whom it names; what stood goes on."""
    found = Overrides([override("allow", "account:42")])
    with pytest.raises(RecordError, match=said) as caught:
        found.take(key, one)
    assert "203.0.113" not in str(caught.value)
    assert found.version == 1
    assert found.spares(named("account:42"), us(5)) is not None
