"""Proposes `[[surfaces]]` from a request log, with what speaks for each.

Served paths are put together by their shape: a segment that takes many values behind the same beginning is an id. What
cannot be known from a log is whether a page shows a person; names say it often (``/people/``, ``/in/``), and what no
name speaks for is proposed in a comment.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from urllib.parse import parse_qsl

import msgspec

from schemas.request import RequestEvent
from streams.inputs.reader import reader_of
from streams.offline.reading import open_all, read_all
from streams.settings import InputSettings

VARIABLE: Final = "{}"
VALUES_MIN: Final = 12
"""Distinct values behind the same beginning from which on a segment is an id."""
FIRST_MIN: Final = 200
"""Likewise of the first segment: many sites have dozens of sections, and some a name for each member."""
REQUESTS_MIN: Final = 20
"""A shape that was asked for less often is not proposed."""
SEGMENTS_MAX: Final = 8
VALUES_KEPT: Final = 10_000
"""Distinct ids of a shape that are counted one by one; the next ones only make it "more than"."""
EXAMPLES: Final = 3

PEOPLE: Final = frozenset({
    "account", "accounts", "alumni", "author", "authors", "candidate", "candidates", "contact", "contacts", "friend",
    "friends", "in", "m", "member", "members", "people", "person", "player", "players", "professional", "profile",
    "profiles", "pub", "seller", "sellers", "staff", "talent", "u", "user", "users",
})  # fmt: skip
"""Segments that say of what follows that it is a person."""
OF_MANY: Final = frozenset({
    "connections", "contacts", "followers", "following", "friends", "likes", "members", "mutual", "network",
    "participants", "people", "users",
})  # fmt: skip
"""Last segments that list people."""
LOOKUPS: Final = frozenset(["lookup", "resolve", "by-email", "by-phone", "exists", "find"])
QUERIES: Final = ("q", "query", "search", "s", "term", "keywords", "keyword", "name", "text")
"""Parameters that are searched for, the likeliest first."""
_ASSET: Final = re.compile(
    r"\.(?:css|js|mjs|map|png|jpe?g|gif|svg|webp|avif|ico|woff2?|ttf|mp4|txt|xml|pdf|zip)$", re.IGNORECASE
)
_ID: Final = re.compile(r"\d{2,}|[0-9a-fA-F]{8,}|[0-9a-fA-F-]{32,36}|[A-Za-z0-9_-]*\d[A-Za-z0-9_-]{7,}|[@~].+")
"""What is an id by its looks alone."""

Shape = tuple[str, ...]
Node = tuple[str, Shape]
"""Method, and the segments so far."""


class Proposal(msgspec.Struct):
    """One surface, and what speaks for it."""

    kind: str
    method: str
    path: str
    query: str | None
    likely: bool
    """A name says that it shows people."""
    requests: int
    distinct: int
    """Ids, or texts that were searched for."""
    distinct_more: bool
    """There were more, not counted."""
    visitors: int
    """Distinct addresses or accounts."""
    examples: list[str]


@dataclass(slots=True)
class _Shape:
    requests: int = 0
    values: set[str] = field(default_factory=set)
    visitors: set[str] = field(default_factory=set)
    searched: Counter[str] = field(default_factory=Counter)
    texts: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))


@dataclass(slots=True)
class Learned:
    """What a log proposes."""

    proposals: list[Proposal]
    """The likely ones first, then by requests."""
    requests: int
    """Served ones, assets left out."""
    unreadable: int


def learn(paths: Sequence[Path], settings: InputSettings) -> Learned:
    """Read the logs twice: once for which segments are ids, once for what speaks for each shape.

    Raises:
        InputError: one cannot be read.
    """
    values: dict[Node, set[str]] = defaultdict(set)
    unreadable = 0
    for event in _events(paths, settings):
        if event is None:
            unreadable += 1
        else:
            _note_values(values, event)
    ids = {node for node, found in values.items() if len(found) >= _enough(node[1])}
    shapes: dict[Node, _Shape] = defaultdict(_Shape)
    requests = 0
    for event in _events(paths, settings):
        if event is not None:
            requests += _note_shape(shapes, ids, event)
    found = [each for node, shape in shapes.items() for each in _proposed(node, shape)]
    found.sort(key=lambda one: (not one.likely, -one.requests, one.path))
    return Learned(found, requests, unreadable)


def _events(paths: Sequence[Path], settings: InputSettings) -> Iterator[RequestEvent | None]:
    """Requests that were served and are for no asset; None for what is no event."""
    reader = reader_of(settings)
    for recording, batch in read_all(open_all(paths)):
        recording.watermark_us += 1  # one batch of each file by turns: the order is of no matter
        for value in batch.values:
            for part in reader.parts(value or b""):
                if part.error is not None:
                    yield None
                elif part.event is not None and _counts(part.event):
                    yield part.event


def _counts(event: RequestEvent) -> bool:
    status = int(event.status or 200)
    return bool(event.path) and (200 <= status < 300 or status == 304) and not _ASSET.search(event.path or "")


def _segments(event: RequestEvent) -> list[str]:
    return [segment for segment in (event.path or "").split("/") if segment][:SEGMENTS_MAX]


def _method(event: RequestEvent) -> str:
    return "GET" if event.method == "HEAD" else (event.method or "GET")


def _note_values(values: dict[Node, set[str]], event: RequestEvent) -> None:
    """Add each segment to the values behind its beginning, in which ids by their looks are one."""
    before: Shape = ()
    for segment in _segments(event):
        if _ID.fullmatch(segment):
            before = (*before, VARIABLE)
            continue
        node = _method(event), before
        most = _enough(before)
        if len(values[node]) < most:
            values[node].add(segment)
        before = (*before, VARIABLE if len(values[node]) >= most else segment)


def _enough(before: Shape) -> int:
    return VALUES_MIN if before else FIRST_MIN


def _note_shape(shapes: dict[Node, _Shape], ids: set[Node], event: RequestEvent) -> bool:
    shape: Shape = ()
    last: str | None = None
    for segment in _segments(event):
        if _ID.fullmatch(segment) or ((_method(event), shape) in ids and segment.lower() not in PEOPLE | OF_MANY):
            shape, last = (*shape, VARIABLE), segment
        else:
            shape = (*shape, segment)
    found = shapes[_method(event), shape]
    found.requests += 1
    who = event.user or event.session or event.address
    if who is not None and len(found.visitors) < VALUES_KEPT:
        found.visitors.add(who)
    if last is not None and len(found.values) < VALUES_KEPT:
        found.values.add(last)
    for name, text in parse_qsl(event.query or "", max_num_fields=None):
        if name.lower() in QUERIES:
            found.searched[name] += 1
            if len(found.texts[name]) < VALUES_KEPT:
                found.texts[name].add(text)
    return True


def _proposed(node: Node, shape: _Shape) -> Iterable[Proposal]:
    method, segments = node
    if shape.requests < REQUESTS_MIN:
        return
    places = [at for at, segment in enumerate(segments) if segment == VARIABLE]
    searched = max(shape.searched, key=lambda name: (shape.searched[name], -QUERIES.index(name.lower())), default=None)
    if searched is not None and 2 * shape.searched[searched] >= shape.requests:
        yield _search(method, segments, searched, shape)
    elif places and len(shape.values) >= VALUES_MIN:
        yield _by_id(method, segments, places[-1], shape)


def _search(method: str, segments: Shape, name: str, shape: _Shape) -> Proposal:
    path = "/" + "/".join("*" if segment == VARIABLE else segment for segment in segments)
    texts = shape.texts[name]
    likely = bool(PEOPLE & {segment.lower() for segment in segments})
    return Proposal("search", method, path, name, likely, *_figures(shape, texts))


def _by_id(method: str, segments: Shape, at: int, shape: _Shape) -> Proposal:
    behind, named = segments[at + 1 :], {segment.lower() for segment in segments[:at]}
    kind = "view"
    if behind and behind[-1].lower() in OF_MANY:
        kind = "list"
    elif LOOKUPS & named:
        kind = "lookup"
    likely = bool(PEOPLE & named) or kind == "list" or all(value[0] in "@~" for value in shape.values)
    spelled = ["*" if segment == VARIABLE else segment for segment in segments]
    if kind != "list":
        spelled[at] = "{profile}"
    return Proposal(kind, method, "/" + "/".join(spelled), None, likely, *_figures(shape, shape.values))


def _figures(shape: _Shape, values: set[str]) -> tuple[int, int, bool, int, list[str]]:
    return shape.requests, len(values), len(values) >= VALUES_KEPT, len(shape.visitors), sorted(values)[:EXAMPLES]


def toml_of(learned: Learned) -> str:
    """The proposals as a part of the configuration; those that no name speaks for as comments."""
    return "\n".join(line for proposal in learned.proposals for line in _lines(proposal))


def _lines(proposal: Proposal) -> Iterator[str]:
    more = "more than " if proposal.distinct_more else ""
    what = "texts" if proposal.kind == "search" else "ids"
    examples = ", ".join(map(ascii, proposal.examples))
    visitors = f"{proposal.requests:,} requests of {proposal.visitors:,} visitors"
    yield f"# {visitors}, {more}{proposal.distinct:,} {what}: {examples}"
    if not proposal.likely:
        yield "# No name says that it shows people: look before you take it."
    mark = "" if proposal.likely else "# "
    yield f"{mark}[[surfaces]]"
    yield f'{mark}kind = "{proposal.kind}"'
    yield f"{mark}method = {msgspec.json.encode(proposal.method).decode()}"
    yield f"{mark}path = {msgspec.json.encode(proposal.path).decode()}"
    if proposal.query is not None:
        yield f"{mark}query = {msgspec.json.encode(proposal.query).decode()}"
    yield ""
