"""Reads the configuration: TOML, then ``WEIR_<SECTION>__<KEY>`` from the environment, then changes, into `Settings`.

A configuration is taken whole or refused whole, with file, line and reason.
"""

import hashlib
import re
import tomllib
from collections.abc import Mapping, Sequence
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Final

import msgspec

from detectors.core.contract import Detector, DetectorConfig
from detectors.core.discovery import classes
from detectors.core.floor import below
from schemas.actor import Scope
from schemas.errors import ConfigError
from schemas.mode import Mode
from streams.inputs.zone import zone_of
from streams.notify import setting as notify
from streams.section import DECIDING, mode_of, without_lists
from streams.settings import Bot, Group, InputSettings, SecuritySettings, Settings
from streams.surfaces.sets import with_sets

PREFIX: Final = "WEIR_"
DEFAULTS: Final = "defaults"
CHANGE: Final = "--set"
"""Where a mistake in one of the changes stands."""
_PATH: Final = re.compile(r"(.*?) - at `(?:key in )?\$\.?(.*?)`$")
_UNKNOWN: Final = re.compile(r"unknown field `(.+?)`")
_TOML_PLACE: Final = re.compile(r"(.*) \(at (?:line (\d+), column \d+|end of document)\)", re.DOTALL)

_PARTS: Final = re.compile(r"[={}\[\],]")
DOTS_MAX: Final = 100
"""Far more than any key has, and any text that stands between two signs of TOML."""

PORT_MAX: Final = 65_535
SUBSCRIBER_BITS: Final = 64
"""Of an IPv6 address: who has one has all that share these."""
WIDEST_BITS: Final = {4: 8, 6: 16}
"""Shortest prefix of a verified robot's range, by version of IP."""

SECRETS: Final = {
    "kafka.security.password": "kafka.security.password_file",
    "kafka.security.key_password": "kafka.security.key_password_file",
}
"""Keys that only the environment may have, each with the one that names a file for it: `Settings` hold no secret."""

ANY: Final = "[...]"
"""How msgspec spells a key of the user's own choice."""

Table = dict[str, object]


def parse(
    text: str,
    file: str = DEFAULTS,
    environment: Mapping[str, str] | None = None,
    changes: Mapping[str, object] | None = None,
) -> Settings:
    """Effective settings of a TOML ``text``, overridden by ``environment``, then by ``changes``.

    ``changes`` are values by dotted key (``detectors.long_tail.limit``), put where the file would have them.

    Raises:
        ConfigError: it is no TOML, or a key is unknown, of a wrong type or out of range; nothing of it is in force.
    """
    text = text.removeprefix("\ufeff")
    _refuse_depth(text, file)
    try:
        table: Table = tomllib.loads(text)
    except RecursionError as error:
        raise ConfigError(file, None, "nested too deeply") from error
    except tomllib.TOMLDecodeError as error:
        found = _TOML_PLACE.fullmatch(str(error))
        line = int(found[2] or len(text.splitlines())) if found else None
        raise ConfigError(file, line, found[1] if found else str(error)) from error
    _refuse_secrets(table, file, text, changes or {})
    variables = _override(table, environment or {}) | _change(table, changes or {})
    try:
        return _settings(table)
    except msgspec.ValidationError as error:
        reason, path = _reason(error)
        line, key = line_of(text, path), ".".join(path).replace(".[", "[") or "settings"
        variable = variables.get(key)
        if variable is None and line is None:
            variable = next((name for at, name in variables.items() if at.startswith(f"{key}.")), None)
        place = (file, line) if variable is None else (variable, None)
        raise ConfigError(*place, f"{key}: {reason}") from error


def revision(settings: Settings, mode: Mode | None = None) -> str:
    """Digest of the effective settings that decisions name, and of the ``mode`` of all detectors if one was asked for.

    What is a process's own (`section.OWN`) changes no decision and does not count; nor does what is held or not sent.
    """
    settings = without_lists(settings)
    unsent = msgspec.structs.replace(settings.policy, block_age_max_s=0, lag_max_s=0)
    same = {name: getattr(settings, name) for name in DECIDING} | {"policy": unsent}
    text = msgspec.json.encode([same, mode], order="sorted")
    return f"sha256:{hashlib.sha256(text).hexdigest()[:16]}"


def detectors(settings: Settings, mode: Mode | None = None) -> list[tuple[Detector[DetectorConfig], Mode]]:
    """All detectors with their mode in force, under the ceiling; ``mode`` replaces that of every detector."""
    return [(kind(settings.detectors[name]), mode_of(settings, name, mode)) for name, kind in classes().items()]


