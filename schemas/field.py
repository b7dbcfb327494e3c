"""Types of fields that several records share."""

from typing import Annotated

from msgspec import Meta

Id = Annotated[str, Meta(min_length=1, max_length=200)]
"""Made by `stable_id`: the same input and configuration give the same again."""

Count = Annotated[int, Meta(ge=0)]

Ratio = Annotated[float, Meta(ge=0.0, le=1.0)]

ConfigRevision = Annotated[str, Meta(pattern="^sha256:[0-9a-f]+$", examples=["sha256:9f86d081884c7d65"])]
"""Digest of the effective settings."""

ModelEpoch = Annotated[str, Meta(examples=["2026-11-24T09"])]
"""Name of the learned model: the epoch, in event time."""


def check_ratio(name: str, value: float) -> None:
    """Refuse what is no ratio: JSON has no NaN, and a decoder checks the range but a constructor does not.

    Raises:
        ValueError: it lies outside [0, 1] or is NaN.
    """
    if not 0 <= value <= 1:
        raise ValueError(f"{name} must lie in [0, 1]")
