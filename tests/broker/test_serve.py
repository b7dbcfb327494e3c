"""`weir serve` on a broker: blocks in, decisions out, by two replicas and to a real enforcer."""

import contextlib
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from schemas import topic
from schemas.block import BLOCK_CODEC, Block, BlockMode
from schemas.event_time import format_time, parse_time_us
from streams.outputs.cloudevents import record_of
from tests.broker.installation import Installation, feed, installed
from tests.broker.serving import BOUNCER, CustomBouncer, Replica, wait
from tests.brokers import Broker, Sent
from tests.streams.pipeline.enforce.saying import block

pytestmark = pytest.mark.timeout(180)

STREAM = "/v1/decisions/stream"
LATE_S = 12.0
"""Of an enforcer that pulls every 10 s."""


@pytest.fixture
def weir(broker: Broker, tmp_path: Path) -> Iterator[Installation]:
    """An installation whose workers have not been started."""
    with installed(broker, tmp_path, requests=broker.topic(8)) as made:
        yield made


@contextlib.contextmanager
def running(weir: Installation, count: int) -> Iterator[list[Replica]]:
    """Replicas, ready."""
    made = [Replica(weir, weir.directory / f"replica-{number}.log") for number in range(count)]
    try:
        for one in made:
            one.start()
        for one in made:
            one.wait_ready()
        yield made
    finally:
        for one in made:
            one.process.kill()
            one.process.wait()


@pytest.fixture
def replica(weir: Installation) -> Iterator[Replica]:
    """One, ready."""
    with running(weir, 1) as made:
        yield made[0]


@pytest.fixture
def replicas(weir: Installation) -> Iterator[list[Replica]]:
    """Two, ready."""
    with running(weir, 2) as made:
        yield made


def say(weir: Installation, key: str, said: Block | None, partition: int) -> None:
    """Write a record to the blocks topic."""
    value = None if said is None else record_of(said, 0).value
    weir.broker.send(weir.own(topic.BLOCKS), [Sent(value, key.encode(), partition=partition)])


def now_us() -> int:
    """Now."""
    return time.time_ns() // 1000


def pull(replica: Replica, part: str, expected: list[str], rest: str = "") -> list[dict[str, Any]]:
    """Pull until a part of the answer has these values; on Kafka that is the first pull.

    The embedded broker says late how far a topic goes.
    """
    tries = 1 if replica.weir.broker.kind == "kafka" else 40
    for _ in range(tries):
        status, answer = replica.ask(STREAM + rest)
        assert status == 200
        if sorted(one["value"] for one in answer[part]) == expected:
            return list(answer[part])
        time.sleep(0.05)
    raise AssertionError(f"{answer} has not {expected} in {part}")


def test_two_replicas(weir: Installation, replicas: list[Replica]) -> None:
    """A block is told by either on the next pull under one id; so is its end, and a third that starts then agrees.

    On Kafka a pull waits until the replica has read all that was on the topic, so no pull is too early.
    """
    keys = ("ip:203.0.113.7", "net:198.51.100.0/24", "ip:203.0.113.9")
    for partition, key in enumerate(keys[:2]):
        say(weir, key, block(key, 600, from_us=now_us()), partition)
    say(weir, keys[2], block(keys[2], 600, from_us=now_us(), mode=BlockMode.SHADOW), 2)
    told = [pull(one, "new", ["198.51.100.0/24", "203.0.113.7"], "?startup=true") for one in replicas]
    first, second = [{one["value"]: one["id"] for one in answer} for answer in told]
    assert first == second == {"203.0.113.7": 0, "198.51.100.0/24": 1 << 40}
    say(weir, keys[0], None, 0)
    ended = [pull(one, "deleted", ["203.0.113.7"]) for one in replicas]
    assert [(one["id"], one["duration"]) for answer in ended for one in answer] == [(0, "0s"), (0, "0s")]
    assert replicas[1].ask("/v1/decisions?ip=203.0.113.7") == (200, None)
    assert [one.stop() for one in replicas] == [0, 0]


