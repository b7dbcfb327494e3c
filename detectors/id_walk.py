"""Walks over ids: who asks for one profile number after the other.

Seen: where each new profile that a principal asks for stands beside the last four, whether it exists or not. A *step*
is a number at most 16 from one of them; or the same stride as before, from the last to this one, or every second
time, as two walkers in turns leave it. Of handles, a step is the next text by the alphabet that shares its first
three letters with the last. People do not pick profiles by their numbers: 2 in 1,000 of their requests happen to be
steps, of a walker's 4 in 5. The log-likelihood ratios add up, floored at zero and halved in 3.5 days; three steps in
a row are ground for a block, three among up to six requests for an alert.

What was shown before says nothing: a list whose neighbours are fetched ahead is no walk, nor is a round of one's own
acquaintances. Where ids stand close or in an order of their own (a small platform, ids that begin with a date),
honest steps are common; the share of them is learned, and what is learned only ever lowers what a step is worth.
Handles say nothing until it is known: some platforms begin all of theirs alike. Look-ups have a share of their own,
since colleagues' telephone numbers follow each other in an address book; their texts are names in order, and say
nothing.

Blind spots: ids without an order (random ones); random picks in ascending order; profiles created together, as by a
class that signs up on one day, whose members then look at each other; the first day of a platform of fewer than some
20,000 members, whose ids stand close by chance; a walker behind an address where a crowd asks for more than four
others in between.

Source: Wald 1945; Page 1954; shares tried on simulated days of 10,000 people.
"""

from collections.abc import Mapping
from typing import Annotated, ClassVar, Final, cast

import msgspec
import numpy as np
from numpy.typing import NDArray

from detectors.core.columns import NO_NUMBER, US, Columns
from detectors.core.compiled import compiled
from detectors.core.contract import Detector, DetectorConfig, Evidence, Explanation, Nats, Ratio, State
from detectors.core.model import Model
from schemas.sighting import Flag, Kind

NEAR: Final = 16
STEP_SHARE: Final = 0.8
"""A walker's requests that are steps; the others are noise, or somebody else behind the same address."""
HONEST: Final = np.array([0.002, 0.01, 0.01])
"""Honest requests that are steps, before anything is learned: numbers of views, of look-ups, handles."""
VIEWED, LOOKED_UP, HANDLE = 0, 1, 2
PRIOR: Final = 2_000.0
"""Requests that `HONEST` weighs as much as, beside those learned; handles say nothing until as many are learned."""
CEILING_NATS: Final = 50.0
"""More evidence is not kept: whoever has the address next is cleared by some 30 views of their own."""
ONE_STEP_CAP: Final = 3.0
"""What one step alone adds to the sum over detectors."""
STEPS_MIN: Final = 3
REPEATED, FOUND, APART, NEXT, STRIDE, ALPHABET = range(6)
"""How a number stands to those before: again, the first of its kind, no step, and the three kinds of step."""
WORDS: Final = (*["no step"] * 3, "a number nearby", "the same stride again", "the next by the alphabet")


class Config(DetectorConfig, frozen=True, kw_only=True):
    """``[detectors.id_walk]``."""

    limit: Annotated[float, msgspec.Meta(ge=6.0)] = 12.0
    """Evidence in natural logarithms that an alert needs: three steps and up to three other requests between them."""
    block_ratio: Ratio = 1.49
    """Three steps in a row are 17.97, so that 1.5 would ask for a fourth."""
    cap: Nats = float("inf")
    half_life_s: Annotated[int, msgspec.Meta(ge=3600)] = 302_400


@compiled
def _stride(held: NDArray[np.int64], s: int, lag: int, known: int, number: int) -> bool:
    """Whether ``number`` is as far from the one ``lag`` requests ago as that is from the one ``lag`` before it."""
    if 2 * lag > known:
        return False
    last, before = held[s, lag - 1], held[s, 2 * lag - 1]
    return bool(last >= 0 and before >= 0 and number - last == last - before)


@compiled
def _stands(held: NDArray[np.int64], s: int, known: int, number: int) -> int:
    """How ``number`` stands to the last ones of slot ``s``, the newest first. Differences of a kind fit in 64 bits."""
    how = FOUND
    for k in range(known):
        other = held[s, k]
        if other == number:
            return REPEATED
        if (other >= 0) != (number >= 0):
            continue
        if number >= 0:
            how = NEXT if how == NEXT or abs(number - other) <= NEAR else APART
        elif how == FOUND:
            # Texts are kept as -2 - k: later by the alphabet is lower; three letters of seven are left of 32 bits.
            later = number < other and (-2 - number) >> 32 == (-2 - other) >> 32
            how = ALPHABET if later else APART
    if how == APART and number >= 0 and (_stride(held, s, 1, known, number) or _stride(held, s, 2, known, number)):
        return STRIDE
    return how


