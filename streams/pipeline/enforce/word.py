"""What the topic has said of an actor, record by record, and who may see it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from schemas.block import Action, Block, BlockMode, BlockStatus
from schemas.event_time import parse_time_us
from streams.pipeline.enforce.target import IP, RANGE, Target

ORIGIN: Final = "weir"
BAN: Final = "ban"
CAPTCHA: Final = "captcha"
THROTTLE: Final = "throttle"
TYPES: Final = {Action.BLOCK: BAN, Action.CHALLENGE: CAPTCHA, Action.THROTTLE: THROTTLE}
"""By action."""
STRENGTH: Final = {"": 0, CAPTCHA: 1, THROTTLE: 2, BAN: 3}
OFFSET_BITS: Final = 40
"""With 13 bits of partition below 2^53, up to which Lua and JavaScript have whole numbers."""
PARTITIONS_MAX: Final = 1 << 13


@dataclass(frozen=True, slots=True)
class Word:
    """What one record says; with no type and no end, that there is nothing to enforce."""

    place: int
    """Partition times 2^40, plus offset: the id of the decision, and the same in every process."""
    at_us: int
    """The record's own time."""
    until_us: int = 0
    """Exclusive."""
    type: str = ""
    scenario: str = ""
    uuid: str = ""

    @property
    def partition(self) -> int:
        """Where it stands."""
        return self.place >> OFFSET_BITS

    @property
    def offset(self) -> int:
        """Likewise."""
        return self.place & ((1 << OFFSET_BITS) - 1)


def word_of(place: int, at_us: int, block: Block | None) -> Word:
    """What a record says. Shadow blocks, and those that were taken back, enforce nothing; None is a tombstone."""
    if block is None or block.mode is not BlockMode.ENFORCE or block.status is not BlockStatus.ACTIVE:
        return Word(place, at_us)
    scenario = f"{ORIGIN}/{'+'.join(block.detectors) or 'override'}"
    return Word(place, at_us, parse_time_us(block.until), TYPES[block.action], scenario, block.id)


class Line(NamedTuple):
    """The words on one actor, oldest first; the last one is the whole truth, the others are what enforcers know."""

    key: str
    """Of its records."""
    target: Target
    words: list[Word]

    def latest(self, positions: Sequence[int] | None) -> Word | None:
        """The last word, or that before ``positions`` (next offset by partition); None when there is none."""
        if positions is None:
            return self.words[-1]
        return next((word for word in reversed(self.words) if word.offset < positions[word.partition]), None)


@dataclass(frozen=True, slots=True)
class View:
    """Which decisions an enforcer sees."""

    types: frozenset[str] = frozenset({BAN, CAPTCHA})
    """Some take a type that they do not know for a ban."""
    scopes: frozenset[str] | None = frozenset({IP, RANGE})
    """As decisions spell them; None for all."""
    origins: frozenset[str] | None = None
    containing: tuple[str, ...] = ()
    """The scenario has one of these in it, in small letters; none asks for nothing."""
    not_containing: tuple[str, ...] = ()

    def type_of(self, word: Word) -> str:
        """As what the enforcer is told a word; empty where it takes neither its type nor a milder one in its place.

        Who does not know throttles is told a captcha: a throttle is a challenge that did not help.
        """
        if word.type in self.types:
            return word.type
        return CAPTCHA if word.type == THROTTLE and CAPTCHA in self.types else ""

    def sees(self, target: Target, word: Word) -> bool:
        """Whether a word that enforces something is for this enforcer."""
        if not self.type_of(word) or (self.scopes is not None and target.scope not in self.scopes):
            return False
        if self.origins is not None and ORIGIN not in self.origins:
            return False
        if not self.containing and not self.not_containing:
            return True
        scenario = word.scenario.lower()
        if self.containing and not any(part in scenario for part in self.containing):
            return False
        return not any(part in scenario for part in self.not_containing)


def stronger(one: Word | None, other: Word | None) -> Word | None:
    """Which of two holds where both stand: ban before throttle before captcha, then the longer, then the later."""
    if one is None or other is None:
        return one or other
    return max(one, other, key=strength)


def strength(word: Word) -> tuple[int, int, int]:
    """What is compared where several stand."""
    return STRENGTH[word.type], word.until_us, word.place