def _settings(table: Table) -> Settings:
    sections = table.pop("detectors", {})
    settings = msgspec.convert(table, Settings, strict=False)
    if not isinstance(sections, dict):
        raise msgspec.ValidationError("Expected `object` - at `$.detectors`")
    unknown = sorted(set(sections) - set(classes()))
    if unknown:
        known = ", ".join(classes())
        raise msgspec.ValidationError(f"there is no such detector; there are {known} - at `$.detectors.{unknown[0]}`")
    configs = {name: _detector(name, kind, sections.get(name, {})) for name, kind in classes().items()}
    for list_name in ("collectors", "allow"):
        for place, entry in enumerate(getattr(settings, list_name)):
            _check_actor(entry.actor, f"{list_name}[{place}].actor")
    _check_groups(settings.groups)
    for place, bot in enumerate(settings.bots):
        _check_bot(bot, f"bots[{place}]")
    _check_input(settings.input)
    _check_security(settings.kafka.security)
    for name, listen in (("serve", settings.serve.listen), ("metrics", settings.metrics.listen)):
        if listen and int(listen.rpartition(":")[2]) > PORT_MAX:
            raise msgspec.ValidationError(f"a port is at most {PORT_MAX} - at `$.{name}.listen`")
    notify.check(settings.notify)
    if settings.policy.cooldown_s > settings.policy.incident_close_s:
        reason = "longer than incident_close_s: an incident would be closed while its findings go on"
        raise msgspec.ValidationError(f"{reason} - at `$.policy.cooldown_s`")
    own = settings.surfaces if "surfaces" in table or not settings.surface_sets.use else ()
    surfaces = with_sets(own, settings.surface_sets.use)
    return msgspec.structs.replace(settings, detectors=configs, surfaces=surfaces)


def _check_input(settings: InputSettings) -> None:
    for number, text in enumerate(settings.trusted_proxies):
        _network(text, f"input.trusted_proxies[{number}]")
    try:
        zone_of(settings.zone)
    except ValueError as error:
        raise msgspec.ValidationError(f"{error} - at `$.input.zone`") from error


def _check_security(security: SecuritySettings) -> None:
    """Refuse what would have no effect: who gives a name and is not asked for it connects as nobody."""
    protocol, place = f"has no effect with protocol {security.protocol}", "at `$.kafka.security"
    for key in ("username", "password_file"):
        if getattr(security, key) and not security.sasl:
            raise msgspec.ValidationError(f"{protocol}; sasl_ssl shows it to the broker - {place}.{key}`")
    for key in ("ca_file", "certificate_file", "key_file", "key_password_file"):
        if getattr(security, key) and not security.tls:
            raise msgspec.ValidationError(f"{protocol}; ssl and sasl_ssl use it - {place}.{key}`")
    if security.sasl and not security.username:
        raise msgspec.ValidationError(f"protocol {security.protocol} needs a name - {place}.username`")
    if security.key_file and not security.certificate_file:
        raise msgspec.ValidationError(f"a key needs its certificate_file - {place}.key_file`")


def _refuse_secrets(table: Table, file: str, text: str, changes: Mapping[str, object]) -> None:
    """Files are copied, shown and versioned, command lines are seen by every user of the machine."""
    for key, instead in SECRETS.items():
        reason = f"{key}: a password stands in no configuration; name its file in {instead}, or set {variable_of(key)}"
        if key in changes:
            raise ConfigError(CHANGE, None, reason)
        place: object = table
        for part in key.split("."):
            place = place.get(part) if isinstance(place, dict) else None
        if place is not None:
            raise ConfigError(file, line_of(text, key.split(".")), reason)


def _refuse_depth(text: str, file: str) -> None:
    """Refuse keys of so many parts that reading them takes all memory: it grows with the square of their number."""
    for number, line in enumerate(text.splitlines(), 1):
        if any(part.count(".") > DOTS_MAX for part in _PARTS.split(line.partition("#")[0])):
            raise ConfigError(file, number, "nested too deeply")


def variable_of(key: str) -> str:
    """Name of the environment variable of a dotted key."""
    return PREFIX + key.upper().replace(".", "__")


def _detector(name: str, kind: type[Detector[DetectorConfig]], section: object) -> DetectorConfig:
    try:
        read = msgspec.convert(section, kind.Config, strict=False)
    except msgspec.ValidationError as error:
        reason, _, path = str(error).partition(" - at `$")
        raise msgspec.ValidationError(f"{reason} - at `$.detectors.{name}{path.rstrip('`')}`") from error
    require_floors(name, read)
    return read


def require_floors(name: str, read: DetectorConfig) -> None:
    """Raises `msgspec.ValidationError` where a limit of the detector ``name`` lies below its floor."""
    for path, expected in below(read):
        raise msgspec.ValidationError(f"{expected}: ordinary people would trip it - at `$.detectors.{name}{path}`")


def _check_actor(actor: str, path: str) -> None:
    scope, _, value = actor.partition(":")
    known = [s.label for s in Scope]
    if scope not in known:
        raise msgspec.ValidationError(f"scope {scope!r} is none of {', '.join(known)} - at `$.{path}`")
    if scope in (Scope.IP.label, Scope.NET.label):
        _network(value, path)


