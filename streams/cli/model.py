"""``weir model``: what was learned, and what cannot be seen yet."""

from datetime import UTC, datetime
from pathlib import Path

import click
import msgspec
from rich.console import Console
from rich.table import Table

from schemas import topic
from schemas.codec import DECODE_ERRORS, MsgpackCodec
from schemas.errors import UsageError
from schemas.model import ModelDelta
from streams import config
from streams.cli.option import bootstrap_option, config_option, effective, json_option, kafka_at, print_json
from streams.cli.table import table_console
from streams.live.topics import partitions
from streams.live.whole_topic import records
from streams.pipeline.model.models import Models
from streams.pipeline.model.summary import Summary, summarise
from streams.settings import KafkaSettings, Settings

EXAMPLES = """\b
Examples:
  weir model show --bootstrap localhost:9092
  weir model show build/found/model.json
"""


@click.group("model", epilog=EXAMPLES)
def model() -> None:
    """Say what was learned, and what cannot be seen yet."""


@model.command("show", epilog=EXAMPLES)
@click.argument("file", required=False, type=click.Path(path_type=Path, dir_okay=False))
@bootstrap_option
@config_option
@json_option
def show(file: Path | None, bootstrap: str | None, config_file: Path | None, as_json: bool) -> None:
    """Print the newest complete model.

    It is read from the model topic, or from FILE, the model.json of a replay.
    """
    if file is not None:
        summary = read(file)
    else:
        settings = effective(config_file)
        models = fetch(settings, kafka_at(settings, bootstrap))
        summary = summarise(models, settings, config.detectors(settings, None))
    if as_json:
        print_json(msgspec.to_builtins(summary))
    else:
        print_summary(summary, table_console())


def read(file: Path) -> Summary:
    """A summary as `weir replay` writes it.

    Raises:
        UsageError: it cannot be read, or is none.
    """
    try:
        return msgspec.json.decode(file.read_bytes(), type=Summary)
    except OSError as error:
        raise UsageError(f"{file}: {error.strerror or error}") from error
    except DECODE_ERRORS as error:
        raise UsageError(f"{file}: {error}") from error


def fetch(settings: Settings, kafka: KafkaSettings) -> Models:
    """Everything on the model topic, merged as a worker does.

    Raises:
        TransportError: the broker cannot be reached or refuses, or there is no such topic.
    """
    name, activity = (settings.kafka.prefix + one.name for one in (topic.MODEL, topic.ACTIVITY))
    found = partitions(kafka, [name, activity])
    models, codec = Models(settings.model, found[activity]), MsgpackCodec(ModelDelta)
    for record in records(kafka, name, found[name]):
        if record.value is not None:
            models.add(codec.decode(record.value))
    return models


def print_summary(summary: Summary, console: Console) -> None:
    """The same as tables."""
    since = summary.learning_since_s
    left = summary.learning_left_s
    members = "unknown" if summary.members is None else f"{summary.members:,.0f}"
    head = Table(show_header=False, box=None)
    head.add_row("model", summary.model)
    whole = "complete" if summary.complete else "not complete"
    head.add_row("partitions", f"{summary.partitions_heard} of {summary.partitions_expected}, {whole}")
    learning = "nothing yet" if since is None else datetime.fromtimestamp(since, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    head.add_row("learning since", f"{learning}, {f'ripe in {left / 3600:.1f} h' if left else 'ripe'}")
    head.add_row("members", f"{members} ({'configured' if summary.members_configured else 'estimated'})")
    head.add_row("profiles known", f"{summary.profiles:,}")
    head.add_row("principals a day", f"{summary.principals_a_day:,.0f}")
    console.print(head)
    bins = Table("popularity", "honest", "members", "ratio", box=None)
    for place, (q, u) in enumerate(zip(summary.honest, summary.uniform, strict=True)):
        met = "0" if place == 0 else f"{1 << (place - 1)} and more"
        bins.add_row(met, f"{q:.4f}", f"{u:.4f}", f"{q / u:.2f}" if u > 0 else "-")
    console.print(bins)
    lessons = Table("lessons", "counted", "places", box=None)
    for one in summary.lessons:
        lessons.add_row(one.table, f"{one.total:,.0f}", f"{one.places:,}")
    console.print(lessons)
    limits = Table("population", "days", "tail from", "mean excess", "alert", "block", "limits", box=None)
    for each in summary.populations:
        tail = ["-" if n is None else f"{n:.2f}" for n in (each.start, each.mean_excess)]
        numbers = (f"{each.alert:.1f}", f"{each.block:.1f}")
        limits.add_row(each.name, f"{each.principal_days:,.0f}", *tail, *numbers, each.why or "fitted")
    console.print(limits)
    console.print("cannot see yet:" + ("".join(f"\n  {one}" for one in summary.blind) or " nothing"), highlight=False)
