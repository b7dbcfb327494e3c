"""The decisions in force, folded from the blocks topic, and what has changed for an enforcer since it last asked.

Everything follows from the topic and the time asked for, nothing from the process: two replicas that have read as far
give the same answer to the same question, with the same ids. A cursor is a place in the topic and a time::

    topic   ──w1(until u1)────────w2(until u2)──────────────────▶ offsets
    pulls        │ new              │ new      │ new        │ deleted
                 ▼                  ▼          ▼            ▼
    time    ─────●──────────────────●────u1────●──────u2────●───▶

An enforcer with a clock of its own may drop w1 at u1, although w2 has lengthened it: what stands is told again on the
first pull after each end that was told before. Only when nothing stands any more is a target among the deleted.
"""

from bisect import bisect_left, insort
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Final, NamedTuple

from schemas.block import Block
from schemas.errors import RecordError
from streams.pipeline.enforce.networks import Networks
from streams.pipeline.enforce.target import Network, Target, target_of
from streams.pipeline.enforce.word import OFFSET_BITS, PARTITIONS_MAX, Line, View, Word, stronger, word_of

US: Final = 1_000_000
KEPT_US: Final = 86_400 * US
"""How long what has ended is told to enforcers that start, and how old a cursor may be."""
OVERLAP_US: Final = 3 * US
"""Ends so long before the last pull are told once more: an enforcer's own clock runs from when it got the decision."""
SORTED_AGAIN: Final = 100
"""Above one new end to so many others sorting all of them is cheaper than putting each in its place."""


class Cursor(NamedTuple):
    """What an enforcer has been told: all words below ``positions``, all ends up to ``told_us``."""

    positions: tuple[int, ...]
    told_us: int


class Told(NamedTuple):
    """One decision as it is told: what, upon whom, and how long still; nothing or less once it has ended."""

    target: Target
    word: Word
    left_us: int


class Answer(NamedTuple):
    """What an enforcer is told; a target is in at most one of the two: once, or once of each type that may be held."""

    new: list[Told]
    deleted: list[Told]


