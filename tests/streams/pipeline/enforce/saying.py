"""Blocks as Weir writes them, and enforcers as they are known to behave."""

from dataclasses import dataclass, field
from typing import Final

from schemas.actor import Actor
from schemas.block import Action, Block, BlockMode, BlockStatus, Collateral
from schemas.event_time import format_time
from schemas.exposure import Exposure
from schemas.identity import stable_id
from streams.pipeline.enforce.decisions import US, Answer, Decisions, Told
from streams.pipeline.enforce.target import Target

T0_US: Final = 1_795_000_000 * US
"""Some second in 2026."""


def at(seconds: float) -> int:
    """A moment of a story."""
    return T0_US + int(seconds * US)


def block(
    key: str,
    until_s: float,
    *,
    action: Action = Action.BLOCK,
    mode: BlockMode = BlockMode.ENFORCE,
    status: BlockStatus = BlockStatus.ACTIVE,
    detectors: tuple[str, ...] = ("long_tail",),
    from_us: int = T0_US,
) -> Block:
    """A block on ``key`` that ends ``until_s`` after ``from_us``."""
    scope, _, value = key.partition(":")
    until_us = from_us + int(until_s * US)
    return Block(
        id=stable_id("block", key, until_us, action),
        incident=stable_id("incident", key),
        actor=Actor(scope, value),
        action=action,
        mode=mode,
        status=status,
        event_time=format_time(from_us),
        decided_at=format_time(from_us),
        until=format_time(until_us),
        detectors=list(detectors),
        reason="for a test",
        public_reason="unusual use",
        exposure=Exposure(profiles=1, exact=True),
        collateral=Collateral(accounts=1),
        config="sha256:" + "0" * 16,
        model="2026-11-24T09",
    )


@dataclass
class Log:
    """The blocks topic, with one partition or more, read by as many replicas as are asked for."""

    partitions: int = 1
    records: list[tuple[int, int, int, str, Block | None]] = field(default_factory=list)
    """Partition, offset, time, key, block."""

    def say(self, at_s: float, key: str, said: Block | None) -> None:
        """Write one record."""
        partition = sum(key.encode()) % self.partitions
        offset = sum(record[0] == partition for record in self.records)
        self.records.append((partition, offset, T0_US + int(at_s * US), key, said))

    def read(self) -> Decisions:
        """A replica that has read all of it."""
        decisions = Decisions(self.partitions)
        self.into(decisions)
        return decisions

    def into(self, decisions: Decisions) -> None:
        """Have a replica read on."""
        for record in self.records:
            decisions.apply(*record)


def values(told: list[Told]) -> list[str]:
    """Values of decisions, sorted."""
    return sorted(one.target.value for one in told)


@dataclass
class Clockless:
    """An enforcer that never lets go by itself and knows a value only: Envoy, Traefik in stream mode.

    New ones first and then the deleted, or the other way round: enforcers differ.
    """

    new_first: bool
    held: dict[str, str] = field(default_factory=dict)

    def take(self, answer: Answer) -> None:
        """Carry an answer out."""
        for part in ("new", "deleted") if self.new_first else ("deleted", "new"):
            for told in getattr(answer, part):
                if part == "new":
                    self.held[told.target.value] = told.word.type
                else:
                    self.held.pop(told.target.value, None)


@dataclass
class Timed:
    """A firewall's set with time-outs: what is in it keeps its time-out, whatever is added again."""

    held: dict[Target, int] = field(default_factory=dict)
    """End, in microseconds."""

    def take(self, answer: Answer, at_us: int) -> None:
        """Carry an answer out at a moment."""
        self.pass_time(at_us)
        for told in answer.deleted:
            self.held.pop(told.target, None)
        for told in answer.new:
            self.held.setdefault(told.target, at_us + -(-told.left_us // US) * US)

    def pass_time(self, at_us: int) -> None:
        """Drop what has ended."""
        self.held = {target: end for target, end in self.held.items() if end > at_us}
