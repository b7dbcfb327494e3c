"""Labels against decisions: who was found, what had leaked, which people were hurt."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import msgspec
import numpy as np

from detectors.core.hashing import of_scope, xxh64
from schemas.actor import Actor, Scope
from schemas.alert import Alert, AlertMode
from schemas.block import Block, BlockMode
from schemas.errors import InputError
from schemas.event_time import parse_time_us
from streams.offline.simulate.labels import Labels, ScraperLabel
from streams.pipeline.assess.enforcement import begins_block, principals
from streams.pipeline.observe.address import parse_address
from streams.pipeline.policy.decide import Decision
from streams.pipeline.rows import Rows

ALERTED: Final = "alerted"
SHADOWED: Final = "shadowed"
CHALLENGED: Final = "challenged"
BLOCKED: Final = "blocked"


class ScraperResult(msgspec.Struct):
    """One scraper of the labels."""

    id: str
    kind: str
    found: bool = False
    challenged: bool = False
    blocked: bool = False
    time_to_alert_s: float | None = None
    """From its first disclosure to the first alert on it."""
    time_to_block_s: float | None = None
    leaked: int = 0
    """Distinct profiles disclosed to it in all."""
    leaked_before_alert: int = 0
    """Likewise up to the first alert on it, with what the request that led to it disclosed; all, if none came."""
    leaked_before_stop: int = 0
    """Likewise up to the first challenge or block."""
    leaked_before_block: int = 0
    """Likewise up to the first block."""
    profiles: int = 0
    """What it takes if nobody stops it."""
    denied: int = 0


class PeopleResult(msgspec.Struct):
    """Honest people of one kind; addresses count where nobody logs in or many share one."""

    kind: str
    people: int
    alerted: int = 0
    """By an alert that was not in shadow mode; see `shadowed`."""
    shadowed: int = 0
    """Only by alerts in shadow mode, which nobody is woken by."""
    challenged: int = 0
    blocked: int = 0
    denied: int = 0
    """People of whom at least one request was denied."""


@dataclass(slots=True)
class _Trail:
    result: ScraperResult
    actors: frozenset[str]
    first_us: int | None = None
    alert_us: int | None = None
    stop_us: int | None = None
    """When it was first challenged or blocked."""
    block_us: int | None = None
    challenged: bool = False
    profiles: dict[int | str, int] = field(default_factory=dict)
    """When each was first disclosed to it."""

    def leaked(self, until_us: int | None) -> int:
        """Profiles disclosed up to a moment; all without one."""
        return sum(until_us is None or at_us <= until_us for at_us in self.profiles.values())


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
        self._stolen = {
            actor: trail
            for trail, label in zip(self._trails, labels.scrapers, strict=True)
            for actor in _actors(account=label.stolen)
        }
        self._stolen_keys = np.array(sorted(map(_key, self._stolen)), np.uint64)
        self._thieves = {
            (_key(account), _key(address)): trail
            for account, trail in self._stolen.items()
            for address in trail.actors
            if address.startswith(f"{Scope.IP.label}:")
        }
        self.people = [PeopleResult(p.kind, len(p.accounts) + len(p.addresses)) for p in labels.people]
        self._person = {
            actor: result
            for result, kind in zip(self.people, labels.people, strict=True)
            for actor in _actors(account=kind.accounts, ip=kind.addresses)
        }
        self._person_by_key = {_key(actor): result for actor, result in self._person.items()}
        self._told: set[tuple[str, str]] = set()
        self._denied_people: set[int] = set()

    def seen(self, rows: Rows, allowed: bool) -> None:
        """Take rows that were judged or denied."""
        own = principals(rows)
        scraper = np.isin(own.principal, self._scraper_keys)
        for row in np.flatnonzero(np.isin(own.principal, self._stolen_keys)).tolist():
            scraper[row] = (int(own.principal[row]), int(own.address[row])) in self._thieves
        for row in np.flatnonzero(scraper).tolist():
            key = int(own.principal[row])
            trail = self._by_key.get(key) or self._thieves[key, int(own.address[row])]
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
        what = _what(decision)
        if what is not None and isinstance(decision, Alert | Block):
            self._note(decision.actor, parse_time_us(decision.event_time), what)

    def _note(self, actor: Actor, at_us: int, what: str) -> None:
        trail = self._owner.get(actor.key) or self._stolen.get(actor.key)
        if trail is not None:
            _note_scraper(trail, at_us, what)
        # An alert on an account that somebody else uses too is right; its block hits the person with the thief.
        if trail is not None and not (what == BLOCKED and actor.key in self._stolen):
            return
        person = self._person.get(actor.key)
        if (
            person is None
            or (actor.key, what) in self._told
            or (what == SHADOWED and (actor.key, ALERTED) in self._told)
        ):
            return
        self._told.add((actor.key, what))
        setattr(person, what, getattr(person, what) + 1)
        if what == ALERTED and (actor.key, SHADOWED) in self._told:
            person.shadowed -= 1

    def scrapers(self) -> list[ScraperResult]:
        """Results so far."""
        return [_result(trail) for trail in self._trails]


def _what(decision: Decision) -> str | None:
    """What a decision does to its actor, as a field of `PeopleResult`; None for nothing."""
    if isinstance(decision, Alert):
        return SHADOWED if decision.mode is AlertMode.SHADOW else ALERTED
    if begins_block(decision):
        return BLOCKED
    enforced = isinstance(decision, Block) and decision.mode is BlockMode.ENFORCE
    return CHALLENGED if enforced else None


def _result(trail: _Trail) -> ScraperResult:
    result = trail.result
    result.found, result.blocked = trail.alert_us is not None, trail.block_us is not None
    result.challenged = trail.challenged
    result.time_to_alert_s = _elapsed_s(trail.first_us, trail.alert_us)
    result.time_to_block_s = _elapsed_s(trail.first_us, trail.block_us)
    result.leaked = len(trail.profiles)
    result.leaked_before_alert = trail.leaked(trail.alert_us)
    result.leaked_before_stop = trail.leaked(trail.stop_us)
    result.leaked_before_block = trail.leaked(trail.block_us)
    return result


def _elapsed_s(first_us: int | None, then_us: int | None) -> float | None:
    # Who is found by what does not exist may be so before anything was disclosed.
    return None if first_us is None or then_us is None else max(then_us - first_us, 0) / 1e6


def actors_of(label: ScraperLabel) -> frozenset[str]:
    """Keys of all actors that are the scraper's alone."""
    named = _actors(
        account=label.accounts,
        session=label.sessions,
        ip=label.addresses,
        fingerprint=label.fingerprints,
        net=label.nets,
    )
    return frozenset(named)


