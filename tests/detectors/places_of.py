"""Requests of one account from here and there, written by hand."""

from dataclasses import replace
from typing import Any, Final, cast

import numpy as np

from detectors.core.contract import Detector, DetectorConfig, Evidence
from detectors.core.model import Model, empty
from detectors.credential_spread import Config, CredentialSpread
from tests.detectors.columns_of import Judge, columns_of

Place = tuple[int, int, int]
HOME, CARRIER, OFFICE, ABROAD = (1, 10, 1), (2, 20, 1), (3, 30, 1), (4, 40, 2)
HOP: Final = float(np.log(0.5 / 0.03))
FAR: Final = float(np.log(0.5 / 0.01))
HOP_NEW: Final = float(np.log(0.5 / 0.005))
FAR_NEW: Final = float(np.log(0.5 / 0.002))
THIRD: Final = float(np.log(0.5 / 0.25))


def judge_of(config: Config | None = None) -> Judge:
    """The detector with state of its own."""
    return Judge(cast("Detector[DetectorConfig]", CredentialSpread(config or Config())))


def judged(places: list[Place], every_s: float = 10.0, config: Config | None = None, **given: Any) -> Evidence:
    """Evidence at requests of one account from (address, asn, country) at a steady pace."""
    address, asn, country = zip(*places, strict=True)
    at_s = [n * every_s for n in range(len(places))]
    columns = columns_of(at_s, address=list(address), asn=list(asn), country=list(country), **given)
    return judge_of(config).judge(columns)


def among(at_s: list[float], places: list[Place]) -> Evidence:
    """Evidence at requests of one account at these moments."""
    address, asn, country = zip(*places, strict=True)
    return judge_of().judge(columns_of(at_s, address=list(address), asn=list(asn), country=list(country)))


def at(before: list[Place], later_s: float, places: list[Place]) -> Evidence:
    """Requests from some places, so far apart, and later from others at once."""
    at_s = [later_s * n for n in range(len(before))] + [later_s * len(before)] * len(places)
    return among(at_s, before + places)


def networks(count: int, rows: int, country: int = 1) -> list[Place]:
    """Requests that go round ``count`` networks."""
    return [(1 + n % count, 10 * (1 + n % count), country) for n in range(rows)]


def settled(third: float = 0.0, seen: float = 2_000.0) -> Model:
    """A model that saw so many requests in each network, and so many of a session's third."""
    table = np.tile([seen, 0.0, third], 256)
    return replace(empty(), lessons={"credential_spread.changes": table})