class Decisions:
    """All words on all actors within a day, and the last of each."""

    def __init__(self, partitions: int) -> None:
        """Nothing is known yet.

        Raises:
            ValueError: more partitions than ids have room for.
        """
        if partitions > PARTITIONS_MAX:
            raise ValueError(f"{partitions} partitions; ids of decisions have room for {PARTITIONS_MAX}")
        self._lines: dict[str, Line] = {}
        self._targets: dict[Target, list[Line]] = {}
        self._log: list[list[tuple[int, int, Target]]] = [[] for _ in range(partitions)]
        """By partition: offset, time, target."""
        self._floor = [0] * partitions
        """By partition: below it the log has been forgotten."""
        self._next = [0] * partitions
        self._ends: list[tuple[int, Target]] = []
        self._fresh_ends: list[tuple[int, Target]] = []
        self._networks = Networks()
        self._names: dict[str, str] = {}
        """Few scenarios, many words: each text is kept once."""

    def __len__(self) -> int:
        """Actors of whom something is known, in force or ended."""
        return len(self._lines)

    @property
    def positions(self) -> tuple[int, ...]:
        """Next offset by partition, behind what has been applied."""
        return tuple(self._next)

    def apply(self, partition: int, offset: int, at_us: int, key: str, block: Block | None) -> None:
        """Take in one record; what was taken in before changes nothing. ``at_us`` is the record's time.

        Raises:
            RecordError: the key is another actor's, or an address or the end is none; nothing is changed.
        """
        if offset < self._next[partition]:
            return
        try:
            word = word_of((partition << OFFSET_BITS) | offset, at_us, block)
        except ValueError as error:
            raise RecordError("$.until", str(error)) from error
        line = self._lines.get(key) if block is None else self._line(key, block)
        self._next[partition] = offset + 1
        if line is None:
            return
        if not word.type and not line.words:
            self._drop(line)
            return
        line.words.append(self._lean(word))
        self._log[partition].append((offset, at_us, line.target))
        if word.until_us:
            self._fresh_ends.append((word.until_us, line.target))

    def _line(self, key: str, block: Block) -> Line:
        if block.actor.key != key:
            raise RecordError("$.actor", "the key of the record is another actor's")
        found = self._lines.get(key)
        if found is not None:
            return found
        try:
            target = target_of(block.actor)
        except ValueError as error:
            raise RecordError(
                "$.actor.value", "neither an address nor a range, or with bits behind its prefix"
            ) from error
        line = self._lines[key] = Line(key, target, [])
        self._targets.setdefault(target, []).append(line)
        self._networks.add(target)
        return line

    def _lean(self, word: Word) -> Word:
        name = self._names.setdefault(word.scenario, word.scenario)
        return Word(word.place, word.at_us, word.until_us, word.type, name, word.uuid)

    def startup(self, view: View, at_us: int, targets: Iterable[Target] | None = None) -> Answer:
        """All that stands at ``at_us``, and all that has ended within a day before; of ``targets`` alone if given."""
        answer = Answer([], [])
        for target in self._targets if targets is None else targets:
            lines = self._targets.get(target, [])
            standing = _standing(lines, view, at_us)
            if standing is not None:
                answer.new.append(_told(target, lines, standing, view, at_us))
                continue
            held = _held(lines, view, None, at_us - KEPT_US)
            answer.deleted.extend(_told(target, lines, word, view, at_us) for word in held)
        return answer

    def since(self, cursor: Cursor | None, view: View, at_us: int) -> Answer:
        """What has changed since ``cursor``; everything where there is none, or one that is too old to tell."""
        if cursor is None or not self.reaches(cursor, at_us):
            return self.startup(view, at_us)
        answer, from_us = Answer([], []), cursor.told_us - OVERLAP_US
        for target in self.touched(cursor.positions, from_us, at_us):
            lines = self._targets.get(target, [])
            standing = _standing(lines, view, at_us)
            if standing is not None:
                before = _standing(lines, view, cursor.told_us, cursor.positions)
                if standing is not before or _ran_out(lines, view, from_us, at_us):
                    answer.new.append(_told(target, lines, standing, view, at_us))
                continue
            held = _held(lines, view, cursor.positions, from_us)
            answer.deleted.extend(_told(target, lines, word, view, at_us) for word in held)
        return answer

    def reaches(self, cursor: Cursor, at_us: int) -> bool:
        """Whether what is known goes back as far as a cursor, and no farther on."""
        known = zip(cursor.positions, self._floor, self._next, strict=True)
        return cursor.told_us >= at_us - KEPT_US and all(floor <= at <= end for at, floor, end in known)

    def containing(self, network: Network, view: View, at_us: int) -> Iterator[Told]:
        """What stands on an address or range, or on a range that contains all of it."""
        return self._standing_of(self._networks.containing(network), view, at_us)

    def within(self, network: Network, view: View, at_us: int) -> Iterator[Told]:
        """What stands on addresses and ranges that lie in a range."""
        return self._standing_of(self._networks.within(network), view, at_us)

    def upon(self, target: Target, view: View, at_us: int) -> Iterator[Told]:
        """What stands on exactly this."""
        return self._standing_of([target], view, at_us)

    def active(self, view: View, at_us: int) -> Iterator[Told]:
        """All that stands."""
        return self._standing_of(list(self._targets), view, at_us)

    def forget(self, before_us: int) -> None:
        """Let go of what had ended and was said before ``before_us``; the last word on who is enforced stays.

        Its cost is that of what goes.
        """
        passed = dict[Target, None]()
        for partition, log in enumerate(self._log):
            count = next((n for n, entry in enumerate(log) if entry[1] >= before_us), len(log))
            if count:
                self._floor[partition] = log[count - 1][0] + 1
                passed |= {target: None for _, _, target in log[:count]}
                del log[:count]
        self._sort_ends()
        ended = bisect_left(self._ends, (before_us,))
        passed |= {target: None for _, target in self._ends[:ended]}
        del self._ends[:ended]
        for line in [line for target in passed for line in self._targets.get(target, [])]:
            _trim(line.words, before_us)
            if not line.words:
                self._drop(line)

    def _standing_of(self, targets: Iterable[Target], view: View, at_us: int) -> Iterator[Told]:
        for target in targets:
            lines = self._targets.get(target, [])
            standing = _standing(lines, view, at_us)
            if standing is not None:
                yield _told(target, lines, standing, view, at_us)

    def touched(self, positions: Sequence[int], from_us: int, to_us: int) -> list[Target]:
        """Targets of which something was said from ``positions`` on, or ended within ``(from_us, to_us]``."""
        found = dict[Target, None]()
        for log, at in zip(self._log, positions, strict=True):
            found |= {entry[2]: None for entry in log[bisect_left(log, (at,)) :]}
        self._sort_ends()
        span = slice(bisect_left(self._ends, (from_us + 1,)), bisect_left(self._ends, (to_us + 1,)))
        return list(found | {target: None for _, target in self._ends[span]})

    def _sort_ends(self) -> None:
        if len(self._fresh_ends) * SORTED_AGAIN > len(self._ends):
            self._ends = sorted(self._ends + self._fresh_ends)
        else:
            for end in self._fresh_ends:
                insort(self._ends, end)
        self._fresh_ends = []

    def _drop(self, line: Line) -> None:
        del self._lines[line.key]
        rest = [other for other in self._targets[line.target] if other is not line]
        if rest:
            self._targets[line.target] = rest
        else:
            del self._targets[line.target]
            self._networks.remove(line.target)


