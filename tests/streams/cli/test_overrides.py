"""Overriding on a broker without any worker: what stands on the topics afterwards, and what is printed."""

import asyncio
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from schemas import topic
from schemas.actor import Actor
from schemas.alert import ALERT_CODEC, Alert
from schemas.audit import AUDIT_CODEC
from schemas.block import BLOCK_CODEC, Action, Block, BlockMode, BlockStatus
from schemas.errors import UsageError
from streams.cli.main import run
from streams.clock import wall_clock_us
from streams.config import parse
from streams.live.operating import OnKafka, Operating, send
from streams.live.topics import create, layouts, partitions
from streams.live.whole_topic import records
from streams.outputs.cloudevents import record_of
from streams.settings import Settings
from tests.brokers import Broker, Sent
from tests.contract.golden_file import lines
from tests.streams.pipeline.enforce.saying import block as block_of

WORD = ("--reason", "ticket 4711", "--owner", "anna")
REVISION = "a" * 16


@dataclass
class Desk:
    """An installation on a broker, and commands on it."""

    broker: Broker
    settings: Settings
    config: Path
    capsys: pytest.CaptureFixture[str]

    def say(self, *blocks: Block) -> None:
        """Write blocks as workers do."""
        asyncio.run(send(self.settings.kafka, [record_of(each, 0) for each in blocks]))

    def name(self, one: topic.Topic) -> str:
        """Of a topic on the broker."""
        return self.settings.kafka.prefix + one.name

    def read(self, one: topic.Topic) -> list[tuple[str, bytes | None]]:
        """Key and value of all records."""
        name = self.name(one)
        count = partitions(self.settings.kafka, [name])[name]
        return [
            (record.key.decode(errors="replace"), record.value) for record in records(self.settings.kafka, name, count)
        ]

    def status(self, key: str) -> str:
        """What the blocks topic says of an actor."""
        values = [value for each, value in self.read(topic.BLOCKS) if each == key]
        return "" if not values or values[-1] is None else BLOCK_CODEC.decode(values[-1]).status.value

    def run(self, *arguments: str, status: int = 0) -> str:
        """A command; what it printed."""
        option = "--config-file" if arguments[0] == "revoke" else "--config"
        assert run([*arguments, option, str(self.config)]) == status
        return self.capsys.readouterr().out

    def ask(self, *arguments: str, status: int = 0) -> Any:
        """A command whose answer is JSON."""
        return json.loads(self.run(*arguments, "--json", status=status))

    def changes(self) -> list[tuple[str, str, str, str, str, str]]:
        """Who, of what, subject, before, after, why, in the audit; times cut off."""
        found = []
        for _, value in self.read(topic.AUDIT):
            entry = AUDIT_CODEC.decode(value or b"")
            one = entry.change
            assert one is not None
            before, after = (text.partition(" until ")[0] for text in (one.before, one.after))
            found.append((entry.who, one.of.value, one.subject, before, after, one.reason))
        return found


