"""What the next number and the next text are worth."""

from typing import Final

import numpy as np
import pytest

from detectors.core.ordering import RUN, alphabet_llr, goes_on, import_llr, short

NEXT: Final = float(np.log(0.8 / 0.01))
FAR: Final = float(np.log(0.2 / 0.99))
ON: Final = float(np.log(0.99 / 0.4))
TURN: Final = float(np.log(0.01 / 0.6))
MORE: Final = float(np.log(0.8 / 0.2))
LATER: Final = float(np.log(40.0))
OTHER: Final = float(np.log(0.15 / 0.8))


def text_of(text: str) -> int:
    """Seven bytes of a text as a number in the order of the alphabet."""
    return int.from_bytes(text.encode()[:7].ljust(7, b"\0"), "big")


def imported(numbers: list[int]) -> list[float]:
    """Ratios of numbers asked for one after the other."""
    marks, runs, last, found = np.zeros(3, np.uint8), np.zeros(1, np.uint8), 0, []
    for number in numbers:
        found.append(float(import_llr(last, number, marks, runs, 0)))
        last = number
    return found


def blocks_of(count: int, length: int) -> list[int]:
    """Blocks of numbers far from each other, each gone through in pairs that turn."""
    return [10**9 + n * 10**6 + (k ^ 1) for n in range(count) for k in range(length)]


@pytest.mark.parametrize(("step", "worth"), [(5_000, NEXT), (5_001, FAR)])
def test_near(step: int, worth: float) -> None:
    """A number within reach goes on, one beyond speaks against."""
    assert imported([10**9 + n * step for n in range(3)])[-1] == pytest.approx(worth)


def test_turned() -> None:
    """The other direction speaks against, and going on is worth little ever after."""
    assert imported([10**9 + n for n in (1, 2, 3, 2, 1)]) == pytest.approx([0, 0, NEXT, TURN, ON])


def test_same_number() -> None:
    """The same number again says nothing."""
    assert imported([10**9 + 1, 10**9 + 2, 10**9 + 2])[-1] == 0.0


@pytest.mark.parametrize(("length", "counts"), [(RUN, False), (RUN + 1, True)])
def test_third_block(length: int, counts: bool) -> None:
    """After two blocks of eight neighbours a third counts whatever its direction; shorter ones are no blocks."""
    found = imported(blocks_of(3, length))[2 * length :]
    assert (found[-1] == pytest.approx(MORE)) == counts


@pytest.mark.parametrize(
    ("text", "whole"), [("", False), ("a", True), ("abc", True), ("abcd", False), ("öäü", True), ("王", False)]
)
def test_short(text: str, whole: bool) -> None:
    """One to three letters of one or two bytes."""
    assert bool(short(text_of(text))) == whole


@pytest.mark.parametrize(
    ("one", "other", "on"), [("ann", "anna", True), ("anna", "ann", True), ("ann", "anb", False), ("", "a", False)]
)
def test_goes_on(one: str, other: str, on: bool) -> None:
    """Typing and deleting are one search."""
    assert bool(goes_on(text_of(one), text_of(other))) == on


@pytest.mark.parametrize(
    ("done", "text", "worth"),
    [
        ("ab", "ac", LATER),
        ("ac", "ab", OTHER),
        ("ab", "ab", OTHER),
        ("ab", "acde", OTHER),
        ("", "ab", 0.0),
    ],
)
def test_alphabet(done: str, text: str, worth: float) -> None:
    """Only a short text after the last in the alphabet counts; the first of all says nothing."""
    assert alphabet_llr(text_of(done), text_of(text)) == pytest.approx(worth)
