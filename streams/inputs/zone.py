"""The zone of times that name none, as it is configured."""

import re
from datetime import UTC, timedelta, timezone, tzinfo
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

_FIXED: Final = re.compile(r"([+-])([0-9]{2}):([0-5][0-9])")


def zone_of(text: str) -> tzinfo | None:
    """``UTC``, a distance from it as ``+02:00``, or a name as ``Europe/Berlin``; None for an empty text.

    Of the hour that comes twice where summer time ends, the first is taken.

    Raises:
        ValueError: there is no such zone, or this machine does not know it.
    """
    if not text:
        return None
    fixed = _FIXED.fullmatch(text)
    if fixed is not None:
        minutes = int(fixed[2]) * 60 + int(fixed[3])
        return timezone(timedelta(minutes=-minutes if fixed[1] == "-" else minutes))
    if text.upper() in ("UTC", "Z"):
        return UTC
    try:
        return ZoneInfo(text)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ValueError(f"there is no time zone {text!r} here; name UTC, +02:00 or Europe/Berlin") from error
