"""Decoys: who reaches profiles that no person is shown.

Seen: a principal is shown, or asks for, one of the profiles that the operator made for nobody (`decoys`). People do
not get there: no page links to a decoy, no search and no suggestion finds it, it has no friends. Who takes the member
base as it comes meets them in the share that they have of it. Each decoy adds 12 natural logarithms, once; the
evidence fades by half in 14 days, so that a visitor to one of them is an alert, and a visitor to two of them a block.
What one response shows counts as one decoy: a list that shows two of them by mistake accuses nobody of more than one.

Blind spots: no decoys configured; whoever takes few profiles, or only such as are linked to; who knows the decoys.
Decoys that the platform's own search or suggestions show accuse the people who see them.

Source: Yuill, Zappe, Denning, Feer, "Honeyfiles: Deceptive Files for Intrusion Detection", 2004.
"""

from collections.abc import Mapping
from functools import cache
from typing import Annotated, ClassVar, Final, cast

import msgspec
import numpy as np
from numpy.typing import NDArray

from detectors.core.columns import US, Columns
from detectors.core.compiled import compiled
from detectors.core.contract import Detector, DetectorConfig, Evidence, Explanation, Nats, Ratio, State
from detectors.core.hashing import xxh64
from detectors.core.model import Model
from schemas.sighting import Kind

DECOY_NATS: Final = 12.0
REQUESTS_MIN: Final = 3
FADED_NATS: Final = 1.0
"""Evidence below which a further decoy begins a new story."""


class Config(DetectorConfig, frozen=True, kw_only=True):
    """``[detectors.canary]``."""

    decoys: tuple[Annotated[str, msgspec.Meta(min_length=1)], ...] = ()
    """Ids of the decoys, as requests name them."""
    limit: Annotated[float, msgspec.Meta(ge=6.0)] = 12.0
    """Evidence in natural logarithms that an alert needs: one decoy."""
    block_ratio: Ratio = 1.5
    cap: Nats = float("inf")
    half_life_s: Annotated[int, msgspec.Meta(ge=3600)] = 1_209_600


@compiled
def _meet(
    slot: NDArray[np.int32],
    time_us: NDArray[np.int64],
    counts: NDArray[np.bool_],
    first: NDArray[np.bool_],
    profile: NDArray[np.uint64],
    decoy: NDArray[np.bool_],
    half_life_us: float,
    met: NDArray[np.uint64],
    total: NDArray[np.float32],
    at_us: NDArray[np.int64],
    since_us: NDArray[np.int64],
    asked_us: NDArray[np.int64],
    requests: NDArray[np.int8],
    profiles: NDArray[np.int32],
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Move the state on by rows that count.

    Returns the sum [n]; start, requests and profiles [3, n]; zeros where no decoy is new. Rows of one response share
    their time, so requests are told apart by it.
    """
    out = np.zeros(slot.size, np.float64)
    about = np.zeros((3, slot.size), np.int64)
    for i in range(slot.size):
        if not counts[i]:
            continue
        s = slot[i]
        if time_us[i] != asked_us[s]:
            requests[s] = min(requests[s] + 1, REQUESTS_MIN)
            asked_us[s] = time_us[i]
        profiles[s] += first[i]
        if not decoy[i]:
            continue
        again = False
        for k in range(3):
            again |= met[s, k] == profile[i]
        if again:
            continue
        met[s, 2], met[s, 1], met[s, 0] = met[s, 1], met[s, 0], profile[i]
        if time_us[i] == at_us[s]:
            continue
        left = total[s] * 2.0 ** (-max(time_us[i] - at_us[s], 0) / half_life_us)
        if left < FADED_NATS:
            since_us[s], profiles[s] = time_us[i], 1
        total[s] = left + DECOY_NATS
        at_us[s] = max(at_us[s], time_us[i])
        out[i] = total[s]
        about[0, i], about[1, i], about[2, i] = min(since_us[s], time_us[i]), requests[s], max(profiles[s], 1)
    return out, about


class Canary(Detector[Config]):
    """See the module."""

    Config = Config
    principals_only: ClassVar[bool] = True
    principal_state: ClassVar[Mapping[str, str]] = {
        "met": "(3,)u8",
        "sum": "f4",
        "at_us": "i8",
        "since_us": "i8",
        "asked_us": "i8",
        "requests": "i1",
        "profiles": "i4",
    }
    control: ClassVar[str] = "R4"
    blind_spots: ClassVar[tuple[str, ...]] = (
        "no decoys configured",
        "whoever takes few profiles, or only such as are linked to",
        "whoever knows the decoys",
    )

    def judge(self, columns: Columns, state: State, model: Model) -> Evidence:
        """Level: the evidence of all decoys met as a share of the limit, where one is new."""
        n = len(columns)
        out, about = np.zeros(n), np.zeros((3, n), np.int64)
        decoys = _hashes(self.config.decoys)
        if decoys.size:
            out, about = _meet(
                columns.principal_slot,
                columns.time_us,
                columns.own & (columns.kind != Kind.TOUCH.value) & (columns.kind != Kind.QUERY.value),
                columns.first,
                columns.profile,
                np.isin(columns.profile, decoys),
                float(self.config.half_life_s * US),
                cast("NDArray[np.uint64]", state["met"]),
                cast("NDArray[np.float32]", state["sum"]),
                cast("NDArray[np.int64]", state["at_us"]),
                cast("NDArray[np.int64]", state["since_us"]),
                cast("NDArray[np.int64]", state["asked_us"]),
                cast("NDArray[np.int8]", state["requests"]),
                cast("NDArray[np.int32]", state["profiles"]),
            )
        moved = out > 0.0
        return Evidence(
            level=out / self.config.limit,
            since_us=np.where(moved, about[0], columns.time_us),
            profiles=about[2],
            may_block=about[1] >= REQUESTS_MIN,
            numbers={"sum": out},
            nats=out,
            moved=moved,
        )

    def explain(self, columns: Columns, evidence: Evidence, row: int) -> Explanation:
        """Name the evidence and the profiles since the first decoy, but no decoy: they stay with the operator."""
        total, profiles = float(evidence.numbers["sum"][row]), int(evidence.profiles[row])
        return Explanation(
            reason=f"reached a decoy that nobody is shown, {profiles} profiles since the first: "
            f"evidence {total:.1f} of {self.config.limit:.1f}",
            public_reason="access to profiles that are not open to anybody",
            evidence={"log_likelihood_ratio": round(total, 3), "limit": self.config.limit, "profiles": profiles},
        )


@cache
def _hashes(decoys: tuple[str, ...]) -> NDArray[np.uint64]:
    texts = [np.array(bytearray(decoy.encode()), np.uint8) for decoy in decoys]
    return np.array([xxh64(text, 0, text.size, np.uint64(0)) for text in texts], np.uint64)
