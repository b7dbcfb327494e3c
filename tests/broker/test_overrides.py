"""Operators' overrides on a broker: a worker finds and blocks, an operator overrules, `weir serve` tells enforcers."""

import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from schemas import topic
from schemas.audit import AUDIT_CODEC, Audit, ChangeOf
from schemas.block import BLOCK_CODEC, Block, BlockMode, BlockStatus
from schemas.event_time import format_time
from schemas.identity import stable_id
from schemas.override import OVERRIDE_CODEC, Override, OverrideKind
from streams.cli.main import run
from tests.broker.installation import Installation, feed, installed
from tests.broker.serving import Replica, wait
from tests.brokers import Broker, Sent

pytestmark = pytest.mark.timeout(300)

ADDRESS = "203.0.113.77"
KEY = f"ip:{ADDRESS}"


@pytest.fixture
def weir(broker: Broker, tmp_path: Path) -> Iterator[Installation]:
    """An installation that decides anew every second; its workers have not been started."""
    with installed(broker, tmp_path, requests=broker.topic(8)) as made:
        text = made.config.read_text()
        made.config.write_text(text.replace("block_age_max_s = 0", "block_age_max_s = 0\ncooldown_s = 1"))
        yield made


@pytest.fixture
def replica(weir: Installation) -> Iterator[Replica]:
    """`weir serve`, ready."""
    made = Replica(weir, weir.directory / "replica.log")
    try:
        made.start()
        made.wait_ready()
        yield made
    finally:
        made.process.kill()
        made.process.wait()


def weir_command(weir: Installation, *arguments: str) -> int:
    """Run a command against the installation; its exit status."""
    option = "--config-file" if arguments[0] == "revoke" else "--config"
    return run([*arguments, option, str(weir.config)])


def walk(weir: Installation, profiles: int = 150) -> None:
    """A visitor without an account looks at one profile after the other, twenty in a second, the last of them now."""
    end_us = time.time_ns() // 1000
    events = [
        {
            "@timestamp": format_time(end_us - (profiles - n) * 50_000),
            "http.request.method": "GET",
            "url.path": f"/people/{end_us // 1_000_000 % 1_000_000}{n}",
            "http.response.status_code": 200,
            "client.address": ADDRESS,
        }
        for n in range(profiles)
    ]
    feed(weir.broker, weir.requests, [msgspec.json.encode(event) for event in events])


def said(weir: Installation) -> list[Block | None]:
    """All that the blocks topic was told of the address, in order; None is a tombstone."""
    found = [one.value for one in weir.read(weir.own(topic.BLOCKS)) if one.key == KEY.encode()]
    return [None if value is None else BLOCK_CODEC.decode(value) for value in found]


def enforced(block: Block | None) -> bool:
    """Enforcers act on it."""
    return block is not None and block.mode is BlockMode.ENFORCE and block.status is BlockStatus.ACTIVE


def alerts(weir: Installation) -> int:
    """Alerts on the address."""
    return sum(one.record["actor"]["value"] == ADDRESS for one in weir.read(weir.own(topic.ALERTS)))


def told(replica: Replica) -> list[str]:
    """Addresses that a new enforcer is told to block."""
    status, answer = replica.ask("/v1/decisions/stream?startup=true")
    assert status == 200
    return [one["value"] for one in answer["new"]]


def wait_blocked(weir: Installation, replica: Replica) -> Block:
    """Walk until the worker has blocked the address and enforcers are told; the block, as all of the walk left it."""
    weir.start()
    walk(weir, profiles=1)
    weir.wait_through(weir.requests)
    walk(weir)
    weir.wait(lambda: bool(said(weir)) and enforced(said(weir)[-1]), "a block")
    wait(lambda: told(replica) == [ADDRESS], replica.output)
    weir.wait_judged()
    block = said(weir)[-1]
    assert block is not None
    return block


def wait_lifted(replica: Replica) -> None:
    """Wait until enforcers are told nothing of the address any more."""
    wait(lambda: told(replica) == [], replica.output)


def walk_on(weir: Installation) -> None:
    """Walk again, and wait until that is judged and has led to another alert."""
    before = alerts(weir)
    time.sleep(1.5)  # the cooldown, in event time
    walk(weir)
    weir.wait(lambda: alerts(weir) > before, "another alert")
    weir.wait_judged()


