"""Rows of principals alone, for the detectors that read no others: one in seven where people are logged in."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from detectors.core.columns import Columns
from detectors.core.contract import Evidence


@dataclass(frozen=True, slots=True)
class Own:
    """The rows of principals among n."""

    rows: NDArray[np.int64]
    """[m], ascending."""
    place: NDArray[np.int32]
    """[n] place of each row among them, -1 for the others."""
    columns: Columns
    """[m]"""
    whole: Columns
    """[n]"""

    @classmethod
    def of(cls, columns: Columns) -> "Own":
        """Those among ``columns``."""
        rows = np.flatnonzero(columns.own)
        place = np.full(len(columns), -1, np.int32)
        place[rows] = np.arange(rows.size)
        return cls(rows, place, pick(columns, rows), columns)


def pick(columns: Columns, rows: NDArray[np.int64]) -> Columns:
    """Columns over ``rows``, in their order."""
    taken = {each.name: getattr(columns, each.name) for each in fields(columns)}
    return Columns(**{name: value if name == "tiers" else value[rows] for name, value in taken.items()})


class Numbers(Mapping[str, NDArray[np.float64]]):
    """Numbers of some rows, spread over all when one is asked for: few ever are."""

    def __init__(self, numbers: Mapping[str, NDArray[np.float64]], rows: NDArray[np.int64], count: int) -> None:
        self._numbers, self._rows, self._count = numbers, rows, count

    def __getitem__(self, name: str) -> NDArray[np.float64]:
        return _spread(self._numbers[name], self._rows, self._count, 0)

    def __iter__(self) -> Iterator[str]:
        return iter(self._numbers)

    def __len__(self) -> int:
        return len(self._numbers)


def spread(evidence: Evidence, rows: NDArray[np.int64], columns: Columns) -> Evidence:
    """Evidence at ``rows`` as evidence at all of ``columns``; there is none at the others."""
    count = len(columns)
    since_us = columns.time_us.copy()
    since_us[rows] = evidence.since_us
    return Evidence(
        level=_spread(evidence.level, rows, count, 0),
        since_us=since_us,
        profiles=_spread(evidence.profiles, rows, count, 0),
        may_block=_spread(evidence.may_block, rows, count, 0),
        numbers=Numbers(evidence.numbers, rows, count),
        nats=None if evidence.nats is None else _spread(evidence.nats, rows, count, 0),
        moved=None if evidence.moved is None else _spread(evidence.moved, rows, count, 0),
        lessons={table: _spread(places, rows, count, -1) for table, places in evidence.lessons.items()},
    )


def _spread(values: NDArray[Any], rows: NDArray[np.int64], count: int, elsewhere: int) -> NDArray[Any]:
    out: NDArray[Any] = np.full(count, elsewhere, values.dtype) if elsewhere else np.zeros(count, values.dtype)
    out[rows] = values
    return out
