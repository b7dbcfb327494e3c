"""``weir config``: checks a configuration, shows the effective one, compares two, publishes one, prints its schema."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

import click
import msgspec
from msgspec.structs import replace
from rich.table import Table
from rich.text import Text

from schemas.config_revision import PublishedConfig
from schemas.errors import UsageError
from schemas.event_time import parse_time_us
from streams.cli.difference import print_compared
from streams.cli.operator import Lasting, owner_of, word_options
from streams.cli.option import bootstrap_option, config_option, effective, json_option, kafka_at, print_json, printable
from streams.cli.table import columns, table_console
from streams.clock import wall_clock_us
from streams.config import revision
from streams.config_schema import config_schema
from streams.live.publications import config_entry, push, standing
from streams.publication import named, published
from streams.section import Changed, changed, mode_of, spelled

EXAMPLES = """\b
Examples:
  weir config check --config deploy/weir.toml
  weir config show
  weir config show --config deploy/weir.toml --json
  weir config diff deploy/weir.toml stricter.toml
  weir config diff deploy/weir.toml stricter.toml monday.ndjson
  weir config push --config stricter.toml --reason 'wave of 24 November'
  weir config schema > weir.schema.json
"""


@click.group("config", epilog=EXAMPLES)
def config() -> None:
    """Check a configuration, show the effective one, compare two, or publish one."""


@config.command("check", epilog=EXAMPLES)
@config_option
def check(config_file: Path | None) -> None:
    """Read the configuration as a worker would; the first mistake is said with file, line and reason, exit status 2.

    Files that it names are not opened: those of [enrich], lists of [[bots]], keys and passwords.
    """
    settings = effective(config_file)
    click.echo(f"{config_file or 'defaults'}: right, revision {revision(settings)}")
    for each in settings.surfaces:
        if each.kind in ("view", "lookup") and "{profile}" not in each.path:
            says = "without {profile} it counts only whom requests name themselves (weir.target.id, weir.targets)"
            click.echo(printable(f"[[surfaces]] path {each.path}: {says}"), err=True)


@config.command("show", epilog=EXAMPLES)
@config_option
@json_option
def show(config_file: Path | None, as_json: bool) -> None:
    """Print every key with the value in force; the ending of a name is its unit.

    A detector's mode is the one that it works in: the default where it has none of its own, never above the ceiling.
    """
    read = effective(config_file)
    in_force = {name: replace(one, mode=mode_of(read, name)) for name, one in read.detectors.items()}
    settings = msgspec.to_builtins(replace(read, detectors=in_force))
    if as_json:
        print_json(settings)
        return
    table = Table(*columns("key", "value"), box=None)
    for key, value in _leaves(settings, ""):
        table.add_row(key, value)
    table_console().print(table)


@config.command("schema", epilog=EXAMPLES)
def schema() -> None:
    """Print the JSON Schema of the configuration, for editors that check a file while it is written."""
    click.echo(msgspec.json.format(msgspec.json.encode(config_schema()), indent=2))


@config.command("diff", epilog=EXAMPLES)
@click.argument("before", type=click.Path(path_type=Path, dir_okay=False), metavar="A")
@click.argument("after", type=click.Path(path_type=Path, dir_okay=False), metavar="B")
@click.argument("inputs", nargs=-1, type=click.Path(path_type=Path), metavar="[INPUT...]")
@click.option("--jobs", type=click.IntRange(1), help="Processes at most.  [default: 2, if the inputs are large]")
@json_option
def diff(before: Path, after: Path, inputs: tuple[Path, ...], jobs: int | None, as_json: bool) -> int:
    """Say which keys differ between two files, and which of them take a restart of the workers.

    With recorded requests, INPUT, say who would be blocked by only one of the two as well. Exit status 0 when nothing
    differs, 1 when something does. Both are compared as they take effect, the environment above them.
    """
    old, new = effective(before), effective(after)
    found = changed(old, new)
    if inputs:
        return print_compared(old, new, inputs, jobs=jobs, as_json=as_json)
    if as_json:
        print_json({"before": revision(old), "after": revision(new), "changed": [asdict(one) for one in found]})
    elif found:
        print_changed(found)
    else:
        click.echo(f"the same, revision {revision(new)}")
    return 1 if found else 0


@config.command("push", epilog=EXAMPLES)
@config_option
@bootstrap_option
@word_options
@click.option(
    "--in-force-after",
    "after_s",
    type=Lasting(),
    default="10s",
    show_default=True,
    help="How long from now on, in event time; long enough for every worker to hear of it.",
)
@click.option("--restart", is_flag=True, help="Publish though some of it takes a restart of every worker.")
@json_option
def push_revision(
    config_file: Path | None,
    bootstrap: str | None,
    owner: str | None,
    reason: str,
    after_s: int,
    restart: bool,
    as_json: bool,
) -> None:
    """Publish the configuration: every worker goes by it from one point of event time on.

    What the environment of this command overrides is part of it. Sections that are a process's own ([kafka], [serve]
    and so on) are not published. Sections that take a restart must be as they were in what was published last, unless
    --restart says that the workers will be restarted with the same file.
    """
    if config_file is None:
        raise UsageError("--config FILE says what to publish")
    settings = effective(config_file)
    broker = kafka_at(settings, bootstrap)
    last = next(reversed(standing(broker)), None)
    found = [] if last is None else [one for one in changed(last.settings, settings) if not one.own]
    if last is not None and not found:
        _told(as_json, last.record, [], "nothing to publish: the same as")
        return
    _refuse_restart([one for one in found if one.restart], restart)
    who, now_us = f"operator:{owner_of(owner)}", wall_clock_us()
    made = published(settings, who, reason, now_us, now_us + after_s * 1_000_000)
    why = f"{reason}; {named(found)}" if found else reason
    change = made.revision, "" if last is None else last.record.revision, made.revision, why
    push(broker, made, config_entry(who, change, made.revision, now_us))
    _told(as_json, made, found, "published")


def _refuse_restart(cold: Sequence[Changed], restart: bool) -> None:
    if cold and not restart:
        advice = "--restart publishes it all the same"
        raise UsageError(f"takes a restart of every worker: {named(cold)}; {advice}")


def _told(as_json: bool, record: PublishedConfig, found: Sequence[Changed], what: str) -> None:
    if as_json:
        changes = [asdict(one) for one in found]
        print_json({"revision": record.revision, "in_force_from": record.in_force_from, "changed": changes})
        return
    tense = "in force" if parse_time_us(record.in_force_from) <= wall_clock_us() else "to be in force"
    click.echo(f"{what} revision {record.revision}, {tense} from {record.in_force_from}")
    if found:
        print_changed(found)
    if any(one.restart for one in found):
        click.echo("restart the workers one after another with the same file: not all of it can be taken without")


def print_changed(found: Sequence[Changed]) -> None:
    """One row a key."""
    table = Table(*columns("key", "before", "after", "takes"))
    for one in found:
        table.add_row(*map(Text, (one.key, one.before, one.after, "a restart" if one.restart else "effect at once")))
    table_console().print(table)


def _leaves(value: object, path: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, Mapping) and value:
        for name, inner in value.items():
            yield from _leaves(inner, f"{path}.{name}" if path else str(name))
    elif isinstance(value, list | tuple) and value and isinstance(value[0], Mapping):
        for place, inner in enumerate(value):
            yield from _leaves(inner, f"{path}[{place}]")
    else:
        yield path, spelled(value)