def audit(weir: Installation) -> list[Audit]:
    """What the audit says of changes."""
    entries = [AUDIT_CODEC.decode(one.value or b"") for one in weir.read(weir.own(topic.AUDIT))]
    return [entry for entry in entries if entry.change is not None]


def changes(weir: Installation, of: ChangeOf) -> list[tuple[str, str, str, str]]:
    """Who changed what into what, and why."""
    found = [(entry.who, entry.change) for entry in audit(weir)]
    return [(who, one.subject, one.after, one.reason) for who, one in found if one is not None and one.of is of]


def test_unblock(weir: Installation, replica: Replica, capsys: pytest.CaptureFixture[str]) -> None:
    """A block that a worker has made is lifted in enforcers; the actor goes on, is told of, and is not blocked again.

    Nor is it after a restart, which reads the override anew; and once that is ended, it is.
    """
    block = wait_blocked(weir, replica)
    arguments = ("--reason", "office", "--owner", "anna")
    assert weir_command(weir, "unblock", KEY, "--for", "1d", *arguments) == 0
    assert f"taken back: {KEY} block until {block.until}" in capsys.readouterr().out
    wait_lifted(replica)
    walk_on(weir)
    assert weir.workers[0].stop() == 0
    weir.start()
    walk_on(weir)
    after = said(weir)[said(weir).index(block) + 1 :]
    taken = [one for one in after if one is not None]
    assert {one.status for one in taken} == {BlockStatus.REVOKED}
    assert len({one.id for one in taken}) == 1
    assert taken[0].incident == block.incident
    assert taken[0].reason == "unblock by anna: office"
    assert told(replica) == []
    assert [row[0::3] for row in changes(weir, ChangeOf.OVERRIDE)] == [("operator:anna", "office")]
    assert weir_command(weir, "overrides", "end", KEY, *arguments) == 0
    weir.meanwhile = lambda: walk_slowly(weir)
    weir.wait(lambda: enforced(said(weir)[-1]), "a block once more")
    wait(lambda: told(replica) == [ADDRESS], replica.output)


def walk_slowly(weir: Installation) -> None:
    """Some more steps, and a pause."""
    walk(weir)
    time.sleep(1.5)


def test_allow_before_anybody_was_seen(weir: Installation, replica: Replica) -> None:
    """A network is allowed before it is heard of: an address in it is told of and never blocked.

    What else stands on the topic and is no override stops nobody.
    """
    wrong = [b"{", b"null", OVERRIDE_CODEC.encode(sparing("ip:no address"))]
    weir.broker.send(weir.own(topic.OVERRIDES), [Sent(value, b"ip:no address") for value in wrong])
    weir.broker.send(weir.own(topic.OVERRIDES), [Sent(OVERRIDE_CODEC.encode(sparing(KEY)), b"ip:198.51.100.1")])
    assert weir_command(weir, "allow", "net:203.0.113.0/24", "--for", "1h", "--reason", "load test") == 0
    worker = weir.start()
    walk(weir, profiles=1)
    weir.wait_through(weir.requests)
    walk(weir)
    weir.wait(lambda: alerts(weir) > 0, "an alert")
    walk_on(weir)
    assert not any(enforced(one) for one in said(weir))
    assert told(replica) == []
    assert worker.output().count("is no override") == len(wrong) + 1
    assert "no address" not in worker.output().replace("neither an address", "")


def test_kill_switch_without_workers(weir: Installation, replica: Replica) -> None:
    """With no worker running enforcers let go; one that starts enforces nothing until the switch is off again."""
    wait_blocked(weir, replica)
    weir.workers[0].kill()
    assert weir_command(weir, "kill-switch", "on", "--reason", "customers are locked out", "--owner", "anna") == 0
    wait_lifted(replica)
    assert weir_command(weir, "block", KEY, "--for", "1h", "--reason", "x") == 2
    weir.start()
    walk_on(weir)
    assert told(replica) == []
    assert weir_command(weir, "kill-switch", "off", "--reason", "mended", "--owner", "anna") == 0
    assert weir_command(weir, "kill-switch", "off", "--reason", "mended") == 1
    weir.meanwhile = lambda: walk_slowly(weir)
    weir.wait(lambda: enforced(said(weir)[-1]), "a block once more")
    assert [row[2:] for row in changes(weir, ChangeOf.KILL_SWITCH)] == [
        ("kill switch, 1 block taken back", "customers are locked out"),
        ("", "mended"),
    ]


