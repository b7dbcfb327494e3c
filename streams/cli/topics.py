"""`weir topics`: makes the topics, and says what differs."""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import click
from rich.table import Table

from streams.cli.option import bootstrap_option, config_option, effective, json_option, kafka_at, print_json
from streams.cli.table import columns, table_console
from streams.live import topics as live
from streams.live.topics import Difference

EXAMPLES = """\b
Examples:
  weir topics create --bootstrap localhost:9092
  weir topics check --config deploy/weir.toml --json
"""
CREATE_EXAMPLES = """\b
Examples:
  weir topics create
  weir topics create --bootstrap kafka-1:9092,kafka-2:9092
  weir topics create --config deploy/weir.toml --json
"""
CHECK_EXAMPLES = """\b
Examples:
  weir topics check
  weir topics check --config deploy/weir.toml
  weir topics check --bootstrap localhost:9092 --json
"""


@click.group("topics", epilog=EXAMPLES)
def topics() -> None:
    """Create the topics, or say what differs."""


@topics.command("create", epilog=CREATE_EXAMPLES)
@bootstrap_option
@config_option
@json_option
def create(bootstrap: str | None, config_file: Path | None, as_json: bool) -> int:
    """Make the topics that do not exist yet.

    An existing topic is never changed; what differs in it is listed. Asking twice is asking once.
    """
    settings = effective(config_file)
    broker, wanted, replication = kafka_at(settings, bootstrap), live.layouts(settings), settings.kafka.replication
    made = live.create(broker, wanted, replication)
    differences = live.check(broker, wanted, replication)
    if as_json:
        print_json({"made": made, "differences": [asdict(each) for each in differences]})
        return 0
    click.echo("\n".join(f"{name}: made" for name in made) or f"nothing to make: all {len(wanted)} topics exist")
    print_differences(differences)
    return 0


@topics.command("check", epilog=CHECK_EXAMPLES)
@bootstrap_option
@config_option
@json_option
def check(bootstrap: str | None, config_file: Path | None, as_json: bool) -> int:
    """Say in what the topics differ from what Weir needs.

    Exit status 0 when they do not, 1 when they do. More partitions, copies, time or bytes than needed is no difference.
    """
    settings = effective(config_file)
    wanted = live.layouts(settings)
    differences = live.check(kafka_at(settings, bootstrap), wanted, settings.kafka.replication)
    if as_json:
        print_json({"differences": [asdict(each) for each in differences]})
    elif not differences:
        click.echo(f"all {len(wanted)} topics are as they should be")
    else:
        print_differences(differences)
    return 1 if differences else 0


def print_differences(differences: Sequence[Difference]) -> None:
    """One row a difference; nothing when there is none."""
    if not differences:
        return
    table = Table(*columns("topic", "what", "found", "needed"))
    for each in differences:
        table.add_row(each.topic, each.what, each.found, each.needed_in_words)
    table_console().print(table)
