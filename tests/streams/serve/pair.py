"""Weir and CrowdSec's own local API side by side, with the same bouncers: what each tells them, held together."""

import math
import re
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from schemas.actor import Actor
from schemas.block import Action, Block, BlockStatus
from streams.pipeline.enforce.decisions import OVERLAP_US, US, Decisions
from streams.pipeline.enforce.target import target_of
from streams.pipeline.enforce.word import TYPES
from tests.streams.pipeline.enforce.saying import T0_US, Log, block
from tests.streams.serve.oracle import Oracle
from tests.streams.serve.serving import Served

STREAM: Final = "/v1/decisions/stream"


class Kind(NamedTuple):
    """A bouncer: what it asks for, and which types it carries out."""

    name: str
    scopes: tuple[str, ...]
    types: tuple[str, ...]
    asked: str = ""

    def told(self, kind: str) -> str:
        """As what it is told a type: a throttle is a captcha to who knows only those."""
        softened = kind == "throttle" and kind not in self.types
        return "captcha" if softened else kind


KINDS: Final = (
    Kind("edge", ("Ip", "Range"), ("ban", "captcha")),
    Kind("bans", ("Ip", "Range"), ("ban",)),
    Kind("login", ("username", "AS"), ("ban", "captcha", "throttle"), "scopes=username,as"),
    Kind("all", ("Ip", "Range", "username", "AS"), ("ban", "captcha", "throttle"), "scopes=IP,range,username,AS"),
)
ASKS: Final = "asks"
"""Who asks the oracle live: a question moves the asker's place in its stream when it has not pulled for a minute."""
Place = tuple[str, str]
"""Scope and value."""


class Left(NamedTuple):
    """A decision as it was told."""

    type: str
    left_s: int


Found = dict[Place, set[Left]]
"""What an answer tells, by target."""


class Answer(NamedTuple):
    """Of the stream."""

    new: Found
    gone: Found


def read(told: list[dict[str, Any]] | None, kind: Kind | None = None) -> Found:
    """Decisions of an answer: of one type the longest, and where ``kind`` is given those that it can carry out.

    CrowdSec's local API knows no types of a key, and lists each of several decisions on one target.
    """
    longest: dict[tuple[str, str, str], int] = {}
    for one in told or ():
        told_as = one["type"] if kind is None else kind.told(one["type"])
        if kind is None or (told_as in kind.types and one["scope"] in kind.scopes):
            place = one["scope"], one["value"], told_as
            longest[place] = max(longest.get(place, seconds(one["duration"])), seconds(one["duration"]))
    found: Found = {}
    for (scope, value, told_type), left_s in longest.items():
        found.setdefault((scope, value), set()).add(Left(told_type, left_s))
    return found


def shown(type_: str, kind: Kind) -> str:
    """As what Weir tells a type to a bouncer: a throttle as a captcha to who knows no throttle; empty for nothing."""
    if type_ in kind.types:
        return type_
    return "captcha" if type_ == "throttle" and "captcha" in kind.types else ""


def seconds(duration: str) -> int:
    """A duration as Go spells it, rounded up."""
    found = re.fullmatch(r"(-?)(?:(\d+)h)?(?:(\d+)m)?(?:([\d.]+)s)?([\d.]+(?:ms|\u00b5s|ns))?", duration)
    assert found, duration
    length_s = int(found[2] or 0) * 3600 + int(found[3] or 0) * 60 + float(found[4] or 0) + bool(found[5]) / 2
    return math.ceil(-length_s if found[1] else length_s)


def same(ours: Found, theirs: Found) -> bool:
    """Whether both tell the same, but for a second by which clocks and rounding differ."""
    if ours.keys() != theirs.keys():
        return False
    for place, found in ours.items():
        pairs = zip(sorted(found), sorted(theirs[place]), strict=False)
        if len(found) != len(theirs[place]) or any(a.type != b.type or abs(a.left_s - b.left_s) > 1 for a, b in pairs):
            return False
    return True


@dataclass
class Held:
    """What one bouncer without a clock carries out after what both have told it."""

    ours: dict[Place, str] = field(default_factory=dict)
    theirs: dict[Place, set[str]] = field(default_factory=dict)
    pulled_us: int = 0


