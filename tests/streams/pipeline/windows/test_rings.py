"""Sliding windows against their definition: panes of distinct profiles, each in the pane where it was met last."""

from typing import Final

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.pipeline.windows.rings import WORDS, advance, count

PANES: Final = ((1, 3), (3, 10), (15, 12), (180, 24))
"""Granules of a pane, and panes of a window."""
START: Final = 90_000_000


class Rings:
    """One actor's rings, fed with profiles whose last meeting is known exactly."""

    def __init__(self) -> None:
        self._words = np.zeros((1, WORDS), np.uint32)
        self._met: dict[int, int] = {}

    def meet(self, profile: int, now: int) -> list[int]:
        """Meet a profile; the sums."""
        # In the order in which they were met last.
        after = list(reversed(self._met)).index(profile) if profile in self._met else -1
        self._met.pop(profile, None)
        self._met[profile] = now
        return self.meet_after(after, now)

    def meet_after(self, after: int, now: int) -> list[int]:
        """Meet a profile after which so many others were met, -1 for one that never was; the sums."""
        words, cells = self._words[0], self._words.view(np.uint16)[0]
        advance(words, cells, now)
        count(words, cells, after)
        sums: list[int] = words[:4].tolist()
        return sums

    def by_definition(self, now: int) -> list[int]:
        """Profiles whose last meeting lies in one of a window's panes."""
        return [
            sum(now // granules - met // granules < panes for met in self._met.values()) for granules, panes in PANES
        ]


pause = st.one_of(st.integers(0, 3), st.integers(0, 40), st.integers(0, 400), st.integers(3_000, 5_000))


@settings(deadline=None, max_examples=200)
@given(st.lists(st.tuples(st.integers(0, 12), pause), max_size=120))
def test_definition(meetings: list[tuple[int, int]]) -> None:
    """Each sum is the number of distinct profiles in the panes of its window."""
    rings, now = Rings(), START
    for profile, pause_before in meetings:
        now += pause_before
        assert rings.meet(profile, now) == rings.by_definition(now)


@pytest.mark.parametrize(("span", "seconds"), [(0, 60), (1, 600), (2, 3_600), (3, 86_400)])
def test_length(span: int, seconds: int) -> None:
    """A window covers no more than its name says, and at least all but one pane of it, wherever in a pane it begins."""
    granules, panes = PANES[span]
    for start in range(START, START + granules):
        rings = Rings()
        rings.meet(0, start)
        at = start
        while rings.by_definition(at + 1)[span]:
            at += 1
        assert seconds - granules * 20 <= (at - start + 1) * 20 <= seconds
        assert rings.meet(1, at)[span] == 2
        assert rings.meet(1, at + 1)[span] == 1
    assert granules * panes * 20 == seconds


def test_a_full_pane() -> None:
    """A pane holds 65,535; further profiles in it are not counted, and nothing wraps around."""
    rings = Rings()
    for _ in range(65_535):
        rings.meet_after(-1, START)
    assert rings.meet_after(-1, START) == [65_535] * 4
    assert rings.meet_after(-1, START + 1)[0] == 65_536


def test_time_does_not_go_back() -> None:
    """What comes late is counted in the newest pane; nothing is emptied for it."""
    rings = Rings()
    rings.meet(0, START + 200)
    assert rings.meet_after(-1, START) == [2, 2, 2, 2]
