"""Steps from number to number, and what is none."""

import math
from typing import Any

import numpy as np
import pytest

from detectors.core.columns import US
from detectors.id_walk import HANDLE, LOOKED_UP, OUTCOMES, PRIOR, RIPE, VIEWED, Config, IdWalk
from schemas.sighting import Flag, Kind
from tests.detectors.columns_of import START_S, added, columns_of
from tests.detectors.walks_of import (
    FAR,
    HANDLES,
    MISSED,
    NO_STEP,
    NOBODY,
    SOME,
    STEP,
    STEPPED,
    asked,
    judge,
    model,
    moved,
    nats,
    steps,
    text,
)


class TestSteps:
    """What is a step, and what it is worth."""

    def test_worth(self) -> None:
        """A step is worth ln(0.8 / 0.002), another request ln(0.2 / 0.998), down to nothing."""
        assert nats([500, 501]) == pytest.approx([0, STEP])
        assert nats([500, 501, 900]) == pytest.approx([0, STEP, STEP + NO_STEP], abs=1e-4)
        assert nats([500, 900]) == [0, 0]

    @pytest.mark.parametrize(
        ("by", "step"), [(1, True), (16, True), (17, False), (-1, True), (-16, True), (-17, False)]
    )
    def test_near(self, by: int, step: bool) -> None:
        """At most 16 either way."""
        assert steps([500, 500 + by]) == [False, step]

    @pytest.mark.parametrize(("between", "step"), [(0, True), (3, True), (4, False)])
    def test_beside_the_last_four(self, between: int, step: bool) -> None:
        """From any of the last four numbers, so that walkers behind one address do not hide each other."""
        others = [FAR * 3**k for k in range(1, between + 1)]
        assert steps([500, *others, 510])[-1] is step

    @pytest.mark.parametrize("stride", [FAR, -FAR, 17])
    def test_stride(self, stride: int) -> None:
        """The same stride twice in a row is a step from the second time on, either way."""
        walk = [10**9 + k * stride for k in range(4)]
        assert steps(walk) == [False, False, True, True]
        assert steps([*walk[:2], walk[2] + 1]) == [False] * 3

    def test_two_strides_in_turns(self) -> None:
        """Two walkers in turns leave their strides at every second request; a stride once broken is none."""
        first, second = [k * FAR for k in range(4)], [10**12 + k * 7 * FAR for k in range(4)]
        turns = [number for pair in zip(first, second, strict=True) for number in pair]
        assert steps(turns) == [False] * 4 + [True] * 4
        assert steps([*turns[:4], turns[4] + 1]) == [False] * 5

    @pytest.mark.parametrize(("walkers", "found"), [(4, True), (5, False)])
    def test_walkers_behind_one_address(self, walkers: int, found: bool) -> None:
        """Four in turns are seen; more than that is a stated blind spot."""
        starts = [FAR * 3**k for k in range(walkers)]
        turns = [start + n for n in range(8) for start in starts]
        assert any(steps(turns)) is found

    def test_random_numbers(self) -> None:
        """A thousand people with thirty random profiles each out of a million: nobody comes near an alert."""
        rng = np.random.default_rng(3)
        slot = np.repeat(np.arange(1000), 30)
        rows = columns_of(
            range(30_000), slot=slot, number=rng.integers(0, 10**6, 30_000), profiles=np.ones((30_000, 4))
        )
        assert judge(1000).judge(rows).level.max() < 1


