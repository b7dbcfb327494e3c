import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.live.transport.words import Others, Said, Word, heard

NEAR, FAR = 1, 2
PATIENCE, LEFT = 3, 100


def said(reached_ms: int, left: int = LEFT, offset: int = 0) -> Said:
    """What stands on the broker of a partition that was read up to there."""
    return Said(offset, str(Word(reached_ms, left)))


@given(st.integers(0, 10**15 - 1), st.integers(0, 10**19 - 1))
def test_words_are_heard_as_they_were_said(reached_ms: int, left: int) -> None:
    """And they fit into what Kafka lets stand beside an offset, 4,096 bytes."""
    word = Word(reached_ms, left)
    assert heard(str(word)) == word
    assert len(str(word)) < 100


@pytest.mark.parametrize(
    "metadata",
    ["", "weir/2 5 6", "weir/1 5", "weir/1 -5 6", "weir/1 5 6 ", "weir/1 \uff15 6", "weir/1 1" + "0" * 15 + " 1"],
)
def test_what_is_no_word_says_nothing(metadata: str) -> None:
    """Of an older Weir, of a later one, of another program."""
    assert heard(metadata) is None
    assert Others[int]().look({NEAR: Said(1, metadata)}) is None


def test_the_slowest_counts() -> None:
    """Of those that have said something."""
    others = Others[int](PATIENCE, LEFT)
    assert others.look({NEAR: said(7), FAR: said(5), 3: Said(4, "")}) == (5, FAR)
    assert others.look({NEAR: said(7)}) == (7, NEAR)
    assert others.look({}) is None


def test_who_is_nearly_through_holds_nobody_up() -> None:
    """It has less left than worth waiting for."""
    others = Others[int](PATIENCE, LEFT)
    assert others.look({NEAR: said(7), FAR: said(5, LEFT - 1)}) == (7, NEAR)


def test_who_says_nothing_new_is_not_waited_for() -> None:
    """Nor where nobody could look; but again from its next word on, though it be of the same time."""
    others = Others[int](PATIENCE, LEFT)
    for _ in range(PATIENCE):
        assert others.look({FAR: said(5)}) == (5, FAR)
    assert others.look({FAR: said(5)}) is None
    assert others.look({FAR: said(5, offset=1)}) == (5, FAR)
    assert [others.fail() for _ in range(PATIENCE)] == [(5, FAR), (5, FAR), None]