def test_complete_or_503(weir: Installation) -> None:
    """From its first moment on, while it reads thousands of blocks, a replica tells all of them or none."""
    values = [f"10.0.{n // 250}.{n % 250}" for n in range(10_000)]
    blocks = [record_of(block(f"ip:{value}", 600, from_us=now_us()), 0) for value in values]
    weir.broker.send(weir.own(topic.BLOCKS), [Sent(one.value, one.key) for one in blocks])
    starting = Replica(weir, weir.directory / "starting.log")
    starting.start()
    try:
        starting.wait_listening()
        statuses = []
        while 200 not in statuses:
            status, answer = starting.ask(f"{STREAM}?startup=true")
            statuses.append(status)
            assert status == 503 or sorted(one["value"] for one in answer["new"]) == sorted(values)
        assert set(statuses) <= {200, 503}
    finally:
        starting.process.kill()
        starting.process.wait()


def test_what_is_no_block(weir: Installation, replica: Replica) -> None:
    """Bytes that are no block are passed over with a line in the log; what was said of the actor before goes on."""
    key = "ip:203.0.113.7"
    say(weir, key, block(key, 600, from_us=now_us()), 0)
    wrong = [b"{", b"", b"null", BLOCK_CODEC.encode(block("ip:192.0.2.1", 600))]
    weir.broker.send(weir.own(topic.BLOCKS), [Sent(value, key.encode()) for value in wrong])
    say(weir, "ip:203.0.113.8", block("ip:203.0.113.8", 600, from_us=now_us()), 0)
    told = pull(replica, "new", ["203.0.113.7", "203.0.113.8"], "?startup=true")
    assert sorted(one["id"] for one in told) == [0, 5]
    assert replica.output().count("is no block") == len(wrong)
    assert "192.0.2.1" not in replica.output()


@pytest.mark.skipif(BOUNCER is None, reason="needs crowdsec-custom-bouncer, a package of Debian")
def test_a_real_enforcer(weir: Installation, replica: Replica, tmp_path: Path) -> None:
    """A worker catches a scraper; CrowdSec's own bouncer, pulling every 10 s, blocks it within 12 s and lifts it."""
    bouncer = CustomBouncer(tmp_path)
    bouncer.start(replica.at, replica.key)
    text = weir.config.read_text()
    weir.config.write_text(text.replace("block_age_max_s = 0", "block_age_max_s = 0\nblock_s = 20"))
    weir.start()
    try:
        walk(weir, profiles=1)
        weir.wait_through(weir.requests)
        walk(weir, profiles=150)
        weir.wait(lambda: bool(blocks(weir)), "a block")
        seen_s, one = time.monotonic(), blocks(weir)[0]
        late_s = (now_us() - parse_time_us(one.decided_at)) / 1e6
        wait(lambda: ["add", "203.0.113.77"] in [call[:2] for call in bouncer.calls()], replica.output, LATE_S)
        assert time.monotonic() - seen_s + late_s < LATE_S + 2
        left_s = (parse_time_us(one.until) - now_us()) / 1e6
        wait(
            lambda: ["del", "203.0.113.77"] in [call[:2] for call in bouncer.calls()],
            lambda: f"{bouncer.calls()}\n{replica.output()}",
            max(left_s, 0) + LATE_S,
        )
        assert now_us() >= parse_time_us(one.until)
    finally:
        bouncer.stop()


def walk(weir: Installation, profiles: int) -> None:
    """A visitor without an account looks at one profile after the other, twenty in a second, the last of them now."""
    end_us = now_us()
    events = [
        {
            "@timestamp": format_time(end_us - (profiles - n) * 50_000),
            "http.request.method": "GET",
            "url.path": f"/people/{1000 + n}",
            "http.response.status_code": 200,
            "client.address": "203.0.113.77",
        }
        for n in range(profiles)
    ]
    feed(weir.broker, weir.requests, [msgspec.json.encode(event) for event in events])


def blocks(weir: Installation) -> list[Block]:
    """Blocks on the address, as the worker has written them."""
    found = [one.value for one in weir.read(weir.own(topic.BLOCKS)) if one.key == b"ip:203.0.113.77" and one.value]
    return [BLOCK_CODEC.decode(value) for value in found]
