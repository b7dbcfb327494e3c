"""``weir config``: checks a configuration, shows the effective one."""

from collections.abc import Iterator, Mapping
from pathlib import Path

import click
import msgspec
from rich.console import Console
from rich.table import Table

from streams.cli.option import config_option, effective, json_option, print_json
from streams.config import revision

EXAMPLES = """\b
Examples:
  weir config check --config deploy/weir.toml
  weir config show
  weir config show --config deploy/weir.toml --json
"""


@click.group("config", epilog=EXAMPLES)
def config() -> None:
    """Check a configuration, or show the effective one."""


@config.command("check", epilog=EXAMPLES)
@config_option
def check(config_file: Path | None) -> None:
    """Read the configuration as a worker would; the first mistake is said with file, line and reason, exit status 2."""
    settings = effective(config_file)
    click.echo(f"{config_file or 'defaults'}: right, revision {revision(settings)}")


@config.command("show", epilog=EXAMPLES)
@config_option
@json_option
def show(config_file: Path | None, as_json: bool) -> None:
    """Print every key with the value in force; the ending of a name is its unit."""
    settings = msgspec.to_builtins(effective(config_file))
    if as_json:
        print_json(settings)
        return
    table = Table("key", "value", box=None)
    for key, value in _leaves(settings, ""):
        table.add_row(key, value)
    Console().print(table)


def _leaves(value: object, path: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, Mapping) and value:
        for name, inner in value.items():
            yield from _leaves(inner, f"{path}.{name}" if path else str(name))
    elif isinstance(value, list | tuple) and value and isinstance(value[0], Mapping):
        for place, inner in enumerate(value):
            yield from _leaves(inner, f"{path}[{place}]")
    else:
        yield path, "" if value is None else msgspec.json.encode(value).decode()