def _check_groups(groups: Sequence[Group]) -> None:
    for place, group in enumerate(groups):
        if group.name in {other.name for other in groups[:place]}:
            raise msgspec.ValidationError(f"two groups are called {group.name!r} - at `$.groups[{place}].name`")
        if len(set(group.of)) < len(group.of):
            raise msgspec.ValidationError(f"names a part twice - at `$.groups[{place}].of`")


def _check_bot(bot: Bot, path: str) -> None:
    if bool(bot.ranges) == bool(bot.list_file):
        raise msgspec.ValidationError(f"needs either ranges or a list_file - at `$.{path}`")
    if bool(bot.ranges) != (bot.listed is not None):
        raise msgspec.ValidationError(
            f"ranges need the day of their list, a list_file has its own - at `$.{path}.listed`"
        )
    for number, text in enumerate(bot.ranges):
        fault = range_fault(text)
        if fault is not None:
            raise msgspec.ValidationError(f"{fault} - at `$.{path}.ranges[{number}]`")


def range_fault(text: str) -> str | None:
    """What is wrong with a range of a verified robot; None if nothing is."""
    try:
        network = ip_network(text)
    except ValueError as error:
        return str(error)
    if isinstance(network, IPv6Network) and network.prefixlen > SUBSCRIBER_BITS:
        return f"{text} is longer than /{SUBSCRIBER_BITS}: that is how far IPv6 addresses are told apart"
    least = WIDEST_BITS[network.version]
    if network.prefixlen < least:
        return f"{text} is wider than /{least}: nobody's robots have so many addresses, and all in it go unjudged"
    return None


def _network(text: str, path: str) -> IPv4Network | IPv6Network:
    try:
        return ip_network(text)
    except ValueError as error:
        raise msgspec.ValidationError(f"{error} - at `$.{path}`") from error


def _override(table: Table, environment: Mapping[str, str]) -> dict[str, str]:
    """Put ``WEIR_SECTION__KEY`` (further ``__`` go deeper) into ``table``; returns the names used, by dotted key."""
    used = {}
    for name in sorted(environment):
        if name.startswith(PREFIX) and "__" in name:
            parts = name.removeprefix(PREFIX).lower().split("__")
            if ".".join(parts) in SECRETS:
                continue
            _put(table, parts, environment[name], name)
            used[".".join(parts)] = name
    return used


def _change(table: Table, changes: Mapping[str, object]) -> dict[str, str]:
    """Put values by dotted key into ``table``; returns what to name as the place of a mistake, by dotted key."""
    for key, value in changes.items():
        _put(table, key.split("."), value, f"{CHANGE} {key}")
    return dict.fromkeys(changes, CHANGE)


def _put(table: Table, parts: list[str], value: object, name: str) -> None:
    place: Table = table
    for section in parts[:-1]:
        inner = place.setdefault(section, {})
        if not isinstance(inner, dict):
            raise ConfigError(name, None, f"{section} is no section")
        place = inner
    place[parts[-1]] = value


def _reason(error: msgspec.ValidationError) -> tuple[str, list[str]]:
    found = _PATH.match(str(error))
    reason, path = (found[1], found[2]) if found else (str(error), "")
    parts = re.findall(r"\[[^\]]*\]|[^.\[]+", path)
    unknown = _UNKNOWN.search(reason)
    return reason, [*parts, unknown[1]] if unknown else parts


def line_of(text: str, path: list[str]) -> int | None:
    """Line, from 1, at which a TOML ``text`` sets the key at ``path`` (``["surfaces", "[1]", "path"]``), if it does.

    The best known place: the key's own line, else the header of the section that lacks it.
    """
    names = [part for part in path if not part.startswith("[") or part == ANY]
    wanted = next((int(part[1:-1]) for part in path if re.fullmatch(r"\[\d+\]", part)), None)
    best, best_depth, section, seen = None, 0, list[str](), dict[str, int]()
    for number, line in enumerate(text.splitlines(), 1):
        header = re.match(r"\s*\[(\[)?\s*([^\]]+?)\s*\]", line)
        key = re.match(r"\s*([A-Za-z0-9_\-.\"]+)\s*=", line)
        if header:
            section = header[2].replace('"', "").split(".")
            if header[1]:
                seen[header[2]] = seen.get(header[2], -1) + 1
            here = section
        elif key:
            here = section + key[1].replace('"', "").split(".")
        else:
            continue
        if wanted is not None and section and seen.get(".".join(section), wanted) != wanted:
            continue
        depth = len(here) if _is_within(here, names) else 0
        if depth > best_depth:
            best, best_depth = number, depth
    return best


def _is_within(here: list[str], names: list[str]) -> bool:
    return len(here) <= len(names) and all(name in (part, ANY) for part, name in zip(here, names, strict=False))