def _standing(lines: list[Line], view: View, at_us: int, positions: Sequence[int] | None = None) -> Word | None:
    """What an enforcer that knows the words below ``positions`` enforces at ``at_us``."""
    found: Word | None = None
    for line in lines:
        word = line.latest(positions)
        if word is not None and word.until_us > at_us and view.sees(line.target, word):
            found = stronger(found, word)
    return found


def _held(lines: list[Line], view: View, positions: Sequence[int] | None, from_us: int) -> list[Word]:
    """Words that the enforcer may have been told and may still enforce, of each type the last one.

    Which of two types it holds is known to nobody where both came and went between two pulls, or another replica may
    have told the second: some lift a value only if they are told the type that they hold.
    """
    found: dict[str, Word] = {}
    for line in lines:
        before = line.latest(positions)
        for word in line.words:
            old = positions is not None and word.offset < positions[word.partition] and word is not before
            if old or word.until_us <= from_us or not view.sees(line.target, word):
                continue
            kind = view.type_of(word)
            if kind not in found or (word.at_us, word.place) > (found[kind].at_us, found[kind].place):
                found[kind] = word
    return list(found.values())


def _ran_out(lines: list[Line], view: View, from_us: int, to_us: int) -> bool:
    """Whether an end that was told has passed within ``(from_us, to_us]``."""
    return any(
        from_us < word.until_us <= to_us and view.sees(line.target, word) for line in lines for word in line.words
    )


def _told(target: Target, lines: list[Line], word: Word, view: View, at_us: int) -> Told:
    """A word with what is left of it: up to its end, or until something else was said; of the type that is told."""
    current = word.until_us <= at_us or any(line.words[-1] is word for line in lines)
    kind, left_us = view.type_of(word), word.until_us - at_us if current else 0
    return Told(target, word if kind == word.type else replace(word, type=kind), left_us)


def _trim(words: list[Word], before_us: int) -> None:
    """Drop words that no enforcer with a cursor since ``before_us`` can have in force; the last one goes last."""
    if max(words[-1].at_us, words[-1].until_us) < before_us:
        words.clear()
        return
    gone = {word.place for word, later in pairwise(words) if max(later.at_us, word.until_us) < before_us}
    words[:] = [word for word in words if word.place not in gone]
