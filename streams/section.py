"""Sections of the configuration: which can change while workers run, which need a restart, which are a process's own.

* **Hot**: how what was found is judged and answered. Published, and in force at one event time in every worker. No key
  of a detector gives its state another meaning: limits are compared with what is kept, and a half-life is how fast it
  fades from the next sighting on.
* **Own**: how a process reaches what is around it. It changes no decision and is no part of a revision; nor is it
  published.
* The rest decides what is seen, learned and remembered. Another value would make what is kept mean something else, so a
  restart of every worker brings it in.
"""

import math
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

import msgspec
from msgspec.structs import replace

from schemas.mode import Mode
from streams.settings import Settings

HOT: Final = ("mode", "detectors", "policy", "fusion", "collectors", "allow")
OWN: Final = ("kafka", "serve", "notify", "metrics", "log", "watch", "checkpoint", "dead_letters")
DECIDING: Final = tuple(name for name in Settings.__struct_fields__ if name not in OWN)
"""What a revision is the digest of, and what is published."""


@dataclass(frozen=True, slots=True)
class Changed:
    """One key that differs between two configurations, or one entry of a list that only one of them has."""

    key: str
    before: str
    """As JSON; empty where there was none."""
    after: str
    restart: bool
    """It takes a restart."""

    @property
    def own(self) -> bool:
        """Of the process alone."""
        return self.key.partition(".")[0] in OWN

    @property
    def cold(self) -> bool:
        """Of a section that nothing but a restart can change."""
        return self.key.partition(".")[0] not in HOT

    def __str__(self) -> str:
        return f"{self.key}: {self.before or 'nothing'} -> {self.after or 'nothing'}"


def without_lists(settings: Settings) -> Settings:
    """``settings`` without what the files of ``[[bots]]`` have said: it changes of itself, and is no part of them."""
    bots = tuple(replace(bot, ranges=(), listed=None) if bot.list_file else bot for bot in settings.bots)
    return replace(settings, bots=bots)


def with_hot(settings: Settings, other: Settings) -> Settings:
    """``settings`` with the hot sections of ``other``."""
    return replace(settings, **{name: getattr(other, name) for name in HOT})


def same_hot(settings: Settings, other: Settings) -> bool:
    """Whether all hot sections are equal."""
    return all(getattr(settings, name) == getattr(other, name) for name in HOT)


def turned_off(settings: Settings, names: Collection[str]) -> Settings:
    """``settings`` with the detectors called ``names`` turned off."""
    off = {name: replace(settings.detectors[name], mode=Mode.OFF) for name in names}
    return replace(settings, detectors={**settings.detectors, **off})


def mode_of(settings: Settings, name: str, mode: Mode | None = None) -> Mode:
    """Mode in force of a detector, under the ceiling; ``mode`` replaces that of every detector."""
    wanted = mode or settings.detectors[name].mode or settings.mode.default
    return min(wanted, settings.mode.ceiling, key=lambda one: one.rank)


def turned_on(before: Settings, after: Settings) -> list[str]:
    """Detectors that were off and no longer are: they have no state in a worker that runs."""
    both = before.detectors.keys() & after.detectors.keys()
    return sorted(name for name in both if mode_of(before, name) is Mode.OFF and mode_of(after, name) is not Mode.OFF)


def changed(before: Settings, after: Settings) -> list[Changed]:
    """What differs, in the order of the keys; entries of a list count as a whole, wherever they stand in it."""
    old, new = (dict(_leaves(msgspec.to_builtins(without_lists(settings)), "")) for settings in (before, after))
    waking = turned_on(before, after)
    found = []
    for key in dict.fromkeys([*old, *new]):
        if old.get(key) != new.get(key):
            section, _, rest = key.partition(".")
            wakes = key in ("mode.default", "mode.ceiling") or rest in {f"{name}.mode" for name in waking}
            restart = section not in HOT or (bool(waking) and wakes)
            found += [Changed(key, *pair, restart) for pair in _pairs(old.get(key), new.get(key))]
    return found


def _leaves(value: object, path: str) -> Iterator[tuple[str, object]]:
    if isinstance(value, Mapping) and value:
        for name, inner in value.items():
            yield from _leaves(inner, f"{path}.{name}" if path else str(name))
    else:
        yield path, value


def _pairs(before: object, after: object) -> Iterator[tuple[str, str]]:
    """Before and after as text: of a list of tables, each entry that only one side has."""
    lists = [value if isinstance(value, list | tuple) else [] for value in (before, after)]
    if not any(isinstance(entry, Mapping) for entries in lists for entry in entries):
        yield spelled(before), spelled(after)
        return
    old, new = ([spelled(entry) for entry in entries] for entries in lists)
    gone, come = Counter(old) - Counter(new), Counter(new) - Counter(old)
    yield from ((entry, "") for entry in gone.elements())
    yield from (("", entry) for entry in come.elements())
    if not gone and not come:
        yield f"{len(old)} entries", "the same in another order"


def spelled(value: object) -> str:
    """A value for people to read, as JSON has it, and `inf` as TOML has it; nothing for a key without one."""
    if value == math.inf:
        return "inf"
    return "" if value is None else msgspec.json.encode(value, order="sorted").decode()
