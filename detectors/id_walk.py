"""Walks over ids: who asks for one profile number after the other.

Seen: where each new profile that a principal asks for stands beside the last four, whether it exists or not. A *step*
is a number at most 16 from one of them; or the same stride as before, from the last to this one, or every second
time, as two walkers in turns leave it. Of handles, a step is the next text by the alphabet that shares its first
three letters with the last. People do not pick profiles by their numbers: 2 in 1,000 of their requests happen to be
steps, of a walker's 4 in 5. The log-likelihood ratios add up, floored at zero and halved in 3.5 days; three steps in
a row are ground for a block, three among up to six requests for an alert. A step that goes *on*, as far as the one
before it and the same way, is worth more where it is learned that hardly anybody does that: then two are enough.

While fewer than 20,000 views are learned nobody knows whether people read in order here: as people do who go through
numbered pages, now the next, now one beside it. Then a block takes eight steps as far and the same way as the one
before, or thirty of any sort, and numbers below 400 say nothing: where there are so few all are neighbours.

What was shown before says nothing: a list whose neighbours are fetched ahead is no walk, nor is a round of one's own
acquaintances. Where ids stand close or in an order of their own (a small platform, ids that begin with a date),
honest steps are common; the share of them is learned, and steps are worth the less the more common they are.
Handles say nothing until it is known: some platforms begin all of theirs alike. Look-ups have a share of their own,
since colleagues' telephone numbers follow each other in an address book; their texts are names in order, and say
nothing.

Blind spots: ids without an order (random ones); random picks in ascending order; profiles created together, as by a
class that signs up on one day, whose members then look at each other; the first day of a platform of fewer than some
20,000 members, whose ids stand close by chance, and the first 400 ids on that of any; a walker behind an address where
a crowd asks for more than four others in between.

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
from detectors.core.prefetch import AHEAD, prefetch
from schemas.sighting import Flag, Kind

NEAR: Final = 16
STEP_SHARE: Final = 0.8
"""A walker's requests that are steps; the others are noise, or somebody else behind the same address."""
HONEST: Final = np.array([0.002, 0.01, 0.01])
"""Honest requests that are steps, before anything is learned: numbers of views, of look-ups, handles."""
RAREST: Final = np.array([0.001, 0.01, 0.01])
RAREST_ON: Final = 1e-5
"""The least that the shares of steps, and of views that go on from a step, are taken for, whatever is learned."""
RIPE: Final = 20_000.0
"""Views that have to be learned before it is known how people go from number to number."""
FEW: Final = 400
"""Numbers below say nothing before that."""
VIEWED, LOOKED_UP, HANDLE = 0, 1, 2
PRIOR: Final = 2_000.0
"""Requests that `HONEST` weighs as much as, beside those learned; handles say nothing until as many are learned."""
CEILING_NATS: Final = 50.0
"""More evidence is not kept: whoever has the address next is cleared by some 30 views of their own."""
ONE_STEP_CAP: Final = 3.0
"""What one step alone adds to the sum over detectors."""
STEPS_MIN: Final = 3
STEPS_MIN_ON: Final = 2
ONS_MIN_UNRIPE: Final = 8
STEPS_MIN_UNRIPE: Final = 30
ONS_MAX: Final = 255
REPEATED, FOUND, APART, NEXT, STRIDE, ALPHABET, ON = range(7)
"""How a number stands to those before: again, the first of its kind, no step, and the four kinds of step."""
WORDS: Final = (
    *["no step"] * 3,
    "a number nearby",
    "the same stride again",
    "the next by the alphabet",
    "as far again as the one before",
)
OUTCOMES: Final = 3
"""No step, a step, one that goes on: places in the lesson, for each of the three groups."""


