"""Brakes by themselves: what trips them, how long they hold, what they say."""

from typing import Final

import msgspec
import pytest

from detectors.core.columns import US
from streams.pipeline.policy.brake import BLOCKED_MIN, Brake, Brakes, BrakesState, part_of, told
from streams.settings import PolicySettings

POLICY: Final = PolicySettings(blocks_per_minute_max=10, blocked_share_max=0.1, brake_s=900)
AT_US: Final = 1_800_000_000 * US


def brakes(policy: PolicySettings = POLICY, partitions: int = 1) -> Brakes:
    """Of the first of so many partitions."""
    return Brakes(policy, 0, partitions)


def hold(one: Brakes, at_s: float, *, new: bool = True, blocked: int = 0) -> bool:
    """Whether what would be enforced so many seconds after the start is held back."""
    return one.hold(AT_US + round(at_s * US), "sha256:a", new=new, blocked=blocked)


class TestBlocksPerMinute:
    """How fast enforcement may begin."""

    def test_one_too_many(self) -> None:
        """Ten new blocks within a minute are enforced; the eleventh is not, nor is anything after it."""
        one = brakes()
        assert [hold(one, second) for second in range(13)] == [False] * 10 + [True] * 3
        assert hold(one, 14, new=False)

    @pytest.mark.parametrize(("last_s", "held"), [(59.999_999, True), (60, False)])
    def test_the_minute(self, last_s: float, held: bool) -> None:
        """The minute is half-open: what began exactly a minute ago counts no more."""
        one = brakes()
        for _ in range(10):
            hold(one, 0)
        assert hold(one, last_s) is held

    def test_what_goes_on_does_not_count(self) -> None:
        """However often what stands is extended, that begins nothing."""
        one = brakes()
        assert not any(hold(one, second / 10, new=False) for second in range(500))

    def test_lets_go(self) -> None:
        """It holds for so long from the last time that it was tripped, and not a microsecond more."""
        one = brakes()
        for _ in range(11):
            hold(one, 0)
        assert hold(one, 899.999_999, new=False)
        assert not hold(one, 900, new=False)
        assert [(moved.brake, moved.holds, moved.event_us) for moved in one.take_moved()] == [
            (Brake.BLOCKS_PER_MINUTE, True, AT_US),
            (Brake.BLOCKS_PER_MINUTE, False, AT_US + 900 * US),
        ]

    def test_which_hold(self) -> None:
        """For metrics: none at first, then the one that was tripped, until it has let go."""
        one = brakes()
        assert list(one.held) == []
        for _ in range(11):
            hold(one, 0)
        assert list(one.held) == [Brake.BLOCKS_PER_MINUTE]
        assert not hold(one, 900, new=False)
        assert list(one.held) == []

    def test_held_for_longer_while_tripped_on(self) -> None:
        """What would have begun meanwhile counts on: a wave that lasts is held back for as long, and told of once."""
        one = brakes()
        assert [hold(one, 5.0 * n) for n in range(400)] == [False] * 10 + [True] * 390
        assert hold(one, 5.0 * 399 + 899, new=False)
        assert [moved.holds for moved in one.take_moved()] == [True]
        assert not hold(one, 5.0 * 399 + 900, new=False)

    def test_an_event_that_comes_late(self) -> None:
        """It counts at its own time, and changes nothing of the order of the others."""
        one = brakes()
        for second in (0, 0, 0, 0, 0, 70, 70, 70, 70, 70):
            hold(one, second)
        assert not hold(one, 30)
        assert [hold(one, 71 + n) for n in range(5)] == [False, False, False, False, True]

    def test_bounded(self) -> None:
        """A wave of any size leaves no more to remember than trips the brake."""
        one = brakes()
        for n in range(1_000):
            hold(one, n / 1_000)
        assert len(one.state().new_us) == 11
        unlimited = brakes(PolicySettings(blocks_per_minute_max=10**12))
        for n in range(1_000):
            hold(unlimited, float(n))
        assert len(unlimited.state().new_us) == 60


