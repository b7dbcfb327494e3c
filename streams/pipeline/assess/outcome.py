"""What one partition knows as it judges, and what comes of it."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from detectors.core.columns import Columns
from detectors.core.model import Model
from schemas.incident import Incident
from schemas.model import ModelDelta
from streams.pipeline.assess.timeline import Regime
from streams.pipeline.policy.brake import Braking
from streams.pipeline.policy.case import Case
from streams.pipeline.policy.decide import Decision
from streams.pipeline.policy.finding import Judged
from streams.pipeline.rows import Rows
from streams.pipeline.windows.aggregate import Aggregates


@dataclass(frozen=True, slots=True)
class Switch:
    """Another regime has come into force."""

    before: Regime
    after: Regime
    at_us: int
    """Event time before which everything was judged by then."""

    @property
    def late(self) -> bool:
        """It came after its point, so that what lies between was judged under the one before."""
        return self.at_us > self.after.from_us


@dataclass(slots=True)
class Outcome:
    """What one `Assessor.advance` led to, in order of decision."""

    decisions: list[Decision] = field(default_factory=list)
    deltas: list[ModelDelta] = field(default_factory=list)
    incidents: list[Incident] = field(default_factory=list)
    """Closed by now."""
    brakes: list[Braking] = field(default_factory=list)
    """Tripped or let go by now."""
    settled: bool = True
    """Nothing that the watermark has passed is still waiting for its model."""
    reached_us: int | None = None
    """Event time before which everything is judged; None where that is not known yet."""
    overruled: list[Decision] = field(default_factory=list)
    """Said because of overrides, and so even where the rest is not said again."""
    switches: list[Switch] = field(default_factory=list)
    """Regimes that have come into force, in order."""


@dataclass(frozen=True, slots=True)
class Knowledge:
    """By what rows are judged."""

    model: Model
    complete: bool
    """The model is the one that was due."""
    watermark_us: int


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Rows with all that was reckoned for them, and what leads to a decision: [2, m] row and rank."""

    rows: Rows
    case: Case
    learned: bool
    """Judged by a model that knows people."""
    candidates: NDArray[np.int64]

    @property
    def columns(self) -> Columns:
        """What detectors read."""
        return self.case.columns

    @property
    def judged(self) -> Sequence[Judged]:
        """Evidence by detector."""
        return self.case.judged

    @property
    def aggregates(self) -> Aggregates:
        """What stands after each row."""
        return self.case.aggregates
