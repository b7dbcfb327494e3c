"""``weir tune``: what the same requests would have led to under other settings."""

import os
import re
import stat
import sys
import tomllib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import click
import msgspec
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn
from rich.table import Table

from schemas.errors import InputError, UsageError
from schemas.mode import Mode
from streams.cli.option import config_option, effective, json_option, print_json
from streams.cli.table import table_console
from streams.offline.chart import draw, require_kind
from streams.offline.reading import require_file
from streams.offline.report import duration
from streams.offline.truth import read_labels
from streams.offline.tune import Case, Row, Task, Told, combinations
from streams.offline.tune import tune as run
from streams.toml import toml_of

EXAMPLES = """\b
Examples:
  weir tune monday.ndjson --set detectors.long_tail.limit=8,12,16 --config weir.toml --mode enforce
  weir tune day/events.ndjson --labels day/labels.json --set detectors.profile_rate.account.hour=100,350 --mode enforce
  weir tune monday.ndjson --set policy.block_s=600,3600 --set policy.accounts_max=1,2,5 --json
  weir tune monday.ndjson --set detectors.long_tail.limit=8,12,16 --chart limits.html --write 2 weir-new.toml
  weir tune monday.ndjson --set 'detectors.long_tail.searching_tiers=[],["recruiter"]'
"""
_KEY: Final = re.compile(r"[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)+")
_WORD: Final = re.compile(r"[A-Za-z][A-Za-z0-9_-]*")


@click.command("tune", epilog=EXAMPLES)
@click.argument("inputs", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="INPUT...")
@click.option("--set", "choices", required=True, multiple=True, metavar="KEY=V,V...", help="Values to try; repeatable.")
@click.option("--labels", type=click.Path(path_type=Path), help="Who was who, as `weir simulate` writes it.")
@config_option
@click.option(
    "--mode", type=click.Choice([m.value for m in Mode if m is not Mode.OFF]), help="Of every detector, for these runs."
)
@click.option("--chart", type=click.Path(path_type=Path, dir_okay=False), help="Draw the rows there; .html or .png.")
@click.option(
    "--write",
    "chosen",
    type=(click.IntRange(0), click.Path(path_type=Path, dir_okay=False)),
    metavar="N FILE",
    help="Write the configuration of row N, from 0, ready for weir config push.",
)
@click.option("--jobs", type=click.IntRange(1), help="Processes at most.  [default: a process a core]")
@json_option
def tune(
    inputs: tuple[Path, ...],
    choices: tuple[str, ...],
    labels: Path | None,
    config_file: Path | None,
    mode: str | None,
    chart: Path | None,
    chosen: tuple[int, Path] | None,
    jobs: int | None,
    as_json: bool,
) -> None:
    """Judge the same recorded requests under several settings, a row for each.

    The first row, 0, is the configuration as it stands; then one row a value, with several --set one a combination.
    Values are TOML; a word needs no quotes. Blocks count as enforced.
    """
    wanted = read_choices(choices)
    cases = [Case(changes, effective(config_file, changes)) for changes in combinations(wanted)]
    if chosen is not None and chosen[0] >= len(cases):
        raise UsageError(f"--write {chosen[0]}: the last row is {len(cases) - 1}")
    if chart is not None:
        require_kind(chart)
    for path in inputs:
        _check_file(path)
    if labels is not None:
        read_labels(labels)
    task = Task(inputs, None if mode is None else Mode(mode), labels)
    with _progress() as told:
        rows = run(task, cases, jobs=jobs or os.cpu_count() or 1, told=told)
    if chart is not None:
        draw(rows, chart)
    if chosen is not None:
        _write(cases[chosen[0]], chosen[1])
    if as_json:
        print_json(msgspec.to_builtins(rows))
    else:
        table_console().print(table_of(rows, list(wanted)))