class TestWhatCounts:
    """New profiles with a number, of principals."""

    def test_the_same_again(self) -> None:
        """A number among the last four says nothing, nor does it put another out of memory."""
        numbers = [500, 9 * FAR, 500, 500, 9 * FAR, 501]
        assert moved(judge().judge(asked(numbers))) == [False, True, False, False, False, True]
        assert steps(numbers)[-1]

    def test_known_profiles(self) -> None:
        """Profiles that were shown before are no walk, such as acquaintances or a list fetched ahead; misses are."""
        assert not any(steps([500, 501, 502, 503], first=0))
        assert steps([500, 501, 502, 503], first=0, flags=MISSED) == [False, True, True, True]

    @pytest.mark.parametrize("kind", list(Kind))
    def test_surfaces(self, kind: Kind) -> None:
        """Views and look-ups of one profile each; the platform picks what searches and lists show."""
        assert any(steps([500, 501, 502], kind=kind)) is (kind in {Kind.VIEW, Kind.LOOKUP})

    def test_principals(self) -> None:
        """A net, or the address behind an account, walks nowhere; each principal has numbers of its own."""
        assert not any(steps([500, 501, 502], principal_slot=-1))
        assert steps([500, 501, 501, 502], slot=[0, 1, 0, 1]) == [False, False, True, True]

    def test_without_a_number(self) -> None:
        """Requests without one are passed over."""
        evidence = judge().judge(asked([500, -1, 501]))
        assert moved(evidence) == [False, False, True]
        assert evidence.lessons["steps"].tolist() == [-1, -1, OUTCOMES * VIEWED + 1]


class TestSum:
    """What it adds to the sum over all detectors."""

    def test_one_step_is_chance(self) -> None:
        """One step alone adds three, two steps add what they are worth."""
        evidence = judge().judge(asked([500, 501, 502]), None)
        assert evidence.nats is not None
        assert evidence.nats.tolist() == pytest.approx([0, 3, 2 * STEP], rel=1e-5)


class TestHandles:
    """Texts by the alphabet."""

    @pytest.mark.parametrize(
        ("handle", "step"),
        [
            ("annb", True),
            ("ANNB", True),
            ("annabel", True),
            ("anmz", False),
            ("anna", False),
            ("ann", False),
            ("aoab", False),
        ],
    )
    def test_next(self, handle: str, step: bool) -> None:
        """A step is later by the alphabet than the last and shares three letters with it."""
        assert steps([text("anna"), text(handle)], model(HANDLES)) == [False, step]

    def test_only_from_the_last(self) -> None:
        """Another handle in between ends the walk, a number does not."""
        assert not any(steps([text("anna"), text("zoe"), text("annb")], model(HANDLES)))
        assert steps([text("anna"), 77, text("annb")], model(HANDLES)) == [False, False, True]

    def test_worth(self) -> None:
        """A step is worth ln(0.8 / 0.01)."""
        found = nats([text("anna"), text("annb")], model(HANDLES))
        assert found[-1] == pytest.approx(math.log(0.8 / 0.01))

    @pytest.mark.parametrize(("learned", "speaks"), [(PRIOR - 1, False), (PRIOR, True)])
    def test_silent_until_learned(self, learned: float, speaks: bool) -> None:
        """Until it is known how often honest handles follow each other they say nothing, and are learned from."""
        known = model([0, 0, 0, 0, 0, 0, learned, 0, 0])
        evidence = judge().judge(asked([text("anna"), text("annb")]), known)
        assert (evidence.level[-1] > 0) == speaks
        assert evidence.lessons["steps"].tolist() == [-1, OUTCOMES * HANDLE + 1]

    def test_all_begin_alike(self) -> None:
        """Where every other honest request is a step, since all handles begin alike, a crowd of 200 people is clear."""
        rng = np.random.default_rng(4)
        handles = [text(f"usr{number:04x}") for number in rng.integers(0, 65_536, 4_000).tolist()]
        rows = columns_of(
            range(4_000), slot=np.repeat(np.arange(200), 20), number=handles, profiles=np.ones((4_000, 4))
        )
        assert judge(200).judge(rows, model([0, 0, 0, 0, 0, 0, 5e5, 5e5, 0])).level.max() < 1

    def test_looked_up(self) -> None:
        """An address book is in the order of names: no step."""
        assert not any(steps([text("anna"), text("annb")], model(HANDLES), kind=Kind.LOOKUP))


