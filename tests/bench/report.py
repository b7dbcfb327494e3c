"""The results for people, as a table, and for programs, as JSON."""

from dataclasses import asdict
from pathlib import Path
from typing import Final

import orjson
from rich.console import Console
from rich.table import Table

from tests.bench.measure import Results, Row, Run, Spread, spread
from tests.bench.traffic import KINDS

ANY: Final = "any"
"""Traffic of a row for which it is all the same."""


def write(results: Results, about: dict[str, object], file: Path) -> None:
    """All runs and what is known about them, as JSON."""
    body = {
        **about,
        "rows": [as_json(row) for row in results.rows],
        "actors": [asdict(size) for size in results.sizes],
        "latency": asdict(results.latency) if results.latency else None,
    }
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(orjson.dumps(body, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE))


def as_json(row: Row) -> dict[str, object]:
    """One row with the spread of its runs."""
    return {
        "traffic": row.traffic,
        "what": row.what,
        "events_per_s": asdict(spread(row.runs, per_s)),
        "cpu_us_per_event": asdict(spread(row.runs, cpu_us)),
        "runs": [asdict(run) for run in row.runs],
    }


def show(results: Results, about: dict[str, object], console: Console) -> None:
    """Print it."""
    console.print(_rates(results))
    console.print(_sizes(results))
    if results.latency is not None:
        found = results.latency
        waits = f"p50 {found.p50_ms:,.0f} ms, p99 {found.p99_ms:,.0f} ms, most {found.max_ms:,.0f} ms"
        load = f"{found.events_per_s:,.0f} events/s, which keep {found.cores:.2f} cores busy"
        console.print(f"event to block at {load}: {waits} ({found.blocks} blocks)")
    for kind, meaning in KINDS.items():
        console.print(f"{kind}: {meaning}", highlight=False)
    console.print("; ".join(f"{name} {value}" for name, value in about.items() if not isinstance(value, dict)))


def per_s(run: Run) -> float:
    """Of a run, for `spread`."""
    return run.per_s


def cpu_us(run: Run) -> float:
    """Of a run, for `spread`."""
    return run.cpu_us


def _rates(results: Results) -> Table:
    table = Table(title="events/s and CPU, median (least to most)")
    for name in ("traffic, visitors", "what"):
        table.add_column(name, no_wrap=True)
    for name in ("events/s", "CPU us/event"):
        table.add_column(name, justify="right")
    for row in sorted(results.rows, key=lambda row: row.traffic == ANY):
        rate, cpu = spread(row.runs, per_s), spread(row.runs, cpu_us)
        table.add_row(row.traffic, row.what, _spelled(rate, ",.0f"), _spelled(cpu, ".2f"))
    return table


def _sizes(results: Results) -> Table:
    table = Table(title="bytes an actor")
    table.add_column("traffic, visitors")
    for name in ("actors", "held", "grown by (worker)"):
        table.add_column(name, justify="right")
    for size in results.sizes:
        grown = "" if size.resident_bytes_each is None else f"{size.resident_bytes_each:,.0f}"
        table.add_row(size.traffic, f"{size.actors:,}", f"{size.bytes_each:,.0f}", grown)
    return table


def _spelled(found: Spread, form: str) -> str:
    middle = format(found.median, form)
    return middle if found.low == found.high else f"{middle} ({found.low:{form}} to {found.high:{form}})"
