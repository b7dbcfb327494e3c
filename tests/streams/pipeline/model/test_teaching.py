"""What a batch teaches, of whom, and how much of it."""

from typing import Final

import numpy as np
import pytest

from detectors.core.model import PEAK_STEP, PEAKS, Model, certainly, empty
from schemas.mode import Mode
from schemas.model import ModelDelta
from schemas.sighting import Flag
from streams.pipeline.model.epochs import Epochs
from streams.pipeline.model.learner import Learner
from streams.pipeline.model.models import PEAKS_OF, PRINCIPALS, Models
from streams.pipeline.model.teaching import CALM_SHARE, LESSONS_A_DAY, teach
from streams.pipeline.policy.fused import ADDRESSES, EVERYBODY
from streams.pipeline.rows import Rows
from streams.settings import FusionSettings, ModelSettings, Settings
from tests.streams.pipeline.rows_of import START_US, rows_of
from tests.streams.pipeline.staged import Scripted, Staged

DAY_US: Final = 86_400_000_000
MIDNIGHT_US: Final = START_US // DAY_US * DAY_US
LIMIT: Final = 20.0
"""Evidence that an alert needs."""
MODEL: Final = ModelSettings(epoch_s=3_600, learning_s=0, members=1_000)
SETTINGS: Final = Settings(model=MODEL, fusion=FusionSettings(limit=LIMIT, block_limit=25, floor=7))
EPOCH: Final = 500_000 // 24 * 24
"""A midnight."""
OPEN: Final = int(Flag.PRINCIPAL)
KNOWING: Final = Model(empty().popularity, principals_a_day=1.0)
"""A model that has seen people, and so far nothing unusual in them."""


def learned(rows: Rows, *detectors: Scripted, batches: int = 1, hours: int = 0) -> Model:
    """What the model knows of one partition's rows, learned in so many batches, and so many hours later."""
    one = Staged(*[(detector, Mode.SHADOW) for detector in detectors], settings=SETTINGS, model=KNOWING)
    for part in np.array_split(np.arange(len(rows)), batches):
        some = rows.pick(part)
        one.assessor.learn(some, one.evaluate(some))
    return merged(one.assessor.learner.finish(EPOCH), hours)


def merged(deltas: list[ModelDelta], hours: int = 0) -> Model:
    """The model of these deltas, and of a contact so many hours later."""
    models, later = Models(MODEL, 1), Learner(0, Epochs.of(MODEL))
    later.learn(np.array([1], np.uint64), np.zeros(1, np.uint8), np.ones(1, np.bool_))
    for delta in [*deltas, *(later.finish(EPOCH + hours) if hours else [])]:
        models.add(delta)
    return models.serve(EPOCH + hours + 2)


def peaks(model: Model, name: str = EVERYBODY) -> dict[int, float]:
    """Bins of a table of peaks that are not empty."""
    counts = model.peaks.get(name, np.zeros(PEAKS))
    return {int(place): float(counts[place]) for place in np.flatnonzero(counts)}


def bin_of(nats: float) -> int:
    """Bin of a peak."""
    return int(nats / PEAK_STEP)


