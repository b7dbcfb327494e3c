"""All that stands, as bytes, kept between those who ask for all of it.

When a replica starts anew every enforcer asks for everything at once, and each answer would be the same work over. So
an answer is kept in segments of some thousand decisions. What was said or has ended since the last one touches few
targets, and so few segments; the others are joined as they are. What is left of a decision goes into its text, and so
a segment is written anew when it is a second old::

    segment   [ d1 d2 ... ] [ d2001 ... ] [ d4001 ... ]        d2 is lengthened, d4001 ends
    bytes     [  written  ] [   kept    ] [  written  ]

Membership is exact at each answer; only the seconds that are left may be one too many.
"""

from collections import OrderedDict
from collections.abc import Iterator
from functools import lru_cache
from heapq import heappop, heappush
from itertools import product
from typing import Final, NamedTuple

import msgspec

from streams.pipeline.enforce.decisions import KEPT_US, US, Cursor, Decisions, Told
from streams.pipeline.enforce.target import Target
from streams.pipeline.enforce.word import STRENGTH, View
from streams.pipeline.enforce.wording import decision, duration

SEGMENT: Final = 2_000
"""Decisions."""
OLD_US: Final = US
"""From this age on a segment is written anew."""
VIEWS_MAX: Final = 4
"""How many different enforcers' answers are kept; each takes some 900 bytes a decision."""
MARK: Final = b'"duration":"'

_encode: Final = msgspec.json.Encoder().encode


Place = tuple[Target, str]
"""A target and a type that it is told of: a deleted one may be told of several."""


class Text(NamedTuple):
    """A decision but for what is left of it."""

    until_us: int | None
    """None for what was taken back: nothing is left of it, now and later."""
    before: bytes
    after: bytes


class Segment:
    """Some decisions."""

    def __init__(self) -> None:
        """There are none."""
        self.texts: dict[Place, Text] = {}
        self._written = b""
        self._at_us: int | None = None

    def touch(self) -> None:
        """Something has changed."""
        self._at_us = None

    def at(self, now_us: int) -> bytes:
        """The decisions, with commas between them."""
        if self._at_us is None or not 0 <= now_us - self._at_us < OLD_US:
            texts = self.texts.values()
            self._written = b",".join([before + _left(until, now_us) + after for until, before, after in texts])
            self._at_us = now_us
        return self._written


class Part:
    """The new ones of an answer, or the deleted ones."""

    def __init__(self, segment: int = SEGMENT) -> None:
        """There are none; at most ``segment`` of them are written together."""
        self._most = segment
        self._segments: list[Segment] = [Segment()]
        self._filling = self._segments[0]
        self._of: dict[Place, Segment] = {}

    def put(self, told: Told, at_us: int) -> None:
        """Take one in, in place of what was there."""
        place = told.target, told.word.type
        segment = self._of.get(place)
        if segment is None:
            segment = self._of[place] = self._with_room()
        segment.texts[place] = _text(told, at_us)
        segment.touch()

    def drop(self, place: Place) -> None:
        """Leave one out, if it is there."""
        segment = self._of.pop(place, None)
        if segment is not None:
            del segment.texts[place]
            segment.touch()

    def pieces(self, at_us: int) -> Iterator[bytes]:
        """All of them, with commas between them; the same objects for whoever asks within a second.

        Hundreds who ask at once hold one answer together, not one each.
        """
        first = True
        for segment in self._segments:
            if segment.texts:
                if not first:
                    yield b","
                yield segment.at(at_us)
                first = False

    def _with_room(self) -> Segment:
        if len(self._filling.texts) >= self._most:
            # Half full at least, all but one of them: so there are never many more than are needed.
            self._filling = min(self._segments, key=lambda each: len(each.texts))
            if len(self._filling.texts) > self._most // 2:
                self._filling = Segment()
                self._segments.append(self._filling)
        return self._filling


class Whole:
    """What enforcers of one view are told who ask for everything."""

    def __init__(self, view: View, segment: int = SEGMENT) -> None:
        """Nothing is known yet."""
        self._view, self._segment = view, segment
        self._new, self._deleted = Part(segment), Part(segment)
        self._leaving: list[tuple[int, Target]] = []
        """A heap of the ends of the deleted ones: a day after it nobody is told of one any more."""
        self._known: Decisions | None = None
        self._seen = Cursor((), 0)

    def pieces(self, known: Decisions, at_us: int) -> list[bytes]:
        """The answer at ``at_us``, to be sent one after the other; never changed afterwards."""
        self._follow(known, at_us)
        new, deleted = self._new.pieces(at_us), self._deleted.pieces(at_us)
        return [b'{"new":[', *new, b'],"deleted":[', *deleted, b"]}"]

    def _follow(self, known: Decisions, at_us: int) -> None:
        targets: dict[Target, None] | None = None
        if self._known is known and known.reaches(self._seen, at_us) and self._seen.told_us <= at_us:
            targets = dict.fromkeys(known.touched(*self._seen, at_us))
            while self._leaving and self._leaving[0][0] <= at_us - KEPT_US:
                targets[heappop(self._leaving)[1]] = None
        else:
            self._new, self._deleted, self._leaving = Part(self._segment), Part(self._segment), []
        self._known, self._seen = known, Cursor(known.positions, at_us)
        answer = known.startup(self._view, at_us, targets)
        for part, told in ((self._new, answer.new), (self._deleted, answer.deleted)):
            stay = {(one.target, one.word.type) for one in told}
            for place in product(targets or (), STRENGTH):
                if place not in stay:
                    part.drop(place)
            for one in told:
                part.put(one, at_us)
        for one in answer.deleted:
            heappush(self._leaving, (one.word.until_us, one.target))


class Wholes:
    """One for each view that was asked for lately."""

    def __init__(self) -> None:
        """Nobody has asked."""
        self._by_view: OrderedDict[View, Whole] = OrderedDict()

    def __len__(self) -> int:
        """Kept ones."""
        return len(self._by_view)

    def pieces(self, view: View, known: Decisions, at_us: int) -> list[bytes]:
        """See `Whole.pieces`."""
        whole = self._by_view.setdefault(view, Whole(view))
        self._by_view.move_to_end(view)
        if len(self._by_view) > VIEWS_MAX:
            self._by_view.popitem(last=False)
        return whole.pieces(known, at_us)


def _text(told: Told, at_us: int) -> Text:
    # A quote within a text is escaped, so that the mark stands in no text.
    before, mark, rest = _encode(decision(told)).partition(MARK)
    moves = told.left_us == told.word.until_us - at_us
    return Text(told.word.until_us if moves else None, before + mark, rest[rest.index(b'"') :])


def _left(until_us: int | None, at_us: int) -> bytes:
    return b"0s" if until_us is None else _spelled(-((at_us - until_us) // US))


@lru_cache(1 << 16)
def _spelled(seconds: int) -> bytes:
    return duration(seconds).encode()
