"""What is learned: merged by epoch, independent of partitions and arrival, two epochs late."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from numpy.typing import NDArray

from detectors.core.model import Model
from detectors.core.popularity import BINS
from schemas.errors import ModelError
from schemas.model import PART_SUSPECTS, VERSION, ModelDelta
from streams.pipeline.model import learner as learning
from streams.pipeline.model.epochs import Epochs
from streams.pipeline.model.learner import Learner
from streams.pipeline.model.models import KEPT_S, LAG, Models
from streams.settings import ModelSettings

SETTINGS: Final = ModelSettings(learning_s=0, members=1_000, epoch_s=3_600, popularity_half_life_s=10**12)
"""Nothing is forgotten, so that counts stay whole."""
E: Final = 500_000
"""Some epoch in 2027."""
EPOCHS: Final = Epochs.of(SETTINGS)


def delta(
    epoch: int, partition: int, profiles: Sequence[int], *, bins: Sequence[int] | None = None
) -> list[ModelDelta]:
    """What a partition learned from first contacts, all of them honest."""
    one = Learner(partition, EPOCHS)
    met = np.array(profiles, np.uint64)
    one.learn(met, np.array(bins or [0] * len(met), np.uint8), np.ones(len(met), np.bool_))
    return one.finish(epoch)


def models(partitions: int, deltas: Sequence[ModelDelta], settings: ModelSettings = SETTINGS) -> Models:
    """Models that were told of deltas."""
    found = Models(settings, partitions)
    for one in deltas:
        found.add(one)
    return found


def counts(model: Model, profiles: Sequence[int]) -> list[int]:
    """Bins of profiles."""
    keys = np.array(profiles, np.uint64)
    bins: list[int] = model.popularity.bins_of(keys, np.ones(len(keys), np.bool_)).tolist()
    return bins


def _plain(tables: Mapping[str, NDArray[np.float64]]) -> dict[str, list[float]]:
    return {name: counts.tolist() for name, counts in tables.items()}


def same(one: Model, other: Model) -> bool:
    """Both say the same of everything."""
    left, right = one.popularity, other.popularity
    tables = [dict(zip(each.table.tolist(), each.bins.tolist(), strict=True)) for each in (left, right)]
    return (
        left.label == right.label
        and tables[0] == tables[1]
        and left.honest.tolist() == right.honest.tolist()
        and left.uniform.tolist() == right.uniform.tolist()
        and _plain(one.lessons) == _plain(other.lessons)
        and _plain(one.peaks) == _plain(other.peaks)
        and one.principals_a_day == other.principals_a_day
        and one.suspects.tolist() == other.suspects.tolist()
    )


def suspects(epoch: int, partition: int, *batches: Sequence[int] | NDArray[Any]) -> list[ModelDelta]:
    """A partition's delta that names suspects and nothing else."""
    one = Learner(partition, EPOCHS)
    for keys in batches:
        one.suspect(np.array(keys, np.uint64))
    return one.finish(epoch)


