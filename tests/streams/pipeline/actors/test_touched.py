"""Marks of what changed."""

import numpy as np

from streams.pipeline.actors.touched import Touched


def marked(touched: Touched) -> list[list[int]] | None:
    """Slots of actors and of pairs, None for all."""
    found = touched.take(4, 2)
    return None if found is None else [each.tolist() for each in found]


def test_everything_at_first() -> None:
    """Nothing was written before; then nothing has changed."""
    touched = Touched()
    assert marked(touched) is None
    assert marked(touched) == [[], []]


def test_marks_are_taken_once() -> None:
    """Growing keeps them, taking them removes them."""
    touched = Touched()
    touched.take(0, 0)
    touched.reserve(3, 1)
    touched.actors[[0, 2]] = True
    touched.pairs[0] = True
    touched.reserve(4, 2)
    touched.reserve(1, 1)
    assert np.array_equal(touched.actors, [True, False, True, False])
    assert marked(touched) == [[0, 2], [0]]
    assert marked(touched) == [[], []]


def test_what_is_given_up() -> None:
    """Marks do not count where everything does, and are gone with it."""
    touched = Touched()
    touched.take(0, 0)
    touched.reserve(4, 2)
    touched.actors[1] = touched.everything = True
    assert marked(touched) is None
    assert marked(touched) == [[], []]