@compiled
def _walk(
    slot: NDArray[np.int32],
    time_us: NDArray[np.int64],
    group: NDArray[np.int64],
    number: NDArray[np.int64],
    disclosed: NDArray[np.bool_],
    ratios: NDArray[np.float64],
    half_life_us: float,
    held: NDArray[np.int64],
    known: NDArray[np.int8],
    total: NDArray[np.float32],
    at_us: NDArray[np.int64],
    since_us: NDArray[np.int64],
    steps: NDArray[np.int32],
    profiles: NDArray[np.int32],
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Move the state on by rows whose ``group`` is not negative.

    Returns sum, steps and ratio [3, n], then how the number stands, the start and the profiles [3, n]; zeros where a
    row says nothing. ``ratios``: log-likelihood ratios by group, of no step and of a step [3, 2].
    """
    out = np.zeros((3, slot.size), np.float64)
    about = np.zeros((3, slot.size), np.int64)
    for i in range(slot.size):
        if group[i] < 0:
            continue
        s = slot[i]
        how = _stands(held, s, known[s], number[i])
        if how == REPEATED:
            continue
        for k in range(3, 0, -1):
            held[s, k] = held[s, k - 1]
        held[s, 0] = number[i]
        known[s] = min(known[s] + 1, 4)
        if how == FOUND:
            continue
        step = 1 if how > APART else 0
        ratio = ratios[group[i], step]
        before = total[s]
        level = before * 2.0 ** (-max(time_us[i] - at_us[s], 0) / half_life_us) + ratio
        if before <= 0.0 or level <= 0.0:
            since_us[s], steps[s], profiles[s] = time_us[i], 0, 0
        total[s] = min(max(level, 0.0), CEILING_NATS)
        at_us[s] = max(at_us[s], time_us[i])
        steps[s] += step
        profiles[s] += disclosed[i]
        out[0, i], out[1, i], out[2, i] = total[s], steps[s], ratio
        about[0, i], about[1, i], about[2, i] = how, min(since_us[s], time_us[i]), max(profiles[s], 1)
    return out, about


class IdWalk(Detector[Config]):
    """See the module."""

    Config = Config
    principals_only: ClassVar[bool] = True
    principal_state: ClassVar[Mapping[str, str]] = {
        "numbers": "(4,)i8",
        "known": "i1",
        "sum": "f4",
        "at_us": "i8",
        "since_us": "i8",
        "steps": "i4",
        "profiles": "i4",
    }
    lessons: ClassVar[Mapping[str, int]] = {"steps": 6}
    control: ClassVar[str] = "R3"
    blind_spots: ClassVar[tuple[str, ...]] = (
        "ids without an order",
        "random picks taken in ascending order",
        "profiles created together whose owners look at each other",
        "a small platform on its first day",
        "a walker behind an address where a crowd asks for more than four others in between",
    )

    def ratios(self, model: Model) -> NDArray[np.float64]:
        """Log-likelihood ratios of a request that is no step and of one that is: [3, 2], the latter at most 6."""
        learned = model.counts("id_walk.steps", 6).reshape(3, 2)
        share = (HONEST * PRIOR + learned[:, 1]) / (PRIOR + learned.sum(axis=1))
        honest = np.clip(share, HONEST, STEP_SHARE)
        ratios: NDArray[np.float64] = np.log(np.stack([(1 - STEP_SHARE) / (1 - honest), STEP_SHARE / honest], axis=1))
        if learned[HANDLE].sum() < PRIOR:
            ratios[HANDLE] = 0.0
        return ratios

    def judge(self, columns: Columns, state: State, model: Model) -> Evidence:
        """Level: the floored sum as a share of the limit."""
        missed = (columns.flags & Flag.MISS) != 0
        new = columns.asked & (columns.first | missed)
        viewed, numbered = columns.kind == Kind.VIEW, columns.number > NO_NUMBER
        kinds = [new & viewed & numbered, new & ~viewed & numbered, new & viewed & (columns.number < NO_NUMBER)]
        group = np.select(kinds, [VIEWED, LOOKED_UP, HANDLE], -1).astype(np.int64)
        out, about = _walk(
            columns.principal_slot,
            columns.time_us,
            group,
            columns.number,
            ~missed,
            self.reckon(self.ratios, model),
            float(self.config.half_life_s * US),
            cast("NDArray[np.int64]", state["numbers"]),
            cast("NDArray[np.int8]", state["known"]),
            cast("NDArray[np.float32]", state["sum"]),
            cast("NDArray[np.int64]", state["at_us"]),
            cast("NDArray[np.int64]", state["since_us"]),
            cast("NDArray[np.int32]", state["steps"]),
            cast("NDArray[np.int32]", state["profiles"]),
        )
        moved = about[0] > FOUND
        numbers = {"sum": out[0], "steps": out[1], "ratio": out[2], "stands": about[0].astype(np.float64)}
        return Evidence(
            level=out[0] / self.config.limit,
            since_us=np.where(moved, about[1], columns.time_us),
            profiles=about[2],
            may_block=out[1] >= STEPS_MIN,
            numbers=numbers,
            # One number near another is met by chance; a second one is not.
            nats=np.where(out[1] >= 2, out[0], np.minimum(out[0], ONE_STEP_CAP)),
            moved=moved,
            lessons={"steps": np.where(moved, 2 * group + (about[0] > APART), -1)},
        )

    def explain(self, columns: Columns, evidence: Evidence, row: int) -> Explanation:
        """Name the steps, the kind of the last one, and the sum."""
        total, steps = float(evidence.numbers["sum"][row]), int(evidence.numbers["steps"][row])
        last = WORDS[int(evidence.numbers["stands"][row])]
        return Explanation(
            reason=f"{steps} requests follow the order of the ids, the last one {last}: "
            f"evidence {total:.1f} of {self.config.limit:.1f}",
            public_reason="profiles asked for one after the other",
            evidence={
                "log_likelihood_ratio": round(total, 3),
                "limit": self.config.limit,
                "steps": steps,
                "last": last,
                "last_ratio": round(float(evidence.numbers["ratio"][row]), 4),
            },
        )
