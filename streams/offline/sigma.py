"""Sigma correlation rules of the type ``value_count`` as limits of the detector `profile_rate`.

Of all that Sigma can say, "so many distinct values of a field by so many fields in a time span" is what Weir's windows
count: distinct profiles, by an actor's scope, in a minute, ten minutes, an hour or a day. Everything else is said to be
left out, with the reason.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

import yaml
from sigma.collection import SigmaCollection
from sigma.correlations import (
    SigmaCorrelationCondition,
    SigmaCorrelationConditionOperator,
    SigmaCorrelationRule,
    SigmaCorrelationType,
)
from sigma.exceptions import SigmaError

from schemas.errors import ConfigError, InputError
from streams.config import parse

SCOPES: Final[dict[frozenset[str], str]] = {
    **{frozenset({name}): "account" for name in ("user.id", "user.name", "cs-username", "user")},
    **{frozenset({name}): "session" for name in ("session.id",)},
    **{frozenset({name}): "ip" for name in ("client.address", "client.ip", "source.ip", "c-ip", "src_ip")},
    **{frozenset({name}): "asn" for name in ("client.as.number", "source.as.number")},
    **{frozenset({name}): "fingerprint" for name in ("tls.client.ja4", "tls.client.ja3")},
    frozenset({"tls.client.ja4", "client.as.number"}): "fingerprint_asn",
}
"""Scope by the fields that a rule groups by."""
PROFILES: Final = frozenset({"weir.target.id", "url.path", "url.original", "cs-uri-stem", "c-uri", "c-uri-path"})
"""Fields whose distinct values are profiles."""
WINDOWS: Final = {60: "minute", 600: "ten_minutes", 3_600: "hour", 86_400: "day"}
_MORE: Final = {SigmaCorrelationConditionOperator.GTE: 0, SigmaCorrelationConditionOperator.GT: 1}


@dataclass(slots=True)
class Translation:
    """What could be expressed, and what could not."""

    limits: dict[tuple[str, str], int] = field(default_factory=dict)
    """By scope and window."""
    from_rules: dict[tuple[str, str], str] = field(default_factory=dict)
    """Title of the rule that each came of."""
    remarks: list[str] = field(default_factory=list)
    """A line each: which rule, and what about it."""

    def toml(self) -> str:
        """The limits as a part of the configuration; empty where there are none."""
        return "\n".join(self._lines())

    def _lines(self) -> Iterator[str]:
        for scope in dict.fromkeys(scope for scope, _ in self.limits):
            yield f"[detectors.profile_rate.{scope}]"
            for window in WINDOWS.values():
                if (scope, window) in self.limits:
                    yield f"{window} = {self.limits[scope, window]}  # {self.from_rules[scope, window]}"
            yield ""


def translate(text: str, file: str, made: Translation) -> None:
    """Add limits for all correlation rules of a YAML ``text`` to ``made``.

    Raises:
        InputError: it is no YAML, or no Sigma rule; names ``file``.
    """
    try:
        # pySigma takes every document for a mapping.
        if not all(isinstance(document, dict) for document in yaml.safe_load_all(text)):
            raise InputError(file, "not every document is a rule")
        rules = SigmaCollection.from_yaml(text).rules
    except (SigmaError, yaml.YAMLError) as error:
        raise InputError(file, " ".join(str(error).split())) from error
    correlations = [rule for rule in rules if isinstance(rule, SigmaCorrelationRule)]
    for rule in correlations:
        _add(made, rule)
    if not correlations:
        made.remarks.append(f"{file}: no correlation rule; a rule on single events counts nothing")


class _Inexpressible(Exception):  # noqa: N818 - no error: what a rule says, and Weir does not
    """A rule, or a part of one, that is left out."""


def _add(made: Translation, rule: SigmaCorrelationRule) -> None:
    title = "".join(filter(str.isprintable, " ".join(str(rule.title or rule.name or "a rule without a title").split())))
    try:
        place, limit = (_scope(rule), _window(rule)), _limit(rule)
        _require_accepted(place, limit)
    except _Inexpressible as reason:
        made.remarks.append(f"{title}: left out: {reason}")
        return
    if made.limits.get(place, limit) < limit:
        made.remarks.append(f"{title}: left out: {made.from_rules[place]} is stricter")
        return
    made.limits[place], made.from_rules[place] = limit, title
    chosen = ", ".join(str(one.reference) for one in rule.rules or ())
    made.remarks.append(f"{title}: what counts is chosen by [[surfaces]], not by {chosen}: see that they agree")


def _scope(rule: SigmaCorrelationRule) -> str:
    if rule.type is not SigmaCorrelationType.VALUE_COUNT:
        raise _Inexpressible(f"its type is {rule.type.name.lower()}; only value_count counts distinct profiles")
    by = frozenset(rule.group_by or ())
    if by not in SCOPES:
        raise _Inexpressible(f"no scope is grouped by {', '.join(sorted(by)) or 'nothing'}")
    return SCOPES[by]


def _window(rule: SigmaCorrelationRule) -> str:
    seconds = rule.timespan.seconds
    if seconds not in WINDOWS:
        windows = ", ".join(f"{each} s" for each in WINDOWS)
        raise _Inexpressible(f"its time span is {rule.timespan.spec}; the windows are {windows}")
    return WINDOWS[seconds]


def _limit(rule: SigmaCorrelationRule) -> int:
    condition = rule.condition
    if not isinstance(condition, SigmaCorrelationCondition) or condition.op not in _MORE:
        raise _Inexpressible("its condition is not gte or gt; a limit is passed upwards")
    fields = condition.fieldref if isinstance(condition.fieldref, list) else [condition.fieldref]
    if not PROFILES.issuperset(map(str, fields)):
        raise _Inexpressible(f"it counts {', '.join(map(str, fields))}; Weir counts profiles")
    return int(condition.count) + _MORE[condition.op]


def _require_accepted(place: tuple[str, str], limit: int) -> None:
    """Refuse what the configuration would: a limit below its floor would hit people."""
    scope, window = place
    try:
        parse("", changes={f"detectors.profile_rate.{scope}.{window}": limit})
    except ConfigError as error:
        raise _Inexpressible(error.reason) from error
