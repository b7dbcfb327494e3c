"""Regular pace: profiles one after the other at gaps that hardly differ.

Seen: the last 16 gaps between first contacts of a principal, by view or look-up, once eight profiles were met. s is the
standard deviation of their natural logarithms. People do not keep time: they read one profile longer than the next, and
the logarithms of their gaps spread by about 0.9, whatever their pace. A program that sleeps between its requests
spreads by a hundredth. The evidence is the log-likelihood ratio of both spreads over the n gaps held,

    n * (ln(0.9 / s) - (1 - (s / 0.9) ** 2) / 2) - 3        s held between 0.05 and 0.9

less three for the pace and the spread being fitted to the very gaps that they judge. It is the pace as it stands and
no sum: an irregular stretch takes it back.

What could look regular without a program of a scraper behind it, and does not here:
Contacts less than half a second after the last one count as one with it, at the time of the first of them: apps ask for
the next profiles of a list in one go. A second or so between profiles is somebody who flicks through a list, in the
rhythm of a hand: people are taken to spread by 0.3 there, and by 0.9 from 4 s on (`spread_of_people`). Time stamps of
whole seconds make short gaps equal: where all of those held are whole, the gaps count nothing unless half of them last
20 s; time kept in whole minutes would accuse people. A monitor polls one profile, which is met once. A slide show that
the platform itself advances does look like a metronome: raise ``limit``.

Blind spots: random delays; two speeds; more than two profiles a second; gaps
below 20 s where time is kept in whole seconds.

Source: the likelihood ratio of two normal spreads; constants tried on simulated days, the rhythm of a hand assumed.
"""

from collections.abc import Mapping
from typing import Annotated, ClassVar, Final, cast

import msgspec
import numpy as np
from numpy.typing import NDArray

from detectors.core.columns import US, Columns
from detectors.core.compiled import compiled
from detectors.core.contract import Detector, DetectorConfig, Evidence, Explanation, State
from detectors.core.model import Model
from detectors.core.prefetch import AHEAD, prefetch
from schemas.sighting import Flag

GAPS: Final = 16
FEWEST: Final = 7
"""Gaps between the eight first contacts without which nothing is said."""
TOGETHER_US: Final = 500_000
"""Contacts closer than this to the last one are one with it; apps leave 100 to 300 ms between them."""
PAUSE_US: Final = 3_600 * US
PAUSE: Final = 20
"""A gap longer than an hour, and so many times the one before, is a pause and none of the pace.

Who comes back after a block goes on with the gaps from before.
"""
STEP: Final = 2_048
"""Steps of a natural logarithm that gaps are kept in, from `TOGETHER_US` on: the longest possible gap fits 16 bits."""
READING: Final = 0.9
"""Spread of the logarithms of the gaps of people who look at what they open."""
READING_S: Final = 4.0
FLICKING: Final = 0.3
"""Likewise of people who flick through: assumed, the rhythm of a hand."""
FLICKING_S: Final = 1.0
NARROWEST: Final = 0.05
"""Below this networks and time stamps decide, and nothing more is to be learned."""
FITTED: Final = 3.0
"""Evidence that fitting the pace and its spread is worth by itself."""
COARSE: Final = round(STEP * float(np.log(20 * US / TOGETHER_US)))
"""Gaps shorter than 20 s, in these steps, are not measured well in whole seconds."""


class Config(DetectorConfig, frozen=True, kw_only=True):
    """``[detectors.metronome]``."""

    limit: Annotated[float, msgspec.Meta(ge=7.0)] = 12.0
    """Evidence in natural logarithms that an alert needs; 35 is the most there is, 7 an honest person in a thousand."""
    block_ratio: Annotated[float, msgspec.Meta(ge=1.0)] = 1.5
    cap: Annotated[float, msgspec.Meta(ge=0.0)] = float("inf")


@compiled
def _met(
    s: int,
    time_us: int,
    begun_us: NDArray[np.int64],
    last_us: NDArray[np.int64],
    contacts: NDArray[np.uint32],
    whole: NDArray[np.uint8],
    gaps: NDArray[np.uint16],
) -> None:
    """Move one actor on by a first contact: a new gap, one contact with the last, or the end of a pause."""
    apart = time_us - last_us[s] >= TOGETHER_US
    last_us[s] = max(last_us[s], time_us)
    if contacts[s] > 0 and not apart:
        return
    if contacts[s] > 0:
        log_gap = np.log((time_us - begun_us[s]) / TOGETHER_US)
        before = gaps[s, (contacts[s] - 2) % GAPS] / STEP
        if contacts[s] > 1 and time_us - begun_us[s] > PAUSE_US and log_gap - before > np.log(PAUSE):
            begun_us[s] = time_us
            return
        gaps[s, (contacts[s] - 1) % GAPS] = min(round(log_gap * STEP), 65_535)
    begun_us[s] = time_us
    # Beyond the ring only the place in it matters, so the count turns round before it overflows.
    contacts[s] = contacts[s] + 1 if contacts[s] < 64 * GAPS else 63 * GAPS + 1
    whole[s] = min(whole[s] + 1, GAPS + 1) if time_us % US == 0 else 0


@compiled
def _measured(gaps: NDArray[np.uint16], held: int) -> tuple[float, float, float]:
    """Mean and standard deviation of the logarithms of gaps, in units of `TOGETHER_US`, and their sum in µs."""
    mean = 0.0
    passed_us = 0.0
    for k in range(held):
        mean += gaps[k] / STEP / held
        passed_us += np.exp(gaps[k] / STEP) * TOGETHER_US
    square = 0.0
    for k in range(held):
        square += (gaps[k] / STEP - mean) ** 2
    return mean, np.sqrt(square / (held - 1)), passed_us


