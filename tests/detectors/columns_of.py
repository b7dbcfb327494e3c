"""Columns written by hand, and a detector judging them by itself."""

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from detectors.core.columns import NO_NUMBER, US, Columns
from detectors.core.contract import Detector, DetectorConfig, Evidence
from detectors.core.fusion import Fusion
from detectors.core.model import Model, empty
from schemas.actor import Scope
from schemas.mode import Mode
from schemas.sighting import Flag, Kind

START_S: Final = 1_800_000_000
"""A whole hour in January 2027."""
_DTYPES: Final = {
    "slot": np.int32,
    "principal_slot": np.int32,
    "group_slot": np.int32,
    "member_slot": np.int32,
    "scope": np.uint8,
    "kind": np.uint8,
    "flags": np.uint8,
    "tier": np.uint8,
    "answers": np.bool_,
    "first": np.bool_,
    "popularity": np.uint8,
    "profile": np.uint64,
    "number": np.int64,
    "shown": np.uint16,
    "address": np.uint64,
    "asn": np.uint32,
    "country": np.uint16,
    "created_s": np.uint32,
    "agent": np.uint16,
    "session": np.uint16,
    "principal": np.uint64,
}
_DEFAULTS: Final[dict[str, int]] = {
    "group_slot": -1,
    "member_slot": -1,
    "scope": Scope.ACCOUNT,
    "kind": Kind.VIEW,
    "flags": Flag.PRINCIPAL | Flag.LOGGED_IN,
    "answers": 1,
    "first": 1,
    "number": NO_NUMBER,
}


def columns_of(at_s: Sequence[float], *, tiers: tuple[str, ...] = ("",), **given: Any) -> Columns:
    """Sightings at seconds from `START_S`: views of one account, each a first contact, unless ``given`` says else.

    A column is given as a list or as one value for all rows. ``slot`` names actors 0, 1, ...; unless given, the slots
    of principals are the same. Distinct profiles by span are counted from the first contacts given, without an end.
    """
    n = len(at_s)
    columns: dict[str, NDArray[Any]] = {}
    for name, dtype in _DTYPES.items():
        value = given.pop(name, _DEFAULTS.get(name, 0))
        columns[name] = np.broadcast_to(np.asarray(value).astype(dtype), n).copy()
    if "principal_slot" not in given and not columns["principal_slot"].any():
        columns["principal_slot"] = columns["slot"].copy()
    if not columns["profile"].any():
        columns["profile"] = np.arange(1, n + 1).astype(np.uint64)
    profiles = given.pop("profiles", None)
    if profiles is None:
        met = np.array(
            [columns["first"][: i + 1][columns["slot"][: i + 1] == columns["slot"][i]].sum() for i in range(n)]
        )
        profiles = np.repeat(met[:, None], 4, axis=1) if n else np.zeros((0, 4))
    together = np.broadcast_to(np.asarray(given.pop("together", 0)).astype(np.uint32), (n, 2)).copy()
    if given:
        raise TypeError(f"no such column: {sorted(given)}")
    time_us = (np.asarray(at_s, np.float64) * US).round().astype(np.int64) + START_S * US
    seen = np.asarray(profiles).astype(np.uint32)
    return Columns(time_us=time_us, profiles=seen, together=together, tiers=tiers, **columns)


class Judge:
    """A detector with state of its own for up to ``actors`` actors, kept from call to call."""

    def __init__(self, detector: Detector[DetectorConfig], actors: int = 8) -> None:
        self.detector = detector
        wanted = detector.state | detector.principal_state | detector.group_state | detector.member_state  # type: ignore[operator]  # all are dicts
        self.state: dict[str, NDArray[Any]] = {name: np.zeros(actors, dtype) for name, dtype in wanted.items()}

    def judge(self, columns: Columns, model: Model | None = None) -> Evidence:
        """Evidence at further sightings."""
        return self.detector.judge(columns, self.state, empty() if model is None else model)


def added(evidence: Evidence, cap: float) -> float:
    """The most that evidence of one principal, of a detector with this cap, came to in the sum over all detectors."""
    n = evidence.level.size
    whole = {"nats": "(1,)f4", "fused": "f4", "fused_us": "i8", "peak_day": "u2", "peak": "i2"}
    rise = {"rise_us": "i8", "rise_exposed": "i8", "rise_sightings": "i4"}
    state = {name: np.zeros(1, dtype) for name, dtype in (whole | rise).items()}
    at_us, exposed, asked = np.zeros(n, np.int64), np.arange(n), np.ones(n, np.bool_)
    fusion = Fusion([cap], [Mode.SHADOW])
    found = fusion.fuse(np.zeros(n, np.int32), at_us, exposed, asked, [evidence.nats], [evidence.moved], state)
    return round(float(found.total.max()), 3)
