"""The sum over detectors: caps, decay, modes, and the rise and peaks of a principal."""

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from detectors.core.fusion import MODES, Fused, Fusion
from detectors.core.model import PEAK_STEP, PEAKS
from schemas.mode import Mode

START_US: Final = 1_800_000_000_000_000 // 86_400_000_000 * 86_400_000_000
DAY_US: Final = 86_400_000_000
HALF_LIFE_US: Final = 302_400_000_000
INF: Final = float("inf")


class Summed:
    """A sum with principals of its own."""

    def __init__(
        self,
        caps: Sequence[float] = (INF,),
        modes: Sequence[Mode] | None = None,
        traits: Sequence[str] | None = None,
        reading: Sequence[bool] = (),
    ) -> None:
        chosen = [Mode.SHADOW] * len(caps) if modes is None else list(modes)
        self.fusion = Fusion(list(caps), chosen, [""] * len(caps) if traits is None else list(traits), reading)
        dtypes = {
            "fused": "f4", "fused_us": "i8", "peak_day": "i4", "peak": "i2", "rise_us": "i8", "rise_exposed": "i8",
            "rise_sightings": "i4", "nats": f"({max(len(caps), 1)},)f4",
        }  # fmt: skip
        self.state: dict[str, NDArray[Any]] = {name: np.zeros(3, dtype) for name, dtype in dtypes.items()}

    def fuse(
        self,
        *nats: Sequence[float],
        at_us: Sequence[int] | None = None,
        principal: Sequence[int] | None = None,
        exposed: Sequence[int] | None = None,
        asked: Sequence[bool] | None = None,
    ) -> Fused:
        """Sums at sightings; ``nats`` by detector, below 0 where it has not moved."""
        n = len(nats[0]) if nats else 2
        said = [np.array(one, np.float64) for one in nats]
        return self.fusion.fuse(
            np.array(principal or [0] * n, np.int32),
            START_US + np.array(range(n) if at_us is None else at_us, np.int64),
            np.array(range(1, n + 1) if exposed is None else exposed, np.int64),
            np.array([True] * n if asked is None else asked, np.bool_),
            [np.maximum(one, 0.0) for one in said],
            [one >= 0 for one in said],
            self.state,
        )


def totals(found: Fused, mode: Mode = Mode.SHADOW) -> list[float]:
    """The sum at each sighting."""
    return [round(float(total), 3) for total in found.total[:, MODES.index(mode)]]


