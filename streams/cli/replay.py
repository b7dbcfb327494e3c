"""``weir replay``: recorded requests through the same pipeline, offline."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click
import msgspec
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from schemas.mode import Mode
from streams.cli.option import config_option, effective, json_option
from streams.offline.replay import Progress as Told
from streams.offline.replay import replay as run
from streams.offline.replay import write
from streams.offline.report import show
from streams.offline.truth import Truth, read_labels

EXAMPLES = """\b
Examples:
  weir replay build/day/events.ndjson --out build/found
  weir replay build/day/events.ndjson --out build/found --labels build/day/labels.json --mode enforce
  weir replay monday.ndjson.gz tuesday.ndjson.gz --out build/found --config deploy/weir.toml --no-enforce
"""


@click.command("replay", epilog=EXAMPLES)
@click.argument("inputs", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="INPUT...")
@click.option("--out", "out", required=True, type=click.Path(path_type=Path), help="Directory to write into.")
@config_option
@click.option(
    "--mode", type=click.Choice([m.value for m in Mode if m is not Mode.OFF]), help="Of every detector, for this run."
)
@click.option("--format", "format_name", type=click.Choice(["canonical"]), default="canonical", help="Of the inputs.")
@click.option("--labels", type=click.Path(path_type=Path), help="Who was who, as `weir simulate` writes it.")
@click.option("--no-enforce", is_flag=True, help="Blocks deny nothing: later requests are judged as recorded.")
@json_option
def replay(
    inputs: tuple[Path, ...],
    out: Path,
    config_file: Path | None,
    mode: str | None,
    format_name: str,  # noqa: ARG001 - one format so far
    labels: Path | None,
    no_enforce: bool,
    as_json: bool,
) -> None:
    """Judge recorded requests and write alerts, blocks, incidents and a report into DIR.

    INPUT is NDJSON of request events, .gz unpacked; several are read side by side in event-time order.
    """
    settings = effective(config_file)
    truth = None if labels is None else Truth(read_labels(labels))
    with _progress() as told:
        done = run(
            inputs,
            settings,
            mode=None if mode is None else Mode(mode),
            enforce=not no_enforce,
            truth=truth,
            progress=told,
        )
    write(done, out)
    if as_json:
        click.echo(msgspec.json.encode(done.report))
    else:
        show(done.report, Console())


@contextmanager
def _progress() -> Iterator[Told | None]:
    """A bar on a terminal, nothing elsewhere."""
    if not sys.stderr.isatty():
        yield None
        return
    columns = (TextColumn("replay"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("replay", total=None)
        yield lambda read, total: bar.update(task, completed=read, total=total)
