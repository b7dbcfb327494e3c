"""A detector on its own, with real requests in front of it."""

from collections.abc import Sequence

import numpy as np

from detectors.core.model import Model, empty
from schemas.actor import Scope
from streams.pipeline.assess.assessor import Assessor
from streams.pipeline.assess.outcome import Evaluation
from streams.settings import Settings
from tests import days


class Hosted:
    """One detector under settings, judging by one model."""

    def __init__(self, name: str, settings: Settings, model: Model | None = None) -> None:
        self.assessor: Assessor = days.assessor(settings, name)
        self._model = empty() if model is None else model

    def evaluate(self, values: Sequence[bytes]) -> Evaluation:
        """Evidence at the sightings of a source partition's records."""
        return self.assessor.evaluate(days.rows(self.assessor, values), self._model)

    @staticmethod
    def rows_of(evaluation: Evaluation, scope: Scope) -> list[int]:
        """Rows of the actors of a scope."""
        rows: list[int] = np.flatnonzero(evaluation.columns.scope == scope).tolist()
        return rows