class TestLearning:
    """The honest share of steps."""

    def test_a_look_up_has_its_own_share(self) -> None:
        """Telephone numbers next to each other are colleagues more often: ln(0.8 / 0.01)."""
        assert nats([500, 501], kind=Kind.LOOKUP)[-1] == pytest.approx(math.log(0.8 / 0.01))

    def test_weighs_as_counts(self) -> None:
        """What was learned counts beside the prior's 2,000 requests."""
        learned = [1_500, 400, 100, 0, 0, 0, 0, 0, 0]
        assert nats([500, 501], model(learned))[-1] == pytest.approx(math.log(0.8 / (504 / 4_000)))
        assert nats([500, 501], model([0, 0, 0, *learned[:6]]))[-1] == pytest.approx(STEP)

    def test_look_ups_and_handles(self) -> None:
        """Likewise those of look-ups and of handles, of which one in a hundred is a step at least."""
        some, none = model([0, 0, 0, *[1_900, 100, 0] * 2]), model([0, 0, 0, *[1e9, 0, 0] * 2])
        for known, share in ((some, 120 / 4_000), (none, 0.01)):
            ratios, _ = IdWalk(Config()).ratios(known)
            assert ratios[[LOOKED_UP, HANDLE], 1] == pytest.approx(math.log(0.8 / share))

    def test_the_rarest(self) -> None:
        """However few steps honest people take, one is taken for 1 in 1,000, one that goes on for 1 in 100,000."""
        found = nats([500, 501, 502], model(NOBODY))
        assert found[1:] == pytest.approx(
            [math.log(0.8 / 0.001), math.log(0.8 / 0.001) + math.log(0.8 / 1e-5)], rel=1e-6
        )

    def test_one_that_goes_on_is_learned_by_itself(self) -> None:
        """Where half of the steps go on, it is worth little more than a step."""
        found = nats([500, 501, 502], model(STEPPED))
        assert found[2] - found[1] == pytest.approx(math.log(0.8 / ((4 + SOME / 2) / (RIPE + 2_000))), rel=1e-5)

    def test_where_everybody_steps(self) -> None:
        """Where honest people take as many steps as a walker, or more, neither says anything."""
        ratios, ripe = IdWalk(Config()).ratios(model([1e6, 0, 9e6, 0, 0, 0, 0, 0, 0]))
        assert ripe
        assert ratios[VIEWED] == pytest.approx([0, 0, 0])
        assert ratios[LOOKED_UP] == pytest.approx([math.log(0.2 / 0.99), *[math.log(0.8 / 0.01)] * 2])

    def test_places(self) -> None:
        """Every request that was compared is a lesson, by group and whether it was a step, and one that goes on."""
        numbers = [500, 501, 502, 900, 5, 6]
        rows = asked(numbers, kind=[*[Kind.VIEW] * 4, Kind.LOOKUP, Kind.LOOKUP])
        of_views = [OUTCOMES * VIEWED + outcome for outcome in (1, 2, 0)]
        of_numbers = [OUTCOMES * LOOKED_UP + outcome for outcome in (0, 1)]
        assert judge().judge(rows).lessons["steps"].tolist() == [-1, *of_views, *of_numbers]


class TestLimits:
    """When it speaks."""

    def test_three_in_a_row(self) -> None:
        """Two steps are no alert; the third is one, and ground for a block."""
        evidence = judge().judge(asked([500, 501, 503, 504]), model(STEPPED))
        assert (evidence.level >= 1).tolist() == [False, False, False, True]
        assert (evidence.level >= Config().block_ratio).tolist() == [False, False, False, True]
        assert evidence.may_block.tolist() == [False, False, False, True]

    def test_two_where_nobody_goes_on(self) -> None:
        """Where next to nobody does it, a step and one that goes on are ground for a block; two steps are not."""
        for numbers, blocks in (([500, 501, 502], True), ([500, 501, 503], False)):
            evidence = judge().judge(asked(numbers), model(NOBODY))
            assert bool(evidence.may_block[-1] & (evidence.level[-1] >= Config().block_ratio)) is blocks
            assert not evidence.may_block[:-1].any()

    @pytest.mark.parametrize(("others", "alert"), [(1, True), (3, True), (4, False)])
    def test_among_others(self, others: int, alert: bool) -> None:
        """Three steps with up to three other requests between them are an alert, and no block."""
        evidence = judge().judge(asked([500, 501, 502, *[FAR * 3**k for k in range(1, others)], 9**9, 9**9 + 1]))
        assert (evidence.level[-1] >= 1) == alert
        assert evidence.level[-1] < Config().block_ratio

    def test_no_block_before_three_steps(self) -> None:
        """However low an operator sets the limit."""
        evidence = judge(limit=6).judge(asked([500, 501, 503, 504]), model(STEPPED))
        assert (evidence.level >= Config().block_ratio).tolist() == [False, False, True, True]
        assert evidence.may_block.tolist() == [False, False, False, True]

    def test_more_steps_never_less(self) -> None:
        """The level of a walk never falls, up to the 50 that are kept; whoever comes after it is cleared in time."""
        one = judge()
        found = one.judge(asked(list(range(500, 900))))
        assert (np.diff(found.level) >= 0).all()
        assert found.level[-1] == pytest.approx(50 / 12, rel=1e-6)
        assert added(found, Config().cap) == 50
        after = one.judge(columns_of(range(400, 440), number=[FAR * 3 ** (k % 20) + k * k * 100 for k in range(40)]))
        assert after.level[-1] == 0


