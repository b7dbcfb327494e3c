"""The sum over detectors: what several say of one principal, each a little.

Each detector keeps a floored sum of log-likelihood ratios S. A principal's evidence is their capped sum

    F = sum over traits of the largest min(S, cap) among the detectors of the trait

with the parts decayed since they were last reckoned. Caps follow from how many honest people have the trait that a
detector sees (`DetectorConfig.cap`). What detectors of `Detector.reading` add beyond the others of their traits is
capped once more, together: who reads for work reads much, whom nobody else knows, and nobody twice. Three caps for
three traits would be added up as if it took three odd people, and made one in 300 the tail that limits are fitted to.
Compared at the same false-alarm rate on simulated days, the capped sum found
four of five accounts that take 75 profiles a day, and the largest p-value, the best two, Fisher's sum and noisy-or
none of them (DETECTION.md, section 1).

A detector that may not go as far as another must not lift a decision to where it may not go itself: F is reckoned
once for each mode, over the detectors that are at least in it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from detectors.core.compiled import in_place
from detectors.core.model import PEAK_STEP, PEAKS
from detectors.core.prefetch import AHEAD, prefetch
from schemas.mode import Mode

MODES: Final = (Mode.SHADOW, Mode.ALERT, Mode.ENFORCE)
HALF_LIFE_US: Final = 302_400_000_000
"""Evidence halves in 3.5 days."""
RISE: Final = 2.0
"""Evidence below which nothing has begun yet: what follows is a new rise."""
READING_CAP: Final = 10.0
"""What detectors of reading add together: below every limit, as there are people who do all of it at once."""
_DAY_US: Final = 86_400_000_000


@dataclass(frozen=True, slots=True)
class Fused:
    """The sum at each of n sightings; zero where no part of it moved."""

    total: NDArray[np.float64]
    """[n, 3] by mode, see `MODES`."""
    parts: NDArray[np.float32]
    """[n, detectors] what each adds."""
    gain: NDArray[np.float64]
    """What the sum grew by at this sighting, not negative."""
    since_us: NDArray[np.int64]
    """When the evidence began to rise."""
    profiles: NDArray[np.int64]
    """Profiles disclosed to the principal since then."""
    sightings: NDArray[np.int64]
    """Sightings since then."""
    peak: NDArray[np.int64]
    """Bin that the day's highest evidence has come to at this sighting, -1 where it has not risen."""
    peak_before: NDArray[np.int64]
    """Bin that it had on that day before, -1 for none."""


@in_place
def _add_up(
    sums: NDArray[np.float32],
    ranks: NDArray[np.int64],
    traits: NDArray[np.int64],
    reading: NDArray[np.bool_],
    largest: NDArray[np.float64],
    named: NDArray[np.bool_],
    total: NDArray[np.float64],
    parts: NDArray[np.float32],
) -> None:
    """Of each trait the largest sum, added up for each mode; and which of the sums took part, with what it adds.

    ``largest`` is room for [2, traits, modes]: of other detectors, and of those of reading.
    """
    largest[:] = 0.0
    named[:] = False
    for d in range(sums.size):
        for m in range(ranks[d] + 1):
            kind = int(reading[d])
            largest[kind, traits[d], m] = max(largest[kind, traits[d], m], sums[d])
    share = 1.0
    for m in range(total.size):
        others, beyond = 0.0, 0.0
        for d in range(sums.size):
            others += largest[0, d, m]
            # Counted beyond the others of the trait, more of one never lowers the sum.
            beyond += max(largest[1, d, m] - largest[0, d, m], 0.0)
        total[m] = others + min(beyond, READING_CAP)
        if m == 0 and beyond > READING_CAP:
            share = READING_CAP / beyond
    for d in range(sums.size):
        other, read = largest[0, traits[d], 0], largest[1, traits[d], 0]
        # Of several that say the same the first one is named.
        if sums[d] == max(other, read) and not named[traits[d]]:
            named[traits[d]] = True
            parts[d] = other + (sums[d] - other) * share