@pytest.fixture
def desk(broker: Broker, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Desk:
    """An installation of its own."""
    config = tmp_path / "weir.toml"
    config.write_text(f'[kafka]\nbootstrap = "{broker.bootstrap}"\nprefix = "{broker.topic()}."\npartitions = 1\n')
    settings = parse(config.read_text())
    create(settings.kafka, layouts(settings))
    return Desk(broker, settings, config, capsys)


def standing(key: str, *, until_s: float = 600, detectors: Sequence[str] = ("long_tail",), **more: Any) -> Block:
    """A block from now on."""
    mode, status = more.pop("mode", BlockMode.ENFORCE), more.pop("status", BlockStatus.ACTIVE)
    made = block_of(key, until_s, mode=mode, status=status, detectors=tuple(detectors), from_us=wall_clock_us())
    return replace(made, **more)


def test_unblock(desk: Desk) -> None:
    """What stands on exactly the actor is taken back, and keeps all else that it says; what touches it is told."""
    own, net = standing("ip:203.0.113.7"), standing("net:203.0.113.0/24", action=Action.CHALLENGE)
    desk.say(own, net, standing("ip:203.0.113.8"), standing("account:7"))
    printed = desk.run("unblock", "ip:203.0.113.7", "--for", "1d", *WORD)
    assert "taken back: ip:203.0.113.7 block until" in printed
    assert "also touches it: net:203.0.113.0/24 challenge until" in printed
    assert "203.0.113.8" not in printed
    values = [value for key, value in desk.read(topic.BLOCKS) if key == own.actor.key]
    after = BLOCK_CODEC.decode(values[-1] or b"")
    assert after.status is BlockStatus.REVOKED
    changed = {"id", "status", "decided_at", "reason", "public_reason"}
    assert {name for name in Block.__struct_fields__ if getattr(after, name) != getattr(own, name)} == changed
    assert [desk.status(key) for key in ("net:203.0.113.0/24", "ip:203.0.113.8", "account:7")] == ["active"] * 3
    assert desk.changes() == [("operator:anna", "override", "ip:203.0.113.7", "", "unblock", "ticket 4711")]


def alert_on(key: str, incident: str) -> Alert:
    """An alert on an actor."""
    scope, _, value = key.partition(":")
    made = ALERT_CODEC.decode(lines("alert.v1")[0])
    return replace(made, id=f"alert-{incident}", incident=incident, actor=Actor(scope, value))


def test_an_actor_explained(desk: Desk) -> None:
    """Who answers for what is enforced stands beside what was found, or alone, for as long as it holds."""
    key, unknown = "account:42", "account:7"
    assert desk.run("explain", unknown, status=1) == f"{unknown}: no incident\n"
    until = desk.ask("block", key, "--for", "1d", *WORD)["override"]["until"]
    ordered = f"  in force now: block {key} by anna, until {until}: ticket 4711"
    assert desk.run("explain", key).splitlines() == [f"{key}: no incident", ordered]
    assert desk.ask("explain", key)["override"]["kind"] == "block"
    asyncio.run(send(desk.settings.kafka, [record_of(alert_on(key, "of-42"), 0)]))
    desk.say(standing(key, incident="of-42"), standing("session:s1", incident="of-42"))
    explained = desk.run("explain", key).splitlines()
    assert explained[0].startswith(f"incident of-42: {key}, open, high, enforce")
    assert explained.count(ordered) == 1
    desk.run("unblock", key, "--for", "2d", *WORD)
    told = desk.ask("explain", key)
    assert [one["status"] for one in told["incidents"][0]["blocks"] if one["actor"]["value"] == "42"][-1] == "revoked"
    assert told["incidents"][0]["override"] == told["override"]
    assert (told["override"]["kind"], told["override"]["owner"]) == ("unblock", "anna")
    desk.run("block", "session:s1", "--for", "1d", *WORD)
    both = [line.partition(" by ")[0] for line in desk.run("explain", "session:s1").splitlines() if "in force" in line]
    assert both == ["  in force now: unblock account:42", "  in force now: block session:s1"]
    desk.run("overrides", "end", key, *WORD)
    assert "in force now" not in desk.run("explain", key)
    assert desk.ask("explain", key)["override"] is None


def test_whom_nobody_can_be_is_not_explained(desk: Desk) -> None:
    """A scope that was left out is asked for; an address is known in any spelling."""
    assert run(["explain", "203.0.113.7", "--config", str(desk.config)]) == UsageError.exit_status
    assert "did you mean ip:203.0.113.7?" in desk.capsys.readouterr().err
    desk.run("allow", "ip:2001:db8::7", "--for", "1d", *WORD)
    assert "ip:2001:db8::/64: no incident" in desk.run("explain", "ip:2001:DB8::9")
    asyncio.run(send(desk.settings.kafka, [record_of(alert_on("ip:2001:db8::/64", "of-7"), 0)]))
    assert "incident of-7: " in desk.run("explain", "ip:2001:DB8::9")


@pytest.mark.parametrize("word", ["unblock", "allow"])
def test_a_session_in_place_of_its_account(desk: Desk, word: str) -> None:
    """Who spares the account lets its session go as well, though no worker runs; nobody else's, nor an operator's."""
    desk.say(
        standing("session:s1", incident="of-42"),
        standing("session:s2", incident="of-43"),
        standing("session:s3", incident="of-42", detectors=()),
        standing("session:s4", incident="forgotten"),
        standing("account:42", incident="of-42"),
    )
    records = [record_of(alert_on(f"account:{number}", f"of-{number}"), 0) for number in (42, 43)]
    asyncio.run(send(desk.settings.kafka, records))
    desk.broker.send(desk.name(topic.ALERTS), [Sent(b"{", b"of-44"), Sent(b"{", b"forgotten")])
    printed = desk.run(word, "account:42", "--for", "1d", *WORD)
    assert "taken back: session:s1 block until" in printed
    assert "taken back: account:42 block until" in printed
    assert [desk.status(f"session:s{number}") for number in (1, 2, 3, 4)] == ["revoked", "active", "active", "active"]
    assert desk.status("account:42") == "revoked"


def test_a_block_spares_no_session(desk: Desk) -> None:
    """An operator's block on the account takes nothing back."""
    desk.say(standing("session:s1", incident="of-42"))
    asyncio.run(send(desk.settings.kafka, [record_of(alert_on("account:42", "of-42"), 0)]))
    desk.run("block", "account:42", "--for", "1d", *WORD)
    assert desk.status("session:s1") == "active"


def test_whoever_nobody_has_seen(desk: Desk) -> None:
    """An override for an actor that does not exist is taken, under the spelling that the actor would have."""
    found = desk.ask("allow", "ip:2001:DB8::7", "--for", "1h", *WORD)
    assert found["override"]["actor"] == {"scope": "ip", "value": "2001:db8::/64"}
    assert (found["taken_back"], found["made"], found["replaced"]) == ([], [], None)
    assert [key for key, _ in desk.read(topic.OVERRIDES)] == ["ip:2001:db8::/64"]


def test_block(desk: Desk) -> None:
    """The block names who answers for it, and no detector; a later word takes its place and takes it back."""
    found = desk.ask("block", "account:42", "--for", "12h", *WORD, "--action", "challenge")
    assert [(one["action"], one["mode"], one["detectors"]) for one in found["made"]] == [("challenge", "enforce", [])]
    assert found["made"][0]["reason"] == "block by anna: ticket 4711"
    assert desk.status("account:42") == "active"
    printed = desk.run("allow", "account:42", "--for", "1h", *WORD)
    assert "instead of: block (challenge) until" in printed
    assert "(an operator's)" in printed
    assert desk.status("account:42") == "revoked"
    assert [row[3:5] for row in desk.changes()] == [("", "block (challenge)"), ("block (challenge)", "allow")]


def test_kill_switch(desk: Desk) -> None:
    """Everything that enforcers act on ends, operators' blocks too; those are back when it is turned off."""
    ended, shadow = standing("ip:198.51.100.1", until_s=-1), standing("ip:198.51.100.2", mode=BlockMode.SHADOW)
    desk.say(standing("account:1"), standing("account:2", detectors=("canary", "long_tail")), ended, shadow)
    desk.run("block", "account:3", "--for", "1h", *WORD)
    found = desk.ask("kill-switch", "on", *WORD)
    assert sorted(one["actor"]["value"] for one in found["taken_back"]) == ["1", "2", "3"]
    assert [desk.status(f"account:{n}") for n in (1, 2, 3)] == ["revoked"] * 3
    assert run(["block", "account:4", "--for", "1h", *WORD, "--config", str(desk.config)]) == UsageError.exit_status
    assert "all enforcement is off (kill switch by anna: ticket 4711)" in desk.capsys.readouterr().err
    printed = desk.run("kill-switch", "off", *WORD)
    assert "in force again: account:3 block until" in printed
    assert [desk.status(f"account:{n}") for n in (1, 2, 3)] == ["revoked", "revoked", "active"]
    assert desk.run("kill-switch", "off", *WORD, status=1) == "enforcement was not off\n"
    assert [row[1:5] for row in desk.changes()][1:] == [
        ("kill_switch", "*", "", "kill switch, 3 blocks taken back"),
        ("kill_switch", "*", "kill switch", ""),
    ]


def test_kill_switch_of_a_detector(desk: Desk) -> None:
    """What names it ends, alone or with others; nobody else's, and no operator's."""
    desk.say(standing("account:1"), standing("account:2", detectors=("canary", "long_tail")), standing("account:4"))
    desk.say(standing("account:3", detectors=("canary",)))
    desk.run("block", "account:5", "--for", "1h", *WORD)
    desk.run("kill-switch", "on", "--detector", "canary", "--for", "2d", *WORD)
    assert [desk.status(f"account:{n}") for n in range(1, 6)] == ["active", "revoked", "revoked", "active", "active"]
    assert desk.ask("kill-switch", "off", "--detector", "canary", *WORD)["made"] == []
    assert (
        desk.run("kill-switch", "off", "--detector", "canary", *WORD, status=1) == "enforcement by canary was not off\n"
    )


def test_revoke(desk: Desk) -> None:
    """Every block of a revision, in whatever spelling of it; none of an operator's, whose file had the same."""
    desk.say(*(standing(f"account:{n}", config=f"sha256:{REVISION}") for n in range(3)), standing("account:9"))
    desk.say(standing("account:8", config=f"sha256:{REVISION}", detectors=()))
    assert len(desk.ask("revoke", "--config", REVISION, *WORD)["taken_back"]) == 3
    assert [desk.status(f"account:{n}") for n in (0, 1, 2, 8, 9)] == ["revoked"] * 3 + ["active"] * 2
    printed = desk.run("revoke", "--config", f"sha256:{'b' * 16}", *WORD, status=1)
    assert f"no block of it stands; what stands is of sha256:{'0' * 16}" in printed


def test_the_list_and_its_end(desk: Desk) -> None:
    """What ends first stands first; what has ended is left out; one is ended by its key, with what it made."""
    assert "no overrides" in desk.run("overrides")
    desk.run("allow", "account:1", "--for", "1s", *WORD)
    desk.run("allow", "account:2", "--for", "2d", *WORD)
    desk.run("block", "account:3", "--for", "1d", *WORD)
    desk.run("kill-switch", "on", "--detector", "canary", *WORD)
    time.sleep(1.1)
    keys = [one["key"] for one in desk.ask("overrides")["overrides"]]
    assert keys == ["account:3", "account:2", "kill_switch:canary"]
    assert [one["in_force"] for one in desk.ask("overrides", "--all")["overrides"]] == [False, True, True, True]
    assert "further" in desk.run("overrides")
    found = desk.ask("overrides", "end", "account:3", "--reason", "was wrong", "--owner", "bert")
    assert [one["status"] for one in found["taken_back"]] == ["revoked"]
    assert desk.status("account:3") == "revoked"
    assert desk.run("overrides", "end", "account:3", *WORD, status=1).startswith("account:3: no override is in force")
    assert [one["key"] for one in desk.ask("overrides")["overrides"]] == ["account:2", "kill_switch:canary"]
    assert desk.changes()[-1] == ("operator:bert", "override", "account:3", "block", "", "was wrong")


def test_what_weir_has_decided_stays_when_an_order_ends(desk: Desk) -> None:
    """A block on the same actor that names detectors is no operator's."""
    desk.run("block", "account:3", "--for", "1d", *WORD, "--action", "challenge")
    desk.say(standing("account:3"))
    assert desk.ask("overrides", "end", "account:3", *WORD)["taken_back"] == []
    assert desk.status("account:3") == "active"


def test_what_cannot_be_read_is_left_out(desk: Desk) -> None:
    """Bytes that are no block and no override keep nobody from overriding."""
    for one in (topic.BLOCKS, topic.OVERRIDES):
        wrong = [Sent(value, key) for value in (b"{", b"\xff") for key in (b"a", b"", b"\xff")]
        desk.broker.send(desk.name(one), wrong)
    desk.say(standing("account:1"))
    desk.run("unblock", "account:1", "--for", "1d", *WORD)
    assert desk.status("account:1") == "revoked"


def test_many(desk: Desk) -> None:
    """More than are sent at a time: all of them."""
    desk.say(*(standing(f"account:{n}") for n in range(2_500)))
    printed = desk.run("kill-switch", "on", *WORD)
    assert "taken back: 2,500 in all" in printed
    operating = Operating(desk.settings, OnKafka(desk.settings.kafka), wall_clock_us)
    assert operating.standing() == {}


def test_said_twice(desk: Desk) -> None:
    """Whoever was interrupted says it again: nothing is taken back twice, and the later word counts."""
    desk.say(standing("account:1"))
    first: dict[str, Any] = desk.ask("unblock", "account:1", "--for", "1d", *WORD)
    again = desk.ask("unblock", "account:1", "--for", "2d", *WORD)
    assert (len(first["taken_back"]), again["taken_back"]) == (1, [])
    assert again["replaced"] == first["override"]


def test_an_order_comes_back(desk: Desk) -> None:
    """An operator's challenge that gave way to a block of Weir's is in force again when that is taken back."""
    desk.run("block", "account:3", "--for", "1d", *WORD, "--action", "challenge")
    desk.say(standing("account:3", config=f"sha256:{REVISION}"))
    found = desk.ask("revoke", "--config", REVISION, *WORD)
    assert [(one["action"], one["status"]) for one in found["taken_back"]] == [("block", "revoked")]
    assert [(one["action"], one["status"]) for one in found["made"]] == [("challenge", "active")]
    assert desk.status("account:3") == "active"
