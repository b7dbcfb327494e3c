"""How far enforcers have been told, and how those are found out that share a key."""

import pytest

from streams.pipeline.enforce.decisions import Cursor
from streams.serve.cursors import OTHERS_MAX, Cursors

DONE = Cursor((1,), 1)


class Connection:
    """Lives as long as somebody holds it."""


def test_each_key_at_each_address() -> None:
    """Has a place of its own, which outlives its connection."""
    cursors = Cursors()
    first = cursors.asker("edge", "10.0.0.1", Connection())
    cursors.advance(first, DONE)
    assert cursors.of(cursors.asker("edge", "10.0.0.1", Connection())) == DONE
    assert cursors.of(cursors.asker("edge", "10.0.0.2", Connection())) is None
    assert cursors.of(cursors.asker("other", "10.0.0.1", Connection())) is None


def test_two_that_share_a_key(caplog: pytest.LogCaptureFixture) -> None:
    """The pull that shows it is told everything, as is the other's next; then each has its own, with one line told."""
    cursors, one, other = Cursors(), Connection(), Connection()
    known = []
    for connection in (one, other, one, other, one, other):
        asker = cursors.asker("edge", "10.0.0.1", connection)
        known.append(cursors.of(asker) is not None)
        cursors.advance(asker, DONE)
    assert known == [False, True, False, False, True, True]
    assert caplog.text.count("the key of edge from one address") == 1
    assert cursors.of(cursors.asker("edge", "10.0.0.1", Connection())) is None
    assert cursors.of(cursors.asker("edge", "10.0.0.2", one)) is None


def test_a_new_connection_each_time() -> None:
    """Is how some enforcers pull: one place for all of them, however many come, though memory is used again."""
    cursors = Cursors()
    cursors.advance(cursors.asker("edge", "10.0.0.1", Connection()), DONE)
    for _ in range(100):
        assert cursors.of(cursors.asker("edge", "10.0.0.1", Connection())) == DONE


def test_a_number_is_nobody_elses() -> None:
    """A connection that takes the memory of one that ended has not its place."""
    cursors, held = Cursors(), Connection()
    for connection in (held, Connection(), held):
        cursors.asker("edge", "10.0.0.1", connection)
    seen = set()
    for _ in range(50):
        seen.add(cursors.asker("edge", "10.0.0.1", Connection()).connection)
    assert len(seen) == 50


def test_several_that_share_a_key() -> None:
    """Up to some more than eight connections are found out by the first that comes back."""
    for many in (2, 3, OTHERS_MAX + 1):
        cursors, connections = Cursors(), [Connection() for _ in range(many)]
        askers = [cursors.asker("edge", "10.0.0.1", each) for each in (*connections, *connections)]
        assert len(set(askers[many:])) == many


def test_no_more_than_some() -> None:
    """The one unused longest goes, and is told everything when it comes again."""
    cursors, connections = Cursors(most=2), [Connection() for _ in range(3)]
    for number in (0, 1, 0, 2):
        cursors.advance(cursors.asker("edge", str(number), connections[number]), DONE)
    assert len(cursors) == 2
    assert [cursors.of(cursors.asker("edge", str(n), connections[n])) for n in range(3)] == [DONE, None, DONE]
