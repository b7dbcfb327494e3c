"""A brake on a broker: a wave trips it, a killed worker's successor goes on with it, the audit tells of it once."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from schemas import topic
from schemas.audit import AUDIT_CODEC, AuditKind, Change, ChangeOf
from schemas.block import BLOCK_CODEC, Block, BlockMode
from tests.broker.installation import PARTITIONS, Installation, feed, installed
from tests.brokers import Broker
from tests.requests import START_S, views

pytestmark = pytest.mark.timeout(300)
ACCOUNTS = 40


@pytest.fixture
def weir(broker: Broker, tmp_path: Path) -> Iterator[Installation]:
    """An installation in which a partition may begin one block a minute; its workers have not been started."""
    with installed(broker, tmp_path, requests=broker.topic(PARTITIONS)) as made:
        text = made.config.read_text()
        limit = "block_age_max_s = 0\nblocks_per_minute_max = 1"
        made.config.write_text(text.replace("block_age_max_s = 0", limit))
        yield made


def wave(name: str, start_s: float) -> list[bytes]:
    """So many accounts that each look at fifty profiles within twenty seconds."""
    walks = [views(start_s, 50, 0.4, prefix=f"{name}{n}x", account=f"{name}{n}", ip=None) for n in range(ACCOUNTS)]
    return [event for at_once in zip(*walks, strict=True) for event in at_once]


def judged(weir: Installation, events: list[bytes]) -> None:
    """Feed requests and wait until all of them are judged."""
    feed(weir.broker, weir.requests, events)
    weir.wait_judged()


def blocks(weir: Installation, name: str) -> list[Block]:
    """What was said of the accounts of a wave."""
    found = [BLOCK_CODEC.decode(one.value) for one in weir.read(weir.own(topic.BLOCKS)) if one.value is not None]
    return [block for block in found if block.actor.key.startswith(f"account:{name}")]


def changes(weir: Installation) -> list[Change]:
    """What the audit tells of brakes."""
    entries = [AUDIT_CODEC.decode(one.value or b"") for one in weir.read(weir.own(topic.AUDIT))]
    assert len({entry.id for entry in entries}) == len(entries)
    told = [entry.change for entry in entries if entry.kind is AuditKind.CHANGED and entry.change is not None]
    return [change for change in told if change.of is ChangeOf.BRAKE]


def test_a_wave(weir: Installation) -> None:
    """One block a partition is enforced, the rest is shown; the state of the brake survives the worker."""
    first = weir.start()
    judged(weir, wave("a", START_S))
    weir.wait(lambda: len({block.actor.key for block in blocks(weir, "a")}) == ACCOUNTS, "all to be found")
    enforced = [block for block in blocks(weir, "a") if block.mode is BlockMode.ENFORCE]
    held = changes(weir)
    assert 0 < len({block.actor.key for block in enforced}) <= PARTITIONS
    assert {change.after for change in held} == {"holds"}
    assert len({change.subject for change in held}) == len(held) > 1
    first.kill()
    weir.start()
    judged(weir, wave("b", START_S + 300))
    weir.wait(lambda: len({block.actor.key for block in blocks(weir, "b")}) == ACCOUNTS, "all to be found")
    # A partition that has begun none of the first wave may begin one of the second.
    again = {block.actor.key for block in blocks(weir, "b") if block.mode is BlockMode.ENFORCE}
    assert len(again) <= PARTITIONS - len(held)
    judged(weir, views(START_S + 3_000, 2, account="later", ip=None))
    weir.wait(lambda: {change.after for change in changes(weir)} == {"holds", ""}, "the brakes to let go")
    over = [change for change in changes(weir) if not change.after]
    assert len({change.subject for change in over}) == len(over)
