"""Overrides as tests write them, and what they do to requests through the whole pipeline."""

from collections.abc import Sequence
from typing import Any, Final

import msgspec

from schemas.block import Block, BlockStatus
from schemas.event_time import format_time
from schemas.mode import Mode
from schemas.override import Override
from streams import config
from streams.pipeline.pipeline import Pipeline
from streams.pipeline.policy.decide import Decision, Lift
from streams.pipeline.policy.overrides import Overrides
from tests import days
from tests.low import low
from tests.requests import START_S, views
from tests.streams.pipeline.policy.test_decide import PLAIN

ACCOUNT: Final = "account:u1"
VIEWS: Final = views(START_S, 60, account="u1")
"""The tenth profile, at 9 s, makes a block, the twentieth, at 19 s, another one that is worse."""
LONG: Final = [*VIEWS, *views(START_S + 4_000, 60, account="u1", first=100)]
"""Again after the block has ended."""


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


def flow_of(overrides: Overrides, more: str = "") -> Pipeline:
    """The pipeline, with plain limits enforced."""
    settings = low(PLAIN + more)
    chosen = [(one, mode) for one, mode in config.detectors(settings, Mode.ENFORCE) if one.name == "profile_rate"]
    return Pipeline(settings, chosen, config.revision(settings, Mode.ENFORCE), overrides=overrides)


def decided(*overrides: Override, values: Sequence[bytes] = VIEWS, more: str = "", step: int = 5_000) -> list[Decision]:
    """What is decided on the account, or what ends it."""
    made = days.run_whole(flow_of(Overrides(overrides), more), list(values), step)
    return [one for one in made if one.actor.key == ACCOUNT]


def words(made: Sequence[Decision]) -> list[tuple[str, str]]:
    """What the blocks topic is told: mode or status, and when, in event time from the start."""
    told = []
    for one in made:
        if isinstance(one, Block):
            how = one.mode.value if one.status is BlockStatus.ACTIVE else one.status.value
            told.append((how, one.decided_at if one.status is BlockStatus.REVOKED else one.event_time))
        elif isinstance(one, Lift):
            told.append(("lift", format_time(one.until_us)))
    return told


def at(seconds: float) -> str:
    """A moment from the start as records have it."""
    return format_time(us(seconds))
