"""What commands that override share: whom and for how long, on whose word, and what is printed of it."""

import getpass
import re
from collections.abc import Callable
from ipaddress import IPv6Network, ip_network
from pathlib import Path
from typing import Final, ParamSpec, TypeVar

import click
import msgspec

from schemas.actor import Actor, Scope
from schemas.block import Block
from schemas.errors import UsageError
from schemas.event_time import format_time
from schemas.identity import stable_id
from schemas.override import Override, OverrideKind
from streams.cli.option import SECONDS, bootstrap_option, effective, kafka_at, print_json
from streams.clock import wall_clock_us
from streams.config import SUBSCRIBER_BITS
from streams.live.operating import Done, OnKafka, Operating, described, touching
from streams.pipeline.enforce.target import Network
from streams.pipeline.observe.address import parse_address
from streams.watch.state import InState

P = ParamSpec("P")
R = TypeVar("R")

STATE: Final = "weir.state"
"""Where the context of a command keeps what `place_options` was given."""
LONGEST_S: Final = 90 * 86_400
"""What should hold longer belongs into the configuration, where others see it: `[[allow]]`."""
TEXT_MAX: Final = 200
VALUE_MAX: Final = 1_000
ASN_END: Final = 1 << 32
WIDEST: Final = {4: 8, 6: 16}
"""Shortest prefix of a network that may be named; beyond it every actor is meant."""
WIDEST_BLOCKED: Final = {4: 16, 6: 32}
"""Likewise for a block: a typing error must not shut out a country."""
LISTED: Final = 10
"""Blocks that are printed one by one."""
_LASTING: Final = re.compile(r"([0-9]{1,7})([smhd])")


class Lasting(click.ParamType):
    """How long, in seconds."""

    name = "duration"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """``30m``, ``12h``, ``7d``; at most 90 days."""
        if isinstance(value, int):
            return value
        found = _LASTING.fullmatch(str(value))
        seconds = int(found[1]) * SECONDS[found[2]] if found else 0
        if not seconds:
            self.fail(f"{value!r} is no duration such as 30m, 12h or 7d", param, ctx)
        if seconds > LONGEST_S:
            self.fail(f"{value} is longer than {LONGEST_S // 86_400}d; what is to hold longer goes into [[allow]]")
        return seconds


