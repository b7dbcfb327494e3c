"""What a model is said to know, from nothing to fitted limits."""

from typing import Final

import numpy as np
from msgspec.structs import replace

from detectors.core.model import ENOUGH, PEAKS
from streams.config import detectors, parse
from streams.pipeline.model.epochs import Epochs
from streams.pipeline.model.learner import Learner
from streams.pipeline.model.models import Models
from streams.pipeline.model.summary import Summary, summarise
from streams.settings import ModelSettings

E: Final = 500_016
"""An epoch of an hour that begins a day."""


def summary(epochs: int, peaks: int = 0, *, learning_s: int = 7_200) -> Summary:
    """Of so many epochs, with so many peaks on the first day."""
    settings = replace(
        parse("", environment={}), model=ModelSettings(epoch_s=3_600, learning_s=learning_s, members=1_000)
    )
    models = Models(settings.model, 1)
    for epoch in range(E, E + epochs):
        one = Learner(0, Epochs.of(settings.model))
        one.learn(np.arange(1, 9, dtype=np.uint64), np.zeros(8, np.uint8), np.ones(8, np.bool_))
        one.count("principals", 1, np.zeros(50, np.int64))
        if epoch == E:
            one.count("peaks.everybody", PEAKS, np.full(peaks, 16, np.int64))
        for delta in one.finish(epoch):
            models.add(delta)
    return summarise(models, settings, detectors(settings, None))


def everybody(found: Summary) -> bool:
    """Whether the limits of everybody are fitted."""
    return next(one.fitted for one in found.populations if one.name == "everybody")


def test_nothing_learned() -> None:
    """Nobody was heard of."""
    found = summary(0)
    assert (found.model, found.complete, found.learning_since_s, found.learning_left_s) == ("none", False, None, 7_200)


def test_learning_ends_with_learning_s() -> None:
    """An epoch before it, and with it."""
    assert (summary(1).learning_left_s, summary(2).learning_left_s) == (3_600, 0)
    assert any(line.startswith("long_tail: the model is not ripe") for line in summary(1).blind)
    assert not any("not ripe" in line for line in summary(2).blind)
    assert summary(2).learning_since_s == E * 3_600


def test_limits_are_fitted_from_enough_peaks() -> None:
    """Once their day is over; one too few leaves the configured limits, and says so."""
    # Peaks fade from the epoch after their day has ended, so that none is lost here.
    few, enough = summary(25, ENOUGH - 1), summary(25, ENOUGH)
    assert (everybody(few), everybody(enough)) == (False, True)
    assert any(line.startswith("the sum for everybody") for line in few.blind)
    assert not any(line.startswith("the sum for everybody") for line in enough.blind)
