"""The sketch of `detectors.core.distinct`, once more in plain whole numbers."""

from fractions import Fraction
from math import floor

from detectors.core.distinct import GRAIN, RANK_MAX, REGISTERS

_MASK = 2**64 - 1


def mixed(word: int) -> int:
    """The finaliser of splitmix64."""
    word = (word ^ word >> 30) * 0xBF58476D1CE4E5B9 & _MASK
    word = (word ^ word >> 27) * 0x94D049BB133111EB & _MASK
    return word ^ word >> 31


class Plain:
    """Sets of keys by half: everything is reckoned from them anew."""

    def __init__(self) -> None:
        self.half = 0
        self._keys: dict[int, list[int]] = {}
        self._count = {"own": 0, "both": 0}

    def turn(self, half: int) -> None:
        """Go on to a half, if it is a later one."""
        if half > self.half:
            self._count = {"own": 0, "both": self._count["own"] if half == self.half + 1 else 0}
            self.half = half

    def meet(self, key: int) -> int:
        """Grains that a key counts for."""
        own = self._keys.setdefault(self.half, [])
        gains = {"own": self._gain(own, key), "both": self._gain([*own, *self._keys.get(self.half - 1, [])], key)}
        for which, gain in gains.items():
            self._count[which] += gain
        own.append(key)
        return gains["both"]

    @property
    def distinct(self) -> int:
        """Keys of both halves."""
        return (self._count["both"] + GRAIN // 2) // GRAIN

    def _gain(self, before: list[int], key: int) -> int:
        ranks = [0] * REGISTERS
        for one in before:
            ranks[self._place(one)] = max(ranks[self._place(one)], self._rank(one))
        if self._rank(key) <= ranks[self._place(key)]:
            return 0
        open_ = sum((Fraction(1, 2**rank) for rank in ranks if rank < RANK_MAX), Fraction(0)) / REGISTERS
        return floor(GRAIN / open_)

    @staticmethod
    def _place(key: int) -> int:
        return mixed(key) % REGISTERS

    @staticmethod
    def _rank(key: int) -> int:
        bits = mixed(key) // REGISTERS
        return next((rank for rank in range(1, RANK_MAX) if bits >> (rank - 1) & 1), RANK_MAX)
