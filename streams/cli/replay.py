"""``weir replay``: recorded requests through the same pipeline, offline."""

import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final, get_args

import click
import msgspec
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from schemas.mode import Mode
from streams.cli.option import bootstrap_option, config_option, effective, json_option, kafka_at, printable
from streams.cli.table import table_console
from streams.offline.overriding import read_overrides
from streams.offline.reading import KAFKA, Source
from streams.offline.replay import Progress as Told
from streams.offline.replay import replay as run
from streams.offline.replay import write
from streams.offline.report import show
from streams.offline.truth import Truth, read_labels
from streams.publication import Publication, read_publications
from streams.settings import InputFormat, KafkaSettings

FORMATS: Final = get_args(InputFormat)
EXAMPLES = """\b
Examples:
  weir replay build/day/events.ndjson --out build/found
  weir replay build/day/events.ndjson --out build/found --labels build/day/labels.json --mode enforce
  weir replay /var/log/nginx/access.log* --out build/found --show-bad 5
  weir replay monday.ndjson.gz tuesday.ndjson.gz --out build/found --config deploy/weir.toml --no-enforce
  weir replay 'kafka://http.requests?from=2026-11-24T00:00:00Z&to=2026-11-25T00:00:00Z' --out build/found
"""


@click.command("replay", epilog=EXAMPLES)
@click.argument("inputs", nargs=-1, required=True, metavar="INPUT...")
@click.option("--out", "out", required=True, type=click.Path(path_type=Path), help="Directory to write into.")
@config_option
@bootstrap_option
@click.option(
    "--mode", type=click.Choice([m.value for m in Mode if m is not Mode.OFF]), help="Of every detector, for this run."
)
@click.option("--format", "format_name", type=click.Choice(FORMATS), help="Of the inputs, instead of input.format.")
@click.option("--labels", type=click.Path(path_type=Path), help="Who was who, as `weir simulate` writes it.")
@click.option("--show-bad", type=click.IntRange(min=0), default=0, help="Show the first N lines that cannot be read.")
@click.option(
    "--overrides", "overrides_file", type=click.Path(path_type=Path), help="Overrides, one JSON record a line."
)
@click.option("--configs", metavar="FILE|kafka", help="Published configurations, each in force from its point on.")
@click.option("--no-enforce", is_flag=True, help="Blocks deny nothing: later requests are judged as recorded.")
@click.option("--jobs", type=click.IntRange(1), help="Processes at most.  [default: 2, if the inputs are large]")
@json_option
def replay(
    inputs: tuple[str, ...],
    out: Path,
    config_file: Path | None,
    bootstrap: str | None,
    mode: str | None,
    format_name: str | None,
    labels: Path | None,
    show_bad: int,
    overrides_file: Path | None,
    configs: str | None,
    no_enforce: bool,
    jobs: int | None,
    as_json: bool,
) -> None:
    """Judge recorded requests and write alerts, blocks, incidents and a report into DIR.

    INPUT is a log of any format that [input] takes, gzip and zstd unpacked, or kafka://TOPIC?from=TIME&to=TIME: what a
    topic has by the time of its records, from the first one on and up to the last where no time is given. Files and
    partitions are read side by side in event-time order. Records that cannot be read are counted and left out.

    Each of --overrides is in force from its since on, in event time, and of several on the same actor the last one
    counts. So is each of --configs, which are records of weir.config.v1, one a line, or what stands on the topic: it
    replaces the hot sections of the configuration.
    """
    settings = effective(config_file, {} if format_name is None else {"input.format": format_name})
    truth = None if labels is None else Truth(read_labels(labels))
    kafka = kafka_at(settings, bootstrap)
    with ExitStack() as opened, _progress() as told:
        done = run(
            _opened(inputs, kafka, opened),
            settings,
            mode=None if mode is None else Mode(mode),
            enforce=not no_enforce,
            truth=truth,
            progress=told,
            show_bad=show_bad,
            overrides=() if overrides_file is None else read_overrides(overrides_file),
            configs=_published(configs, kafka),
            apart=False if jobs == 1 else None,
        )
    write(done, out)
    if as_json:
        click.echo(msgspec.json.encode(done.report))
    else:
        show(done.report, table_console())
    for line in (*done.cut, *done.bad):
        click.echo(printable(line), err=True)


def _opened(inputs: Sequence[str], kafka: KafkaSettings, opened: ExitStack) -> list[Path | Source]:
    """Inputs for a replay; what is read from a broker lasts as long as ``opened``."""
    found: list[Path | Source] = []
    for text in inputs:
        if text.startswith(KAFKA):
            # Kafka's clients take a while to import, and most replays have none.
            from streams.live.recorded import recorded

            found += opened.enter_context(recorded(text, kafka))
        else:
            found.append(Path(text))
    return found


def _published(configs: str | None, kafka: KafkaSettings) -> Sequence[Publication]:
    if configs is None:
        return ()
    if configs != "kafka":
        return read_publications(Path(configs))
    from streams.live.publications import standing

    return standing(kafka)


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
