"""Overrides as tests write them."""

from typing import Any

import msgspec

from schemas.event_time import format_time
from schemas.override import Override
from tests.requests import START_S


def override(
    kind: str, about: str = "", since_s: float = 0.0, until_s: float | None = 86_400.0, **more: Any
) -> Override:
    """An override of ``about``: an actor, a detector or a revision; times from `START_S`, None without an end."""
    scope, _, value = about.partition(":")
    named: dict[str, Any] = {"actor": {"scope": scope, "value": value}}
    if kind == "block":
        named["action"] = "block"
    if kind in ("kill_switch", "revoke"):
        named = {"detector" if kind == "kill_switch" else "config": about}
    until = None if until_s is None else format_time(int((START_S + until_s) * 1_000_000))
    fields = {
        "id": f"{kind}-{about}-{since_s}",
        "kind": kind,
        "owner": "anna",
        "reason": "test",
        "since": format_time(int((START_S + since_s) * 1_000_000)),
        "until": until,
    }
    return msgspec.convert({**fields, **named, **more}, Override)


def us(seconds: float) -> int:
    """A moment, in us."""
    return int((START_S + seconds) * 1_000_000)