def _trail(label: ScraperLabel) -> _Trail:
    return _Trail(ScraperResult(label.id, label.kind, profiles=label.profiles), actors_of(label))


def _actors(**values: Iterable[str]) -> list[str]:
    return [f"{scope}:{_canonical(scope, value)}" for scope, named in values.items() for value in named]


def _canonical(scope: str, value: str) -> str:
    """An address as its actor spells it: an IPv6 one is its /64."""
    found = parse_address(value) if scope == Scope.IP.label else None
    return value if found is None else found.ip


def _key(actor: str) -> int:
    scope, _, value = actor.partition(":")
    text = np.frombuffer(value.encode(), np.uint8)
    number = Scope[scope.upper()]
    return int(of_scope(np.uint64(xxh64(text, 0, text.size, np.uint64(number))), number))


def _note_request(trail: _Trail, profile: int | str, time_us: int, allowed: bool) -> None:
    if not allowed:
        trail.result.denied += 1
        return
    if trail.first_us is None:
        trail.first_us = time_us
    trail.profiles.setdefault(profile, time_us)


def _note_scraper(trail: _Trail, at_us: int, what: str) -> None:
    # Alerts and blocks are two topics: a block may be seen before the alert that goes with it.
    trail.alert_us = _first(trail.alert_us, at_us)
    trail.challenged |= what == CHALLENGED
    if what in (CHALLENGED, BLOCKED):
        trail.stop_us = _first(trail.stop_us, at_us)
    if what == BLOCKED:
        trail.block_us = _first(trail.block_us, at_us)


def _first(known_us: int | None, at_us: int) -> int:
    return at_us if known_us is None else min(known_us, at_us)
