"""Labels against decisions: who was found, what had leaked, which people were hurt."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
import numpy as np

from schemas.actor import Actor, Scope
from schemas.alert import Alert
from schemas.errors import InputError
from schemas.event_time import parse_time_us
from streams.offline.simulate.labels import Labels, ScraperLabel
from streams.pipeline.assess.enforcement import begins_block, principals
from streams.pipeline.observe.address import parse_address
from streams.pipeline.observe.hashing import xxh64
from streams.pipeline.policy.decide import Decision
from streams.pipeline.rows import Rows


class ScraperResult(msgspec.Struct):
    """One scraper of the labels."""

    id: str
    kind: str
    found: bool = False
    blocked: bool = False
    time_to_alert_s: float | None = None
    """From its first disclosure to the first alert on it."""
    time_to_block_s: float | None = None
    leaked: int = 0
    """Distinct profiles disclosed to it in all."""
    leaked_before_block: int = 0
    profiles: int = 0
    """What it takes if nobody stops it."""
    denied: int = 0


class PeopleResult(msgspec.Struct):
    """Honest people of one kind; addresses count where nobody logs in or many share one."""

    kind: str
    people: int
    alerted: int = 0
    blocked: int = 0
    denied: int = 0
    """People of whom at least one request was denied."""


@dataclass(slots=True)
class _Trail:
    result: ScraperResult
    actors: frozenset[str]
    first_us: int | None = None
    alert_us: int | None = None
    block_us: int | None = None
    profiles: set[int | str] = field(default_factory=set)
    before_block: int | None = None


def read_labels(path: Path) -> Labels:
    """Labels as `weir simulate` writes them; raises `InputError`."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=Labels)
    except OSError as error:
        raise InputError(str(path), error.strerror or str(error)) from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise InputError(str(path), f"these are no labels: {error}") from error


class Truth:
    """Follows a replay and says at its end how it did."""

    def __init__(self, labels: Labels) -> None:
        self._trails = [_trail(scraper) for scraper in labels.scrapers]
        self._owner = {actor: trail for trail in self._trails for actor in trail.actors}
        self._by_key = {_key(actor): trail for actor, trail in self._owner.items()}
        self._scraper_keys = np.array(sorted(self._by_key), np.uint64)
        self.people = [PeopleResult(p.kind, len(p.accounts) + len(p.addresses)) for p in labels.people]
        self._person = {
            actor: result
            for result, kind in zip(self.people, labels.people, strict=True)
            for actor in _actors(account=kind.accounts, ip=kind.addresses)
        }
        self._person_by_key = {_key(actor): result for actor, result in self._person.items()}
        self._hurt: set[tuple[str, str]] = set()
        self._denied_people: set[int] = set()

    def seen(self, rows: Rows, allowed: bool) -> None:
        """Take rows that were judged or denied."""
        own = principals(rows)
        scraper = np.isin(own.principal, self._scraper_keys)
        for row in np.flatnonzero(scraper).tolist():
            trail = self._by_key[int(own.principal[row])]
            _note_request(trail, int(own.profile[row]), int(own.time_us[row]), allowed)
        if not allowed:
            for key in np.unique(own.principal[~scraper]):
                self._deny_person(int(key))

    def requested(self, principal: str, profile: str, time_us: int, allowed: bool) -> None:
        """Take one profile that was disclosed to ``principal`` (``account:…`` or ``ip:…``), or denied."""
        trail = self._owner.get(principal)
        if trail is not None:
            _note_request(trail, profile, time_us, allowed)
        elif not allowed:
            self._deny_person(_key(principal))

    def _deny_person(self, key: int) -> None:
        result = self._person_by_key.get(key)
        if result is not None and key not in self._denied_people:
            self._denied_people.add(key)
            result.denied += 1

    def decided(self, decision: Decision) -> None:
        """Take one decision."""
        if isinstance(decision, Alert):
            self._note(decision.actor, parse_time_us(decision.event_time), blocked=False)
        elif begins_block(decision):
            self._note(decision.actor, parse_time_us(decision.event_time), blocked=True)

    def _note(self, actor: Actor, at_us: int, *, blocked: bool) -> None:
        trail = self._owner.get(actor.key)
        if trail is not None:
            _note_scraper(trail, at_us, blocked)
            return
        person, what = self._person.get(actor.key), "blocked" if blocked else "alerted"
        if person is not None and (actor.key, what) not in self._hurt:
            self._hurt.add((actor.key, what))
            setattr(person, what, getattr(person, what) + 1)

    def scrapers(self) -> list[ScraperResult]:
        """Results so far."""
        return [_result(trail) for trail in self._trails]


def _result(trail: _Trail) -> ScraperResult:
    result, leaked = trail.result, len(trail.profiles)
    result.found, result.blocked = trail.alert_us is not None, trail.block_us is not None
    result.time_to_alert_s = _elapsed_s(trail.first_us, trail.alert_us)
    result.time_to_block_s = _elapsed_s(trail.first_us, trail.block_us)
    result.leaked = leaked
    result.leaked_before_block = leaked if trail.before_block is None else trail.before_block
    return result


def _elapsed_s(first_us: int | None, then_us: int | None) -> float | None:
    return None if first_us is None or then_us is None else (then_us - first_us) / 1e6


def _trail(label: ScraperLabel) -> _Trail:
    actors = _actors(
        account=label.accounts,
        session=label.sessions,
        ip=label.addresses,
        fingerprint=label.fingerprints,
        net=label.nets,
    )
    return _Trail(ScraperResult(label.id, label.kind, profiles=label.profiles), frozenset(actors))


def _actors(**values: Iterable[str]) -> list[str]:
    return [f"{scope}:{_canonical(scope, value)}" for scope, named in values.items() for value in named]


def _canonical(scope: str, value: str) -> str:
    """An address as its actor spells it: an IPv6 one is its /64."""
    found = parse_address(value) if scope == Scope.IP.label else None
    return value if found is None else found.ip


def _key(actor: str) -> int:
    scope, _, value = actor.partition(":")
    text = np.frombuffer(value.encode(), np.uint8)
    return int(xxh64(text, 0, text.size, np.uint64(Scope[scope.upper()])))


def _note_request(trail: _Trail, profile: int | str, time_us: int, allowed: bool) -> None:
    if not allowed:
        trail.result.denied += 1
        return
    if trail.first_us is None:
        trail.first_us = time_us
    if trail.before_block is None and trail.block_us is not None and time_us > trail.block_us:
        trail.before_block = len(trail.profiles)
    trail.profiles.add(profile)


def _note_scraper(trail: _Trail, at_us: int, blocked: bool) -> None:
    # Alerts and blocks are two topics: a block may be seen before the alert that goes with it.
    trail.alert_us = at_us if trail.alert_us is None else min(at_us, trail.alert_us)
    if blocked and trail.block_us is None:
        trail.block_us = at_us