class TestSum:
    """What adds up."""

    def test_parts(self) -> None:
        """Each detector's latest word stands until its next one."""
        found = Summed((INF, INF)).fuse([1, -1, 3], [-1, 2, -1])
        assert totals(found) == [1, 3, 5]
        assert np.round(found.parts, 3).tolist() == [[1, 0], [1, 2], [3, 2]]
        assert np.round(found.gain, 3).tolist() == [1, 2, 2]

    def test_where_nothing_moved(self) -> None:
        """A sighting of which nobody says anything has no sum, nor has one of no principal."""
        assert totals(Summed().fuse([4, -1, 5], principal=[0, 0, -1])) == [4, 0, 0]

    @pytest.mark.parametrize(("nats", "adds"), [(4.9, 4.9), (5.0, 5.0), (9.0, 5.0)])
    def test_cap(self, nats: float, adds: float) -> None:
        """No detector adds more than its cap."""
        assert totals(Summed((5.0, INF)).fuse([nats], [1.0])) == [round(adds + 1, 3)]

    @pytest.mark.parametrize(("cap", "left"), [(9.0, 8.0), (3.0, 3.0), (0.0, 0.0)])
    def test_a_cap_that_is_lowered(self, cap: float, left: float) -> None:
        """What a detector added before counts no more than its cap of now, from the principal's next sighting on."""
        summed = Summed((INF, INF))
        assert totals(summed.fuse([8.0], [1.0])) == [9.0]
        summed.fusion = Fusion([cap, INF], [Mode.SHADOW] * 2)
        assert totals(summed.fuse([-1.0], [1.0], at_us=[1])) == [left + 1]

    def test_without_a_part(self) -> None:
        """A detector with a cap of zero adds nothing and moves nothing, as one that never reckons."""
        assert totals(Summed((0.0,)).fuse([9.0])) == [0]
        some = Summed((INF,))
        found = some.fusion.fuse(
            np.zeros(1, np.int32),
            np.zeros(1, np.int64),
            np.ones(1, np.int64),
            np.ones(1, np.bool_),
            [None],
            [None],
            some.state,
        )
        assert totals(found) == [0]

    def test_no_detectors(self) -> None:
        """Nobody says anything."""
        assert totals(Summed(()).fuse()) == [0, 0]

    def test_principals_apart(self) -> None:
        """One's evidence is not another's."""
        assert totals(Summed((INF, INF)).fuse([3, 4, -1], [-1, -1, 1], principal=[0, 1, 0])) == [3, 4, 4]

    def test_one_trait(self) -> None:
        """Of detectors that see the same oddity the one that says most is added up, and it alone is told."""
        found = Summed((INF,) * 4, traits=["pace", "", "pace", ""]).fuse([2, -1], [1, 1], [3, 1], [4, 4])
        assert totals(found) == [8, 7]
        assert np.round(found.parts, 3).tolist() == [[0, 1, 3, 4], [2, 1, 0, 4]]

    def test_of_a_trait_in_each_mode(self) -> None:
        """One in shadow that says more does not silence the enforced one of its trait."""
        found = Summed((INF, INF), [Mode.SHADOW, Mode.ENFORCE], ["pace", "pace"]).fuse([5], [2])
        assert [totals(found, mode)[0] for mode in MODES] == [5, 2, 2]

    @pytest.mark.parametrize(("read", "adds"), [(3.9, 9.9), (4.0, 10.0), (9.0, 10.0)])
    def test_reading_together(self, read: float, adds: float) -> None:
        """What is seen of who reads for work adds up to ten; what else is seen comes on top."""
        found = Summed((INF,) * 3, reading=[True, True, False]).fuse([read], [6], [5])
        assert totals(found) == [round(adds + 5, 3)]
        assert found.parts.sum() == pytest.approx(adds + 5, abs=1e-4)
        assert found.parts[0, 2] == 5

    @given(st.lists(st.floats(0, 20, width=32), min_size=4, max_size=4), st.integers(0, 3), st.floats(0, 20, width=32))
    def test_more_never_lowers_the_sum(self, nats: list[float], which: int, more: float) -> None:
        """Though it takes the place of another of its trait, and reading has a cap of its own."""
        reading, traits = [True, True, False, False], ["much", "", "much", ""]
        less = totals(Summed((INF,) * 4, traits=traits, reading=reading).fuse(*[[one] for one in nats]))[0]
        nats[which] += more
        assert totals(Summed((INF,) * 4, traits=traits, reading=reading).fuse(*[[one] for one in nats]))[0] >= less

    def test_reading_in_each_mode(self) -> None:
        """One in shadow takes nothing from those that are enforced."""
        modes = [Mode.SHADOW, Mode.ENFORCE]
        found = Summed((INF, INF), modes, reading=[True, True]).fuse([9], [8])
        assert [totals(found, mode)[0] for mode in MODES] == [10, 8, 8]

    def test_less_is_no_gain(self) -> None:
        """A sum that falls gains nothing."""
        assert Summed().fuse([5, 2, 4]).gain.tolist() == [5, 0, 2]


