"""What an operator does to an installation: writes overrides, and at once what follows from them for enforcers.

A worker that reads an override takes back what it has decided itself. But workers may be down when somebody must be let
in, so whoever writes an override also writes what ends the blocks that it is against. Both give the same records.
"""

import asyncio
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple, Protocol

from aiokafka import AIOKafkaProducer

from schemas import topic
from schemas.actor import Actor, Scope
from schemas.alert import ALERT_CODEC
from schemas.audit import Audit, AuditKind, Change, ChangeOf
from schemas.block import Action, Block, BlockMode, BlockStatus, decode_block
from schemas.errors import RecordError, UsageError
from schemas.event_time import format_time
from schemas.identity import stable_id
from schemas.override import EVERYTHING, Override, OverrideKind, decode_override
from schemas.topic import Topic
from streams import config
from streams.clock import Clock
from streams.live.connection import for_aiokafka
from streams.live.topics import partitions
from streams.live.whole_topic import last_values, refusals
from streams.outputs.cloudevents import Record, audit_record, override_end, override_record, record_of
from streams.pipeline.policy.exemption import touches
from streams.pipeline.policy.overrides import ADDRESSED, SPARING, Overrides
from streams.pipeline.policy.overruling import block_of, reason_of, taken_back
from streams.settings import KafkaSettings, Settings

SEND_MS: Final = 30_000
"""How long the broker may take to accept a record."""
PARCEL: Final = 1_000
"""Records that wait for the broker at a time."""
_CHANGES: Final = {
    OverrideKind.BLOCK: ChangeOf.OVERRIDE,
    OverrideKind.UNBLOCK: ChangeOf.OVERRIDE,
    OverrideKind.ALLOW: ChangeOf.OVERRIDE,
    OverrideKind.KILL_SWITCH: ChangeOf.KILL_SWITCH,
    OverrideKind.REVOKE: ChangeOf.REVOKE,
}


@dataclass(frozen=True, slots=True)
class Done:
    """What came of an operator's word."""

    override: Override
    replaced: Override | None
    """What was in force under its key."""
    standing: Mapping[str, Block]
    """What enforcers acted on, by actor, as the override was written."""
    taken_back: list[Block]
    made: list[Block]


class Place(Protocol):
    """Where an installation has its records."""

    def last(self, one: Topic) -> Iterator[tuple[str, bytes]]:
        """The last record of each key, without tombstones."""

    def send(self, outgoing: Sequence[Record]) -> None:
        """Write records in order, and wait until they are safe."""


class OnKafka:
    """The topics on a broker."""

    def __init__(self, kafka: KafkaSettings) -> None:
        """Nothing is read yet."""
        self._kafka = kafka

    def last(self, one: Topic) -> Iterator[tuple[str, bytes]]:
        """See `Place`.

        Raises:
            TransportError: the broker cannot be reached or refuses, or there is no such topic.
        """
        name = self._kafka.prefix + one.name
        last = last_values(self._kafka, name, partitions(self._kafka, [name])[name])
        return ((key, value) for key, value in last.items() if value is not None)

    def send(self, outgoing: Sequence[Record]) -> None:
        """See `Place`; raises `TransportError`."""
        with refusals(self._kafka):
            asyncio.run(send(self._kafka, outgoing))


