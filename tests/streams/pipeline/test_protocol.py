"""From observe to assess: every sighting once, whatever is cut, killed or said twice; a lost message is noticed."""

from collections.abc import Collection
from functools import partial
from typing import Final

import pytest

from schemas.errors import GapError
from streams.pipeline.assess.release import Release
from streams.pipeline.observe.telling import Since, Telling
from streams.pipeline.rows import Rows
from tests.streams.pipeline.protocol import Parts, Token, run

TRIALS: Final = 20_000
LOSSES: Final = 2_000
MUTANT_TRIALS: Final = 300


@pytest.mark.parametrize("first", range(0, TRIALS, TRIALS // 4))
def test_every_sighting_once(first: int) -> None:
    """Random cuts, crashes inside fan-out, round, commit and checkpoint, zombies: judged once each, and never a gap."""
    assert [seed for seed in range(first, first + TRIALS // 4) if not run(seed, Parts())] == []


def test_lost_message() -> None:
    """A message that the broker loses stops the reader, unless a restart has said the same again."""
    stopped = 0
    for seed in range(LOSSES):
        try:
            assert run(seed, Parts(), loses=True), seed
        except GapError:
            stopped += 1
    assert stopped > LOSSES / 4


class KeepsDuplicates(Release):
    """Does not look at what is applied already."""

    def accept(self, topic: str, partition: int, lo: int, hi: int, watermark_us: int, idle: bool, rows: Rows) -> None:
        """Take all rows."""
        if partition in self._sources:
            source = self._sources[partition]
            source.applied = min(source.applied, lo)
        super().accept(topic, partition, lo, hi, watermark_us, idle, rows)


class DropsWholeMessages(Release):
    """Takes a message that begins below what is applied for a duplicate of the whole."""

    def accept(self, topic: str, partition: int, lo: int, hi: int, watermark_us: int, idle: bool, rows: Rows) -> None:
        """Take the rows unless the message begins below what is applied."""
        if partition in self._sources and lo < self._sources[partition].applied:
            rows = rows.pick(slice(0, 0))
        super().accept(topic, partition, lo, hi, watermark_us, idle, rows)


class SeesNoGap(Release):
    """Does not mind what is missing."""

    def accept(self, topic: str, partition: int, lo: int, hi: int, watermark_us: int, idle: bool, rows: Rows) -> None:
        """Take the rows as if nothing lay between."""
        if partition in self._sources:
            lo = min(lo, self._sources[partition].applied)
        super().accept(topic, partition, lo, hi, watermark_us, idle, rows)


class AcknowledgesUntold(Telling[Token]):
    """Acknowledges a batch when its own messages are with the broker, told or not."""

    def await_all(self, topic: str, partition: int, token: Token) -> int:
        """Have the token acknowledged with what is sent now."""
        serial = super().await_all(topic, partition, token)
        waiting = self._sources[topic, partition].waiting
        while waiting:
            self._told.append((serial, waiting.popleft()[1]))
        return serial


class AcknowledgesUnsent(Telling[Token]):
    """Acknowledges what was handed to the producer, whether the broker has it or not."""

    def sent(self, serial: int) -> list[Token]:
        """Take all for sent."""
        self._on_the_way.clear()
        return super().sent(serial)


class BeginsAtTheBatch(Telling[Token]):
    """Has messages begin where the batch does."""

    def since(self, topic: str, partition: int, lo: int) -> Since:
        """Take everybody for told."""
        told, watermark_us = super().since(topic, partition, lo)
        return Since([lo] * len(told), watermark_us)


class TakesAllForTold(Telling[Token]):
    """Believes that a batch tells everybody."""

    def take(self, topic: str, partition: int, lo: int, hi: int, watermark_us: int, sighted: Collection[int]) -> None:
        """Note that all destinations are told."""
        super().take(topic, partition, lo, hi, watermark_us, range(self._destinations))


MUTANTS: Final = {
    "duplicates kept": Parts(release=KeepsDuplicates),
    "whole messages dropped": Parts(release=DropsWholeMessages),
    "acknowledged before all are told": Parts(telling=AcknowledgesUntold),
    "acknowledged before the broker has it": Parts(telling=AcknowledgesUnsent),
    "begins at the batch": Parts(telling=BeginsAtTheBatch),
    "all taken for told": Parts(telling=TakesAllForTold),
    "commit beyond the checkpoint": Parts(commits_ahead=True),
}


def is_wrong(parts: Parts, seed: int, *, loses: bool = False) -> bool:
    """Whether a trial miscounts, or stops where nothing was lost."""
    try:
        return not run(seed, parts, loses=loses)
    except GapError:
        return not loses


@pytest.mark.parametrize("parts", MUTANTS.values(), ids=MUTANTS)
def test_mutant_fails(parts: Parts) -> None:
    """Each rule is needed: without it trials miscount or stop."""
    assert any(map(partial(is_wrong, parts), range(MUTANT_TRIALS)))


def test_mutant_sees_no_gap() -> None:
    """Without the look for gaps a lost message is a wrong count and nobody notices."""
    assert any(is_wrong(Parts(release=SeesNoGap), seed, loses=True) for seed in range(MUTANT_TRIALS))
