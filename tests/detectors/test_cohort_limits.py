"""Groups as actors: what stands in the configuration, by its defaults."""

from dataclasses import replace

import numpy as np
import pytest

from detectors.cohort import Config
from schemas.sighting import Kind
from tests.detectors.columns_of import added, columns_of
from tests.detectors.groups_of import BLOCK, MODEL, fleet, group, judge, total


@pytest.mark.parametrize(("members", "blocked"), [(146, False), (147, True)])
def test_people_share(members: int, blocked: bool) -> None:
    """Three people are more than 2 in 100 of 149 members behind the group, and not of 150."""
    of = judge()
    of.judge(group([0] * 3, range(3)), MODEL)
    of.judge(group([10] * 3, range(3), kind=Kind.TOUCH), MODEL)
    found = of.judge(fleet(200, from_s=20, members=members), MODEL)
    assert found.numbers["people"][-1] == 3
    assert found.level[-1] >= Config().block_ratio
    assert found.may_block[-1] == blocked


def test_half_life() -> None:
    """After 3.5 days half of what a group came to is left."""
    of = judge()
    of.judge(fleet(BLOCK), MODEL)
    of.judge(group([10 * BLOCK + 20], [7], kind=Kind.TOUCH), MODEL)
    before = total(of)
    assert before > 14
    of.judge(group([10 * BLOCK + 20 + 302_400], [7], kind=Kind.TOUCH), MODEL)
    assert total(of) == pytest.approx(before / 2, rel=1e-4)


def test_the_sum() -> None:
    """A suspect starts with at most 14 in the sum over all detectors, whatever is configured."""
    found = judge(suspect_nats=20.0).judge(
        columns_of([0], principal=3), replace(MODEL, suspects=np.array([3], np.uint64))
    )
    assert added(found, Config().cap) == 14
