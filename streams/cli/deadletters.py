"""`weir deadletters`: what could not be read, and sending it again."""

import heapq
import re
import sys
import time
from base64 import b64encode
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, ParamSpec, TypeVar

import click
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from schemas.errors import UsageError
from schemas.event_time import format_time, parse_time_us
from streams.cli.option import (
    SECONDS,
    bootstrap_option,
    config_option,
    effective,
    json_option,
    kafka_at,
    print_json,
    printable,
)
from streams.cli.table import columns, table_console
from streams.live.letters import Bin, Choice, Letter, LetterId, Plan, Sent, plan

P = ParamSpec("P")
R = TypeVar("R")
Row = dict[str, object]
"""A letter without its bytes."""

LIST_EXAMPLES = """\b
Examples:
  weir deadletters list
  weir deadletters list --since 2h --reason timestamp
  weir deadletters list --show 3/1702
  weir deadletters list --limit 1000 --json
"""
REPLAY_EXAMPLES = """\b
Examples:
  weir deadletters replay --dry-run
  weir deadletters replay --since 2026-11-24T09:00:00Z --reason '$.url.path'
  weir deadletters replay --limit 100
"""
EXAMPLES = LIST_EXAMPLES + REPLAY_EXAMPLES.replace("\b\nExamples:\n", "")

_AGO: Final = re.compile(r"(\d{1,6})([smhd])")


class Since(click.ParamType):
    """A time, or how long ago it was, in milliseconds since 1970."""

    name = "time"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """``90s``, ``30m``, ``2h``, ``7d``, or whatever `parse_time_us` reads."""
        if isinstance(value, int):
            return value
        ago = _AGO.fullmatch(str(value))
        if ago is not None:
            return int(time.time() * 1000) - int(ago[1]) * SECONDS[ago[2]] * 1000
        try:
            return parse_time_us(str(value)) // 1000
        except ValueError as error:
            self.fail(f"{value!r} is neither an age such as 30m, 2h or 7d nor a time: {error}", param, ctx)


class Name(click.ParamType):
    """A letter's name, ``PARTITION/OFFSET``."""

    name = "letter"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> LetterId:
        """Two numbers."""
        if isinstance(value, LetterId):
            return value
        partition, _, offset = str(value).partition("/")
        if not (partition.isdecimal() and offset.isdecimal()):
            self.fail(f"{value!r} is no letter; the first column of the list names them, as 3/1702", param, ctx)
        return LetterId(int(partition), int(offset))


def choice_options(command: Callable[P, R]) -> Callable[P, R]:
    """``--reason``, ``--since``, ``--limit``."""
    for option in (
        click.option("--limit", type=click.IntRange(min=1), help="At most so many."),
        click.option("--since", type=Since(), default=0, help="Written since: 30m, 2h, 7d ago, or an RFC 3339 time."),
        click.option("--reason", default="", help="With this text in error, place or reason, whatever its case."),
    ):
        command = option(command)
    return command


@click.group("deadletters", epilog=EXAMPLES)
def deadletters() -> None:
    """Say what could not be read, and send it again."""


@deadletters.command("list", epilog=LIST_EXAMPLES)
@choice_options
@click.option("--show", type=Name(), help="Print one letter whole, by its name in the first column.")
@bootstrap_option
@config_option
@json_option
def list_letters(
    reason: str,
    since: int,
    limit: int | None,
    show: LetterId | None,
    bootstrap: str | None,
    config_file: Path | None,
    as_json: bool,
) -> None:
    """List dead letters, the newest last, and how many there are by reason.

    Of many the newest 50, or --limit; the counts are of all. --show prints one with key, headers and bytes: what
    cannot be printed is escaped as in Python, and so is a backslash.
    """
    box = Bin(kafka_at(effective(config_file), bootstrap))
    if show is not None:
        print_letter(one(box, show), as_json=as_json)
        return
    newest, reasons = newest_of(box.letters(since), Choice(reason, since), limit or 50)
    if as_json:
        print_json({"letters": newest, "reasons": dict(reasons.most_common())})
    else:
        print_letters(newest, reasons)


@deadletters.command("replay", epilog=REPLAY_EXAMPLES)
@choice_options
@click.option("--topic", "topics", multiple=True, help="Send to this topic too, beside input.topic; may be repeated.")
@click.option("--dry-run", is_flag=True, help="Say what would be sent, and send nothing.")
@bootstrap_option
@config_option
@json_option
def replay_letters(
    reason: str,
    since: int,
    limit: int | None,
    topics: tuple[str, ...],
    dry_run: bool,
    bootstrap: str | None,
    config_file: Path | None,
    as_json: bool,
) -> int:
    """Send dead letters again to the topic and partition that they came from: in the order they had there.

    Key, value and original headers are untouched; the timestamp is that of the letter. One run sends a record once,
    the next run sends it again: --since and --reason say which. What fails again is a new dead letter. Exit status 1
    when something was left out or refused.
    """
    settings = effective(config_file)
    box = Bin(kafka_at(settings, bootstrap))
    planned = plan(box.letters(since), Choice(reason, since), {settings.input.topic, *topics}, limit)
    sent = Sent()
    if not dry_run:
        with _progress(len(planned.chosen)) as told:
            sent = box.send(planned, told)
    if as_json:
        print_json(summary(planned, sent, dry_run=dry_run))
    else:
        print_summary(planned, sent, dry_run=dry_run)
    return 1 if planned.foreign or sent.refused else 0


