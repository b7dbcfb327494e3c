"""What decisions are made from: a batch of rows with all that was reckoned for them."""

from collections.abc import Sequence
from dataclasses import dataclass

from detectors.core.columns import Columns
from streams.pipeline.policy.finding import Judged
from streams.pipeline.policy.fused import FusedFindings
from streams.pipeline.policy.session import Sessions
from streams.pipeline.windows.aggregate import Aggregates


@dataclass(frozen=True, slots=True)
class Case:
    """Rows, evidence of each detector and of all together, aggregates, and the sessions behind accounts."""

    columns: Columns
    judged: Sequence[Judged]
    fused: FusedFindings
    aggregates: Aggregates
    sessions: Sessions

    def shared(self, row: int) -> bool:
        """Evidence at ``row`` says that somebody else may use the account too, who is perhaps its owner."""
        added = self.fused.parts(row)
        return any(added.get(one.detector.name, 0.0) >= one.detector.shared_from for one in self.judged)
