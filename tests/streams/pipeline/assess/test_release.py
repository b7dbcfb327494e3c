"""Timelines: what is let go when, drawn as sources with their watermarks."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.errors import GapError
from streams.pipeline.assess.release import LONG_AGO, Release
from streams.pipeline.rows import NOTHING
from tests.streams.pipeline.rows_of import rows_of

TOPIC = "http.requests"
LATENESS_US = 10


class Timeline:
    """Feeds a release with the times of each source and tells what came out."""

    def __init__(self, sources: int = 1) -> None:
        self.release = Release(sources, LATENESS_US)
        self._next = dict.fromkeys(range(sources), 0)

    def feed(self, source: int, *times_us: int) -> None:
        """One batch of a source, one record a time."""
        lo = self._next[source]
        self._next[source] = lo + len(times_us)
        offsets = range(lo, lo + len(times_us))
        rows = rows_of(times_us, source=source, offsets=list(offsets))
        self.release.accept(TOPIC, source, lo, self._next[source], max(times_us, default=-1), False, rows)

    def idle(self, source: int) -> None:
        """The source has nothing more for now."""
        at = self._next[source]
        self.release.accept(TOPIC, source, at, at, -1, True, NOTHING)

    def out(self) -> list[int]:
        """Times that are let go now."""
        times: list[int] = self.release.take(self.release.bound()).time_us.tolist()
        return times


class TestBound:
    """What the watermarks come to."""

    def test_lateness(self) -> None:
        """A sighting waits until the watermark is past it by the allowed lateness: one before the bound, none at it."""
        timeline = Timeline()
        timeline.feed(0, 100, 109, 110)
        assert timeline.out() == []
        timeline.feed(0, 111)
        assert timeline.out() == [100]
        timeline.feed(0, 119)
        assert timeline.out() == []
        timeline.feed(0, 120)
        assert timeline.out() == [109]

    def test_order_within_lateness(self) -> None:
        """What comes in any order within the lateness goes in order of time."""
        timeline = Timeline()
        timeline.feed(0, 105, 101, 103, 100)
        timeline.feed(0, 102, 130)
        assert timeline.out() == [100, 101, 102, 103, 105]
        assert timeline.release.late == 0

    def test_the_slowest_source_holds_all(self) -> None:
        """The bound is that of the source that is farthest behind."""
        timeline = Timeline(2)
        timeline.feed(0, 100, 500)
        timeline.feed(1, 90)
        assert timeline.out() == []
        timeline.feed(1, 111)
        assert timeline.out() == [90, 100]

    def test_nothing_before_all_sources_are_heard_of(self) -> None:
        """A source that has not said anything may still hold the earliest of all."""
        timeline = Timeline(2)
        timeline.feed(0, 100, 500)
        assert timeline.release.bound() == LONG_AGO
        timeline.idle(1)
        assert timeline.out() == [100]

    def test_idle(self) -> None:
        """An idle source holds nobody up; when it wakes it counts again, and the bound does not fall for it."""
        timeline = Timeline(2)
        timeline.feed(0, 100)
        timeline.feed(1, 200)
        timeline.idle(0)
        assert timeline.out() == [100]
        timeline.feed(1, 300)
        assert timeline.out() == [200]
        timeline.feed(0, 295)
        timeline.feed(1, 400)
        assert timeline.release.bound() == 290
        assert timeline.out() == []

    def test_all_idle(self) -> None:
        """When nobody has anything more, everything goes."""
        timeline = Timeline(2)
        timeline.feed(0, 100)
        timeline.feed(1, 200)
        timeline.idle(0)
        timeline.idle(1)
        assert timeline.out() == [100, 200]
        assert timeline.release.bound() == 201

    def test_all_idle_from_the_start(self) -> None:
        """Sources that never held anything set no bound."""
        timeline = Timeline(2)
        timeline.idle(0)
        timeline.idle(1)
        assert timeline.release.bound() == LONG_AGO
        assert timeline.out() == []

    @settings(deadline=None)
    @given(st.lists(st.tuples(st.integers(0, 2), st.lists(st.integers(0, 300), max_size=3)), max_size=30))
    def test_never_falls(self, steps: list[tuple[int, list[int]]]) -> None:
        """Whatever comes, the bound only rises; nothing is lost and, but for what is late, nothing is out of order."""
        timeline, bounds, out, fed = Timeline(3), [LONG_AGO], list[int](), list[int]()
        for source, times in steps:
            if times:
                timeline.feed(source, *times)
            else:
                timeline.idle(source)
            fed += times
            bounds.append(timeline.release.bound())
            out += timeline.out()
        assert bounds == sorted(bounds)
        assert timeline.release.held == len(fed) - len(out)
        for source in range(3):
            timeline.idle(source)
        out += timeline.out()
        assert sorted(out) == sorted(fed)
        if timeline.release.late == 0:
            assert out == sorted(fed)


class TestOrder:
    """Ties, and what comes late."""

    def test_ties(self) -> None:
        """Of equal times the lower source goes first, then the lower offset, whoever came first."""
        timeline = Timeline(2)
        timeline.feed(1, 50, 50)
        timeline.feed(0, 50, 50)
        timeline.idle(0)
        timeline.idle(1)
        rows = timeline.release.take(timeline.release.bound())
        assert list(zip(rows.source.tolist(), rows.offset.tolist(), strict=True)) == [(0, 0), (0, 1), (1, 0), (1, 1)]

    def test_late(self) -> None:
        """What comes behind the bound goes at once and is counted; what comes at it is not late."""
        timeline = Timeline()
        timeline.feed(0, 100, 200)
        assert timeline.out() == [100]
        timeline.feed(0, 189, 190)
        assert timeline.release.late == 1
        assert timeline.out() == [189]
        timeline.feed(0, 201)
        assert timeline.out() == [190]

    def test_earliest(self) -> None:
        """The earliest that waits is known, across sources."""
        timeline = Timeline(2)
        assert timeline.release.earliest() == -LONG_AGO
        timeline.feed(0, 300, 200)
        timeline.feed(1, 250)
        assert timeline.release.earliest() == 200


class TestOffsets:
    """Duplicates and gaps."""

    @staticmethod
    def accept(release: Release, lo: int, hi: int) -> None:
        """Offsets ``[lo, hi)``, each with a record of the same time."""
        times = [1_000 + offset for offset in range(lo, hi)]
        release.accept(TOPIC, 3, lo, hi, max(times), False, rows_of(times, source=3, offsets=list(range(lo, hi))))

    @pytest.mark.parametrize("again", [(0, 10), (0, 4), (3, 7), (9, 10), (6, 12), (0, 12), (9, 12)])
    def test_sent_again(self, again: tuple[int, int]) -> None:
        """Whatever part comes again, with or without more behind it, each record is there once."""
        release = Release(1, LATENESS_US)
        self.accept(release, 0, 10)
        self.accept(release, *again)
        self.accept(release, max(10, again[1]), 13)
        rows = release.take(1 << 62)
        assert rows.offset.tolist() == list(range(13))
        assert release.duplicates == min(again[1], 10) - again[0]

    def test_gap(self) -> None:
        """A missing offset stops: the error names topic, source partition and offsets."""
        release = Release(1, LATENESS_US)
        self.accept(release, 5, 10)
        with pytest.raises(GapError) as caught:
            self.accept(release, 12, 15)
        error = caught.value
        assert (error.topic, error.partition, error.expected, error.found) == (TOPIC, 3, 10, 12)
        assert "offsets 10 to 11 are missing" in str(error)
        self.accept(release, 10, 12)
        assert release.take(1 << 62).offset.tolist() == [5, 6, 7, 8, 9, 10, 11]

    def test_a_gap_in_progress(self) -> None:
        """A message without sightings that lies ahead of the rest is a gap as well."""
        release = Release(1, LATENESS_US)
        self.accept(release, 0, 10)
        with pytest.raises(GapError):
            release.accept(TOPIC, 3, 11, 11, -1, True, NOTHING)

    def test_progress_without_sightings(self) -> None:
        """A message without sightings moves offset and watermark on."""
        release = Release(1, LATENESS_US)
        self.accept(release, 0, 2)
        release.accept(TOPIC, 3, 2, 50, 5_000, False, NOTHING)
        assert release.bound() == 5_000 - LATENESS_US
        self.accept(release, 50, 51)
        assert release.held == 3

    def test_an_old_message_does_not_wake(self) -> None:
        """A batch that is here already says nothing about whether the source is idle now."""
        release = Release(1, LATENESS_US)
        self.accept(release, 0, 10)
        release.accept(TOPIC, 3, 10, 10, -1, True, NOTHING)
        bound = release.bound()
        assert bound == 1_010
        self.accept(release, 0, 10)
        assert release.take(release.bound()).offset.tolist() == list(range(10))

    def test_word_of_idleness_that_comes_again(self) -> None:
        """A message that covers what is here already, and says that there is nothing more, is believed."""
        release = Release(1, LATENESS_US)
        self.accept(release, 0, 10)
        release.accept(TOPIC, 3, 4, 10, 1_009, True, NOTHING)
        assert release.bound() == 1_010


def test_awake() -> None:
    """While any source that was heard of has not said that it is idle."""
    release = Release(2, 0)
    awake = [release.awake]
    for source, lo, hi, idle in ((0, 0, 1, False), (0, 1, 1, True), (1, 0, 1, False)):
        release.accept("requests", source, lo, hi, 5, idle, NOTHING)
        awake.append(release.awake)
    assert awake == [False, True, False, True]


@pytest.mark.parametrize("times_us", [(100,), (100, 101)])
def test_rows_can_be_written(times_us: tuple[int, ...]) -> None:
    """A message can only be read, and one row needs no sort; loops would be compiled once more for such a row."""
    timeline = Timeline()
    rows = rows_of(times_us, source=0, offsets=range(len(times_us)))
    for column in rows:
        column.setflags(write=False)
    timeline.release.accept(TOPIC, 0, 0, len(times_us), 1000, False, rows)

    taken = timeline.release.take(timeline.release.bound())

    assert len(taken) == len(times_us)
    assert all(column.flags.writeable for column in taken)