@compiled
def _is_coarse(gaps: NDArray[np.uint16], held: int, whole: int) -> bool:
    """All of the times are whole seconds, and more than half of the gaps too short to be measured in them."""
    if whole <= held:
        return False
    short = 0
    for k in range(held):
        short += gaps[k] < COARSE
    return 2 * short > held


@compiled
def _pace(
    slot: NDArray[np.int32],
    time_us: NDArray[np.int64],
    counts: NDArray[np.bool_],
    begun_us: NDArray[np.int64],
    last_us: NDArray[np.int64],
    contacts: NDArray[np.uint32],
    whole: NDArray[np.uint8],
    gaps: NDArray[np.uint16],
) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.float64], NDArray[np.int64]]:
    """Gaps held, their geometric mean in s, the spread of their logarithms, and when the first of them began.

    At a row that does not count, and while the gaps say nothing, 0, 0, 0 and the row's time.
    """
    held = np.zeros(slot.size, np.int64)
    mean_s = np.zeros(slot.size)
    spread = np.zeros(slot.size)
    since_us = time_us.copy()
    for i in range(slot.size):
        prefetch(slot[min(i + AHEAD, slot.size - 1)], (begun_us, last_us, contacts, whole, gaps))
        if not counts[i]:
            continue
        s = slot[i]
        _met(s, time_us[i], begun_us, last_us, contacts, whole, gaps)
        n = min(int(contacts[s]) - 1, GAPS)
        if n < FEWEST or _is_coarse(gaps[s], n, whole[s]):
            continue
        mean, spread[i], passed_us = _measured(gaps[s], n)
        held[i] = n
        mean_s[i] = np.exp(mean) * TOGETHER_US / US
        since_us[i] = min(max(begun_us[s] - np.int64(passed_us), 0), time_us[i])
    return held, mean_s, spread, since_us


def spread_of_people(mean_s: NDArray[np.float64]) -> NDArray[np.float64]:
    """Spread of people's gaps around such a mean: 0.3 up to 1 s, 0.9 from 4 s on, in between by the logarithm."""
    between = np.log(np.maximum(mean_s, FLICKING_S) / FLICKING_S) / np.log(READING_S / FLICKING_S)
    spread: NDArray[np.float64] = FLICKING + (READING - FLICKING) * np.minimum(between, 1.0)
    return spread


def evidence_of(
    held: NDArray[np.int64], mean_s: NDArray[np.float64], spread: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Natural logarithms that so many gaps of such a mean and spread are worth, not negative; 0 where none are held."""
    people = spread_of_people(mean_s)
    share = np.clip(spread, NARROWEST, people) / people
    nats = held * (-np.log(share) - 0.5 * (1 - share**2)) - FITTED
    return np.maximum(nats, 0.0)


class Metronome(Detector[Config]):
    """See the module."""

    Config = Config
    principals_only: ClassVar[bool] = True
    principal_state: ClassVar[Mapping[str, str]] = {
        "begun_us": "i8",
        "last_us": "i8",
        "contacts": "u4",
        "whole": "u1",
        "gaps": f"({GAPS},)u2",
    }
    control: ClassVar[str] = "R4"
    blind_spots: ClassVar[tuple[str, ...]] = (
        "random delays between requests",
        "two speeds, or a long pause every few profiles",
        "more than two profiles a second",
        "gaps below 20 s where time is kept in whole seconds",
    )

    def judge(self, columns: Columns, state: State, model: Model) -> Evidence:
        """Level: evidence for a regular pace as a share of the limit."""
        counts = columns.asked & columns.first & ((columns.flags & Flag.MISS.value) == 0)
        held, mean_s, spread, since_us = _pace(
            columns.principal_slot,
            columns.time_us,
            counts,
            cast("NDArray[np.int64]", state["begun_us"]),
            cast("NDArray[np.int64]", state["last_us"]),
            cast("NDArray[np.uint32]", state["contacts"]),
            cast("NDArray[np.uint8]", state["whole"]),
            cast("NDArray[np.uint16]", state["gaps"]),
        )
        nats = evidence_of(held, mean_s, spread)
        numbers = {"nats": nats, "gaps": held.astype(np.float64), "mean_s": mean_s, "spread": spread}
        numbers["people"] = spread_of_people(mean_s)
        may_block = np.ones(len(columns), np.bool_)
        return Evidence(nats / self.config.limit, since_us, held + 1, may_block, numbers, nats, counts)

    def explain(self, columns: Columns, evidence: Evidence, row: int) -> Explanation:
        """Name the gaps, their mean and how much they differ."""
        names = ("gaps", "mean_s", "spread", "people", "nats")
        gaps, mean_s, spread, people, nats = (float(evidence.numbers[name][row]) for name in names)
        return Explanation(
            reason=f"{gaps:.0f} gaps of about {mean_s:.1f} s between profiles, their logarithms {spread:.2f} apart, "
            f"people's by {people:.2f}: evidence {nats:.1f} of {self.config.limit:.1f}",
            public_reason="profiles opened at a regular pace",
            evidence={
                "gaps": int(gaps),
                "mean_gap_s": round(mean_s, 3),
                "spread": round(spread, 4),
                "spread_of_people": round(people, 4),
                "log_likelihood_ratio": round(nats, 3),
                "limit": self.config.limit,
            },
        )
