"""Which epochs end with lessons, and what a partition tells with each."""

from collections.abc import Sequence
from typing import Final

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from schemas.model import ModelDelta
from streams.pipeline.model.epochs import Epochs
from streams.pipeline.model.learner import Learner
from streams.pipeline.model.models import Models
from tests.streams.pipeline.model.test_models import SETTINGS, E, counts, delta, models, same

lengths = st.tuples(st.integers(60, 7_200), st.integers(60, 7_200))


@given(lengths, st.integers(0, 10**7))
def test_every_epoch_is_of_one_stretch(both: tuple[int, int], epoch: int) -> None:
    """From its first to its last; the next one begins right behind it, and no stretch is longer than it must be."""
    one = Epochs(*both)
    first, last = one.first(epoch), one.last(epoch)
    assert first <= epoch <= last
    assert {one.first(each) for each in (first, last)} == {first}
    assert {one.last(each) for each in (first, last)} == {last}
    assert one.first(last + 1) == last + 1
    assert (last - first) * one.epoch_s < one.lessons_s


def test_of_an_hour() -> None:
    """Six epochs of ten minutes."""
    assert [(Epochs(600, 3_600).first(each), Epochs(600, 3_600).last(each)) for each in (5, 6, 11, 12)] == [
        (0, 5),
        (6, 11),
        (6, 11),
        (12, 17),
    ]


def test_longer_epochs() -> None:
    """Each ends with lessons."""
    assert [Epochs(7_200, 3_600).last(each) for each in (5, 6)] == [5, 6]


SHORT: Final = replace(SETTINGS, epoch_s=600)
S: Final = E * 6
"""The first short epoch of that hour."""