class Operating:
    """One installation, as whoever may override it sees it."""

    def __init__(self, settings: Settings, place: Place, clock: Clock) -> None:
        """At ``place``; records name the revision of ``settings``."""
        self._place, self._clock = place, clock
        self._revision = config.revision(settings)

    def overrides(self) -> Overrides:
        """What stands on the topic; what is no override is left out, as workers do.

        Raises:
            TransportError: the broker cannot be reached or refuses, or there is no such topic.
        """
        found = Overrides()
        for key, value in self._place.last(topic.OVERRIDES):
            try:
                found.take(key, decode_override(value))
            except RecordError:
                continue
        return found

    def standing(self) -> dict[str, Block]:
        """What enforcers act on, by actor; raises as `overrides`."""
        found: dict[str, Block] = {}
        now = format_time(self._clock())
        for key, value in self._place.last(topic.BLOCKS):
            try:
                block = decode_block(value)
            except RecordError:
                continue
            if block is not None and is_enforced(block, now):
                found[key] = block
        return found

    def say(self, override: Override) -> Done:
        """Put an override in force: first for workers, then for enforcers, then for the audit.

        Raises:
            UsageError: it would have no effect.
            TransportError: as `overrides`; some of it may have been written, and to say it again is safe.
        """
        known, now_us = self.overrides(), self._clock()
        switch = known.switched_off(EVERYTHING, now_us)
        if override.kind is OverrideKind.BLOCK and switch is not None:
            raise UsageError(f"all enforcement is off ({reason_of(switch)}); weir kill-switch off lets it on again")
        replaced = known.under(override.key, now_us)
        # What a worker decides after this look it takes back itself, once it reads the override.
        standing = self.standing()
        self._place.send([override_record(override)])
        meant = {key for key, block in standing.items() if is_against(override, block)}
        meant |= self._in_its_place(override, standing)
        gone = [taken_back(block, override, now_us) for key, block in standing.items() if key in meant]
        known.take(override.key, override)
        # An operator's block that gave way to what is taken back now is in force again.
        made = [
            block_of(order, self._revision) for order in known.orders(now_us) if order.key in meant | {override.key}
        ]
        self._place.send([record_of(block, 0) for block in (*gone, *made)])
        done = Done(override, replaced, standing, gone, made)
        before = "" if replaced is None else described(replaced)
        self._tell(override, Told(override.owner, override.reason, before, _after(done)))
        return done

    def _in_its_place(self, override: Override, standing: Mapping[str, Block]) -> set[str]:
        """Sessions that were blocked in place of the account that is spared: their incidents are the account's.

        In the state of a watch nothing: who tells enforcers there is the watch, which takes them back by itself.
        """
        account = override.actor
        if override.kind not in SPARING or account is None or account.scope != Scope.ACCOUNT.label:
            return set()
        sessions = [one for one in standing.values() if one.actor.scope == Scope.SESSION.label and one.detectors]
        asked = {block.incident for block in sessions}
        if not asked:
            return set()
        told = {incident: value for incident, value in self._place.last(topic.ALERTS) if incident in asked}
        own = {incident for incident, value in told.items() if _is_on(value, account)}
        return {block.actor.key for block in sessions if block.incident in own}

    def end(self, key: str, owner: str, reason: str) -> Done | None:
        """Take an override back before its end; None where there is none under the key. Raises as `say`.

        With an operator's block ends what it made. With the switch of everything operators' blocks are back in force.
        """
        known, now_us = self.overrides(), self._clock()
        override = known.under(key, now_us)
        if override is None:
            return None
        standing = self.standing()
        self._place.send([override_end(override, format_time(now_us))])
        known.take(key, None)
        own = standing.get(key) if override.kind is OverrideKind.BLOCK else None
        gone = [] if own is None or own.detectors else [taken_back(own, override, now_us)]
        made: list[Block] = []
        if override.kind is OverrideKind.KILL_SWITCH and override.detector == EVERYTHING:
            made = [block_of(order, self._revision) for order in known.orders(now_us)]
        self._place.send([record_of(block, 0) for block in (*gone, *made)])
        self._tell(override, Told(owner, reason, described(override), ""))
        return Done(override, override, standing, gone, made)

    def _tell(self, override: Override, told: "Told") -> None:
        now, who = format_time(self._clock()), f"operator:{told.owner}"
        subject = override.detector or override.config or override.key
        entry = Audit(
            id=stable_id("audit", who, override.id, told.after),
            kind=AuditKind.CHANGED,
            time=now,
            who=who,
            causes=[],
            config=self._revision,
            change=Change(_CHANGES[override.kind], subject, told.before, told.after, told.reason),
        )
        self._place.send([audit_record(entry)])


class Told(NamedTuple):
    """What the audit is told of a change."""

    owner: str
    reason: str
    before: str
    after: str


async def send(kafka: KafkaSettings, outgoing: Sequence[Record]) -> None:
    """Write records in order and wait until the broker has them."""
    if not outgoing:
        return
    producer = AIOKafkaProducer(**for_aiokafka(kafka), acks="all", request_timeout_ms=SEND_MS)
    async with producer:
        for start in range(0, len(outgoing), PARCEL):
            futures = [
                await producer.send(kafka.prefix + one.topic, value=one.value, key=one.key, headers=one.headers)
                for one in outgoing[start : start + PARCEL]
            ]
            await asyncio.gather(*futures)


def is_enforced(block: Block, now: str) -> bool:
    """Enforcers act on it at ``now``."""
    return block.mode is BlockMode.ENFORCE and block.status is BlockStatus.ACTIVE and block.until > now


def is_against(override: Override, block: Block) -> bool:
    """An override takes a block back.

    A block that names no detector is an operator's own, which neither a detector's switch nor a revision stands for.
    """
    if override.kind is OverrideKind.KILL_SWITCH:
        return override.detector == EVERYTHING or override.detector in block.detectors
    if override.kind is OverrideKind.REVOKE:
        return bool(block.detectors) and block.config == override.config
    return override.kind is not OverrideKind.BLOCK and override.actor == block.actor


def _is_on(alert: bytes, actor: Actor) -> bool:
    try:
        return ALERT_CODEC.decode(alert).actor == actor
    except RecordError:
        return False


def touching(actor: Actor, blocks: Iterable[Block]) -> list[Block]:
    """Blocks on other actors that share an address with this one, and so still meet it."""
    if actor.scope not in ADDRESSED:
        return []
    # Two addresses that touch are one; to look at networks alone is quick, however many addresses there are.
    scopes = {Scope.NET.label} if actor.scope == Scope.IP.label else ADDRESSED
    near = (block for block in blocks if block.actor.scope in scopes and block.actor != actor)
    return [block for block in near if touches(actor.key, block.actor)]


def described(override: Override) -> str:
    """What is decided and until when, in a few words."""
    what = override.kind.value.replace("_", " ")
    if override.action is not None and override.action is not Action.BLOCK:
        what = f"{what} ({override.action})"
    return what if override.until is None else f"{what} until {override.until}"


def _after(done: Done) -> str:
    gone = len(done.taken_back)
    return described(done.override) + (f", {gone} block{'s' * (gone != 1)} taken back" if gone else "")
