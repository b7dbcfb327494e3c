"""Which decisions stand upon an address, how targets and times are spelled, and who sees what."""

import pytest

from schemas.actor import Actor
from streams.pipeline.enforce.decisions import Decisions
from streams.pipeline.enforce.target import Target, asked_network, target_of
from streams.pipeline.enforce.word import View
from streams.pipeline.enforce.wording import duration
from tests.streams.pipeline.enforce.saying import Log, at, block, values

IP = "ip:203.0.113.7"
VIEW = View()


class TestLookup:
    """Addresses and ranges."""

    @pytest.fixture
    def decisions(self) -> Decisions:
        """Some of each."""
        log = Log()
        keys = (IP, "net:203.0.113.0/24", "net:198.51.100.0/24", "ip:2001:db8:1:2::/64", "net:2001:db8:1::/48")
        for key in keys:
            log.say(0, key, block(key, 60))
        return log.read()

    @pytest.mark.parametrize(
        ("asked", "found"),
        [
            ("203.0.113.7", ["203.0.113.0/24", "203.0.113.7"]),
            ("::ffff:203.0.113.7", ["203.0.113.0/24", "203.0.113.7"]),
            ("203.0.113.8", ["203.0.113.0/24"]),
            ("203.0.112.255", []),
            ("2001:db8:1:2::5", ["2001:db8:1:2::/64", "2001:db8:1::/48"]),
            ("2001:db8:1:3::5", ["2001:db8:1::/48"]),
            ("203.0.113.0/25", ["203.0.113.0/24"]),
            ("203.0.0.0/16", []),
            ("0.0.0.0/0", []),
        ],
    )
    def test_what_contains(self, decisions: Decisions, asked: str, found: list[str]) -> None:
        """An address in a range, a range in a wider one, in both versions of IP."""
        assert values(list(decisions.containing(asked_network(asked), VIEW, at(1)))) == found

    @pytest.mark.parametrize(
        ("asked", "found"),
        [
            ("203.0.113.7/24", ["203.0.113.0/24", "203.0.113.7"]),
            ("203.0.113.6/31", ["203.0.113.7"]),
            ("0.0.0.0/0", ["198.51.100.0/24", "203.0.113.0/24", "203.0.113.7"]),
            ("::/0", ["2001:db8:1:2::/64", "2001:db8:1::/48"]),
            ("203.0.113.8/32", []),
        ],
    )
    def test_what_lies_within(self, decisions: Decisions, asked: str, found: list[str]) -> None:
        """All of it, however large the range is; bits behind the prefix do not count."""
        assert values(list(decisions.within(asked_network(asked), VIEW, at(1)))) == found

    def test_ranges_of_millions_of_addresses(self) -> None:
        """A range is one decision, however many addresses it has; each of them is found in it."""
        log = Log()
        for key in ("net:10.0.0.0/8", "net:2000::/3", "net:0.0.0.0/0"):
            log.say(0, key, block(key, 60))
        decisions = log.read()
        assert values(decisions.startup(VIEW, at(1)).new) == ["0.0.0.0/0", "10.0.0.0/8", "2000::/3"]
        for asked, found in (
            ("10.255.255.255", ["0.0.0.0/0", "10.0.0.0/8"]),
            ("10.0.0.0/9", ["0.0.0.0/0", "10.0.0.0/8"]),
            ("11.0.0.0", ["0.0.0.0/0"]),
            ("3fff:ffff::1", ["2000::/3"]),
        ):
            assert values(list(decisions.containing(asked_network(asked), VIEW, at(1)))) == found
        assert values(list(decisions.within(asked_network("0.0.0.0/0"), VIEW, at(1)))) == ["0.0.0.0/0", "10.0.0.0/8"]

    def test_ended_ones_are_not_found(self, decisions: Decisions) -> None:
        """At its end, exclusive, a block stands no longer."""
        assert values(list(decisions.upon(Target("Ip", "203.0.113.7"), VIEW, at(59.999)))) == ["203.0.113.7"]
        assert list(decisions.upon(Target("Ip", "203.0.113.7"), VIEW, at(60))) == []

    @pytest.mark.parametrize("text", ["", "x", "fe80::1%eth0", "1.2.3.4/33", "1.2.3", "1.2.3.4/a", "01.2.3.4"])
    def test_what_is_no_address(self, text: str) -> None:
        """Refused."""
        with pytest.raises(ValueError, match=r"."):
            asked_network(text)


class TestSpelling:
    """As enforcers spell it."""

    @pytest.mark.parametrize(
        ("scope", "value", "target"),
        [
            ("ip", "203.0.113.7", ("Ip", "203.0.113.7")),
            ("ip", "2001:db8:1:2::/64", ("Range", "2001:db8:1:2::/64")),
            ("ip", "2001:0db8::1", ("Ip", "2001:db8::1")),
            ("net", "198.51.100.0/24", ("Range", "198.51.100.0/24")),
            ("asn", "64500", ("AS", "64500")),
            ("asn", "AS64500", ("AS", "64500")),
            ("account", "u:42", ("username", "u:42")),
            ("session", "s", ("session", "s")),
            ("fingerprint_asn", "f@1", ("fingerprint_asn", "f@1")),
            ("later", "x", ("later", "x")),
        ],
    )
    def test_targets(self, scope: str, value: str, target: tuple[str, str]) -> None:
        """CrowdSec's scopes letter by letter, canonical addresses, the platform's own as they are."""
        assert target_of(Actor(scope, value)) == target

    @pytest.mark.parametrize(
        ("seconds", "text"),
        [(0, "0s"), (59, "59s"), (60, "1m0s"), (3599, "59m59s"), (3600, "1h0m0s"), (14_398, "3h59m58s"), (-5, "-5s")],
    )
    def test_durations(self, seconds: int, text: str) -> None:
        """As Go writes them."""
        assert duration(seconds) == text

    @pytest.mark.parametrize(
        ("view", "seen"),
        [
            (View(containing=("long",)), True),
            (View(containing=("nothing", "tail")), True),
            (View(containing=("nothing",)), False),
            (View(not_containing=("nothing",)), True),
            (View(not_containing=("nothing", "long_tail")), False),
            (View(containing=("long",), not_containing=("tail",)), False),
            (View(origins=frozenset({"weir", "cscli"})), True),
            (View(origins=frozenset({"cscli"})), False),
        ],
    )
    def test_filters(self, view: View, seen: bool) -> None:
        """Texts in the scenario, one of those asked for and none of the others; the origin is always Weir."""
        log = Log()
        log.say(0, IP, block(IP, 60))
        assert bool(log.read().startup(view, at(1)).new) == seen