class TestDecay:
    """Parts that are not reckoned anew."""

    def test_half_life(self) -> None:
        """They halve in 3.5 days, however often others move in between."""
        assert totals(Summed((INF, INF)).fuse([8, -1], [-1, 0], at_us=[0, HALF_LIFE_US])) == [8, 4]
        often = [0, *range(1, HALF_LIFE_US, HALF_LIFE_US // 50), HALF_LIFE_US]
        found = Summed((INF, INF)).fuse([8] + [-1] * (len(often) - 1), [-1] + [0] * (len(often) - 1), at_us=often)
        assert totals(found)[-1] == pytest.approx(4, abs=0.01)

    def test_late(self) -> None:
        """What comes late lets nothing grow, and turns no time back."""
        found = Summed((INF, INF)).fuse([8, -1, -1], [-1, 0, 0], at_us=[HALF_LIFE_US, 0, 2 * HALF_LIFE_US])
        assert totals(found) == [8, 8, 4]


class TestModes:
    """The sum of those that may go so far."""

    def test_each(self) -> None:
        """No detector lifts a decision to where it may not go itself."""
        found = Summed((INF,) * 3, [Mode.SHADOW, Mode.ALERT, Mode.ENFORCE]).fuse([1], [2], [4])
        assert [totals(found, mode)[0] for mode in MODES] == [7, 6, 4]


class TestRise:
    """When it began."""

    def test_since(self) -> None:
        """From the sighting on before which there was next to nothing: its time, profiles and sightings."""
        found = Summed().fuse([1.0, 3.0, 5.0, 6.0], at_us=[0, 10, 20, 30], exposed=[1, 4, 9, 10])
        assert (found.since_us - START_US).tolist() == [0, 10, 10, 10]
        assert found.profiles.tolist() == [1, 1, 6, 7]
        assert found.sightings.tolist() == [1, 1, 2, 3]

    @given(st.lists(st.tuples(st.sampled_from([0.0, 1.5, 2.5, 6.0]), st.booleans(), st.integers(0, 2)), max_size=9))
    def test_a_touch_told_twice(self, said: list[tuple[float, bool, int]]) -> None:
        """It leaves what it left when it was told once: how often it is told depends on how batches were cut."""
        days = np.cumsum([2 * DAY_US * gap for _, _, gap in said]).tolist()
        once, twice = Summed(), Summed()
        for (nats, asked, _), at_us in zip(said, days, strict=True):
            for summed, times in ((once, 1), (twice, 1 if asked else 2)):
                for _ in range(times):
                    summed.fuse([nats], at_us=[at_us], exposed=[at_us // DAY_US + 1], asked=[asked])
        assert {name: one.tolist() for name, one in once.state.items()} == {
            name: one.tolist() for name, one in twice.state.items()
        }

    def test_a_touch_that_begins_it(self) -> None:
        """Evidence that a touch lifts from next to nothing begins a rise there, not when there was some before."""
        found = Summed().fuse(
            [1.0, 3.0, 4.0], at_us=[0, 30 * DAY_US, 30 * DAY_US + 9], exposed=[1, 500, 501], asked=[True, False, True]
        )
        assert (found.since_us - START_US).tolist()[1:] == [30 * DAY_US, 30 * DAY_US]
        assert found.profiles.tolist()[2] == 2

    def test_touches_are_no_sightings(self) -> None:
        """Evidence that moves where nobody asked for a profile is added up, and counts as no sighting of the rise."""
        found = Summed().fuse([3.0, 4.0, 5.0, 6.0], at_us=[0, 10, 10, 20], asked=[True, False, False, True])
        assert found.sightings.tolist() == [1, 1, 1, 2]
        assert totals(found) == [3, 4, 5, 6]

    @pytest.mark.parametrize(("low", "anew"), [(1.99, True), (2.0, False)])
    def test_anew(self, low: float, anew: bool) -> None:
        """What fell below two nats has ended; what follows is another rise."""
        found = Summed().fuse([9.0, low, 9.0], at_us=[0, 10, 20])
        assert bool(found.since_us[2] - START_US == 20) is anew
        assert bool(found.sightings[2] == 1) is anew

    def test_late(self) -> None:
        """It began no later than what it speaks of."""
        found = Summed().fuse([9.0, 9.5], at_us=[10, 3])
        assert (found.since_us - START_US).tolist() == [10, 3]


class TestPeaks:
    """The day's highest."""

    def test_moved(self) -> None:
        """Each new height of a day is told with the one before it, so that a table can move the day on."""
        found = Summed().fuse([1.0, 0.5, 2.0, 2.0])
        assert found.peak.tolist() == [int(1 / PEAK_STEP), -1, int(2 / PEAK_STEP), -1]
        assert found.peak_before.tolist() == [-1, -1, int(1 / PEAK_STEP), -1]

    @pytest.mark.parametrize(("at_us", "peaks"), [(2 * DAY_US - 1, [80, -1]), (2 * DAY_US, [80, 40])])
    def test_each_day(self, at_us: int, peaks: list[int]) -> None:
        """At midnight a new one begins."""
        assert Summed().fuse([10.0, 5.0], at_us=[DAY_US, at_us]).peak.tolist() == peaks

    def test_highest_bin(self) -> None:
        """Whatever is higher than the table falls into its last bin."""
        assert Summed().fuse([1e6]).peak.tolist() == [PEAKS - 1]


@given(
    st.lists(st.tuples(st.integers(0, 2), st.floats(-1, 30), st.floats(-1, 30), st.integers(0, 10**10)), max_size=40),
    st.integers(0, 40),
)
def test_cut_anywhere(said: list[tuple[int, float, float, int]], cut: int) -> None:
    """Sums, rises and peaks do not depend on batches; each day's peaks that were told add up to one."""
    at_us = np.cumsum([pause for *_, pause in said]).tolist()
    principal, first, second = [one[0] for one in said], [one[1] for one in said], [one[2] for one in said]
    whole, parts = Summed((9.0, INF)), Summed((9.0, INF))
    if not said:
        return
    found = whole.fuse(first, second, at_us=at_us, principal=principal)
    pieces = [
        parts.fuse(first[s], second[s], at_us=at_us[s], principal=principal[s], exposed=range(1, len(said) + 1)[s])
        for s in (slice(0, cut), slice(cut, None))
        if at_us[s]
    ]
    for name in ("total", "parts", "gain", "since_us", "profiles", "sightings", "peak", "peak_before"):
        np.testing.assert_array_equal(np.concatenate([getattr(piece, name) for piece in pieces]), getattr(found, name))
    rows = zip(principal, first, second, at_us, strict=True)
    days = {(who, (START_US + at) // DAY_US) for who, one, other, at in rows if one >= 0 or other >= 0}
    assert np.count_nonzero((found.peak >= 0) & (found.peak_before < 0)) == len(days)
