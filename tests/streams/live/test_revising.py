"""Published configurations in a worker: known once, and told of when they come into force."""

import logging

import pytest

from schemas.config_revision import PUBLISHED_CODEC
from streams.config import parse, revision
from streams.live.publications import read
from streams.live.revising import Revising
from streams.pipeline.assess.outcome import Switch
from streams.publication import Publication, publication_of, published
from streams.settings import Settings

NOW_US = 1_800_000_000_000_000
BASE = parse("")


def of(text: str, from_us: int = NOW_US, now_us: int = NOW_US) -> Publication:
    """A publication."""
    return publication_of(PUBLISHED_CODEC.encode(published(parse(text), "operator:me", "", now_us, from_us)))


def revising(settings: Settings = BASE, *known: Publication) -> Revising:
    """A worker that begins with ``settings`` and what is known."""
    return Revising(settings, known, 1, lambda: NOW_US)


class TestKnown:
    """What the worker begins with."""

    def test_nothing(self) -> None:
        """Its own configuration is in force."""
        one = revising()
        assert (one.revision, one.in_force, one.newest) == (revision(BASE), revision(BASE), BASE)
        assert one.entries() == []

    def test_the_newest_counts(self, caplog: pytest.LogCaptureFixture) -> None:
        """From its point on, over the file's hot part; that they differ is said at the start."""
        new = of("[policy]\nblock_s = 61\n", NOW_US - 1_000)
        one = revising(BASE, of("[policy]\nblock_s = 60\n", NOW_US - 2_000), new)
        assert one.timeline.at(NOW_US).settings.policy.block_s == 61
        assert one.timeline.at(NOW_US - 2_000).settings.policy.block_s == 60
        assert one.timeline.at(NOW_US - 2_001).settings == BASE
        assert (one.revision, one.in_force) == (new.record.revision, new.record.revision)
        assert "the configuration file has other values for policy.block_s" in caplog.text

    def test_known_points_are_not_told_again(self) -> None:
        """What came into force before the start is old news; what is yet to come is not."""
        past, ahead = of("[policy]\nblock_s = 60\n", NOW_US - 1_000), of("[policy]\nblock_s = 61\n", NOW_US + 1_000)
        one = revising(BASE, past, ahead)
        regimes = [one.timeline.at(NOW_US + after) for after in (-2_000, 0, 2_000)]
        one.switched([Switch(regimes[0], regimes[1], regimes[1].from_us)])
        assert one.entries() == []
        one.switched([Switch(regimes[1], regimes[2], regimes[2].from_us)])
        assert [entry.change.after for entry in one.entries() if entry.change] == [ahead.record.revision]
        assert one.in_force == ahead.record.revision


class TestComes:
    """What comes while it runs."""

    def test_once(self) -> None:
        """The feed begins at the beginning, so what was known comes again and changes nothing."""
        known = of("[policy]\nblock_s = 60\n")
        one = revising(BASE, known)
        one.feed._found = [known, of("[policy]\nblock_s = 61\n", NOW_US + 1)]
        one.take_in()
        assert [each.settings.policy.block_s for each in one.since(0)] == [60, 61]
        assert [each.settings.policy.block_s for each in one.since(1)] == [61]
        assert (one.count, one.newest.policy.block_s) == (2, 61)

    def test_the_same_again_later(self) -> None:
        """Back to an earlier revision: another point, so another publication."""
        first, second = of("", NOW_US), of("", NOW_US + 5_000)
        assert first.record.revision == second.record.revision
        one = revising()
        one.feed._found = [first, of("[policy]\nblock_s = 61\n", NOW_US + 1_000), second]
        one.take_in()
        assert one.timeline.at(NOW_US + 4_999).settings.policy.block_s == 61
        assert one.timeline.at(NOW_US + 5_000).settings == BASE

    @pytest.mark.parametrize("value", [b"{", b'{"id": 7}', PUBLISHED_CODEC.encode(published(BASE, "", "", 0, 0))[:-9]])
    def test_what_is_none(self, value: bytes, caplog: pytest.LogCaptureFixture) -> None:
        """It is told and passed over; what is in force goes on."""
        one = revising()
        said = read(b"k", value)
        assert isinstance(said, str)
        one.feed._found = [said]
        one.take_in()
        (entry,) = one.entries()
        assert entry.change is not None
        assert entry.change.reason.startswith("passed over: ")
        assert (one.count, one.revision) == (0, revision(BASE))
        assert any(record.levelno == logging.ERROR for record in caplog.records)

    def test_a_tombstone(self) -> None:
        """Somebody has cleared a key: nothing."""
        assert read(b"k", None) is None

    def test_what_it_cannot_take(self) -> None:
        """Cold keys, and detectors that were off at the start, are named; what is hot is taken all the same."""
        one = revising(parse("[detectors.canary]\nmode = 'off'\n"))
        one.feed._found = [of("[memory]\nactors_max = 7\n[policy]\nblock_s = 61\n")]
        one.take_in()
        (entry,) = one.entries()
        assert entry.change is not None
        assert (
            entry.change.reason
            == "a restart is needed for memory.actors_max, detectors.canary, which was off at the start"
        )
        settings = one.timeline.at(NOW_US).settings
        assert (settings.policy.block_s, settings.memory) == (61, BASE.memory)


class TestTelling:
    """Regimes that come into force."""

    def test_each_once_and_late_ones(self) -> None:
        """Whatever the number of partitions; one that came late is told apart, with where it began to count."""
        one = revising()
        one.feed._found = [of("[policy]\nblock_s = 61\n", NOW_US)]
        one.take_in()
        before, after = one.timeline.first, one.timeline.at(NOW_US)
        one.switched([Switch(before, after, NOW_US)] * 3)
        one.switched([Switch(before, after, NOW_US + 1_000_000)] * 2)
        reasons = [entry.change.reason for entry in one.entries() if entry.change]
        assert reasons == [
            "in force from 2027-01-15T08:00:00.000Z",
            "in force from 2027-01-15T08:00:00.000Z, which came late: from 2027-01-15T08:00:01.000Z in a partition",
        ]
        assert one.entries() == []

    def test_the_same_revision(self) -> None:
        """A publication that changes no decision is no news."""
        one = revising()
        one.feed._found = [of("[policy]\nlag_max_s = 7\n", NOW_US)]
        one.take_in()
        one.switched([Switch(one.timeline.first, one.timeline.at(NOW_US), NOW_US)])
        assert one.entries() == []
        assert one.newest.policy.lag_max_s == 7
