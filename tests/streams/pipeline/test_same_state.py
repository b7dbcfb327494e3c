"""Same input, same state: what a partition knows at the end hangs on what happened, not on how it came."""

import json
from collections.abc import Iterable, Sequence
from typing import Final

import numpy as np

from schemas.mode import Mode
from streams.pipeline.observe.naming import CELL_US
from tests import days
from tests.streams.pipeline.checkpoint.picture import Picture, of_the_input, picture, unlike
from tests.streams.pipeline.test_same_decisions import TOUCHED

CUTS: Final = 300


def known(values: Sequence[bytes], cuts: Iterable[int]) -> list[Picture]:
    """What four partitions know after these records, but for what has to wait still."""
    flow = days.pipeline(days.QUICK, mode=Mode.ENFORCE, partitions=4)
    days.run(flow, days.batches(0, values, cuts), [len(values)])
    pictures = [of_the_input(picture(assessor)) for assessor in flow.assessors]
    return [{name: one[name] for name in one if not name.startswith("rows that wait")} for one in pictures]


def within_cells(values: Sequence[bytes]) -> list[int]:
    """Where somebody is met again so soon that a batch which ended there would tell of one touch twice."""
    seen, found = set[tuple[object, int]](), list[int]()
    for place, event in enumerate(map(json.loads, values)):
        cell = event.get("user.id"), event["@timestamp"] // CELL_US
        found += [place] if cell in seen else []
        seen.add(cell)
    return found


def test_touches() -> None:
    """Touches come once more wherever a batch ends: whoever counts or keeps one of them knows something else then."""
    values = days.values(TOUCHED)
    cuts = np.random.default_rng(1).choice(within_cells(values), CUTS, replace=False)
    whole, cut = known(values, []), known(values, cuts.tolist())
    assert [unlike(*both) for both in zip(whole, cut, strict=True)] == [set()] * 4
    assert sum(len(one["keys"]) for one in whole) > 400