@in_place
def _fuse(
    principal: NDArray[np.int32],
    time_us: NDArray[np.int64],
    exposed_now: NDArray[np.int64],
    asked: NDArray[np.bool_],
    moved: NDArray[np.bool_],
    nats: NDArray[np.float64],
    caps: NDArray[np.float64],
    ranks: NDArray[np.int64],
    traits: NDArray[np.int64],
    reading: NDArray[np.bool_],
    largest: NDArray[np.float64],
    named: NDArray[np.bool_],
    sums: NDArray[np.float32],
    whole: NDArray[np.float32],
    fused_us: NDArray[np.int64],
    peak_day: NDArray[np.uint16],
    peak: NDArray[np.int16],
    rise_us: NDArray[np.int64],
    rise_exposed: NDArray[np.int64],
    rise_sightings: NDArray[np.int32],
    total: NDArray[np.float64],
    parts: NDArray[np.float32],
    gain: NDArray[np.float64],
    since_us: NDArray[np.int64],
    profiles: NDArray[np.int64],
    sightings: NDArray[np.int64],
    out_peak: NDArray[np.int64],
    out_before: NDArray[np.int64],
) -> None:
    detectors = caps.size
    for i in range(principal.size):
        later = principal[min(i + AHEAD, principal.size - 1)]
        prefetch(later, (sums, whole, fused_us, peak_day, peak, rise_us, rise_exposed, rise_sightings))
        p = principal[i]
        if p < 0:
            continue
        any_moved = False
        for d in range(detectors):
            any_moved |= moved[d, i]
        if not any_moved:
            continue
        fade = 2.0 ** (-max(time_us[i] - fused_us[p], 0) / HALF_LIFE_US)
        fused_us[p] = max(fused_us[p], time_us[i])
        before = float(whole[p])
        for d in range(detectors):
            # What was kept may lie above a cap that has been lowered since.
            sums[p, d] = min(max(nats[d, i], 0.0) if moved[d, i] else sums[p, d] * fade, caps[d])
        _add_up(sums[p], ranks, traits, reading, largest, named, total[i], parts[i])
        gain[i] = max(total[i, 0] - before, 0.0)
        whole[p] = total[i, 0]
        # A touch may be told twice: the second time it finds the evidence as low as the first time left it.
        if rise_us[p] == 0 or (before < RISE and (asked[i] or total[i, 0] >= RISE)):
            rise_us[p], rise_exposed[p], rise_sightings[p] = time_us[i], exposed_now[i] - 1, 0
        rise_sightings[p] += asked[i]
        since_us[i] = min(rise_us[p], time_us[i])
        profiles[i] = max(exposed_now[i] - rise_exposed[p], 1)
        sightings[i] = rise_sightings[p]
        day = time_us[i] // _DAY_US
        out_peak[i], out_before[i] = -1, -1
        if day > peak_day[p]:
            peak_day[p], peak[p] = day, 0
        reached = min(int(total[i, 0] / PEAK_STEP), PEAKS - 1)
        if day == peak_day[p] and reached + 1 > peak[p]:
            out_peak[i], out_before[i] = reached, peak[p] - 1
            peak[p] = reached + 1


class Fusion:
    """The sum over detectors in a fixed order."""

    def __init__(
        self, caps: list[float], modes: list[Mode], traits: Sequence[str] = (), reading: Sequence[bool] = ()
    ) -> None:
        """Take the cap, the mode in force and the trait of each detector; one that is off is not among them.

        Without ``traits`` each has one of its own; without ``reading`` none sees it (`Detector.reading`).
        """
        traits = traits or [""] * len(caps)
        named = {trait: place for place, trait in reversed(list(enumerate(traits))) if trait}
        self._traits = np.array([named.get(trait, place) for place, trait in enumerate(traits)], np.int64)
        self._reading = np.array(reading or [False] * len(caps), np.bool_)
        self._caps = np.array(caps, np.float64)
        self._ranks = np.array([MODES.index(mode) for mode in modes], np.int64)

    def fuse(
        self,
        principal: NDArray[np.int32],
        time_us: NDArray[np.int64],
        exposed: NDArray[np.int64],
        asked: NDArray[np.bool_],
        nats: list[NDArray[np.float64] | None],
        moved: list[NDArray[np.bool_] | None],
        state: Mapping[str, NDArray[Any]],
    ) -> Fused:
        """Move the sums of principals on by n sightings, of which each detector has ``nats`` where it ``moved``.

        ``state`` holds the principals' columns (`actors/store.py`), ``exposed`` profiles disclosed up to each sighting.
        Where nobody ``asked`` for a profile, as at a touch, evidence may move, but it is not one sighting more: how
        many touches there are depends on how batches were cut.
        """
        n, count = principal.size, self._caps.size
        all_moved, all_nats = np.zeros((count, n), np.bool_), np.zeros((count, n))
        for d in range(count):
            one, reckoned = nats[d], moved[d]
            if one is not None and reckoned is not None and self._caps[d] > 0:
                all_nats[d], all_moved[d] = one, reckoned
        out = Fused(
            np.zeros((n, len(MODES))),
            np.zeros((n, count), np.float32),
            np.zeros(n),
            time_us.copy(),
            np.zeros(n, np.int64),
            np.zeros(n, np.int64),
            np.full(n, -1, np.int64),
            np.full(n, -1, np.int64),
        )
        if count:
            _fuse(
                principal, time_us, exposed, asked, all_moved, all_nats, self._caps, self._ranks, self._traits,
                self._reading, np.zeros((2, count, len(MODES))), np.zeros(count, np.bool_),
                state["nats"], state["fused"], state["fused_us"], state["peak_day"], state["peak"],
                state["rise_us"], state["rise_exposed"], state["rise_sightings"],
                out.total, out.parts, out.gain, out.since_us, out.profiles, out.sightings, out.peak, out.peak_before,
            )  # fmt: skip
        return out
