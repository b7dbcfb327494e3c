"""`python -m tests.bench.formats`: lines/s of each format, one thread, by CPU time; from bytes to packed events."""

import argparse
import sys
import time
from collections.abc import Sequence
from typing import Final

from rich.console import Console
from rich.table import Table

from streams.inputs.reader import Reader, reader_of
from streams.pipeline.batch import Batch
from streams.pipeline.observe.adapted import read_any
from streams.settings import InputSettings
from tests.streams.inputs.samples import SAMPLES, Sample, otlp_logs

LINES: Final = 20_000
BATCH: Final = 10_000
IN_A_BATCH: Final = 100
"""Log records in one of OTLP."""
BIG: Final = 10**7


def lines_of(sample: Sample, count: int) -> list[bytes]:
    """So many lines of a format, of different profiles."""
    return [sample.value.replace(b"/people/7", b"/people/%d" % (1_000_000 + n)) for n in range(count)]


def reader(name: str) -> Reader:
    """As it is configured."""
    return reader_of(InputSettings(format=name, zone="UTC", trusted_proxies=("10.0.0.0/8",)))  # type: ignore[arg-type]


def per_s(by: Reader, values: Sequence[bytes], events: int) -> float:
    """Events a second of CPU."""
    began = time.process_time()
    for at in range(0, len(values), BATCH):
        batch = Batch("t", 0, at, at + len(values[at : at + BATCH]), values[at : at + BATCH])
        if read_any(batch, BIG, by).dead:
            raise AssertionError("a line of the benchmark is none")
    return events / (time.process_time() - began)


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.formats", description=__doc__)
    parser.add_argument("--lines", type=int, default=LINES, help=f"of each format (default: {LINES})")
    parser.add_argument("--runs", type=int, default=3, help="of which the best counts (default: 3)")
    given = parser.parse_args(arguments)
    table = Table("format", "bytes", "configured", "auto", box=None)
    for sample in SAMPLES:
        if sample.value[:1] == b"\n":
            continue
        lines = lines_of(sample, given.lines)
        rates = [
            max(per_s(reader(name), lines, len(lines)) for _ in range(given.runs)) for name in (sample.format, "auto")
        ]
        kind = "JSON" if sample.value[:1] == b"{" else "text"
        table.add_row(f"{sample.format} ({kind})", f"{len(sample.value)}", *(f"{rate:,.0f}" for rate in rates))
    batches = [otlp_logs(IN_A_BATCH)] * (given.lines // IN_A_BATCH)
    rates = [
        max(per_s(reader(name), batches, len(batches) * IN_A_BATCH) for _ in range(given.runs))
        for name in ("otlp", "auto")
    ]
    about = f"{len(batches[0]) // IN_A_BATCH}"
    table.add_row(f"otlp (protobuf, {IN_A_BATCH} a record)", about, *(f"{rate:,.0f}" for rate in rates))
    Console(width=None if sys.stdout.isatty() else 100).print(table)
    return 0


if __name__ == "__main__":
    sys.exit(main())
