"""An assessor whose detectors say what they are told to, for tests of what is made of it."""

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np

from detectors.core.columns import Columns
from detectors.core.contract import Detector, DetectorConfig, Evidence, Explanation, State
from detectors.core.model import PEAK_STEP, PEAKS, Model, empty
from schemas.actor import Scope
from schemas.mode import Mode
from streams.pipeline.assess.assessor import Assessor
from streams.pipeline.assess.outcome import Evaluation, Knowledge
from streams.pipeline.model.models import Models
from streams.pipeline.policy.decide import Decision
from streams.pipeline.policy.fused import ADDRESSES, EVERYBODY
from streams.pipeline.rows import Rows
from streams.settings import Settings
from tests.streams.pipeline.rows_of import add_actors

SCOPES: Final = (Scope.ACCOUNT, Scope.SESSION, Scope.SESSION, Scope.IP, Scope.NET)


class Scripted(Detector[DetectorConfig]):
    """Says of the n-th row of a batch what stands in the n-th place; of further ones nothing."""

    def __init__(
        self,
        called: str,
        level: Sequence[float] = (),
        nats: Sequence[float] = (),
        *,
        cap: float = float("inf"),
        ratio: float = 1.25,
        may_block: bool = True,
        challenges: bool = False,
        control: str = "R3",
        adds: Sequence[float] = (),
        sum_of: tuple[float, float] = (0.0, 0.0),
        lessons: Mapping[str, int] | None = None,
        place: int = 0,
        teaches: Sequence[float] = (),
        public: str = "too much",
    ) -> None:
        """``nats`` below 0 have not moved; members add to the sum ``sum_of``; ``lessons`` count at ``place``."""
        super().__init__(DetectorConfig(cap=cap, block_ratio=ratio))
        self._called, self._public = called, public
        self._level, self._nats, self._adds, self._sum_of = level, nats, adds, sum_of
        self._may_block, self._place, self._teaches = may_block, place, teaches
        self.challenges, self.control = challenges, control  # type: ignore[misc]  # one object, one detector
        self.lessons = lessons or {}  # type: ignore[misc]  # likewise

    @property
    def name(self) -> str:
        """As it is called."""
        return self._called

    def judge(self, columns: Columns, state: State, model: Model) -> Evidence:
        """What it was told to say."""
        n = len(columns)
        nats = _padded(self._nats, n, -1.0)
        return Evidence(
            _padded(self._level, n, 0.0),
            columns.time_us.copy(),
            np.ones(n, np.int64),
            np.full(n, self._may_block),
            (self._given(n) if self._adds else {})
            | ({"teaches": _padded(self._teaches, n, 0.0)} if self._teaches else {}),
            np.maximum(nats, 0.0),
            nats >= 0,
            {table: np.full(n, self._place, np.int64) for table in self.lessons},
        )

    def _given(self, n: int) -> dict[str, np.ndarray[tuple[int], np.dtype[np.float64]]]:
        subset, rise = self._sum_of
        return {name: _padded(self._adds, n, 0.0) for name in ("gives", "suspects")} | {
            "subset": np.full(n, subset),
            "rise": np.full(n, rise),
        }

    def explain(self, columns: Columns, evidence: Evidence, row: int) -> Explanation:
        """Its name and the level."""
        return Explanation(f"{self._called} {evidence.level[row]:.1f}", self._public, {"row": row})


def _padded(values: Sequence[float], n: int, rest: float) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    out = np.full(n, rest)
    out[: len(values)] = list(values)[:n]
    return out


class Staged:
    """One partition with the actors ``a0``, ``a1``, ... of `SCOPES`, and scripted detectors in their modes."""

    def __init__(
        self,
        *detectors: tuple[Scripted, Mode],
        scopes: Sequence[Scope] = SCOPES,
        settings: Settings | None = None,
        model: Model | None = None,
    ) -> None:
        self.settings = Settings() if settings is None else settings
        self.model = empty() if model is None else model
        models = Models(self.settings.model, 1)
        self.assessor = Assessor(self.settings, detectors, models, "sha256:test", 0, 1)
        add_actors(self.assessor.actors, scopes)

    def evaluate(self, rows: Rows) -> Evaluation:
        """All that is reckoned for the rows."""
        return self.assessor.evaluate(rows, self.model)

    def decide(self, rows: Rows) -> list[Decision]:
        """All decisions at the rows."""
        evaluation, made = self.evaluate(rows), list[Decision]()
        for candidate in evaluation.candidates.T:
            now_us = int(rows.time_us[candidate[0]])
            made += self.assessor.decide(evaluation, candidate, Knowledge(self.model, True, now_us), now_us)
        self.assessor.learn(rows, evaluation)
        return made


def fitted(limit_nats: float) -> Model:
    """A model by which the limit of every population is near ``limit_nats``, whatever the budget."""
    peaks = np.zeros(PEAKS)
    peaks[0], peaks[int(limit_nats / PEAK_STEP)] = 1e6, 1e6 * 0.011
    return Model(empty().popularity, {}, {ADDRESSES: peaks, EVERYBODY: peaks}, principals_a_day=1.0)
