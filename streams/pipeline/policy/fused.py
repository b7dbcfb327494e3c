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
from schemas.override import EVERYTHING
from streams.pipeline.assess.view import Own
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
        return np.where(columns.scope == Scope.ACCOUNT.value, columns.tier.astype(np.int64), self.alert.size - 1)


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
    """[m] evidence that an alert needs, by row of a principal, as are the others."""
    block: NDArray[np.float64]
    most: NDArray[np.int64]
    """[m] place in `MODES` of the mode that the sum may go to at most."""
    sightings_min: int
    judged: Sequence[Judged]
    own: Own
    off: frozenset[str] = frozenset()
    """Detectors whose evidence may not count towards enforcement; `EVERYTHING` among them stands for all."""

    def ranks(self) -> NDArray[np.uint8]:
        """[n] as `finding.ranks`, of all rows: mode before severity."""
        out = np.zeros(len(self.own.place), np.uint8)
        # No mode has a larger sum than the first, which takes in all detectors.
        near = np.flatnonzero(self.fused.total[:, 0] >= np.minimum(self.alert, self.block))
        if near.size:
            out[self.own.rows[near]] = self._ranks(near)
        return out

    def _ranks(self, near: NDArray[np.int64]) -> NDArray[np.uint8]:
        out, alert, block = np.zeros(near.size, np.uint8), self.alert[near], self.block[near]
        known = self.fused.sightings[near] >= self.sightings_min
        for place, mode in enumerate(MODES):
            total = np.where(place <= self.most[near], self.fused.total[near, place], 0.0)
            severity = (total >= alert).astype(np.uint8) + (known & (total >= block)) + (known & (total / 2 >= block))
            np.maximum(out, np.where(severity > 0, mode.rank * MODE_STEP + severity, 0), out=out, casting="unsafe")
        return out

    def since_us(self, row: int) -> int:
        """When the evidence at a principal's ``row`` began to rise."""
        return int(self.fused.since_us[self.own.place[row]])

    def profiles(self, row: int) -> int:
        """Profiles disclosed since then."""
        return int(self.fused.profiles[self.own.place[row]])

    def mode(self, row: int) -> Mode | None:
        """The furthest mode in which it speaks at ``row``; None when it does not."""
        place = int(self.own.place[row])
        return None if place < 0 else self._furthest(place, float(self.alert[place]))

    def blocks(self, row: int) -> Mode | None:
        """The furthest mode in which it is strong enough for a block at ``row``."""
        place = int(self.own.place[row])
        if place < 0 or self.fused.sightings[place] < self.sightings_min:
            return None
        return self._furthest(place, float(self.block[place]))

    def _furthest(self, place: int, needed: float) -> Mode | None:
        totals = self.fused.total[place, : int(self.most[place]) + 1].tolist()
        speaks = [mode for mode, total in zip(MODES, totals, strict=False) if total >= needed]
        if speaks and speaks[-1] is Mode.ENFORCE and not self._enforces(place, needed):
            speaks.pop()
        return speaks[-1] if speaks else None

    def _enforces(self, place: int, needed: float) -> bool:
        """It is still enough without what those add that are off; nothing of the same trait takes their place."""
        if EVERYTHING in self.off:
            return False
        parts: list[float] = self.fused.parts[place].tolist()
        named = [one.mode is Mode.ENFORCE and one.detector.name in self.off for one in self.judged]
        added = sum(nats for nats, off in zip(parts, named, strict=True) if off)
        return bool(self.fused.total[place, MODES.index(Mode.ENFORCE)] - added >= needed)

    def level(self, row: int) -> float:
        """Evidence as a share of what an alert needs."""
        place = int(self.own.place[row])
        return float(self.fused.total[place, 0] / self.alert[place]) if place >= 0 else 0.0

    def parts(self, row: int) -> Mapping[str, float]:
        """What each detector adds at ``row``, the most first; those that add next to nothing are left out."""
        place = int(self.own.place[row])
        added: list[float] = self.fused.parts[place].tolist() if place >= 0 else []
        told = {self.judged[d].detector.name: nats for d, nats in enumerate(added) if nats >= TOLD_NATS}
        return dict(sorted(told.items(), key=lambda item: (-item[1], item[0])))

    def findings(self, columns: Columns, row: int) -> list[Finding]:
        """A finding for each detector that adds something, with its share of the sum."""
        place = self.own.place[row]
        total, needed = float(self.fused.total[place, 0]), float(self.alert[place])
        found = []
        for name, nats in self.parts(row).items():
            one = next(one for one in self.judged if one.detector.name == name)
            why = one.explain(columns, row) if one.moved(row) else None
            reason = why.reason if why else f"evidence {nats:.1f} from what was asked for before"
            evidence = dict(why.evidence) if why else {}
            evidence |= {"nats": round(nats, 2), "nats_of_all": round(total, 2), "nats_needed": round(needed, 2)}
            found.append(Finding(name, round(score(nats / needed), 4), reason, evidence))
        return found

    def reason(self, row: int) -> str:
        """One sentence on the sum."""
        parts = ", ".join(f"{name} {nats:.1f}" for name, nats in self.parts(row).items())
        place = self.own.place[row]
        return f"evidence {self.fused.total[place, 0]:.1f} of {self.alert[place]:.1f} in all: {parts}"
