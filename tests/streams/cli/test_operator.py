"""Whom and for how long commands that override take, and what they refuse."""

import getpass

import click
import pytest

from schemas.errors import UsageError
from schemas.override import OverrideKind
from streams.cli.main import run
from streams.cli.operator import Lasting, Words, actor_of, override_of, owner_of, tell
from streams.live.operating import Done
from streams.pipeline.observe.address import parse_address
from tests.streams.pipeline.enforce.saying import block
from tests.streams.pipeline.policy.overriding import override


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("account:42", "account:42"),
        ("account:a:b", "account:a:b"),
        ("ip:203.0.113.7", "ip:203.0.113.7"),
        ("ip:203.0.113.7/32", "ip:203.0.113.7"),
        ("ip:::ffff:203.0.113.7", "ip:203.0.113.7"),
        ("ip:2001:DB8:0:0:1::7", "ip:2001:db8::/64"),
        ("ip:2001:db8::/64", "ip:2001:db8::/64"),
        ("net:203.0.113.0/24", "net:203.0.113.0/24"),
        ("net:2001:DB8::/48", "net:2001:db8::/48"),
        ("net:10.0.0.0/8", "net:10.0.0.0/8"),
        ("asn:64500", "asn:64500"),
        ("asn:AS064500", "asn:64500"),
        ("fingerprint:t13d_a:b", "fingerprint:t13d_a:b"),
        ("fingerprint_asn:a@b@AS1", "fingerprint_asn:a@b@1"),
        ("combination:pair:f@203.0.113.0/24", "combination:pair:f@203.0.113.0/24"),
    ],
)
def test_actors(text: str, key: str) -> None:
    """As Weir spells them, whatever spelling was given."""
    assert actor_of(text).key == key


def test_an_address_is_spelled_as_in_sightings() -> None:
    """An override under another spelling would be heeded by nobody."""
    for text in ("203.0.113.7", "2001:db8:1:2:3:4:5:6", "::ffff:198.51.100.7", "::1"):
        address = parse_address(text)
        assert address is not None
        assert actor_of(f"ip:{text}").value == address.ip


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "no scope"),
        ("42", "no scope"),
        ("203.0.113.7", "did you mean ip:203.0.113.7"),
        ("user:42", "there are account, session, ip"),
        ("account", "no scope"),
        ("account:", "1 to 1000 characters"),
        ("account: 42", "no spaces around"),
        ("account:4\n2", "can be printed"),
        ("account:" + "x" * 1001, "1 to 1000 characters"),
        ("ip:203.0.113.256", "neither an address nor a range"),
        ("ip:fe80::1%eth0/64", "names an interface"),
        ("ip:203.0.113.0/24", "net:203.0.113.0/24 names it"),
        ("ip:2001:db8::/48", "is a range"),
        ("net:203.0.113.7", "ip:203.0.113.7 names an address"),
        ("net:203.0.113.7/24", "did you mean net:203.0.113.0/24"),
        ("net:203.0.113.0/33", "neither"),
        ("net:2001:db8::1/128", "narrower than /64"),
        ("net:0.0.0.0/0", "wider than /8; weir kill-switch"),
        ("net:2000::/3", "wider than /16"),
        ("asn:x", "no number"),
        ("asn:4294967296", "no number"),
        ("asn:-1", "no number"),
        ("fingerprint_asn:a", "no fingerprint@number"),
        ("fingerprint_asn:@1", "no fingerprint@number"),
        ("combination:pair", "name:part@part"),
    ],
)
def test_what_is_no_actor(text: str, said: str) -> None:
    """Refused with what is meant instead."""
    with pytest.raises(UsageError, match=said):
        actor_of(text)