def test_revoke(weir: Installation, replica: Replica, capsys: pytest.CaptureFixture[str]) -> None:
    """One command takes back every block of a config revision, and no other; who still runs under it makes no more."""
    block = wait_blocked(weir, replica)
    assert weir_command(weir, "revoke", "--config", "sha256:0123456789abcdef", "--reason", "x") == 1
    assert f"what stands is of {block.config}" in capsys.readouterr().out
    assert told(replica) == [ADDRESS]
    assert weir_command(weir, "revoke", "--config", block.config, "--reason", "wrong limit") == 0
    wait_lifted(replica)
    walk_on(weir)
    assert not enforced(said(weir)[-1])
    assert told(replica) == []


def test_the_worker_takes_its_own_back(weir: Installation, replica: Replica) -> None:
    """An override that a worker reads behind the block that it has just written: the block is taken back all the same.

    Here nobody but the worker could have done so.
    """
    block = wait_blocked(weir, replica)
    override = sparing(KEY)
    weir.broker.send(weir.own(topic.OVERRIDES), [Sent(OVERRIDE_CODEC.encode(override), override.key.encode())])
    wait_lifted(replica)
    last = said(weir)[-1]
    assert last is not None
    assert (last.status, last.incident, last.until) == (BlockStatus.REVOKED, block.incident, block.until)


def test_an_operators_block_outlasts_a_workers(weir: Installation, replica: Replica) -> None:
    """The worker's own block ends, its tombstone does not end the operator's; the operator's goes when it is ended."""
    text = weir.config.read_text()
    weir.config.write_text(text.replace("cooldown_s = 1", "cooldown_s = 1\nblock_s = 20"))
    block = wait_blocked(weir, replica)
    assert weir_command(weir, "block", KEY, "--for", "1h", "--reason", "scraped", "--action", "challenge") == 0
    walk_on(weir)
    weir.wait(lambda: format_time(time.time_ns() // 1000 - 4_000_000) > block.until, "the end of the worker's block")
    walk(weir, profiles=1)
    weir.wait_judged()
    last = said(weir)[-1]
    assert last is not None
    assert enforced(last)
    assert told(replica) == [ADDRESS]
    assert weir_command(weir, "overrides", "end", KEY, "--reason", "enough") == 0


def sparing(key: str) -> Override:
    """An override of the last seconds that spares an actor."""
    now_us = time.time_ns() // 1000
    scope, _, value = key.partition(":")
    fields: dict[str, Any] = {"id": f"test-{now_us}", "kind": OverrideKind.UNBLOCK, "owner": "anna", "reason": "race"}
    times = {"since": format_time(now_us), "until": format_time(now_us + 3_600_000_000)}
    return msgspec.convert({**fields, **times, "actor": {"scope": scope, "value": value}}, Override)


def test_rebuilt_without_a_checkpoint(weir: Installation, replica: Replica) -> None:
    """A partition that judges all once more goes by an override as it stood: nothing against it is said again.

    What was taken back is taken back again under the same id; and so is what was asked for before the override and
    judged behind it, which was spared then.
    """
    weir.config.write_text(weir.config.read_text().replace("interval_s = 1", "interval_s = 0"))
    block = wait_blocked(weir, replica)
    assert weir_command(weir, "unblock", KEY, "--for", "1d", "--reason", "office") == 0
    wait_lifted(replica)
    walk_on(weir)
    weir.workers[0].kill()
    before = len(said(weir))
    weir.start()
    walk_on(weir)
    assert re.search(r"reading from 0, silent below [1-9]", weir.workers[1].output())
    after = said(weir)
    assert not any(enforced(one) for one in after[before:])
    taken = {one.id for one in after if one is not None and one.status is BlockStatus.REVOKED}
    assert stable_id("revoke", block.id, standing_override(weir).id) in taken
    assert told(replica) == []


def standing_override(weir: Installation) -> Override:
    """The one that is in force."""
    return OVERRIDE_CODEC.decode(weir.read(weir.own(topic.OVERRIDES))[-1].value or b"")
