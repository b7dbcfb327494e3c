"""``weir simulate``: writes a labelled synthetic day."""

import sys
from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import click
import msgspec
import orjson
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from schemas.errors import UsageError
from streams.cli.table import table_console
from streams.offline.simulate import PRESETS, Day, Plan, write
from streams.offline.simulate import simulate as simulate_plan
from streams.offline.simulate.plan import SCRAPER_KINDS

EXAMPLES = """\b
Examples:
  weir simulate --out build/day
  weir simulate --out build/day --preset small --seed 7
  weir simulate --out build/day --people 5000 --quiet-days 3
  weir simulate --out build/day --scraper fleet --scraper id_walk
  weir simulate --out build/all --preset evaluate --seed 11
  weir simulate --out build/all --scraper all
  weir simulate --out build/quiet --scraper-days 0 --json
"""

ALL = "all"


class Instant(click.ParamType):
    """A time of RFC 3339."""

    name = "time"

    def convert(self, value: str | datetime, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        """Reads it; without a zone it is refused."""
        try:
            return value if isinstance(value, datetime) else msgspec.convert(value, datetime)
        except msgspec.ValidationError:
            self.fail(f"{value!r} is no time like 2026-11-24T00:00:00Z", param, ctx)


@click.command("simulate", epilog=EXAMPLES)
@click.option("--out", "out_dir", required=True, type=click.Path(path_type=Path), help="Directory to write into.")
@click.option("--preset", type=click.Choice(list(PRESETS)), default="demo", show_default=True, help="Where to begin.")
@click.option("--seed", type=int, help="Of all that is random; the same options and seed write the same bytes.")
@click.option("--start", type=Instant(), help="First instant, RFC 3339.  [default: 2026-11-24T00:00:00Z]")
@click.option("--people", type=int, help="Accounts of honest people.")
@click.option("--anonymous", type=int, help="Visitors who never log in.")
@click.option("--members", type=int, help="Profiles in the member base.")
@click.option("--popularity-exponent", type=float, help="How steep popularity is; 0.75 to 1.15 are usual.")
@click.option("--quiet-days", type=float, help="Days without scrapers, first.")
@click.option("--scraper-days", type=float, help="Days with scrapers, after them.")
@click.option(
    "--scraper",
    "scrapers",
    multiple=True,
    type=click.Choice((ALL, *SCRAPER_KINDS)),
    metavar="KIND",
    help=f"Only these, repeatable; `{ALL}` are {', '.join(SCRAPER_KINDS)}.  [default: as the preset says]",
)
@click.option("--other-ratio", type=float, help="Requests for assets and calls beside each view.")
@click.option("--route/--no-route", default=None, help="Whether requests carry http.route.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON and not a table.")
def simulate(out_dir: Path, preset: str, as_json: bool, scrapers: tuple[str, ...], **changes: object) -> None:
    """Writes a labelled synthetic time of a social platform: DIR/events.ndjson and DIR/labels.json."""
    chosen: dict[str, object] = {name: value for name, value in changes.items() if value is not None}
    if scrapers:
        chosen["scrapers"] = SCRAPER_KINDS if ALL in scrapers else scrapers
    day = simulate_plan(_changed(PRESETS[preset], chosen))
    _write(day, out_dir)
    if as_json:
        click.echo(orjson.dumps(_summary(day, out_dir), option=orjson.OPT_INDENT_2))
    else:
        _print(day, out_dir)


def _changed(plan: Plan, changes: dict[str, object]) -> Plan:
    return replace(plan, **changes)  # type: ignore[arg-type]  # names and types are those of the options above


def _write(day: Day, out_dir: Path) -> None:
    """Writes with a progress bar where somebody watches."""
    console = Console(stderr=True)
    try:
        with Progress(console=console, transient=True, disable=not sys.stderr.isatty()) as progress:
            task = progress.add_task("events", total=len(day.traffic))
            write(day, out_dir, lambda written: progress.advance(task, written))
    except OSError as error:
        raise UsageError(f"{error.filename or out_dir}: {error.strerror}") from error


def _summary(day: Day, out_dir: Path) -> dict[str, object]:
    labels = day.labels
    people = [
        {"kind": label.kind, "accounts": len(label.accounts), "addresses": len(label.addresses)}
        for label in labels.people
    ]
    scrapers = [
        {
            "id": label.id,
            "kind": label.kind,
            "rate": label.rate,
            "accounts": len(label.accounts),
            "addresses": len(label.addresses),
            "requests": label.requests,
            "profiles": label.profiles,
        }
        for label in labels.scrapers
    ]
    return {
        "events": str(out_dir / "events.ndjson"),
        "labels": str(out_dir / "labels.json"),
        "requests": len(day.traffic),
        "start": labels.start,
        "quiet_until": labels.quiet_until,
        "end": labels.end,
        "seed": labels.seed,
        "people": people,
        "scrapers": scrapers,
    }


def _print(day: Day, out_dir: Path) -> None:
    labels = day.labels
    console = table_console()
    people = ((label.kind, len(label.accounts), len(label.addresses)) for label in labels.people)
    console.print(_table("people", ("accounts", "own or shared addresses"), people))
    scrapers = (
        (label.id, len(label.accounts), len(label.addresses), label.requests, label.profiles)
        for label in labels.scrapers
    )
    if labels.scrapers:
        console.print(_table("scrapers", ("accounts", "addresses", "requests", "profiles"), scrapers))
    click.echo(f"{len(day.traffic):,} request events from {labels.start} to {labels.end}, seed {labels.seed}")
    click.echo(f"in {out_dir / 'events.ndjson'}, labels in {out_dir / 'labels.json'}")


def _table(name: str, columns: tuple[str, ...], rows: Iterable[tuple[str, *tuple[int, ...]]]) -> Table:
    table = Table(name, box=None, pad_edge=False)
    for column in columns:
        table.add_column(column, justify="right")
    for first, *numbers in rows:
        table.add_row(first, *(f"{number:,}" for number in numbers))
    return table