class TestLessons:
    """Tables that detectors declare."""

    @staticmethod
    def taught(rows: Rows, level: float = 0.0, nats: float = -1.0) -> float:
        """Sightings that a detector's table counted; another detector says ``level`` and ``nats`` of every row."""
        other = Scripted("other", [level] * len(rows), [nats] * len(rows))
        model = learned(rows, Scripted("d", lessons={"table": 8}, place=3), other)
        counts = model.counts("d.table", 8)
        assert counts.sum() == counts[3]
        return float(counts[3])

    def test_what_nobody_calm_ever_does(self) -> None:
        """A row that a detector names teaches though its principal is not calm, and only what that detector counts."""
        loud = Scripted("loud", [2.0] * 4, lessons={"table": 8}, place=3, teaches=[0, 1, 0, 0])
        model = learned(rows_of([START_US + k for k in range(4)]), loud, Scripted("d", lessons={"table": 8}, place=5))
        assert model.counts("loud.table", 8).tolist() == [0, 0, 0, 1, 0, 0, 0, 0]
        assert not model.counts("d.table", 8).any()

    def test_at_its_place(self) -> None:
        """Each sighting of a principal counts, under the detector's name."""
        assert self.taught(rows_of([START_US, START_US + 1])) == 2

    def test_principals_alone(self) -> None:
        """The rows of a session or a group are the same sightings again."""
        assert self.taught(rows_of([START_US] * 2, slots=[0, 1], flags=[OPEN, 0], offsets=[0, 0])) == 1

    @pytest.mark.parametrize(("level", "count"), [(0.99, 1), (1.0, 0)])
    def test_whoever_is_spoken_of_teaches_nothing(self, level: float, count: int) -> None:
        """A finding of any detector, in shadow too."""
        assert self.taught(rows_of([START_US]), level=level) == count

    @pytest.mark.parametrize(("nats", "count"), [(CALM_SHARE * LIMIT - 0.01, 1), (CALM_SHARE * LIMIT, 0)])
    def test_nor_who_is_not_calm(self, nats: float, count: int) -> None:
        """Evidence on its way to an alert is enough."""
        assert self.taught(rows_of([START_US]), nats=nats) == count

    @pytest.mark.parametrize(
        ("sightings", "count"), [(LESSONS_A_DAY, LESSONS_A_DAY), (LESSONS_A_DAY + 5, LESSONS_A_DAY)]
    )
    def test_so_many_a_day(self, sightings: int, count: int) -> None:
        """One principal cannot teach more than its share, and can again on the next day."""
        times = [MIDNIGHT_US + n for n in range(sightings)]
        assert self.taught(rows_of(times)) == count
        assert self.taught(rows_of([*times, MIDNIGHT_US + DAY_US])) == count + 1

    def test_late(self) -> None:
        """What comes late from the day before does not give a new share."""
        times = [MIDNIGHT_US + n for n in range(LESSONS_A_DAY)]
        assert self.taught(rows_of([*times, MIDNIGHT_US - 1, MIDNIGHT_US + 5])) == LESSONS_A_DAY


class TestSuspects:
    """Members of a group that was found."""

    @pytest.mark.parametrize("batches", [1, 3])
    def test_who_adds_to_what_speaks(self, batches: int) -> None:
        """The members at whose rows a detector speaks and says that they add; each once."""
        rows = rows_of([START_US + n for n in range(3)], slots=4, principals=[1, 1, 2], flags=0)
        one = Learner(0, Epochs.of(MODEL))
        for level, adds, suspect in ((0.99, 1.0, False), (1.0, 0.0, False), (1.0, 1.0, True)):
            for part in np.array_split(np.arange(3), batches):
                group = Scripted("d", [level] * 3, adds=[adds] * 3)
                staged = Staged((group, Mode.SHADOW), settings=SETTINGS, model=KNOWING)
                some = rows.pick(part)
                evaluation = staged.evaluate(some)
                teach(one, some, evaluation.case, staged.assessor.actors.principals, ("",), learned=True)
            found = merged(one.finish(EPOCH)).suspects.tolist()
            assert found == (sorted(set(rows.principal.tolist())) if suspect else [])

    def test_for_certain(self) -> None:
        """Beside the key of one that is so for certain stands its mark."""
        rows = rows_of([START_US + n for n in range(3)], slots=4, principals=[1, 1, 2], flags=0)
        group = Scripted("d", [1.0] * 3, adds=[1.0, 2.0, 1.0])
        staged = Staged((group, Mode.SHADOW), settings=SETTINGS, model=KNOWING)
        evaluation, one = staged.evaluate(rows), Learner(0, Epochs.of(MODEL))
        teach(one, rows, evaluation.case, staged.assessor.actors.principals, ("",), learned=True)
        keys = np.unique(rows.principal)
        marks = certainly(rows.principal[1:2])
        assert merged(one.finish(EPOCH)).suspects.tolist() == sorted([*keys.tolist(), *marks.tolist()])


class TestPrincipals:
    """How many come in a day."""

    def test_once_a_day(self) -> None:
        """Each counts once on its day, in whatever batches."""
        rows = rows_of([MIDNIGHT_US, MIDNIGHT_US + 1, MIDNIGHT_US + 2, MIDNIGHT_US + DAY_US], slots=[0, 3, 0, 0])
        for batches in (1, 4):
            assert learned(rows, Scripted("d"), batches=batches).principals_a_day == 3

    def test_their_table(self) -> None:
        """It has a place of its own, that no detector's table can take."""
        assert "." not in PRINCIPALS
        assert PEAKS_OF.endswith(".")


