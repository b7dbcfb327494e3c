"""The sum over detectors as a finding: its limits by population, and the words for it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from detectors.core.columns import Columns
from detectors.core.contract import score
from detectors.core.fusion import MODES, Fused
from detectors.core.model import Limit, Model
from schemas.actor import Scope
from schemas.finding import Finding
from schemas.mode import Mode
from streams.pipeline.policy.finding import MODE_STEP, Judged
from streams.settings import FusionSettings

EVERYBODY: Final = "everybody"
"""The population that takes in all others, for those with too few days of their own."""
ADDRESSES: Final = "address"
TOLD_NATS: Final = 0.5
"""A detector that adds less is not named."""


def population(scope: Scope, tier: str) -> str:
    """Name of the population that a principal is compared with: accounts of a tier, or addresses and sessions."""
    return f"account/{tier}" if scope is Scope.ACCOUNT else ADDRESSES


@dataclass(frozen=True, slots=True)
class Limits:
    """Evidence that an alert and a block need, by tier of an account, and for an address in the last place."""

    alert: NDArray[np.float64]
    block: NDArray[np.float64]
    fitted: NDArray[np.bool_]

    @classmethod
    def of(cls, settings: FusionSettings, model: Model, tiers: Sequence[str]) -> "Limits":
        """Limits by a model."""
        names = [population(Scope.ACCOUNT, tier) for tier in tiers] + [ADDRESSES]
        alert = [limit_of(model, name, settings.budget, settings.limit, settings.floor) for name in names]
        block = [
            limit_of(model, name, settings.block_budget, settings.block_limit, settings.block_floor) for name in names
        ]
        return cls(
            np.array([limit.value for limit in alert]),
            np.array([max(one.value, other.value) for one, other in zip(alert, block, strict=True)]),
            np.array([limit.fitted for limit in alert]),
        )

    def places(self, columns: Columns) -> NDArray[np.int64]:
        """[n] which limits hold for each row."""
        return np.where(columns.scope == Scope.ACCOUNT, columns.tier.astype(np.int64), self.alert.size - 1)


def limit_of(model: Model, name: str, budget: float, fallback: float, floor: float) -> Limit:
    """Limit of a population: fitted to itself, else to everybody, and then not below ``floor``; else ``fallback``."""
    found = model.limit(name, budget, fallback)
    if not found.fitted:
        found = model.limit(EVERYBODY, budget, fallback)
    return Limit(max(found.value, floor), True) if found.fitted else found


@dataclass(frozen=True, slots=True)
class FusedFindings:
    """What the sum says at each row of a batch."""

    fused: Fused
    alert: NDArray[np.float64]
    """[n] evidence that an alert needs."""
    block: NDArray[np.float64]
    most: NDArray[np.int64]
    """[n] place in `MODES` of the mode that the sum may go to at most."""
    sightings_min: int
    judged: Sequence[Judged]

    def ranks(self) -> NDArray[np.uint8]:
        """[n] as `finding.ranks`: mode before severity."""
        out = np.zeros(len(self.alert), np.uint8)
        for place, mode in enumerate(MODES):
            total = np.where(place <= self.most, self.fused.total[:, place], 0.0)
            severity = (total >= self.alert).astype(np.uint8) + self._enough(total) + self._enough(total / 2)
            np.maximum(out, np.where(severity > 0, mode.rank * MODE_STEP + severity, 0), out=out, casting="unsafe")
        return out

    def _enough(self, total: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Rows where the evidence is enough for a block."""
        enough: NDArray[np.bool_] = (total >= self.block) & (self.fused.sightings >= self.sightings_min)
        return enough

    def mode(self, row: int) -> Mode | None:
        """The furthest mode in which it speaks at ``row``; None when it does not."""
        return self._furthest(row, float(self.alert[row]))

    def blocks(self, row: int) -> Mode | None:
        """The furthest mode in which it is strong enough for a block at ``row``."""
        if self.fused.sightings[row] < self.sightings_min:
            return None
        return self._furthest(row, float(self.block[row]))

    def _furthest(self, row: int, needed: float) -> Mode | None:
        speaks = [mode for place, mode in enumerate(MODES) if place <= self.most[row]]
        speaks = [mode for mode in speaks if self.fused.total[row, MODES.index(mode)] >= needed]
        return speaks[-1] if speaks else None

    def level(self, row: int) -> float:
        """Evidence as a share of what an alert needs."""
        return float(self.fused.total[row, 0] / self.alert[row])

    def parts(self, row: int) -> Mapping[str, float]:
        """What each detector adds at ``row``, the most first; those that add next to nothing are left out."""
        named = {one.detector.name: float(self.fused.parts[row, d]) for d, one in enumerate(self.judged)}
        told = {name: nats for name, nats in named.items() if nats >= TOLD_NATS}
        return dict(sorted(told.items(), key=lambda item: (-item[1], item[0])))

    def findings(self, columns: Columns, row: int) -> list[Finding]:
        """A finding for each detector that adds something, with its share of the sum."""
        total, needed = float(self.fused.total[row, 0]), float(self.alert[row])
        found = []
        for name, nats in self.parts(row).items():
            one = next(one for one in self.judged if one.detector.name == name)
            moved = one.evidence.moved
            now = moved is not None and bool(moved[row])
            why = one.explain(columns, row) if now else None
            reason = why.reason if why else f"evidence {nats:.1f} from what was asked for before"
            evidence = dict(why.evidence) if why else {}
            evidence |= {"nats": round(nats, 2), "nats_of_all": round(total, 2), "nats_needed": round(needed, 2)}
            found.append(Finding(name, round(score(nats / needed), 4), reason, evidence))
        return found

    def reason(self, row: int) -> str:
        """One sentence on the sum."""
        parts = ", ".join(f"{name} {nats:.1f}" for name, nats in self.parts(row).items())
        return f"evidence {self.fused.total[row, 0]:.1f} of {self.alert[row]:.1f} in all: {parts}"