class TestPart:
    """What each of several partitions may begin."""

    def test_alone(self) -> None:
        """A single one has all of it."""
        assert part_of(300, 1) == 300

    @pytest.mark.parametrize(("most", "partitions", "part"), [(300, 48, 21), (600, 12, 83), (1, 48, 1), (48, 48, 9)])
    def test_several(self, most: int, partitions: int, part: int) -> None:
        """An even part and room for chance, lest 48 partitions trip at one block each; never more than all."""
        assert part_of(most, partitions) == part

    @pytest.mark.parametrize("most", [1, 10, 300, 100_000])
    def test_the_more_partitions_the_less(self, most: int) -> None:
        """More partitions never give one of them more."""
        parts = [part_of(most, partitions) for partitions in range(1, 200)]
        assert parts == sorted(parts, reverse=True)
        assert parts[-1] >= 1


class TestBlockedShare:
    """How many of the people there are may be blocked."""

    @pytest.mark.parametrize(("active", "blocked", "held"), [(300, 30, False), (300, 31, True), (299, 30, True)])
    def test_the_share(self, active: int, blocked: int, held: bool) -> None:
        """A tenth of the active accounts may be blocked; one more trips."""
        one = brakes()
        one.count_active(active)
        assert hold(one, 0, blocked=blocked) is held

    @pytest.mark.parametrize(("blocked", "held"), [(BLOCKED_MIN - 1, False), (BLOCKED_MIN, True)])
    def test_few(self, blocked: int, held: bool) -> None:
        """Where few are there, a few blocks are a large share, and trip nothing."""
        one = brakes()
        one.count_active(5)
        assert hold(one, 0, blocked=blocked) is held

    def test_not_known(self) -> None:
        """Until the first epoch is over nobody knows how many are active, and nothing trips."""
        assert not hold(brakes(), 0, blocked=1_000_000)

    def test_no_limit(self) -> None:
        """1 sets no limit, not even where more are blocked, since yesterday, than are active."""
        one = brakes(PolicySettings(blocked_share_max=1.0))
        one.count_active(100)
        assert not hold(one, 0, blocked=1_000)

    def test_others_are_held_back_too(self) -> None:
        """It holds back what is enforced against anybody, and says which of the two was tripped and why."""
        one = brakes()
        one.count_active(100)
        hold(one, 0, blocked=25)
        assert hold(one, 1)
        moved = one.take_moved()
        assert [each.brake for each in moved] == [Brake.BLOCKED_SHARE]
        assert moved[0].reason == "25 of 100 active accounts blocked, more than 0.1 of them"
        assert told(moved[0]) == (
            "2027-01-15T08:00:00.000Z blocked_share, partition 0, holds: "
            "25 of 100 active accounts blocked, more than 0.1 of them"
        )


class TestState:
    """What outlives a process and a configuration."""

    def test_restored(self) -> None:
        """Restored in the middle of a minute, and while it holds, it goes on as if nothing had been."""
        for cut in range(1, 14):
            one, other = brakes(), brakes()
            one.count_active(7)
            first = [hold(one, second) for second in range(cut)]
            other.load(msgspec.msgpack.decode(msgspec.msgpack.encode(one.state()), type=BrakesState))
            assert other.state() == one.state()
            assert first + [hold(other, second) for second in range(cut, 14)] == [False] * 10 + [True] * 4

    def test_reconfigured(self) -> None:
        """Other limits hold at once for what comes; what holds already goes on to its end."""
        one = brakes()
        for second in range(5):
            hold(one, second)
        one.reconfigure(PolicySettings(blocks_per_minute_max=5, brake_s=60))
        assert hold(one, 6)
        one.reconfigure(PolicySettings(blocks_per_minute_max=500, brake_s=10))
        assert hold(one, 65)
        assert not hold(one, 66)