class Config(DetectorConfig, frozen=True, kw_only=True):
    """``[detectors.id_walk]``."""

    limit: Annotated[float, msgspec.Meta(ge=6.0)] = 12.0
    """Evidence in natural logarithms that an alert needs: three steps and up to three other requests between them."""
    block_ratio: Ratio = 1.49
    """Three steps in a row are 17.97, so that 1.5 would ask for a fourth; so are, at their rarest, one and one on."""
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
    if how == NEXT and _stride(held, s, 1, known, number) and abs(number - held[s, 0]) <= NEAR:
        return ON
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
    few: int,
    half_life_us: float,
    held: NDArray[np.int64],
    known: NDArray[np.int8],
    total: NDArray[np.float32],
    at_us: NDArray[np.int64],
    since_us: NDArray[np.int64],
    steps: NDArray[np.int32],
    ons: NDArray[np.uint8],
    profiles: NDArray[np.int32],
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Move the state on by rows whose ``group`` is not negative.

    Returns sum, steps and ratio [3, n], then how the number stands, the start, the profiles, and steps that went on
    [4, n]; zeros where a row says nothing. ``ratios``: log-likelihood ratios by group and outcome [3, 3].
    """
    out = np.zeros((3, slot.size), np.float64)
    about = np.zeros((4, slot.size), np.int64)
    for i in range(slot.size):
        prefetch(slot[min(i + AHEAD, slot.size - 1)], (held, known, total, at_us, since_us, steps, ons, profiles))
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
        ratio = 0.0 if 0 <= number[i] < few else ratios[group[i], 2 if how == ON else step]
        before = total[s]
        level = before * 2.0 ** (-max(time_us[i] - at_us[s], 0) / half_life_us) + ratio
        if before <= 0.0 or level <= 0.0:
            since_us[s], steps[s], ons[s], profiles[s] = time_us[i], 0, 0, 0
        total[s] = min(max(level, 0.0), CEILING_NATS)
        at_us[s] = max(at_us[s], time_us[i])
        steps[s] += step
        ons[s] = min(int(ons[s]) + int(how >= STRIDE), ONS_MAX)
        profiles[s] += disclosed[i]
        out[0, i], out[1, i], out[2, i] = total[s], steps[s], ratio
        about[0, i], about[1, i], about[2, i] = how, min(since_us[s], time_us[i]), max(profiles[s], 1)
        about[3, i] = ons[s]
    return out, about


def _enough_unripe(ons: NDArray[np.int64], steps: NDArray[np.float64]) -> NDArray[np.bool_]:
    """[n] where steps are ground for a block before it is known how people go from number to number."""
    enough: NDArray[np.bool_] = (ons >= ONS_MIN_UNRIPE) | (steps >= STEPS_MIN_UNRIPE)
    return enough


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
        "ons": "u1",
        "profiles": "i4",
    }
    lessons: ClassVar[Mapping[str, int]] = {"steps": 3 * OUTCOMES}
    control: ClassVar[str] = "R4"
    blind_spots: ClassVar[tuple[str, ...]] = (
        "ids without an order",
        "random picks taken in ascending order",
        "profiles created together whose owners look at each other",
        "a small platform on its first day, and the first 400 ids of any",
        "a walker behind an address where a crowd asks for more than four others in between",
    )

    def ratios(self, model: Model) -> tuple[NDArray[np.float64], bool]:
        """Log-likelihood ratios of no step, a step, and one that goes on, by group: [3, 3]; whether they are ripe.

        A step is worth 6.7 at most, one that goes on 11.3.
        """
        learned = model.counts("id_walk.steps", 3 * OUTCOMES).reshape(3, OUTCOMES)
        seen = PRIOR + learned.sum(axis=1)
        honest = np.clip((HONEST * PRIOR + learned[:, 1:].sum(axis=1)) / seen, RAREST, STEP_SHARE)
        on = honest.copy()
        on[VIEWED] = np.clip((HONEST[VIEWED] * PRIOR + learned[VIEWED, 2]) / seen[VIEWED], RAREST_ON, honest[VIEWED])
        ratios: NDArray[np.float64] = np.log(
            np.stack([(1 - STEP_SHARE) / (1 - honest), STEP_SHARE / honest, STEP_SHARE / on], axis=1)
        )
        if learned[HANDLE].sum() < PRIOR:
            ratios[HANDLE] = 0.0
        return ratios, bool(learned[VIEWED].sum() >= RIPE)

    def judge(self, columns: Columns, state: State, model: Model) -> Evidence:
        """Level: the floored sum as a share of the limit."""
        missed = (columns.flags & Flag.MISS.value) != 0
        new = columns.asked & (columns.first | missed)
        viewed, numbered = columns.kind == Kind.VIEW.value, columns.number > NO_NUMBER
        ratios, ripe = self.reckon(self.ratios, model)
        kinds = [new & viewed & numbered, new & ~viewed & numbered, new & viewed & (columns.number < NO_NUMBER)]
        group = np.select(kinds, [VIEWED, LOOKED_UP, HANDLE], -1).astype(np.int64)
        out, about = _walk(
            columns.principal_slot,
            columns.time_us,
            group,
            columns.number,
            ~missed,
            ratios,
            0 if ripe else FEW,
            float(self.config.half_life_s * US),
            cast("NDArray[np.int64]", state["numbers"]),
            cast("NDArray[np.int8]", state["known"]),
            cast("NDArray[np.float32]", state["sum"]),
            cast("NDArray[np.int64]", state["at_us"]),
            cast("NDArray[np.int64]", state["since_us"]),
            cast("NDArray[np.int32]", state["steps"]),
            cast("NDArray[np.uint8]", state["ons"]),
            cast("NDArray[np.int32]", state["profiles"]),
        )
        moved = about[0] > FOUND
        on = about[0] == ON
        enough = out[1] >= np.where(on, STEPS_MIN_ON, STEPS_MIN) if ripe else _enough_unripe(about[3], out[1])
        first_on = on & (about[3] == 1)
        numbers = {
            **dict(zip(("sum", "steps", "ratio"), out, strict=True)),
            "stands": about[0].astype(np.float64),
            "teaches": first_on.astype(np.float64),
        }
        return Evidence(
            level=out[0] / self.config.limit,
            since_us=np.where(moved, about[1], columns.time_us),
            profiles=about[2],
            may_block=enough,
            numbers=numbers,
            # One number near another is met by chance; a second one is not.
            nats=np.where(out[1] >= 2, out[0], np.minimum(out[0], ONE_STEP_CAP)),
            moved=moved,
            lessons={"steps": np.where(moved, OUTCOMES * group + (about[0] > APART) + on, -1)},
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
