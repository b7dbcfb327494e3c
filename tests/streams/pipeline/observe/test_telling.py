"""Who is told what and when, and what may be acknowledged then: three destinations unless a test says otherwise."""

from schemas.sighting import Progress
from streams.pipeline.observe.telling import Telling

TOPIC = "http.requests"


class Book:
    """The bookkeeping, fed with batches of one source or two."""

    def __init__(self, destinations: int = 3) -> None:
        self.telling = Telling[str](destinations)

    def batch(self, lo: int, hi: int, *sighted: int, source: int = 0, watermark_us: int = -1) -> int:
        """One batch, whose token is its end; the serial of its messages."""
        self.telling.since(TOPIC, source, lo)
        self.telling.take(TOPIC, source, lo, hi, watermark_us, sighted)
        return self.telling.await_all(TOPIC, source, f"{source}:{hi}")


def word(lo: int, hi: int, *, source: int = 0, watermark_us: int = -1, idle: bool = False) -> Progress:
    """What a destination is told of a source."""
    return Progress(TOPIC, source, lo, hi, watermark_us, idle)


def test_told_once_for_many_batches() -> None:
    """A destination without sightings is told in the next round, from where it was told last to the end of the last."""
    book = Book()
    book.batch(10, 20, 0, 1)
    book.batch(20, 35, 0)
    assert book.telling.round().progress == {1: [word(20, 35)], 2: [word(10, 35)]}


def test_sources_share_a_message() -> None:
    """One list a destination holds all sources that it does not know the latest of, in their order."""
    book = Book(destinations=2)
    book.batch(5, 6, 1, source=1)
    book.batch(10, 20, source=0)
    assert book.telling.round().progress == {0: [word(10, 20), word(5, 6, source=1)], 1: [word(10, 20)]}


def test_nothing_to_say() -> None:
    """When sightings went to every destination there is no round, nor after one."""
    book = Book()
    book.batch(10, 20, 0, 1, 2)
    assert not book.telling.behind
    book.batch(20, 21, 0, 1)
    assert book.telling.round().progress == {2: [word(20, 21)]}
    assert book.telling.round().progress == {}


def test_message_begins_where_told() -> None:
    """A batch's message begins where its destination was told last, and carries the watermark of what lay between."""
    book = Book()
    book.batch(10, 20, 0, watermark_us=900)
    since = book.telling.since(TOPIC, 0, 20)
    assert (list(since.told), since.watermark_us) == ([20, 10, 10], 900)


def test_watermark_never_falls() -> None:
    """A round says the highest time so far, whatever the last batch held."""
    book = Book(destinations=1)
    book.batch(10, 20, watermark_us=900)
    book.batch(20, 30, watermark_us=800)
    assert book.telling.round().progress == {0: [word(10, 30, watermark_us=900)]}


def test_acknowledged_when_all_are_told() -> None:
    """Neither its own messages nor the round alone are enough: the broker must have both."""
    book = Book()
    own = book.batch(10, 20, 0)
    assert book.telling.sent(own) == []
    assert book.telling.sent(book.telling.round().serial) == ["0:20"]


def test_round_overtakes() -> None:
    """A round that the broker has before the batch's own messages acknowledges nothing yet."""
    book = Book()
    own = book.batch(10, 20, 0)
    assert book.telling.sent(book.telling.round().serial) == []
    assert book.telling.sent(own) == ["0:20"]


def test_later_batch_tells() -> None:
    """Sightings of a later batch tell a destination of the earlier one too."""
    book = Book(destinations=2)
    first, second = book.batch(10, 20, 0), book.batch(20, 30, 1)
    assert book.telling.sent(first) == []
    assert book.telling.sent(second) == ["0:20"]
    third = book.batch(30, 40, 0, 1)
    assert book.telling.sent(third) == ["0:30", "0:40"]


def test_full_batch_needs_no_round() -> None:
    """With sightings for everybody a batch is acknowledged as soon as they are sent."""
    book = Book()
    assert book.telling.sent(book.batch(10, 20, 0, 1, 2)) == ["0:20"]


def test_idle() -> None:
    """Everybody is told, once, also who knows how far the source is."""
    book = Book(destinations=2)
    book.batch(10, 20, 0, 1, watermark_us=900)
    book.telling.idle(TOPIC, 0, 20)
    expected = [word(20, 20, watermark_us=900, idle=True)]
    assert book.telling.round().progress == {0: expected, 1: expected}
    assert not book.telling.behind


def test_idle_from_the_start() -> None:
    """A source of which nothing was read is idle where reading begins."""
    book = Book(destinations=1)
    book.telling.idle(TOPIC, 0, 7)
    assert book.telling.round().progress == {0: [word(7, 7, idle=True)]}
    assert list(book.telling.since(TOPIC, 0, 7).told) == [7]


def test_not_idle_behind_a_batch() -> None:
    """Who says that a source is idle beyond what was observed is not believed: a batch is on its way."""
    book = Book()
    book.batch(10, 20, 0, 1, 2)
    book.telling.idle(TOPIC, 0, 21)
    assert not book.telling.behind


def test_batch_wakes() -> None:
    """A batch after the word of idleness takes it back, also from those that have no sighting of it."""
    book = Book(destinations=2)
    book.telling.idle(TOPIC, 0, 10)
    book.batch(10, 11, 0)
    assert book.telling.round().progress == {1: [word(10, 11)]}


def test_forget() -> None:
    """Another assignment begins where it is told to, and acknowledges nothing of the last one."""
    book = Book(destinations=2)
    own = book.batch(10, 20, 0)
    book.telling.forget()
    assert not book.telling.behind
    assert list(book.telling.since(TOPIC, 0, 10).told) == [10, 10]
    again = book.batch(10, 15, 0, 1)
    assert book.telling.sent(again) == []
    assert book.telling.sent(own) == ["0:15"]
