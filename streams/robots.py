"""Ranges of verified robots from files, as their operators publish them: Google, Bing, Apple, OpenAI and others alike.

``{"creationTime": "2026-11-20T10:00:00.000000", "prefixes": [{"ipv4Prefix": "192.0.2.0/24"}, {"ipv6Prefix": …}]}``

A file is taken whole or refused whole; while it is refused, what it said before goes on. So does a list that is old,
with a warning every day: a robot that is blocked for it harms the site more than an address that the robot has left.
"""

import logging
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import msgspec
from msgspec.structs import replace

from schemas.errors import ConfigError
from streams.clock import Clock, wall_clock_us
from streams.config import range_fault
from streams.settings import Bot, Settings

LIST_BYTES_MAX: Final = 4_000_000
"""A hundred times the longest list there is."""
TOLD_S: Final = 86_400
"""So often is told that a list is old (wall clock)."""
_AHEAD: Final = timedelta(days=1)
"""A list may be from so far ahead: time zones, and clocks."""
_ERROR_AT: Final = re.compile(r"(.*?)(?: - at `\$\.?(.*)`)?")
_LINE: Final = b"\n"
_KEYS: Final = ("ipv4Prefix", "ipv6Prefix")

log = logging.getLogger(__name__)

Stamp = tuple[int, int, int]
"""Number, size and time of a file: another one where it has changed."""


class _Prefix(msgspec.Struct):
    ipv4Prefix: str | None = None  # noqa: N815 - as the files have it
    ipv6Prefix: str | None = None  # noqa: N815


class _File(msgspec.Struct):
    creationTime: str  # noqa: N815
    prefixes: list[_Prefix]


@dataclass(frozen=True, slots=True)
class Listed:
    """What one file says."""

    ranges: tuple[str, ...]
    made: datetime
    """When its operator made it, UTC."""
    stamp: Stamp


def read_list(path: Path, now: datetime) -> Listed:
    """Read a file, whole.

    Raises:
        OSError: it cannot be read.
        ValueError: it is no such list; says the line, where one is to blame, and the reason.
    """
    stamp = _stamp(path)
    with path.open("rb") as file:
        content = file.read(LIST_BYTES_MAX + 1)
    if len(content) > LIST_BYTES_MAX:
        raise ValueError(f"longer than {LIST_BYTES_MAX} bytes")
    if _stamp(path) != stamp:
        raise ValueError("it is being written")
    try:
        text = content.decode()
        said = msgspec.json.decode(content, type=_File)
    except UnicodeDecodeError as error:
        raise ValueError(f"byte {error.start} is not UTF-8") from error
    except RecursionError as error:
        raise ValueError("nested too deeply") from error
    except msgspec.DecodeError as error:
        raise ValueError(_reason(str(error), content)) from error
    return Listed(tuple(_ranges(said.prefixes, text)), _made(said.creationTime, text, now), stamp)


def _reason(error: str, content: bytes) -> str:
    """What msgspec says, with the line where it says a byte."""
    at = re.search(r"\(byte (\d+)\)", error)
    found = _ERROR_AT.fullmatch(error)
    reason, path = (found[1], found[2]) if found else (error, None)
    if at:
        return f"line {content[: int(at[1])].count(_LINE) + 1}: {reason}"
    return f"{path}: {reason}" if path else reason


def _ranges(prefixes: Sequence[_Prefix], text: str) -> Iterator[str]:
    if not prefixes:
        raise ValueError("it names no range")
    for place, prefix in enumerate(prefixes):
        named = [(key, value) for key in _KEYS if (value := getattr(prefix, key)) is not None]
        if len(named) != 1:
            raise ValueError(f"prefixes[{place}]: has to have either ipv4Prefix or ipv6Prefix")
        ((key, value),) = named
        fault = range_fault(value)
        if fault is None and (":" in value) != (key == _KEYS[1]):
            fault = f"{value} is no {key}"
        if fault is not None:
            raise ValueError(f"line {_line_of(value, text)}: prefixes[{place}]: {fault}")
        yield value