@pytest.mark.parametrize(("net", "right"), [("10.0.0.0/16", True), ("10.0.0.0/15", False), ("2001:db8::/31", False)])
def test_how_much_may_be_blocked(net: str, right: bool) -> None:
    """A typing error must not shut out a country; to spare as much is no harm."""
    assert actor_of(f"net:{net}").value == net
    if right:
        assert actor_of(f"net:{net}", blocked=True).value == net
    else:
        with pytest.raises(UsageError, match="name smaller ones"):
            actor_of(f"net:{net}", blocked=True)


@pytest.mark.parametrize(
    ("text", "seconds"), [("1s", 1), ("30m", 1_800), ("12h", 43_200), ("7d", 604_800), ("90d", 7_776_000)]
)
def test_durations(text: str, seconds: int) -> None:
    """A number and its unit."""
    assert Lasting().convert(text, None, None) == seconds


@pytest.mark.parametrize("text", ["", "7", "d", "0d", "-1d", "1.5h", "91d", "2161h", "1w", "1 d", "٣d", "99999999s"])
def test_no_durations(text: str) -> None:
    """Neither nothing nor for ever."""
    with pytest.raises(click.BadParameter):
        Lasting().convert(text, None, None)


@pytest.mark.parametrize("text", ["", " ", "a\nb", "\x1b[31mred", "x" * 201])
def test_no_reasons(text: str) -> None:
    """What people read is one line that can be printed."""
    with pytest.raises(click.BadParameter):
        Words().convert(text, None, None)


def test_owner(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who is named, else who is logged in; without either nobody would answer for it."""
    monkeypatch.setattr(getpass, "getuser", lambda: "anna")
    assert (owner_of("sre"), owner_of(None)) == ("sre", "anna")

    def nobody() -> str:
        raise KeyError("uid")

    monkeypatch.setattr(getpass, "getuser", nobody)
    with pytest.raises(UsageError, match="--owner"):
        owner_of(None)


def test_each_has_an_id_of_its_own() -> None:
    """So has what it takes back, in every process that does."""
    made = [override_of(OverrideKind.ALLOW, name, "x", 60, actor=actor_of("account:42")) for name in ("anna", "bert")]
    assert len({one.id for one in made}) == 2
    assert {one.key for one in made} == {"account:42"}
    assert all(one.until is not None and one.until > one.since for one in made)


def test_what_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    """What it replaces, what was taken back, and what else meets the actor; of many blocks the first few."""
    one, before = override("unblock", "ip:203.0.113.7"), override("allow", "ip:203.0.113.7")
    near = {f"net:203.0.{n}.0/24": block(f"net:203.0.{n}.0/24", 60) for n in (113, 114)}
    gone = [block(f"account:{n}", 60) for n in range(12)]
    tell(Done(one, before, near, gone, []), as_json=False)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("ip:203.0.113.7: unblock until 2027-")
    assert lines[1].startswith("instead of: allow until 2027-")
    assert lines[1].endswith("by anna: test")
    assert sum("taken back: account:" in line for line in lines) == 10
    assert "taken back: 12 in all" in lines
    assert [line for line in lines if "also touches" in line] == [lines[-1]]
    assert lines[-1].endswith("a worker that runs takes that back, and so does weir unblock net:203.0.113.0/24")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["block", "account:42", "--reason", "x"], "--for"),
        (["block", "account:42", "--for", "1d"], "--reason"),
        (["allow", "account:42", "--for", "1d", "--reason", ""], "1 to 200 characters"),
        (["block", "account:42", "--for", "1d", "--reason", "x", "--action", "nuke"], "nuke"),
        (["kill-switch", "on", "--detector", "nobody", "--reason", "x"], "there is no detector nobody"),
        (["kill-switch", "on"], "--reason"),
        (["kill-switch", "on", "--for", "1h", "--reason", "x"], "no end of its own"),
        (["revoke", "--config", "sha256:xyz", "--reason", "x"], "no revision"),
        (["revoke", "--reason", "x"], "--config"),
    ],
)
def test_mistakes(arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Status 2 and one line."""
    assert run(arguments) == 2
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1
