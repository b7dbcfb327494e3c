"""Which days' peaks the limits are fitted to."""

import numpy as np
import pytest
from msgspec.structs import replace

from streams.pipeline.model.learner import Learner
from streams.pipeline.model.models import LAG, Models
from tests.streams.pipeline.model.test_models import EPOCHS, SETTINGS, E


@pytest.mark.parametrize(("begin", "counts"), [(0, True), (3, True), (4, False), (23, False)])
def test_peaks_of_whole_days_alone(begin: int, counts: bool) -> None:
    """A day of which models knew people for less than 20 hours has low peaks, and limits would follow them."""
    merged = Models(replace(SETTINGS, learning_s=86_400), 1)
    first = E - E % 24
    for hour in range(begin, 49):
        one = Learner(0, EPOCHS)
        one.learn(np.array([1], np.uint64), np.array([0], np.uint8), np.array([True]))
        if hour >= 24:
            one.count("peaks.everybody", 8, np.full(1, 5, np.int64))
        for each in one.finish(first + hour):
            merged.add(each)
    found = merged.serve(first + 48 + LAG).peaks
    assert found.get("everybody", np.zeros(8)).tolist() == [0, 0, 0, 0, 0, 24 * counts, 0, 0]
