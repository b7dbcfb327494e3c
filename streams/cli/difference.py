"""What two configurations would have done on the same requests, as ``weir config diff A B INPUT...`` prints it."""

from collections.abc import Sequence
from pathlib import Path

import click
import msgspec
from rich.table import Table
from rich.text import Text

from streams.cli.option import print_json, printable
from streams.cli.table import columns, table_console
from streams.offline.difference import BOTH, Compared, Outcome, compare
from streams.settings import Settings


def print_compared(
    first: Settings, second: Settings, inputs: Sequence[Path], *, jobs: int | None = None, as_json: bool
) -> int:
    """One row an actor that the two differ in; returns 1 when there are any, else 0. ``jobs`` is processes at most."""
    compared = compare(inputs, first, second, apart=False if jobs == 1 else None)
    if as_json:
        print_json({"same": compared.same, "differences": msgspec.to_builtins(compared.differences)})
    else:
        _print(compared)
    return 1 if compared.differences else 0


def _print(compared: Compared) -> None:
    heads = columns("only", "actor", "A", "at", "profiles", "B", "at", "profiles", "loudest")
    table = Table(*heads, box=None)
    for one in compared.differences:
        either = one.first or one.second
        names = ", ".join(either.detectors[:2]) if either is not None else ""
        only = "" if one.by == BOTH else "A" if one.second is None else "B"
        cells = only, printable(one.actor), *_cells(one.first), *_cells(one.second), names
        table.add_row(*map(Text, cells))
    if compared.differences:
        table_console(long_rows=True).print(table)
    click.echo(f"{compared.same} actors alike, {len(compared.differences)} not")


def _cells(outcome: Outcome | None) -> tuple[str, str, str]:
    return ("", "", "") if outcome is None else (outcome.action, outcome.at[:19], f"{outcome.profiles:,}")
