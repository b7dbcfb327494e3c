"""What goes on, as one Alertmanager should know it: from records in, to a number of alerts that a person can read.

Of each kind (detector, severity, mode, scope) the first incidents are alerts of their own, with the label ``incident``.
All others of that kind are one alert with their number and some examples. So a wave of ten thousand actors is a handful
of alerts, and a single incident among long-known ones is still news.

Knows no clock and no network: the time comes with each call, in microseconds.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Final

from schemas.alert import Alert, AlertStatus
from schemas.audit import Audit, AuditKind, DegradedReason
from schemas.event_time import parse_time_us
from streams.outputs.alertmanager import (
    DEGRADED,
    Labels,
    Posting,
    annotations_of,
    change_annotations,
    change_labels,
    cut,
    ends_us,
    goes_on,
    kind_of,
    profiles_of,
)

US: Final = 1_000_000
HOLD_US: Final = 300 * US
"""What had ended before it was told goes on for so long after: Alertmanager waits (group_wait) before it tells people,
and would say nothing of what has ended meanwhile."""
SAMPLES: Final = 5
WORKER_SILENT_US: Final = 86_400 * US
"""A degraded worker that has said nothing for so long is taken for gone: who takes its place has another name."""

Key = tuple[tuple[str, str], ...]


@dataclass(slots=True)
class Case:
    """One incident, as the last message on it tells."""

    id: str
    starts_us: int
    heard_us: int
    """When Weir last said something on it."""
    line: str
    """For a list of examples."""
    annotations: dict[str, str] | None
    """Of an incident with an alert of its own; None of the others."""
    closed: bool = False
    told_us: int | None = None
    """When the receiver was first told; before that it counts as going on even when it has ended."""

    def goes_on(self, now_us: int) -> bool:
        """Whether it is to be told."""
        return not self.closed or self.told_us is None or now_us < self.told_us + HOLD_US


@dataclass(slots=True)
class Kind:
    """Incidents that share their labels."""

    labels: dict[str, str]
    own: dict[str, Case] = field(default_factory=dict)
    others: dict[str, Case] = field(default_factory=dict)
    unheard: int = 0
    """Of the others, those that ended before the receiver was told."""
    unheard_us: int = 0
    """When the first of them began."""
    told_us: int | None = None
    """When the receiver was told of those."""

    def case(self, incident: str) -> Case | None:
        """The one with that id."""
        return self.own.get(incident) or self.others.get(incident)

    def cases(self) -> Iterator[Case]:
        """All of them."""
        return chain(self.own.values(), self.others.values())

    def lasts(self, now_us: int) -> bool:
        """Whether the alert on the others is to be told."""
        waits = self.unheard > 0 and (self.told_us is None or now_us < self.told_us + HOLD_US)
        return bool(self.others) or waits


@dataclass(slots=True)
class Trouble:
    """A worker, brake or switch that is not as it should be."""

    entry: Audit
    at_us: int


class Board:
    """All of it."""

    def __init__(self, incidents_max: int, labels: Labels, silent_us: int) -> None:
        """``incidents_max`` of a kind are alerts of their own; an incident unheard of for ``silent_us`` has ended."""
        self._max, self._labels, self._silent_us = incidents_max, labels, silent_us
        self._kinds: dict[Key, Kind] = {}
        self._kind_of: dict[str, Kind] = {}
        self._changes: dict[Key, dict[str, Trouble]] = {}
        """By labels and by what exactly: a brake holds in each partition by itself."""
        self._workers: dict[str, Trouble] = {}

    def __len__(self) -> int:
        """Incidents that it holds."""
        return len(self._kind_of)

    def alert(self, alert: Alert, at_us: int, *, told: bool) -> None:
        """Take in a message written at ``at_us``; ``told`` where the receiver knows of it from before."""
        known = self._kind_of.get(alert.incident)
        case = known.case(alert.incident) if known else None
        told_us = case.told_us if case else (0 if told else None)
        if alert.status is AlertStatus.CLOSED:
            self._close(alert, at_us, known, told_us)
            return
        labels = {**self._labels, **kind_of(alert)}
        kind = self._kinds.setdefault(_key(labels), Kind(labels))
        if known is not None and known is not kind:
            self._drop(alert.incident, known)
        self._put(alert, at_us, kind, told_us)

    def _put(self, alert: Alert, at_us: int, kind: Kind, told_us: int | None) -> None:
        own = alert.incident in kind.own or (alert.incident not in kind.others and len(kind.own) < self._max)
        place = kind.own if own else kind.others
        place[alert.incident] = Case(
            id=alert.incident,
            starts_us=parse_time_us(alert.first_seen),
            heard_us=at_us,
            line=cut(f"{alert.actor.key}, {profiles_of(alert)}: weir incidents {alert.incident}"),
            annotations=annotations_of(alert) if own else None,
            told_us=told_us,
        )
        self._kind_of[alert.incident] = kind

    def _close(self, alert: Alert, at_us: int, kind: Kind | None, told_us: int | None) -> None:
        if told_us is not None:
            if kind is not None:
                self._drop(alert.incident, kind)
            return
        if kind is None:
            labels = {**self._labels, **kind_of(alert)}
            kind = self._kinds.setdefault(_key(labels), Kind(labels))
            self._put(alert, at_us, kind, told_us)
        if alert.incident in kind.own:
            kind.own[alert.incident].closed = True
            return
        case = kind.others[alert.incident]
        kind.unheard_us = min(kind.unheard_us, case.starts_us) if kind.unheard else case.starts_us
        kind.unheard, kind.told_us = kind.unheard + 1, None
        self._drop(alert.incident, kind)

    def _drop(self, incident: str, kind: Kind) -> None:
        kind.own.pop(incident, None)
        kind.others.pop(incident, None)
        self._kind_of.pop(incident, None)

    def audit(self, entry: Audit, at_us: int) -> None:
        """Take in an entry written at ``at_us``."""
        labels = change_labels(entry)
        if labels is not None:
            subject = entry.change.subject if entry.change is not None else ""
            place = self._changes.setdefault(_key({**self._labels, **labels}), {})
            _keep(place, subject, Trouble(entry, at_us))
        elif entry.kind in (AuditKind.DEGRADED, AuditKind.RECOVERED):
            _keep(self._workers, entry.who, Trouble(entry, at_us))

    def forget(self, now_us: int) -> None:
        """Let go of what has ended by ``now_us``, or of which no word came although one was due."""
        for kind in list(self._kinds.values()):
            for case in list(kind.cases()):
                if not case.goes_on(now_us) or (not case.closed and case.heard_us + self._silent_us <= now_us):
                    self._drop(case.id, kind)
            if not kind.lasts(now_us):
                kind.unheard, kind.told_us = 0, None
                if not kind.own:
                    del self._kinds[_key(kind.labels)]
        for place in self._changes.values():
            _let_go(place, lambda one: (ends_us(one.entry) or now_us + 1) <= now_us)
        _let_go(self._workers, lambda one: one.at_us + WORKER_SILENT_US <= now_us)

    def postings(self, now_us: int) -> list[Posting]:
        """Everything that goes on at ``now_us``."""
        found: list[Posting] = []
        for kind in self._kinds.values():
            found += [
                Posting({**kind.labels, "incident": case.id}, case.annotations or {}, case.starts_us)
                for case in kind.own.values()
                if case.goes_on(now_us)
            ]
            if kind.lasts(now_us):
                found.append(_others(kind))
        found += [_changed(key, list(place.values())) for key, place in self._changes.items() if place]
        return found + list(self._degraded())

    def _degraded(self) -> Iterator[Posting]:
        """One alert a reason, whatever the number of workers."""
        for reason in DegradedReason:
            told = [
                (one, cause) for one in self._workers.values() for cause in one.entry.causes if cause.reason is reason
            ]
            if told:
                lines = [f"{one.entry.who}: {cause.detail}" for one, cause in told[:SAMPLES]]
                yield Posting(
                    {**self._labels, "alertname": DEGRADED, "severity": "high", "reason": reason.value},
                    {
                        "summary": f"{len(told):,} degraded: {reason.value}",
                        "description": cut("; ".join(lines)),
                    },
                    min(parse_time_us(one.entry.time) for one, _ in told),
                )

    def tell(self, now_us: int) -> None:
        """The receiver has taken all of `postings` at ``now_us``."""
        for kind in self._kinds.values():
            for case in kind.cases():
                case.told_us = now_us if case.told_us is None else case.told_us
            if kind.unheard and kind.told_us is None:
                kind.told_us = now_us


def _others(kind: Kind) -> Posting:
    cases = list(kind.others.values())
    starts = [case.starts_us for case in cases] + ([kind.unheard_us] if kind.unheard else [])
    ended = f", and {kind.unheard:,} that have ended" if kind.unheard else ""
    beside = f" beside the {len(kind.own):,} with an alert of their own" if kind.own else ""
    lines = "; ".join(case.line for case in cases[:SAMPLES])
    annotations = {
        "summary": f"{len(cases):,} more incidents{beside}{ended}",
        "description": cut(lines or "all of them have ended"),
        "look_up": "weir incidents",
    }
    return Posting(dict(kind.labels), annotations, min(starts))


def _let_go(place: dict[str, Trouble], over: Callable[[Trouble], bool]) -> None:
    for name in [name for name, one in place.items() if over(one)]:
        del place[name]


def _changed(key: Key, troubles: Sequence[Trouble]) -> Posting:
    """One alert, however many places it holds in."""
    annotations = change_annotations(troubles[-1].entry)
    if len(troubles) > 1:
        annotations["summary"] = cut(f"{annotations['summary']}; {len(troubles):,} such in all")
    return Posting(dict(key), annotations, min(parse_time_us(one.entry.time) for one in troubles))


def _keep(place: dict[str, Trouble], key: str, trouble: Trouble) -> None:
    if goes_on(trouble.entry):
        place[key] = trouble
    else:
        place.pop(key, None)


def _key(labels: Labels) -> Key:
    return tuple(sorted(labels.items()))