class Words(click.ParamType):
    """A text that people read, in one line."""

    name = "text"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Without spaces around it."""
        text = str(value).strip()
        if not text or len(text) > TEXT_MAX or not text.isprintable():
            self.fail(f"write 1 to {TEXT_MAX} characters in one line", param, ctx)
        return text


def for_option(*, required: bool = False, default: str | None = None) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """``--for``, the argument ``lasting_s``."""
    text = "How long: 30m, 12h, 7d; at most 90d."
    if default is None:  # which click would take for a value
        return click.option("--for", "lasting_s", type=Lasting(), required=required, help=text)
    return click.option("--for", "lasting_s", type=Lasting(), default=default, show_default=True, help=text)


def word_options(command: Callable[P, R]) -> Callable[P, R]:
    """``--reason`` and ``--owner``; see `owner_of`."""
    command = click.option("--owner", type=Words(), help="Who answers for it, instead of who is logged in.")(command)
    return click.option("--reason", type=Words(), required=True, help="Why, for whoever asks later.")(command)


def place_options(command: Callable[P, R]) -> Callable[P, R]:
    """``--bootstrap``, the argument ``bootstrap``, or ``--state``; see `operating`."""
    kind = click.Path(path_type=Path, file_okay=False)
    text = "Directory of a weir watch, instead of Kafka."
    command = click.option("--state", type=kind, expose_value=False, callback=_keep, help=text)(command)
    return bootstrap_option(command)


def _keep(context: click.Context, _: click.Parameter, value: Path | None) -> None:
    context.meta[STATE] = value


def operating(config_file: Path | None, bootstrap: str | None) -> Operating:
    """The installation that the options name.

    Raises:
        UsageError: both a broker and a state are named, or the state is none.
    """
    settings = effective(config_file)
    state = click.get_current_context().meta.get(STATE)
    if state is None:
        return Operating(settings, OnKafka(kafka_at(settings, bootstrap)), wall_clock_us)
    if bootstrap is not None:
        raise UsageError("--state and --bootstrap name two installations")
    return Operating(settings, InState(state), wall_clock_us)


def owner_of(owner: str | None) -> str:
    """Who answers for it.

    Raises:
        UsageError: nobody is named, and the system does not know who asks.
    """
    if owner is not None:
        return owner
    try:
        return getpass.getuser()
    except (OSError, KeyError) as error:
        raise UsageError("nobody is logged in; --owner says who answers for it") from error


def override_of(kind: OverrideKind, owner: str | None, reason: str, lasting_s: int | None, **named: object) -> Override:
    """An override from now on; ``named`` are the fields that say what it is about."""
    now_us = wall_clock_us()
    until = None if lasting_s is None else format_time(now_us + lasting_s * 1_000_000)
    fields = {"kind": kind, "owner": owner_of(owner), "reason": reason, "since": format_time(now_us), "until": until}
    one = msgspec.convert({"id": "-", **fields, **named}, Override)
    return msgspec.structs.replace(one, id=stable_id("override", one.key, kind, now_us, one.owner))


def actor_of(text: str, *, blocked: bool = False) -> Actor:
    """The actor that ``scope:value`` names, spelled as Weir spells it.

    Raises:
        UsageError: there is no such scope, or nobody can have the value; or the network is too wide, to be ``blocked``
            or at all.
    """
    scope, colon, value = text.partition(":")
    known = [each.label for each in Scope]
    if scope not in known or not colon:
        advice = f"; did you mean ip:{text}?" if parse_address(text) else ""
        raise UsageError(f"{text!r} begins with no scope; there are {', '.join(known)}: account:42{advice}")
    if not value or value != value.strip() or len(value) > VALUE_MAX or not value.isprintable():
        raise UsageError(f"{scope}: a value has 1 to {VALUE_MAX} characters that can be printed, no spaces around them")
    spell = _SPELLED.get(Scope[scope.upper()])
    actor = Actor(scope, value if spell is None else spell(value))
    if scope == Scope.NET.label:
        _require_narrow(actor.value, blocked=blocked)
    return actor


def _address(value: str) -> str:
    found = parse_address(value)
    if found is not None:
        return found.ip
    network = _network(value)
    own = SUBSCRIBER_BITS if isinstance(network, IPv6Network) else network.max_prefixlen
    if network.prefixlen != own:
        raise UsageError(f"ip:{value} is a range; net:{value} names it")
    return str(network) if own == SUBSCRIBER_BITS else str(network.network_address)


def _range(value: str) -> str:
    network = _network(value)
    if "/" not in value:
        raise UsageError(f"net:{value} has no prefix; ip:{value} names an address")
    if isinstance(network, IPv6Network) and network.prefixlen > SUBSCRIBER_BITS:
        raise UsageError(f"net:{value} is narrower than /{SUBSCRIBER_BITS}, as far as IPv6 addresses are told apart")
    return str(network)


def _network(value: str) -> Network:
    if "%" in value:
        raise UsageError(f"{value!r} names an interface")
    try:
        return ip_network(value)
    except ValueError as error:
        try:
            wider = ip_network(value, strict=False)
        except ValueError:
            raise UsageError(f"{value!r} is neither an address nor a range") from error
        raise UsageError(f"{value} has bits behind its prefix; did you mean net:{wider}?") from error


def _require_narrow(value: str, *, blocked: bool) -> None:
    network, widest = ip_network(value), WIDEST_BLOCKED if blocked else WIDEST
    if network.prefixlen < widest[network.version]:
        instead = "name smaller ones" if blocked else "weir kill-switch stops all enforcement"
        raise UsageError(f"net:{value} is wider than /{widest[network.version]}; {instead}")


def _number(value: str) -> str:
    digits = value.upper().removeprefix("AS")
    if not (digits.isascii() and digits.isdecimal() and int(digits) < ASN_END):
        raise UsageError(f"asn:{value} is no number of a network, such as asn:64500")
    return str(int(digits))


def _within(value: str) -> str:
    fingerprint, at, number = value.rpartition("@")
    if not at or not fingerprint:
        raise UsageError(f"fingerprint_asn:{value} is no fingerprint@number")
    return f"{fingerprint}@{_number(number)}"


def _combination(value: str) -> str:
    name, colon, parts = value.partition(":")
    if not (name and colon and "@" in parts):
        raise UsageError(f"combination:{value} is no name:part@part, as alerts spell it")
    return value


_SPELLED: Final[dict[Scope, Callable[[str], str]]] = {
    Scope.IP: _address,
    Scope.NET: _range,
    Scope.ASN: _number,
    Scope.FINGERPRINT_ASN: _within,
    Scope.COMBINATION: _combination,
}


def near_of(done: Done) -> list[Block]:
    """What stands on other actors, and meets one that is to be let in."""
    actor = None if done.override.kind is OverrideKind.BLOCK else done.override.actor
    return [] if actor is None else touching(actor, done.standing.values())


def tell(done: Done, *, as_json: bool, ended: bool = False) -> None:
    """Print what came of it; ``ended`` when an override was taken back before its end."""
    near = near_of(done)
    if as_json:
        print_json(
            {
                "override": msgspec.to_builtins(done.override),
                "ended": ended,
                "replaced": msgspec.to_builtins(done.replaced),
                "taken_back": msgspec.to_builtins(done.taken_back),
                "made": msgspec.to_builtins(done.made),
                "touching": msgspec.to_builtins(near),
            }
        )
        return
    click.echo(f"{done.override.key}: {'ended: ' if ended else ''}{described(done.override)}")
    if done.replaced is not None and not ended:
        click.echo(f"instead of: {described(done.replaced)}, by {done.replaced.owner}: {done.replaced.reason}")
    _tell_blocks("taken back", done.taken_back)
    _tell_blocks("in force again" if ended else "in force", done.made)
    for block in near[:LISTED]:
        who = "a worker that runs takes that back, and so does" if block.detectors else "to be taken back by"
        what = f"{block.actor.key} {block.action} until {block.until}"
        click.echo(f"also touches it: {what}; {who} weir unblock {block.actor.key}")
    if len(near) > LISTED:
        click.echo(f"and {len(near) - LISTED:,} more touch it")


def _tell_blocks(what: str, blocks: list[Block]) -> None:
    for block in blocks[:LISTED]:
        why = ", ".join(block.detectors) or "an operator's"
        click.echo(f"{what}: {block.actor.key} {block.action} until {block.until} ({why})")
    if len(blocks) > LISTED:
        click.echo(f"{what}: {len(blocks):,} in all")
