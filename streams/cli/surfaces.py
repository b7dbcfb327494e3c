"""``weir surfaces``: what of a platform's requests discloses profiles."""

from pathlib import Path

import click
import msgspec
from rich.table import Table

from streams.cli.option import config_option, effective, json_option, print_json
from streams.cli.table import columns, table_console
from streams.surfaces.sets import SETS
from streams.toml import toml_of_surfaces

EXAMPLES = """\b
Examples:
  weir surfaces learn access.log
  weir surfaces learn access.log.1.gz access.log > surfaces.toml
  weir surfaces list
  weir surfaces list forums
"""


@click.group("surfaces", epilog=EXAMPLES)
def surfaces() -> None:
    """Find out which requests disclose profiles."""


@surfaces.command("learn", epilog=EXAMPLES)
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path, dir_okay=False), metavar="FILE...")
@config_option
@json_option
def learn_(files: tuple[Path, ...], config_file: Path | None, as_json: bool) -> int:
    """Propose [[surfaces]] from request logs, each with what speaks for it; exit status 1 when there is nothing to say.

    What no name says of that it shows people stands in a comment: a log cannot tell a member from a product.
    """
    from streams.offline.surfaces import learn, toml_of

    learned = learn(files, effective(config_file).input)
    if as_json:
        print_json({"proposals": msgspec.to_builtins(learned.proposals), "requests": learned.requests})
    else:
        click.echo(toml_of(learned), nl=False)
        click.echo(
            f"{learned.requests:,} served requests, {learned.unreadable:,} unreadable lines, "
            f"{len(learned.proposals)} proposals",
            err=True,
        )
    return 0 if learned.proposals else 1


@surfaces.command("list", epilog=EXAMPLES)
@click.argument("name", required=False, type=click.Choice(list(SETS)), metavar="[SET]")
@json_option
def list_(name: str | None, as_json: bool) -> None:
    """List the ready sets that [surface_sets] can use, or print one as TOML to take and change."""
    named = {each: one for each, one in SETS.items() if name in (None, each)}
    if as_json:
        print_json(
            {each: {"fits": one.fits, "surfaces": msgspec.to_builtins(one.surfaces)} for each, one in named.items()}
        )
    elif name is not None:
        for one in named.values():
            click.echo(f"# {one.fits}\n{toml_of_surfaces(one.surfaces)}", nl=False)
    else:
        table = Table(*columns("set", "surfaces", "fits"), box=None)
        for each, one in named.items():
            table.add_row(each, str(len(one.surfaces)), one.fits)
        table_console().print(table)
