"""`weir bouncers`: who may ask `weir serve`."""

from collections.abc import Iterable
from pathlib import Path

import click
from rich.table import Table

from schemas.errors import UsageError
from streams.cli.option import config_option, effective, json_option, print_json
from streams.cli.table import columns, table_console

EXAMPLES = """\b
Examples:
  weir bouncers add edge-1
  weir bouncers list
  weir bouncers remove edge-1
"""
ADD_EXAMPLES = """\b
Examples:
  weir bouncers add edge-1
  weir bouncers add login --scopes username,session --types ban,captcha,throttle
  weir bouncers add edge-2 --config deploy/weir.toml --json
"""
LIST_EXAMPLES = """\b
Examples:
  weir bouncers list
  weir bouncers list --json
"""
REMOVE_EXAMPLES = """\b
Examples:
  weir bouncers remove edge-1
"""


@click.group("bouncers", epilog=EXAMPLES)
def bouncers() -> None:
    """Make, list and remove the keys of enforcers.

    They stand in the file that serve.keys_file names, as digests. Every replica of weir serve needs the same file, and
    sees a change of it at once.
    """


@bouncers.command("add", epilog=ADD_EXAMPLES)
@click.argument("name")
@click.option("--scopes", default="ip,range", show_default=True, help="The most that it may see.")
@click.option("--types", default="ban,captcha", show_default=True, help="Likewise; add throttle only if it knows it.")
@config_option
@json_option
def add(name: str, scopes: str, types: str, config_file: Path | None, as_json: bool) -> None:
    """Make a key for an enforcer and print it, this once.

    Scopes are ip, range, as, username, session, fingerprint, fingerprint_asn and combination. Take a key for each
    enforcer: two that share one are told apart by their address only.
    """
    from streams.clock import wall_clock_us
    from streams.pipeline.enforce.target import KNOWN, spelled
    from streams.pipeline.enforce.word import TYPES
    from streams.serve import keys

    wanted = _among([spelled(each) for each in _parts(scopes)], KNOWN, "scope")
    path = Path(effective(config_file).serve.keys_file)
    key = keys.add(path, name, wanted, _among(_parts(types), TYPES.values(), "type"), wall_clock_us())
    if as_json:
        print_json({"name": name, "key": key})
    else:
        click.echo(key)


@bouncers.command("list", epilog=LIST_EXAMPLES)
@config_option
@json_option
def list_bouncers(config_file: Path | None, as_json: bool) -> None:
    """List enforcers, without their keys, which nobody knows any more."""
    from streams.serve import keys

    found = keys.read(Path(effective(config_file).serve.keys_file)).bouncers
    if as_json:
        rows = [{"name": one.name, "added": one.added, "scopes": one.scopes, "types": one.types} for one in found]
        print_json({"bouncers": rows})
        return
    table = Table(*columns("bouncer", "added", "scopes", "types"))
    for one in found:
        table.add_row(one.name, one.added, ", ".join(one.scopes), ", ".join(one.types))
    table_console().print(table)


@bouncers.command("remove", epilog=REMOVE_EXAMPLES)
@click.argument("name")
@config_option
def remove(name: str, config_file: Path | None) -> None:
    """Take an enforcer's key back; from then on it is refused."""
    from streams.serve import keys

    keys.remove(Path(effective(config_file).serve.keys_file), name)
    click.echo(f"{name}: removed")


def _parts(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


def _among(wanted: list[str], known: Iterable[str], what: str) -> tuple[str, ...]:
    names = list(known)
    wrong = [each for each in wanted if each not in names]
    if wrong or not wanted:
        raise UsageError(f"there is no {what} {', '.join(wrong) or 'given'}; there are {', '.join(names)}")
    return tuple(dict.fromkeys(wanted))