@dataclass
class Pair:
    """Weir and the oracle, with the same bouncers."""

    server: Served
    oracle: Oracle
    keys: dict[str, str]
    last: dict[str, tuple[str, int]] = field(default_factory=dict)
    """Type and end of what was said of each actor last."""
    ends_us: dict[Place, list[int]] = field(default_factory=dict)
    held: dict[str, Held] = field(default_factory=dict)

    async def begin(self) -> None:
        """Forget all, and have every bouncer start."""
        self.oracle.forget()
        self.server.known.log, self.server.known.decisions = Log(), Decisions(1)
        self.server.now_us = self.oracle.now_us
        self.last, self.ends_us, self.held = {}, {}, {kind.name: Held() for kind in KINDS}
        for kind in KINDS:
            await self.pull(kind, anew=True)

    async def say(self, key: str, length_s: int, action: Action) -> None:
        """A block: what stood is lengthened, or another takes its place."""
        kind, end_us, target = TYPES[action], self.oracle.now_us + length_s * US, target_of(actor(key))
        before = self.last.get(key)
        if before is not None and (before[0] != kind or before[1] > end_us):
            await self.oracle.lift(target)
        await self.oracle.say(target, kind, length_s)
        self._write(key, block(key, length_s, action=action, from_us=self.oracle.now_us))
        self.last[key] = kind, end_us
        self.ends_us.setdefault(target, []).append(end_us)

    async def lift(self, key: str, tombstone: bool) -> None:
        """Take back."""
        await self.oracle.lift(target_of(actor(key)))
        self._write(key, None if tombstone else block(key, 60, status=BlockStatus.REVOKED, from_us=self.oracle.now_us))
        self.last.pop(key, None)

    def pass_time(self, seconds: float) -> None:
        """For both."""
        self.oracle.pass_time(seconds)
        self.server.now_us = self.oracle.now_us

    def _write(self, key: str, said: Block | None) -> None:
        self.server.known.log.say((self.oracle.now_us - T0_US) / US, key, said)
        self.server.known.log.into(self.server.known.decisions)

    async def _both(self, kind: Kind, path: str, name: str) -> tuple[Any, Any]:
        ours = await self.server.ask(path, self.keys[kind.name])
        assert ours.status == 200, ours
        return ours.json, await self.oracle.ask(path, name)

    async def ask(self, kind: Kind, question: str) -> None:
        """A live question."""
        if kind.told("throttle") == "captcha" and "type=captcha" in question:
            return  # CrowdSec cannot know that throttles are among the captchas
        path = f"/v1/decisions?{question}"
        ours, theirs = await self._both(kind, path, ASKS)
        assert same(read(ours), read(theirs, kind)), (ours, theirs)

    async def pull(self, kind: Kind, anew: bool) -> None:
        """Pull from both, hold the answers against one another, and what a bouncer has after them."""
        told, their_told = await self._both(kind, f"{STREAM}?startup={str(anew).lower()}&{kind.asked}", kind.name)
        ours = Answer(read(told["new"]), read(told["deleted"]))
        theirs = Answer(read(their_told["new"], kind), read(their_told["deleted"], kind))
        held = self.held[kind.name]
        if anew:
            assert same(ours.new, theirs.new), (ours, theirs)
            assert ours.gone.keys() == theirs.gone.keys() - ours.new.keys(), (ours, theirs)
        else:
            self._compare(held, ours, theirs)
        take(held, ours, theirs)
        held.pulled_us = self.oracle.now_us
        assert {place: {found} for place, found in held.ours.items()} == held.theirs

    def _compare(self, held: Held, ours: Answer, theirs: Answer) -> None:
        again = {place for place in ours.new.keys() - theirs.new.keys() if self._ended(place, held.pulled_us)}
        assert same({place: found for place, found in ours.new.items() if place not in again}, theirs.new), (
            ours,
            theirs,
        )
        lost = {place for place, found in theirs.gone.items() if held.ours.get(place) in {one.type for one in found}}
        assert lost - ours.new.keys() == ours.gone.keys() & held.ours.keys(), (ours, theirs, held.ours)

    def _ended(self, place: Place, since_us: int) -> bool:
        return any(since_us - OVERLAP_US < end <= self.oracle.now_us for end in self.ends_us.get(place, ()))


def take(held: Held, ours: Answer, theirs: Answer) -> None:
    """Carry both answers out: of Weir's a bouncer may know the value alone, of CrowdSec's it needs the type."""
    for place, found in ours.new.items():
        held.ours[place] = next(iter(found)).type
    for place in ours.gone:
        held.ours.pop(place, None)
    for place, found in theirs.gone.items():
        held.theirs[place] = held.theirs.get(place, set()) - {one.type for one in found}
    for place, found in theirs.new.items():
        held.theirs[place] = held.theirs.get(place, set()) | {one.type for one in found}
    held.theirs = {place: types for place, types in held.theirs.items() if types}


def actor(key: str) -> Actor:
    """The actor of a key."""
    scope, _, value = key.partition(":")
    return Actor(scope, value)
