"""Which epochs end with lessons: suspects are told with every epoch, all else with the last one of each `lessons_s`.

::

    epochs of 600 s    | 0 | 1 | 2 | 3 | 4 | 5 | 6 | 7 | ..
    suspects             ^   ^   ^   ^   ^   ^   ^   ^
    all else                                 ^

An epoch that is no whole share of it ends with lessons where it holds such a point of time, and each one that is
longer does.
"""

from typing import NamedTuple, Self

from streams.settings import ModelSettings


class Epochs(NamedTuple):
    """Lengths in seconds of event time, both above 0."""

    epoch_s: int
    lessons_s: int

    @classmethod
    def of(cls, settings: ModelSettings) -> Self:
        """As configured."""
        return cls(settings.epoch_s, settings.lessons_s)

    def first(self, epoch: int) -> int:
        """The first of the epochs whose lessons are told together with those of ``epoch``; it may be that one."""
        begin_s = epoch * self.epoch_s // self.lessons_s * self.lessons_s
        return -(-begin_s // self.epoch_s)

    def last(self, epoch: int) -> int:
        """The last of them, with whose end they are told; it may be ``epoch``."""
        end_s = (epoch * self.epoch_s // self.lessons_s + 1) * self.lessons_s
        return -(-end_s // self.epoch_s) - 1