class TestSuspects:
    """Who belongs to a group that was found."""

    def test_each_once(self) -> None:
        """Whoever named them, in whatever batches and order: ascending, from two epochs later on."""
        said = [*suspects(E, 0, [9, 3], [3], []), *suspects(E, 1, [2**64 - 1, 3, 5])]
        for order in (said, said[::-1]):
            found = models(2, order)
            assert found.serve(E + 1).suspects.tolist() == []
            assert found.serve(E + 2).suspects.tolist() == [3, 5, 9, 2**64 - 1]

    @pytest.mark.parametrize(("later", "known"), [(1, [3, 4]), (23, [3, 4]), (24, [4])])
    def test_for_a_day(self, later: int, known: Sequence[int]) -> None:
        """After a day a suspect is none any more, and an earlier model still knows it."""
        found = models(1, [*suspects(E, 0, [3]), *suspects(E + later, 0, [4])])
        assert found.serve(E + later + 2).suspects.tolist() == known
        assert found.serve(E + 2).suspects.tolist() == [3]

    def test_not_before_the_model_speaks(self) -> None:
        """While the model learns there is no group to speak of."""
        found = models(1, suspects(E, 0, [3]), replace(SETTINGS, learning_s=86_400))
        assert found.serve(E + 2).suspects.size == 0

    def test_next_epoch_begins_empty(self) -> None:
        """What was told is not told again."""
        one = Learner(0, EPOCHS)
        one.suspect(np.array([3], np.uint64))
        assert [delta.suspects != b"" for delta in [*one.finish(E), *one.finish(E + 1)]] == [True, False]

    def test_bounded(self) -> None:
        """The lowest keys of so many, in parts below a broker's limit, whatever the order."""
        keys = np.arange(learning.SUSPECTS_MAX + 7)
        for order in (keys, keys[::-1]):
            deltas = suspects(E, 0, *np.array_split(order, 3))
            assert [len(one.suspects) for one in deltas] == [8 * PART_SUSPECTS] * 4
            assert models(1, deltas).serve(E + 2).suspects.tolist() == keys[: learning.SUSPECTS_MAX].tolist()


class TestLag:
    """Which epochs a model knows."""

    def test_two_epochs(self) -> None:
        """The model of an epoch knows what was learned up to two epochs before it, and nothing younger."""
        found = models(1, [*delta(E, 0, [1, 1]), *delta(E + 1, 0, [2, 2]), *delta(E + 2, 0, [3, 3])])
        assert [counts(found.serve(E + n), [1, 2, 3]) for n in (0, 1, 2, 3, 4)] == [
            [0, 0, 0],
            [0, 0, 0],
            [2, 0, 0],
            [2, 2, 0],
            [2, 2, 2],
        ]
        assert LAG == 2

    def test_an_epoch_is_served_alike_later(self) -> None:
        """What another partition has already gone on to does not change the model of an earlier epoch."""
        found = models(1, [*delta(E, 0, [1, 1]), *delta(E + 1, 0, [2, 2])])
        newest, older = found.serve(E + 3), found.serve(E + 2)
        assert counts(newest, [1, 2]) == [2, 2]
        assert counts(older, [1, 2]) == [2, 0]
        assert older.label < newest.label

    def test_first_epochs(self) -> None:
        """Epoch 0 is the empty model, which accuses nobody, though nothing is missing for it."""
        found = models(2, [*delta(E - 1, 0, []), *delta(E - 1, 1, [])])
        assert found.complete_for(E)
        assert found.serve(E).label == "none"
        assert found.serve(E).popularity.uniform[0] == 1

    def test_label(self) -> None:
        """A model is named for the newest epoch in it that taught anything."""
        found = models(1, [*delta(E, 0, [1]), *delta(E + 9, 0, [])])
        assert found.serve(E + 9).label == found.label == "2027-01-15T08"
        minutes = [replace(one, epoch_s=60) for one in delta(E * 60, 0, [1])]
        shorter = models(1, minutes, replace(SETTINGS, epoch_s=60))
        assert shorter.serve(E * 60 + 2).label == "2027-01-15T08:00:00"