def _made(value: str, text: str, now: datetime) -> datetime:
    try:
        made = datetime.fromisoformat(value)
        made = made.replace(tzinfo=UTC) if made.tzinfo is None else made.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise ValueError(f"line {_line_of(value, text)}: creationTime: {value!r} is no time") from error
    if made > now + _AHEAD:
        raise ValueError(f"line {_line_of(value, text)}: creationTime: {value} lies ahead")
    return made


def _line_of(value: str, text: str) -> int:
    return text.count("\n", 0, max(text.find(f'"{value}"'), 0)) + 1


def _stamp(path: Path) -> Stamp:
    about = path.stat()
    return about.st_ino, about.st_size, about.st_mtime_ns


class RobotLists:
    """The files of ``[[bots]]``, as they were when they were read last."""

    def __init__(self, bots: Sequence[Bot], clock: Clock = wall_clock_us) -> None:
        """Read the files.

        Raises:
            ConfigError: one cannot be read, or is no such list.
        """
        self._bots, self._clock = tuple(bots), clock
        self._refused: dict[int, Stamp | None] = {}
        self._told_us: dict[int, int] = {}
        self._listed = {place: self._first(place, bot) for place, bot in enumerate(bots) if bot.list_file}
        self._tell_old()

    def _first(self, place: int, bot: Bot) -> Listed:
        try:
            return read_list(Path(bot.list_file), self._now())
        except (OSError, ValueError) as error:
            raise ConfigError(f"bots[{place}].list_file", None, f"{bot.list_file}: {_said(error)}") from error

    def __bool__(self) -> bool:
        """Whether there are any files."""
        return bool(self._listed)

    @property
    def bots(self) -> tuple[Bot, ...]:
        """All robots, with the ranges and the day of their lists."""
        return tuple(
            replace(bot, ranges=self._listed[place].ranges, listed=self._listed[place].made.date())
            if place in self._listed
            else bot
            for place, bot in enumerate(self._bots)
        )

    @property
    def made_s(self) -> dict[str, float]:
        """When the list of each robot that has one was made, as seconds since 1970; the oldest of those of one name."""
        found: dict[str, float] = {}
        for place, listed in self._listed.items():
            name = self._bots[place].name
            found[name] = min(listed.made.timestamp(), found.get(name, listed.made.timestamp()))
        return found

    @property
    def labels(self) -> dict[str, str]:
        """Name, day and size of each list."""
        return {
            f"bots[{place}]": f"{self._bots[place].name} {one.made:%Y-%m-%d}, {len(one.ranges)} ranges"
            for place, one in self._listed.items()
        }

    def refresh(self) -> bool:
        """Read what has changed since; whether any list has. One that is refused is told once, and not taken."""
        before = dict(self._listed)
        for place, now in before.items():
            self._listed[place] = self._newer(place, now)
        changed = [place for place, one in self._listed.items() if one is not before[place]]
        for place in changed:
            log.info("bots: %s", self.labels[f"bots[{place}]"])
        self._tell_old()
        return bool(changed)

    def _newer(self, place: int, now: Listed) -> Listed:
        path, stamp = Path(self._bots[place].list_file), None
        try:
            stamp = _stamp(path)
            if stamp in (now.stamp, self._refused.get(place)):
                return now
            return read_list(path, self._now())
        except (OSError, ValueError) as error:
            if place not in self._refused or self._refused[place] != stamp:
                log.warning("bots[%d].list_file: %s: %s; the list of before goes on", place, path, _said(error))
            self._refused[place] = stamp
            return now

    def _tell_old(self) -> None:
        now_us = self._clock()
        for place, listed in self._listed.items():
            bot = self._bots[place]
            days = (self._now() - listed.made).days
            told_us = self._told_us.get(place)
            if days > bot.list_age_max_days and (told_us is None or now_us - told_us >= TOLD_S * 1_000_000):
                self._told_us[place] = now_us
                log.warning("bots: the list of %s is %d days old; it still counts: %s", bot.name, days, bot.list_file)

    def _now(self) -> datetime:
        return datetime.fromtimestamp(self._clock() / 1e6, UTC)


def _said(error: OSError | ValueError) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or str(error)


def with_lists(settings: Settings) -> Settings:
    """``settings`` with what the files of ``[[bots]]`` say, read once.

    Raises:
        ConfigError: one cannot be read, or is no such list.
    """
    return replace(settings, bots=RobotLists(settings.bots).bots)
