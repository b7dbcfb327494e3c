"""``weir overrides``: what operators have decided, and taking one of it back."""

from pathlib import Path

import click
from rich.table import Table
from rich.text import Text

from schemas.override import Override
from streams.cli.operator import Words, operating, owner_of, place_options, tell, word_options
from streams.cli.option import config_option, json_option, print_json
from streams.cli.table import columns, table_console
from streams.clock import wall_clock_us

EXAMPLES = """\b
Examples:
  weir overrides
  weir overrides --all --json
  weir overrides end ip:203.0.113.7 --reason 'test is over'
"""
END_EXAMPLES = """\b
Examples:
  weir overrides end account:42 --reason 'was a mistake'
  weir overrides end revoke:sha256:9f86d081884c7d65 --reason 'mended' --owner sre
"""


@click.group("overrides", epilog=EXAMPLES, invoke_without_command=True)
@click.option("--all", "everything", is_flag=True, help="Those too that have ended.")
@place_options
@config_option
@json_option
@click.pass_context
def overrides(
    ctx: click.Context, everything: bool, bootstrap: str | None, config_file: Path | None, as_json: bool
) -> None:
    """List overrides that are in force, the one that ends first at the top.

    weir overrides end takes one back. Which entries the configuration has besides, weir config show says.
    """
    if ctx.invoked_subcommand is not None:
        return
    now_us = wall_clock_us()
    found = [
        entry for entry in operating(config_file, bootstrap).overrides().all() if everything or entry.until_us > now_us
    ]
    found.sort(key=lambda entry: (entry.until_us, entry.override.key))
    if as_json:
        rows = [{"key": one.override.key, "in_force": one.until_us > now_us, **row(one.override)} for one in found]
        print_json({"overrides": rows})
        return
    table = Table(*columns("key", "kind", "until", "owner", "reason", "since"))
    for one in found:
        said = row(one.override)
        names = ("kind", "until", "owner", "reason", "since")
        cells = (one.override.key, *(str(said[name] or "further notice") for name in names))
        table.add_row(*map(Text, cells))
    table_console(long_rows=True).print(table if found else "no overrides are in force")


@overrides.command("end", epilog=END_EXAMPLES)
@click.argument("key", type=Words())
@word_options
@place_options
@config_option
@json_option
def end(
    key: str, reason: str, owner: str | None, bootstrap: str | None, config_file: Path | None, as_json: bool
) -> int:
    """Take the override under KEY back before its end; exit status 1 when there is none.

    KEY stands in the first column of the list. With an operator's block ends what it made.
    """
    done = operating(config_file, bootstrap).end(key, owner_of(owner), reason)
    if done is None:
        click.echo(f"{key}: no override is in force; weir overrides lists them")
        return 1
    tell(done, as_json=as_json, ended=True)
    return 0


def row(override: Override) -> dict[str, str | None]:
    """What the list says of one."""
    return {
        "kind": override.kind.value.replace("_", " "),
        "owner": override.owner,
        "reason": override.reason,
        "since": override.since,
        "until": override.until,
        "action": override.action,
    }