class TestComplete:
    """Waiting for every partition."""

    def test_each_partition(self) -> None:
        """A model is complete when every partition is done with its last epoch."""
        found = models(2, [*delta(E, 0, [1]), *delta(E + 1, 0, [1])])
        assert not found.complete_for(E + 2)
        found.add(delta(E - 1, 1, [])[0])
        assert found.complete_for(E + 1)
        assert not found.complete_for(E + 2)
        found.add(delta(E, 1, [])[0])
        assert found.complete_for(E + 2)
        assert not found.complete_for(E + 3)

    def test_a_later_delta_says_that_earlier_epochs_are_done(self) -> None:
        """A partition that had nothing for a while says so with one delta."""
        found = models(1, [*delta(E, 0, [1]), *delta(E + 50, 0, [])])
        assert found.has(E + 7, 0)
        assert not found.has(E + 51, 0)
        assert found.complete_for(E + 52)

    def test_incomplete(self) -> None:
        """While one is missing the newest complete one serves, also where nobody has asked for it before."""
        found = models(2, [*delta(E, 0, [1, 1]), *delta(E, 1, [1, 1]), *delta(E + 1, 0, [2, 2])])
        assert not found.complete_for(E + 3)
        assert counts(found.serve(E + 3), [1, 2]) == [3, 0]
        found.add(delta(E + 1, 1, [2, 2])[0])
        assert counts(found.serve(E + 3), [1, 2]) == [3, 3]

    def test_parts(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """A delta counts with the last of its parts, in whatever order they come."""
        whole = delta(E, 0, [1, 1, 2, 3, 3, 4])
        monkeypatch.setattr(learning, "PART_PROFILES", 3)
        parts = delta(E, 0, [1, 1, 2, 3, 3, 4])
        assert [part.part for part in parts] == [0, 1]
        found = models(1, [parts[1], parts[1]])
        assert not found.has(E, 0)
        found.add(parts[0])
        assert same(found.serve(E + 2), models(1, whole).serve(E + 2))

    def test_sent_again(self) -> None:
        """A delta that comes twice counts once, before and after it was merged."""
        found = models(1, [*delta(E, 0, [1]), *delta(E, 0, [1])])
        assert counts(found.serve(E + 2), [1]) == [1]
        found.add(delta(E, 0, [1])[0])
        found.add(delta(E + 1, 0, [])[0])
        assert counts(found.serve(E + 3), [1]) == [1]

    def test_compacted(self) -> None:
        """Sent again behind later ones and the only one left of its key, a delta is merged all the same."""
        first, second, third = (delta(E + n, 0, [n + 1]) for n in range(3))
        found = models(1, [*second, *third, *first, *first])
        assert counts(found.serve(E + 4), [1, 2, 3]) == [1, 1, 1]
        assert same(found.serve(E + 3), models(1, [*first, *second, *third]).serve(E + 3))

    def test_let_go(self) -> None:
        """A model that was forgotten is complete no more, until all deltas have come once more."""
        deltas = [*delta(E, 0, [1]), *delta(E + 1, 0, [2]), *delta(E + 2, 0, [3])]
        found = models(1, deltas)
        before = found.serve(E + 2)
        found.serve(E + 4)
        found.forget(E + 3)
        assert [found.is_kept(E + n) for n in (2, 3)] == [False, True]
        assert not found.complete_for(E + 2)
        found.begin_anew()
        assert not found.has(E, 0)
        for one in deltas:
            found.add(one)
        assert found.complete_for(E + 2)
        assert same(found.serve(E + 2), before)

    def test_another_version(self) -> None:
        """What another version wrote is not guessed at."""
        with pytest.raises(ModelError, match=rf"has version {VERSION + 1}, this is version {VERSION}"):
            models(1, [replace(delta(E, 0, [1])[0], version=VERSION + 1)])

    def test_shorter_epochs_of_version_2(self) -> None:
        """It does not tell their length: taken for hours they would end in 2085, and all else would seem to be old."""
        with pytest.raises(ModelError, match="has version 2 and epochs that are no hours"):
            models(1, [replace(delta(2 * E, 0, [1])[0], version=2)])


contact = st.tuples(st.integers(0, 5), st.integers(1, 30), st.integers(0, BINS - 1))


class TestMerging:
    """One model, however it was gathered."""

    @settings(deadline=None, max_examples=60)
    @given(st.lists(contact, max_size=200), st.integers(1, 12), st.integers(0, 1_000))
    def test_partitions_and_arrival(self, contacts: list[tuple[int, int, int]], partitions: int, seed: int) -> None:
        """Any number of partitions, and their deltas in any order, give the same model of every epoch, bit by bit."""
        runs = []
        for number in (1, partitions):
            rng = np.random.default_rng(seed)
            owner = rng.integers(0, number, len(contacts)).tolist()
            queues = [
                [
                    part
                    for epoch in range(6)
                    for part in delta(
                        E + epoch,
                        partition,
                        [p for (e, p, _), o in zip(contacts, owner, strict=True) if (e, o) == (epoch, partition)],
                        bins=[b for (e, _, b), o in zip(contacts, owner, strict=True) if (e, o) == (epoch, partition)],
                    )
                ]
                for partition in range(number)
            ]
            found = Models(replace(SETTINGS, popularity_half_life_s=86_400), number)
            while any(queues):
                found.add(queues[rng.choice([n for n, queue in enumerate(queues) if queue])].pop(0))
                if rng.random() < 0.3:
                    found.serve(E + int(rng.integers(0, 9)))
            runs.append([found.serve(E + epoch) for epoch in range(8)])
        assert all(same(left, right) for left, right in zip(*runs, strict=True))

    def test_popularity(self) -> None:
        """Principals of all partitions and epochs add up."""
        deltas = [*delta(E, 0, [1] * 3 + [2]), *delta(E, 1, [1]), *delta(E + 1, 0, [2]), *delta(E + 1, 1, [])]
        assert counts(models(2, deltas).serve(E + 3), [1, 2, 3]) == [3, 2, 0]

    def test_honest_taste(self) -> None:
        """Taste is where honest contacts fell, by the bins of their own time."""
        found = models(1, [*delta(E, 0, [1, 2, 3, 4], bins=[0, 0, 1, 5])], replace(SETTINGS, taste_half_life=10**9))
        assert found.serve(E + 2).popularity.honest.tolist() == [0.5, 0.25, 0, 0, 0, 0.25, 0, 0, 0]


class TestForgetting:
    """What was learned long ago."""

    def test_half_life(self) -> None:
        """After a half-life of event time eight meetings are four, across epochs in which nothing was learned."""
        half_life = replace(SETTINGS, popularity_half_life_s=10 * 3_600)
        deltas = [*delta(E, 0, [1] * 8), *delta(E + 10, 0, [2]), *delta(E + 30, 0, [2])]
        found = models(1, deltas, half_life)
        assert counts(found.serve(E + 11), [1]) == [4]
        assert counts(found.serve(E + 12), [1]) == [3]
        assert counts(found.serve(E + 32), [1]) == [1]

    def test_gaps_do_not_matter(self) -> None:
        """Whether silent epochs were reported one by one, or leapt over, the model is the same."""
        one_by_one = [part for n in range(1, 40) for part in delta(E + n, 0, [])]
        short = models(1, [*delta(E, 0, [1] * 5), *one_by_one, *delta(E + 40, 0, [2])])
        leapt = models(1, [*delta(E, 0, [1] * 5), *delta(E + 39, 0, []), *delta(E + 40, 0, [2])])
        assert same(short.serve(E + 42), leapt.serve(E + 42))

    def test_taste(self) -> None:
        """After as many contacts as the half-life, old taste has half its weight."""
        half = replace(SETTINGS, taste_half_life=4)
        found = models(
            1, [*delta(E, 0, [1, 2, 3, 4], bins=[0] * 4), *delta(E + 1, 0, [5, 6, 7, 8], bins=[3] * 4)], half
        )
        assert found.serve(E + 3).popularity.honest.tolist() == pytest.approx([1 / 3, 0, 0, 2 / 3, 0, 0, 0, 0, 0])

    def test_room(self) -> None:
        """Beyond the room the least popular are forgotten, and of equals only as many as must be, always the same."""
        small = replace(SETTINGS, profiles_max=4)
        found = models(1, delta(E, 0, [9, 9, 8, 8, 5, 4, 3]), small).serve(E + 2)
        assert counts(found, [9, 8, 5, 4, 3]) == [2, 2, 0, 1, 1]

    def test_old_models(self) -> None:
        """Models that only past epochs need are dropped; the present one stays."""
        found = models(1, [part for n in range(9) for part in delta(E + n, 0, [n + 1])])
        expected = found.serve(E + 9).label
        found.forget(E + 9)
        assert found.serve(E + 9).label == expected
        assert found.serve(E + 10).label > expected


class TestLearning:
    """How long it takes before the model speaks."""

    @pytest.mark.parametrize(("hours", "speaks"), [(23, False), (24, True)])
    def test_learning_time(self, hours: int, speaks: bool) -> None:
        """A day of learning is a day of epochs since the first that taught anything, that one included."""
        day = replace(SETTINGS, learning_s=86_400)
        deltas = [part for n in range(hours) for part in delta(E + n, 0, [1, 2, 2], bins=[0, 1, 1])]
        found = models(1, deltas, day).serve(E + hours + 1).popularity
        assert bool(found.honest[1] > 0) is speaks
        assert bool(found.uniform[0] < 1) is speaks

    def test_only_calm_principals_teach_taste(self) -> None:
        """Whoever something speaks against still makes profiles popular, but teaches no taste."""
        one = Learner(0, EPOCHS)
        one.learn(np.array([1, 2], np.uint64), np.array([0, 4], np.uint8), np.array([True, False]))
        found = models(1, one.finish(E)).serve(E + 2)
        assert counts(found, [1, 2]) == [1, 1]
        assert found.popularity.honest.tolist() == [1, 0, 0, 0, 0, 0, 0, 0, 0]

    def test_the_next_epoch_begins_empty(self) -> None:
        """What was sent is not sent again."""
        one = Learner(0, EPOCHS)
        one.learn(np.array([1], np.uint64), np.zeros(1, np.uint8), np.ones(1, np.bool_))
        assert one.finish(E)[0].profiles
        following = one.finish(E + 1)
        assert [(part.parts, part.profiles, part.key) for part in following] == [(1, b"", f"{E + 1}/0/0")]


def test_what_has_faded_is_added_to_once_an_epoch() -> None:
    """Sums of what is no whole number any more depend on their order: two partitions give what one does, bit by bit."""
    fading = replace(SETTINGS, popularity_half_life_s=3_500)
    found = []
    for told in ([(3, 0), (3, 12)], [(3,), (15,)]):
        merged = Models(fading, len(told[0]))
        for n, counts in enumerate(told):
            for partition, count in enumerate(counts):
                one = Learner(partition, EPOCHS)
                one.count("long_tail.rate", 1, np.zeros(count, np.int64))
                for each in one.finish(E + n):
                    merged.add(each)
        found.append(merged.serve(E + 1 + LAG).lessons["long_tail.rate"].tolist())
    assert found[0] == found[1]


def test_models_that_nobody_needs_are_dropped() -> None:
    """Whoever asks for one all the same gets the oldest kept, and is told that it is not the one that was due."""
    merged = models(1, [one for epoch in range(10) for one in delta(epoch, 0, [epoch + 1])])
    labels = {epoch: merged.serve(epoch).label for epoch in range(LAG, 12)}
    merged.forget(8)
    assert [merged.serve(epoch).label for epoch in range(8, 12)] == [labels[epoch] for epoch in range(8, 12)]
    assert [merged.complete_for(epoch) for epoch in (7, 8, 11, 12)] == [False, True, True, False]
    assert merged.serve(3).label == labels[8]


def test_two_months_are_not_kept_in_memory() -> None:
    """A worker that starts folds all that the topic has; three days of models stay, a model an epoch."""
    merged = models(1, [one for epoch in range(1_000) for one in delta(epoch, 0, [epoch + 1])])
    newest = merged.serve(1_001)
    assert len(merged._models) <= KEPT_S // SETTINGS.epoch_s + LAG + 1
    assert merged.complete_for(1_001 - 48 * 3_600 // SETTINGS.epoch_s)
    assert newest.label == merged.label