class TestShortEpochs:
    """Suspects with each, all else with the last one of each hour."""

    def told(self, partition: int, story: Sequence[tuple[int, Sequence[int], Sequence[int]]]) -> list[ModelDelta]:
        """What a partition tells that meets profiles and names suspects in some epochs, and has no rows in others."""
        one, out = Learner(partition, Epochs.of(SHORT)), list[ModelDelta]()
        for (epoch, met, named), begun in zip(story, [at for at, _, _ in story[1:]] + [S + 24], strict=True):
            one.learn(np.array(met, np.uint64), np.zeros(len(met), np.uint8), np.ones(len(met), np.bool_))
            one.suspect(np.array(named, np.uint64))
            out += one.leave(epoch, begun)
        return out

    def test_what_each_tells(self) -> None:
        """Suspects at once, profiles with the sixth, and that a silence is over."""
        told = self.told(0, [(S, [1], [7]), (S + 1, [2], []), (S + 9, [3], [])])
        found = [(one.epoch - S, len(one.profiles) // 8, len(one.suspects) // 8) for one in told]
        assert found == [(0, 0, 1), (1, 0, 0), (5, 2, 0), (8, 0, 0), (9, 0, 0), (11, 1, 0), (23, 0, 0)]
        assert {one.epoch_s for one in told} == {600}

    def test_the_same_in_any_steps(self) -> None:
        """Whether the watermark leapt over epochs without rows or stopped in each, every model is the same."""
        leapt: list[tuple[int, list[int], list[int]]] = [(S, [1, 1], [7]), (S + 8, [2], [8]), (S + 20, [3], [])]
        slow = sorted([*leapt, *((S + n, [], []) for n in range(24) if n not in (0, 8, 20))])
        runs = [models(1, self.told(0, story), SHORT) for story in (leapt, slow)]
        assert all(same(*(run.serve(S + n) for run in runs)) for n in range(26))

    def test_suspects_come_sooner(self) -> None:
        """In the next but one short epoch, while the profiles of the hour come with its end."""
        found = models(1, self.told(0, [(S - 1, [9], []), (S, [1, 1], [7]), (S + 1, [], [])]), SHORT)
        assert [found.serve(S + n).suspects.tolist() for n in (1, 2)] == [[], [7]]
        assert [counts(found.serve(S + n), [1]) for n in (2, 6, 7)] == [[0], [0], [2]]
        assert found.serve(S + 2).label == "2027-01-15T08:00:00"

    def test_models_share_all_else(self) -> None:
        """A model that differs by its suspects takes room for these alone, and where nobody is new there is none."""
        story = [(S - 1, [9], []), (S, [], [7]), (S + 1, [], [7]), (S + 2, [], [])]
        found = models(1, self.told(0, story), SHORT)
        before, after = found.serve(S + 1), found.serve(S + 2)
        assert after.popularity.table is before.popularity.table
        assert after.lessons is before.lessons
        assert after.peaks is before.peaks
        assert found.serve(S + 3) is after
        assert found.learned == (S - 6, S - 1)

    def test_no_longer_after_a_day(self) -> None:
        """Counted from the short epoch in which they were named."""
        found = models(1, self.told(0, [(S - 1, [9], []), (S, [], [7]), (S + 1, [], [8])]), SHORT)
        for n in (143, 144):
            later = Learner(0, Epochs.of(SHORT))
            later.suspect(np.array([3 + n], np.uint64))
            for one in later.tell(S + n):
                found.add(one)
        assert [found.serve(S + n).suspects.tolist() for n in (145, 146)] == [[7, 8, 146], [8, 146, 147]]

    @settings(deadline=None, max_examples=20)
    @given(
        st.lists(st.tuples(st.integers(0, 23), st.integers(1, 9), st.booleans()), max_size=60),
        st.integers(1, 6),
        st.integers(0, 1_000),
    )
    def test_partitions_and_arrival(self, events: list[tuple[int, int, bool]], partitions: int, seed: int) -> None:
        """However many partitions there are, which epochs each leaps over, and in whatever order their deltas come."""
        runs = []
        for number in (1, partitions):
            rng = np.random.default_rng(seed)
            owner = rng.integers(0, number, len(events)).tolist()
            deltas = []
            for partition in range(number):
                mine = [event for event, at in zip(events, owner, strict=True) if at == partition]
                held = {n for n in range(24) if n == 0 or rng.random() < 0.3} | {at for at, _, _ in mine}
                named = {n: [key for at, key, suspect in mine if at == n and suspect] for n in held}
                met = {n: [key for at, key, suspect in mine if at == n and not suspect] for n in held}
                story = [(S + n, met[n], named[n]) for n in sorted(held)]
                deltas += self.told(partition, story)
            found = Models(SHORT, number)
            for at in rng.permutation(len(deltas)).tolist():
                found.add(deltas[at])
            runs.append([found.serve(S + n) for n in range(26)])
        assert all(same(left, right) for left, right in zip(*runs, strict=True))


class TestAnotherLength:
    """A topic that has deltas of longer or shorter epochs."""

    def test_longer(self) -> None:
        """What an hour taught is known as if its last ten minutes had told it, and version 2 tells of hours."""
        hours = [replace(one, version=2) for n in range(3) for one in delta(E + n, 0, [n + 1, n + 1])]
        found = models(1, hours, SHORT)
        assert found.has(S + 17, 0)
        assert not found.has(S + 18, 0)
        assert [counts(found.serve(S + n), [1, 2, 3]) for n in (6, 7, 13, 19)] == [
            [0] * 3,
            [2, 0, 0],
            [2, 2, 0],
            [2] * 3,
        ]
        assert found.learned == (S, S + 17)

    def test_shorter(self) -> None:
        """An hour is over with its last ten minutes, and what the others told belongs to it."""
        one, told = Learner(0, Epochs.of(SHORT)), list[ModelDelta]()
        for n in range(9):
            one.learn(np.array([1], np.uint64), np.zeros(1, np.uint8), np.ones(1, np.bool_))
            one.suspect(np.array([n], np.uint64))
            told += one.leave(S + n, S + n + 1)
        found = models(1, told)
        assert found.has(E, 0)
        assert not found.has(E + 1, 0)
        assert counts(found.serve(E + 2), [1]) == [3]
        assert found.serve(E + 2).suspects.tolist() == [0, 1, 2, 3, 4, 5]