def one(box: Bin, name: LetterId) -> Letter:
    """The letter of that name.

    Raises:
        UsageError: there is none, or none any more.
    """
    letter = next(box.named([name]), None)
    if letter is None:
        raise UsageError(f"{box.topic}: there is no letter {name}, or none any more")
    return letter


def newest_of(letters: Iterator[Letter], choice: Choice, limit: int) -> tuple[list[Row], Counter[str]]:
    """The newest ``limit`` letters that ``choice`` takes, in order of time, and counts by reason of all it takes."""
    reasons, kept = Counter[str](), list[tuple[int, LetterId, Row]]()
    for letter in filter(choice.takes, letters):
        reasons[letter.reason] += 1
        # Rows and no letters: a letter has up to 16 MiB.
        heapq.heappush(kept, (letter.time_ms, letter.id, row(letter)))
        if len(kept) > limit:
            heapq.heappop(kept)
    return [listed for _, _, listed in sorted(kept)], reasons


def row(letter: Letter) -> Row:
    """What the list says of a letter."""
    return {
        "letter": str(letter.id),
        "time": format_time(letter.time_ms * 1000),
        "topic": letter.said.topic,
        "partition": letter.said.partition,
        "offset": letter.said.offset,
        "stage": letter.said.stage,
        "exception": letter.said.exception,
        "reason": letter.said.message,
        "size_bytes": letter.size_bytes,
    }


def print_letters(rows: list[Row], reasons: Counter[str]) -> None:
    """A row a letter, then a row a reason."""
    if not rows:
        click.echo("no dead letters")
        return
    table = Table(*columns("letter", "place", "time", "stage", "reason", "bytes"))
    for each in rows:
        place = "{topic}[{partition}]@{offset}".format_map(each)
        cells = (each["letter"], place, each["time"], each["stage"], each["reason"], f"{each['size_bytes']:,}")
        table.add_row(*(Text(printable(str(cell))) for cell in cells))
    counts = Table(*columns("reason", "letters"))
    for reason, count in reasons.most_common():
        counts.add_row(Text(printable(reason)), f"{count:,}")
    console = table_console()
    console.print(table)
    console.print(counts)
    console.print(f"{len(rows):,} of {reasons.total():,} shown", highlight=False)


def print_letter(letter: Letter, *, as_json: bool) -> None:
    """All of one letter, such that no byte of it can do anything to a terminal."""
    if as_json:
        headers = [[name, base64(value)] for name, value in letter.headers]
        record = {"key_base64": base64(letter.key), "value_base64": base64(letter.value)}
        print_json(row(letter) | record | {"headers_base64": headers})
        return
    for name, text in row(letter).items():
        click.echo(f"{name}: {printable(str(text))}")
    click.echo(f"key: {escaped(letter.key)}")
    for header, value in letter.headers:
        click.echo(f"header {printable(header)}: {escaped(value)}")
    click.echo(f"value: {escaped(letter.value)}")


def escaped(value: bytes | None) -> str:
    """Bytes as text: what is no UTF-8, or cannot be printed, as Python writes it in a literal."""
    return "null" if value is None else "".join(map(_escaped, value.decode("utf-8", "surrogateescape")))


def _escaped(char: str) -> str:
    if char.isprintable() and char != "\\":
        return char
    code = ord(char)
    # Bytes that are no UTF-8 come as lone surrogates.
    return f"\\x{code - 0xDC00:02x}" if 0xDC80 <= code <= 0xDCFF else char.encode("unicode_escape").decode()


def base64(value: bytes | None) -> str | None:
    """For a program to read."""
    return None if value is None else b64encode(value).decode()


def summary(planned: Plan, sent: Sent, *, dry_run: bool) -> dict[str, object]:
    """What a run did, or would do."""
    return {
        "dry_run": dry_run,
        "chosen": len(planned.chosen),
        "sent": sent.sent,
        "refused": dict(sent.refused),
        "reasons": dict(planned.reasons.most_common()),
        "same_record": planned.same_record,
        "other_topics": dict(planned.foreign),
    }


def print_summary(planned: Plan, sent: Sent, *, dry_run: bool) -> None:
    """The same in lines."""
    if dry_run:
        click.echo(f"would send {len(planned.chosen):,} dead letters again")
    else:
        click.echo(f"sent {sent.sent:,} of {len(planned.chosen):,} dead letters again")
    for reason, count in planned.reasons.most_common():
        click.echo(f"  {count:,}: {printable(reason)}")
    if planned.same_record:
        click.echo(f"{planned.same_record:,} left out: another letter tells of the same record")
    for name, count in planned.foreign.items():
        click.echo(f"{count:,} left out: {printable(name)} is not input.topic; --topic {printable(name)} sends them")
    for error, count in sent.refused.items():
        click.echo(f"{count:,} refused by the broker: {error}")
    if sent.sent:
        click.echo("what fails again is a new dead letter: weir deadletters list --since 10m")


@contextmanager
def _progress(total: int) -> Iterator[Callable[[], None]]:
    """A bar on a terminal, nothing elsewhere."""
    if not sys.stderr.isatty():
        yield lambda: None
        return
    columns = (TextColumn("sending"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("sending", total=total)
        yield lambda: bar.advance(task)
