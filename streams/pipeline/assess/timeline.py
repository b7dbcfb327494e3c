"""Which configuration is in force at which event time: the same in every worker and every replay.

::

    event time   ........|10:00:07..............|11:30:00.........▶
    in force     first   │ sha256:a             │ sha256:b

What is published replaces the hot sections (`streams/section.py`) of the configuration that the process began with; its
own cold ones stay. A detector that was off at the beginning has no state, and stays off whatever is published; one that
is turned off goes on in silence and keeps its state.
"""

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from operator import attrgetter
from typing import Final

from msgspec import structs

from detectors.core.contract import Detector, DetectorConfig
from schemas.mode import Mode
from streams import config
from streams.pipeline.assess.release import LONG_AGO
from streams.section import turned_off, with_hot
from streams.settings import Bot, Settings

Chosen = Sequence[tuple[Detector[DetectorConfig], Mode]]
"""Detectors, each in its mode."""


@dataclass(frozen=True, slots=True)
class Regime:
    """A configuration and from when on it is in force."""

    from_us: int
    """Event time, `LONG_AGO` of the one that a process began with."""
    settings: Settings
    detectors: Chosen
    revision: str
    """Digest of ``settings``, which decisions name."""


_point: Final = attrgetter("from_us")


class Timeline:
    """Regimes in the order of their points."""

    def __init__(self, first: Regime, stateful: Iterable[str] = (), mode: Mode | None = None) -> None:
        """Begin with ``first``; detectors that are on in it have state, and the ``stateful`` ones.

        ``mode`` replaces that of every detector in what is published, as it did in ``first``.
        """
        self._regimes = [first]
        self._mode = mode
        self.stateful = frozenset(one.name for one, mode in first.detectors if mode is not Mode.OFF) | set(stateful)
        """Names of the detectors that have state."""

    @property
    def first(self) -> Regime:
        """What the process began with."""
        return self._regimes[0]

    @classmethod
    def of(cls, settings: Settings, mode: Mode | None = None, newest: Settings | None = None) -> "Timeline":
        """Begin with ``settings``; detectors that are on in the ``newest`` publication have state too."""
        first = Regime(LONG_AGO, settings, config.detectors(settings, mode), config.revision(settings, mode))
        later = () if newest is None else config.detectors(newest, mode)
        return cls(first, (one.name for one, chosen in later if chosen is not Mode.OFF), mode)

    @property
    def detectors(self) -> Chosen:
        """Those that have state, as they are in the first regime."""
        return self.of_stateful(self.first)

    def of_stateful(self, regime: Regime) -> Chosen:
        """The detectors of a regime that have state, those that are turned off among them."""
        return [(one, mode) for one, mode in regime.detectors if one.name in self.stateful]

    def add(self, from_us: int, published: Settings) -> Regime:
        """Let the hot sections of what was published be in force from ``from_us`` on, until the next point.

        Of two with the same point the one added last counts.
        """
        hot = with_hot(self.first.settings, published)
        settings = turned_off(hot, [name for name in hot.detectors if name not in self.stateful])
        regime = Regime(
            from_us, settings, config.detectors(settings, self._mode), config.revision(settings, self._mode)
        )
        place = bisect_right(self._regimes, from_us, key=_point)
        # A new list: another thread may be looking at the one before.
        self._regimes = [*self._regimes[:place], regime, *self._regimes[place:]]
        return regime

    def know(self, bots: tuple[Bot, ...]) -> None:
        """Let every regime spare these robots, and no longer those of before; its revision stays."""
        self._regimes = [replace(one, settings=structs.replace(one.settings, bots=bots)) for one in self._regimes]

    def at(self, time_us: int) -> Regime:
        """What is in force at ``time_us``."""
        regimes = self._regimes
        return regimes[max(bisect_right(regimes, time_us, key=_point) - 1, 0)]

    def next_us(self, time_us: int) -> int:
        """The first point after ``time_us``; far in the future when there is none."""
        regimes = self._regimes
        place = bisect_right(regimes, time_us, key=_point)
        return regimes[place].from_us if place < len(regimes) else -LONG_AGO