class TestPeaks:
    """How high evidence rises in a day."""

    @pytest.mark.parametrize(("hours", "counts"), [(23, False), (24, True)])
    def test_once_the_day_is_over(self, hours: int, counts: bool) -> None:
        """Until then it has yet to rise."""
        assert bool(peaks(learned(rows_of([MIDNIGHT_US]), Scripted("d", (), [3.0]), hours=hours))) is counts

    def test_by_the_empty_model(self) -> None:
        """Days of which hardly anything could be said make no limits."""
        one = Staged((Scripted("d", (), [3.0]), Mode.SHADOW), settings=SETTINGS)
        rows = rows_of([MIDNIGHT_US])
        one.assessor.learn(rows, one.evaluate(rows))
        assert peaks(merged(one.assessor.learner.finish(EPOCH), 24)) == {}

    @pytest.mark.parametrize("batches", [1, 2, 5])
    def test_the_highest(self, batches: int) -> None:
        """A principal's day stands once in the table, at its highest, however it got there."""
        nats = [1.0, 3.0, 2.0, 5.0, 4.0]
        rows = rows_of([MIDNIGHT_US + n for n in range(5)])
        one = Staged((Scripted("d", (), nats), Mode.SHADOW), settings=SETTINGS, model=KNOWING)
        detector = one.assessor._detectors[0][0]
        assert isinstance(detector, Scripted)
        for part in np.array_split(np.arange(5), batches):
            detector._nats = [nats[place] for place in part]
            some = rows.pick(part)
            one.assessor.learn(some, one.evaluate(some))
        assert peaks(merged(one.assessor.learner.finish(EPOCH), 24)) == {bin_of(5.0): 1}

    def test_each_day(self) -> None:
        """Another day is another peak."""
        rows = rows_of([MIDNIGHT_US, MIDNIGHT_US + DAY_US])
        assert peaks(learned(rows, Scripted("d", (), [3.0, 1.0]), hours=24)) == {bin_of(3.0): 1, bin_of(1.0): 1}

    def test_a_day_without_evidence(self) -> None:
        """It counts as one of none, where something was reckoned."""
        assert peaks(learned(rows_of([MIDNIGHT_US]), Scripted("d", (), [0.0]), hours=24)) == {0: 1}
        assert peaks(learned(rows_of([MIDNIGHT_US]), Scripted("d", (), [-1.0]), hours=24)) == {}

    def test_not_beyond_an_alert(self) -> None:
        """Scrapers do not stretch the tail that the limit is fitted to."""
        model = learned(rows_of([MIDNIGHT_US, MIDNIGHT_US + 1]), Scripted("d", (), [19.0, 60.0]), hours=24)
        assert peaks(model) == {bin_of(20.0): 1}

    def test_populations(self) -> None:
        """Accounts by tier, addresses by themselves, and all of them together."""
        rows = rows_of([MIDNIGHT_US] * 2, slots=[0, 3], flags=[OPEN | int(Flag.LOGGED_IN), OPEN])
        model = learned(rows, Scripted("d", (), [3.0, 4.0]), hours=24)
        assert peaks(model, "account/") == {bin_of(3.0): 1}
        assert peaks(model, ADDRESSES) == {bin_of(4.0): 1}
        assert peaks(model) == {bin_of(3.0): 1, bin_of(4.0): 1}

    def test_nothing_is_told_before_the_model_speaks(self) -> None:
        """While the model learns there are neither lessons nor peaks."""
        one = Staged((Scripted("d", (), [3.0], lessons={"table": 4}), Mode.SHADOW), settings=SETTINGS, model=KNOWING)
        rows = rows_of([MIDNIGHT_US])
        one.assessor.learn(rows, one.evaluate(rows))
        models = Models(ModelSettings(learning_s=86_400), 1)
        for delta in one.assessor.learner.finish(EPOCH):
            models.add(delta)
        model = models.serve(EPOCH + 2)
        assert (dict(model.lessons), dict(model.peaks), model.principals_a_day) == ({}, {}, 0.0)
