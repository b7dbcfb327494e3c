"""What is kept of an actor that was put to sleep: enough not to take it for a new one when it returns.

A sleeper is a key and a packed record, in runs sorted by key: a search needs no table beside them, and costs nothing
that a hash table's empty places would. Two runs become one while the newer is at least half as long, so that there
are few of them and each record moves a logarithmic number of times (O'Neil et al. 1996, the log-structured merge-tree).
"""

from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

PRINCIPAL: Final = 1
"""In `what`: the actor is judged by all detectors, and has evidence."""

Records = NDArray[Any]
"""A structured array, see `record`."""


def record(detectors: int) -> np.dtype[np.void]:
    """What is kept of one sleeper; with its key 21 bytes, and two for each detector."""
    return np.dtype(
        [
            ("first_seen_s", "<u4"),
            ("last_seen_s", "<u4"),  # 0: it is asleep no more
            ("exposed", "<u4"),
            ("what", "u1"),
            ("nats", "<f2", (detectors,)),  # evidence as it stood when it was last seen
        ]
    )


class _Run(NamedTuple):
    keys: NDArray[np.uint64]
    records: Records


class Sleepers:
    """All actors of one partition that sleep."""

    def __init__(self, detectors: int) -> None:
        """Keep evidence of so many detectors."""
        self.record = record(detectors)
        self._runs: list[_Run] = []
        self.count = 0

    def add(self, keys: NDArray[np.uint64], records: Records) -> None:
        """Put actors to sleep, none of which sleeps already."""
        order = np.argsort(keys, kind="stable")
        self._runs.append(_Run(keys[order], records[order]))
        self.count += keys.size
        while len(self._runs) > 1 and 2 * self._runs[-1].keys.size >= self._runs[-2].keys.size:
            newer, older = self._runs.pop(), self._runs.pop()
            self._runs.append(_merged([older, newer]))

    def state(self) -> tuple[NDArray[np.uint64], Records]:
        """Keys and records of all who sleep, in the order of their keys."""
        whole = _merged(self._runs) if self._runs else _Run(np.zeros(0, np.uint64), np.zeros(0, self.record))
        return whole.keys, whole.records

    def wake(self, keys: NDArray[np.uint64]) -> tuple[NDArray[np.int64], Records]:
        """Which of ``keys``, each there once, slept, and what is known of them; they sleep no more."""
        found, known = [np.zeros(0, np.int64)], [np.zeros(0, self.record)]
        for run in (run for run in self._runs if run.keys.size):
            at = np.minimum(np.searchsorted(run.keys, keys), run.keys.size - 1)
            there = np.flatnonzero((run.keys[at] == keys) & (run.records["last_seen_s"][at] > 0))
            found.append(there)
            known.append(run.records[at[there]])
            run.records["last_seen_s"][at[there]] = 0
        woken = np.concatenate(found)
        self.count -= woken.size
        return woken, np.concatenate(known)

    def forget(self, before_s: int) -> int:
        """Drop those last seen before ``before_s``; how many."""
        count = 0
        for run in self._runs:
            last_s = run.records["last_seen_s"]
            gone = (last_s > 0) & (last_s < before_s)
            count += int(np.count_nonzero(gone))
            last_s[gone] = 0
        self.count -= count
        if self.count == 0:
            self._runs = []
        return count

    def evict(self, most: int) -> int:
        """If there are more than ``most``, drop those unseen longest until a tenth is free; how many."""
        if self.count <= most:
            return 0
        whole = _merged(self._runs)
        evicted = self.count - most * 9 // 10
        longest = np.argsort(whole.records["last_seen_s"], kind="stable")[:evicted]
        whole.records["last_seen_s"][longest] = 0
        self._runs = [_merged([whole])]
        self.count -= evicted
        return evicted

    @property
    def nbytes(self) -> int:
        """Bytes held."""
        return sum(run.keys.nbytes + run.records.nbytes for run in self._runs)


def _merged(runs: list[_Run]) -> _Run:
    """One run of all who sleep still."""
    asleep = [run.records["last_seen_s"] > 0 for run in runs]
    keys = np.concatenate([run.keys[which] for run, which in zip(runs, asleep, strict=True)])
    records = np.concatenate([run.records[which] for run, which in zip(runs, asleep, strict=True)])
    # A stable sort takes what is in order already as it is: it only has to merge.
    order = np.argsort(keys, kind="stable")
    return _Run(keys[order], records[order])
