"""The contract between a detector and whatever hosts it.

A detector is a pure judge of columns. It declares the state it keeps for an actor, gets the sightings of a batch in the
order of judgement and gives evidence for every one of them, so that the very sighting that passes a limit makes the
decision, however the batch was cut. It never reads a clock, a file or another detector.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Annotated, ClassVar, Final, Generic, TypeVar, cast

import msgspec
import numpy as np
from numpy.typing import NDArray

from detectors.core.columns import Columns
from detectors.core.model import Model
from schemas.mode import Mode

Ratio = Annotated[float, msgspec.Meta(ge=1.0)]
Nats = Annotated[float, msgspec.Meta(ge=0.0)]
State = Mapping[str, NDArray[np.generic]]
Number = int | float | str


class DetectorConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What every section ``[detectors.<name>]`` may hold."""

    mode: Mode | None = None
    """``[mode] default`` when absent."""
    block_ratio: Ratio = 1.25
    """A block needs this many times the level that an alert needs."""
    cap: Nats = 0.0
    """Natural logarithms that it adds at most to the sum over all detectors (`[fusion]`); 0 takes it out of the sum.

    If a share e of people have the trait that it sees, its evidence grows without end for an honest person, and is
    worth no more than about ln(1/e). ``inf`` where no honest trait explains it.
    """


@dataclass(frozen=True, slots=True)
class Evidence:
    """A detector's evidence at each of n sightings; it speaks where ``level >= 1``."""

    level: NDArray[np.float64]
    """Evidence as a share of what an alert needs; 0 where there is none. Never falls while the same goes on."""
    since_us: NDArray[np.int64]
    """Event time at which what it speaks of began."""
    profiles: NDArray[np.int64]
    """Profiles disclosed to the actor since then."""
    may_block: NDArray[np.bool_]
    """Whether it alone can be ground for a block; false where an honest trait explains it."""
    numbers: Mapping[str, NDArray[np.float64]]
    """The numbers behind the level, for the explanation."""
    nats: NDArray[np.float64] | None = None
    """Log-likelihood ratio of scraping against honest use as it stands after each sighting of a principal, not
    negative; read where `moved`. None from a detector that only compares with plain limits."""
    moved: NDArray[np.bool_] | None = None
    """Rows at which `nats` was reckoned anew."""
    lessons: Mapping[str, NDArray[np.int64]] = field(default_factory=dict)
    """By table of `Detector.lessons`: the place that each sighting counts at, -1 for none."""


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why a sighting counts, for people."""

    reason: str
    public_reason: str
    """What the person concerned may be told: nothing that helps to evade."""
    evidence: dict[str, Number]


C = TypeVar("C", bound=DetectorConfig)
T = TypeVar("T")

SCORE_HALF: Final = 2.0


class Detector(ABC, Generic[C]):
    """One behaviour. Its module's name is its id."""

    Config: type[C]
    state: ClassVar[Mapping[str, str]] = {}
    """Columns it keeps for every actor: name to dtype, zero at first; indexed by `Columns.slot`."""
    principal_state: ClassVar[Mapping[str, str]] = {}
    """Likewise for principals alone, a fifth of all actors; by `Columns.principal_slot`. Prefer it."""
    group_state: ClassVar[Mapping[str, str]] = {}
    """Likewise for nets, ASNs and fingerprints; by `Columns.group_slot`."""
    member_state: ClassVar[Mapping[str, str]] = {}
    """Likewise for each principal within each group; by `Columns.member_slot`."""
    lessons: ClassVar[Mapping[str, int]] = {}
    """Tables of counts that the model learns for it from calm principals: name to length."""
    trait: ClassVar[str] = ""
    """Detectors of one trait see the same oddity in several ways: of them only the one that says most is added up."""
    reading: ClassVar[bool] = False
    """It sees what those do who read for work: such detectors add up to no more than `fusion.READING_CAP`."""
    shared_from: ClassVar[float] = float("inf")
    """Nats of it from which somebody else may use an account too: a block must not fall on the account then."""
    principals_only: ClassVar[bool] = False
    """It reads rows of principals (`Columns.own`) alone, and is given no others."""
    challenges: ClassVar[bool] = False
    """In enforce mode an alert that is not enough for a block, or may not block, is answered with a challenge, unless
    people stand behind the actor."""
    learns_below: ClassVar[float] = 1.0
    """Level from which the model no longer learns honest taste from the actor."""
    control: ClassVar[str]
    """The control of the regulators' joint statement that it serves: R and its place in their list (see README)."""
    blind_spots: ClassVar[tuple[str, ...]]
    """What it cannot see, each in a sentence."""

    def __init__(self, config: C) -> None:
        self.config = config
        self._name = type(self).__module__.rsplit(".", 1)[-1]
        self._reckoned: dict[Callable[[Model], object], tuple[Model, object]] = {}

    @property
    def name(self) -> str:
        """Id of the detector."""
        return self._name

    def reckon(self, make: Callable[[Model], T], model: Model) -> T:
        """What ``make``, a function of the model and the config alone, gives; made once for each model that serves."""
        known = self._reckoned.get(make)
        if known is None or known[0] is not model:
            known = self._reckoned[make] = (model, make(model))
        return cast("T", known[1])

    @abstractmethod
    def judge(self, columns: Columns, state: State, model: Model) -> Evidence:
        """Give the evidence at each sighting and move ``state`` on, row by row in order.

        ``state`` holds the columns of all four kinds of state by name.
        """

    @abstractmethod
    def explain(self, columns: Columns, evidence: Evidence, row: int) -> Explanation:
        """Say in numbers why ``row`` has the level it has."""


def score(level: float) -> float:
    """Score of a level, in [0, 1]: 0.5 where an alert begins, and never lower for more evidence."""
    return float(1.0 - SCORE_HALF ** -max(level, 0.0))