def _write(case: Case, path: Path) -> None:
    try:
        path.write_text(toml_of(case.settings), encoding="utf-8")
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror or error}") from error


def read_choices(texts: Sequence[str]) -> dict[str, list[object]]:
    """Values to try by dotted key, both in the order in which they were given.

    Raises:
        UsageError: one is not ``KEY=V,V``, or a key comes twice.
    """
    choices: dict[str, list[object]] = {}
    for text in texts:
        key, equals, values = text.partition("=")
        key = key.strip()
        if not equals or not _KEY.fullmatch(key):
            raise UsageError(f"--set {text}: must be KEY=V,V with a key like detectors.long_tail.limit")
        if key in choices:
            raise UsageError(f"--set {key}: given twice; put all values into one")
        choices[key] = _values(key, values)
    return choices


def _values(key: str, text: str) -> list[object]:
    try:
        found = tomllib.loads(f"values = [{text}]")
    except tomllib.TOMLDecodeError:
        found = {"values": [_value(key, part.strip()) for part in text.split(",")]}
    values = found.pop("values")
    if found or not values:
        raise UsageError(f"--set {key}: {text!r} holds no values")
    return list(values)


def _value(key: str, text: str) -> object:
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError as error:
        if _WORD.fullmatch(text):
            return text
        raise UsageError(f"--set {key}: {text!r} is no TOML value") from error


def _check_file(path: Path) -> None:
    """Every row reads it again, so a pipe will not do."""
    require_file(path)
    try:
        mode = path.stat().st_mode
    except OSError as error:
        raise InputError(str(path), error.strerror or str(error)) from error
    if not stat.S_ISREG(mode):
        raise InputError(str(path), "must be a file: it is read once for each row")


def table_of(rows: Sequence[Row], keys: Sequence[str]) -> Table:
    """A line a row; ``keys`` are those that were tried, a column each."""
    labelled = rows[0].labelled is not None
    columns = _LABELLED if labelled else _UNLABELLED
    table = Table(*_short(keys), *(_COMMON + columns + _TIMES), box=None)
    for column in table.columns:
        column.justify = "right"
    for row in rows:
        tried = [_spelled(row.set[key]) for key in keys] if row.set else ["as is", *[""] * (len(keys) - 1)]
        table.add_row(*tried, *_figures(row))
    return table


_COMMON: Final = ("alerts", "incidents", "blocks")
_LABELLED: Final = ("people\nalerted", "people\nhurt", "profiles\nleaked", "scrapers\nfound", "scrapers\nblocked")
_UNLABELLED: Final = ("accounts\nblocked", "addresses\nblocked", "requests\ndenied", "leaked\nbefore block")
_TIMES: Final = ("to\nalert", "to\nblock")


def _figures(row: Row) -> list[str]:
    label = row.labelled
    if label is None:
        numbers = [row.accounts_blocked, row.addresses_blocked, row.requests_denied, row.exposure_before_block]
    else:
        numbers = [label.people_alerted, label.people_hurt, label.leaked]
    scrapers = [] if label is None else [f"{n} of {label.scrapers}" for n in (label.found, label.blocked)]
    spelled = [f"{number:,}" for number in (row.alerts, row.incidents, row.blocks, *numbers)]
    return [*spelled, *scrapers, duration(row.time_to_alert_s), duration(row.time_to_block_s)]


def _short(keys: Sequence[str]) -> list[str]:
    """The last part of each key, the whole key where two would look the same."""
    last = [key.rpartition(".")[2] for key in keys]
    return [key if last.count(short) > 1 else short for key, short in zip(keys, last, strict=True)]


def _spelled(value: object) -> str:
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


@contextmanager
def _progress() -> Iterator[Told | None]:
    """A bar on a terminal, nothing elsewhere."""
    if not sys.stderr.isatty():
        yield None
        return
    columns = (TextColumn("tune"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("tune", total=1.0)
        yield lambda share: bar.update(task, completed=share)