class TestTime:
    """When it began, and how it fades."""

    def test_since(self) -> None:
        """It began with the first step after the sum was nought; profiles are those disclosed since then."""
        flags = [MISSED if missed else MISSED & ~Flag.MISS for missed in (0, 0, 0, 1, 0)]
        evidence = judge().judge(asked([500, 900, 901, 902, 903], flags=flags))
        assert evidence.since_us[2:].tolist() == [(START_S + 2) * US] * 3
        assert evidence.profiles[2:].tolist() == [1, 1, 2]

    def test_half_life(self) -> None:
        """After 3.5 days half is left."""
        evidence = judge().judge(columns_of([0, 1, 1 + 302_400], number=[500, 501, 502]))
        assert evidence.level[-1] == pytest.approx(1.5 * STEP / 12, rel=1e-6)

    def test_late_rows(self) -> None:
        """A row from before the last one fades nothing, and what it speaks of began by then."""
        rows = columns_of([10, 11, 5, 4], number=[500, 501, 502, 503])
        evidence = judge().judge(rows)
        assert evidence.level[-1] == pytest.approx(3 * STEP / 12, rel=1e-6)
        assert (evidence.since_us <= rows.time_us).all()

    def test_any_number(self) -> None:
        """The ends of 64 bits neither wrap around to a step nor break anything."""
        ends = [2**63 - 1, 0, 2**63 - 2, -(2**63), -2, 2**63 - 3, 1]
        evidence = judge().judge(asked(ends), model(HANDLES))
        assert (evidence.numbers["ratio"] > 0).tolist() == [False, False, True, False, False, True, False]
        assert np.isfinite(evidence.level).all()

    def test_cut_anywhere(self) -> None:
        """However rows are cut, each has the same evidence."""
        rng = np.random.default_rng(7)
        given: dict[str, Any] = {
            "number": rng.choice([500, 501, 502, 5000, 5001, -1, text("anna"), text("annb"), text("annc")], 300),
            "slot": rng.integers(0, 3, 300),
            "first": rng.integers(0, 2, 300),
        }
        whole = judge().judge(columns_of(range(300), **given), model(HANDLES))
        one = judge()
        parts = [
            one.judge(
                columns_of(
                    [n], **{name: column[n : n + 1] for name, column in given.items()}, principal_slot=given["slot"][n]
                ),
                model(HANDLES),
            )
            for n in range(300)
        ]
        assert [part.level[0] for part in parts] == whole.level.tolist()
        assert [part.lessons["steps"][0] for part in parts] == whole.lessons["steps"].tolist()


@pytest.mark.parametrize(
    ("numbers", "last"),
    [
        ([5], "no step"),
        ([500, 900], "no step"),
        ([500, 501], "a number nearby"),
        ([500, 500 + FAR, 500 + 2 * FAR], "the same stride again"),
    ],
)
def test_explanation(numbers: list[int], last: str) -> None:
    """It names the steps, how the last request stood, and the sum, at every row."""
    one, rows = judge(), asked(numbers)
    evidence = one.judge(rows)
    why = one.detector.explain(rows, evidence, len(numbers) - 1)
    assert why.evidence["last"] == last
    assert last in why.reason
    assert why.evidence["steps"] == int(last != "no step")
    assert why.evidence["log_likelihood_ratio"] == pytest.approx(evidence.level[-1] * 12, abs=1e-3)
    assert why.evidence["limit"] == 12
