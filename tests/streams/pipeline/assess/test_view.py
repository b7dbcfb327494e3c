"""Rows of principals alone, and what is said of them spread over all rows."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from detectors.core.contract import Evidence
from streams.pipeline.assess.view import Numbers, Own, pick, spread
from tests.detectors.columns_of import columns_of


def evidence(n: int, *, adds_up: bool = True) -> Evidence:
    """Evidence at n rows, different in each."""
    row = np.arange(1, n + 1)
    number = row.astype(np.float64)
    return Evidence(
        level=row / 10,
        since_us=row.astype(np.int64),
        profiles=row.astype(np.int64),
        may_block=np.ones(n, np.bool_),
        numbers={"sum": number},
        nats=number if adds_up else None,
        moved=np.ones(n, np.bool_) if adds_up else None,
        lessons={"table": row.astype(np.int64)},
    )


@given(st.lists(st.booleans(), max_size=20))
def test_there_and_back(own: list[bool]) -> None:
    """At the picked rows stands what was said of them; at the others there is no evidence and nothing to learn."""
    rows = np.flatnonzero(own)
    columns = columns_of(range(len(own)))
    found = spread(evidence(rows.size), rows, columns)
    expected = evidence(rows.size)
    for name in ("level", "since_us", "profiles", "may_block", "nats", "moved"):
        assert getattr(found, name)[rows].tolist() == getattr(expected, name).tolist()
        assert len(getattr(found, name)) == len(own)
    others = np.flatnonzero(~np.array(own, np.bool_))
    assert not found.level[others].any()
    assert not found.may_block[others].any()
    assert found.moved is not None
    assert not found.moved[others].any()
    assert (found.lessons["table"][others] == -1).all()
    assert found.since_us[others].tolist() == columns.time_us[others].tolist()


def test_own() -> None:
    """Rows of principals in their order, each with its place among them, and -1 for the others."""
    own = Own.of(columns_of([0, 1, 2, 3], principal_slot=[-1, 5, -1, 4]))
    assert own.rows.tolist() == [1, 3]
    assert own.place.tolist() == [-1, 0, -1, 1]
    assert own.columns.principal_slot.tolist() == [5, 4]
    assert len(own.whole) == 4


def test_who_adds_nothing_up() -> None:
    """A detector that only compares with limits takes no part in the sum."""
    found = spread(evidence(1, adds_up=False), np.array([0]), columns_of([0, 1]))
    assert found.nats is None
    assert found.moved is None


def test_numbers() -> None:
    """They are named as before, each spread when it is asked for."""
    numbers = Numbers({"a": np.array([1.5, 2.5]), "b": np.zeros(2)}, np.array([0, 2]), 4)
    assert (list(numbers), len(numbers)) == (["a", "b"], 2)
    assert numbers["a"].tolist() == [1.5, 0, 2.5, 0]
    with pytest.raises(KeyError):
        numbers["c"]


def test_pick() -> None:
    """Every column keeps its values at the rows, and tiers stay whole."""
    columns = columns_of([0, 5, 9], slot=[4, 5, 6], tier=[0, 1, 0], tiers=("", "free"), profile=[7, 8, 9])
    found = pick(columns, np.array([2, 1]))
    assert (found.slot.tolist(), found.profile.tolist(), found.tier.tolist()) == ([6, 5], [9, 8], [0, 1])
    assert found.profiles.shape == (2, 4)
    assert found.tiers == ("", "free")
    assert len(found) == 2
