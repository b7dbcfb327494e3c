"""`python -m tests.evaluate`: how well Weir finds scrapers and spares people, over several simulated days."""

import argparse
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec

from detectors.core.discovery import classes
from schemas.errors import WeirError
from streams.cli.main import complain
from streams.cli.option import effective
from streams.offline.simulate import PRESETS
from streams.offline.tune import Case, Row, Task, tune
from tests.evaluate.days import PRESET, ensure, judge, plan_of
from tests.evaluate.figures import Outcome, Run, added
from tests.evaluate.summary import Summary, summary_of, text_of

ROOT: Final = Path(__file__).resolve().parents[2]
CONFIG: Final = ROOT / "deploy" / "evaluate.toml"
SEEDS: Final = "101,102,103"


@dataclass(frozen=True, slots=True)
class Options:
    """What the command line asks for."""

    seeds: tuple[int, ...]
    preset: str
    people: int | None
    exponent: float | None
    without: tuple[str, ...]
    ablation: bool
    config: Path
    out: Path
    jobs: int


def read_options(arguments: Sequence[str] | None) -> Options:
    """Raises `SystemExit` for what cannot be."""
    parser = argparse.ArgumentParser(prog="python -m tests.evaluate", description=__doc__)
    add = parser.add_argument
    add("--seeds", default=SEEDS, help=f"of the days, comma separated (default: {SEEDS})")
    add("--preset", choices=list(PRESETS), default=PRESET, help=f"what each day begins from (default: {PRESET})")
    add("--people", type=int, help="accounts; visitors and members grow or shrink likewise")
    add("--exponent", type=float, help="how steep popularity is")
    add("--without", action="append", choices=list(classes()), default=[], help="a detector to leave off; repeatable")
    add("--ablation", action="store_true", help="each of the other detectors off in turn as well")
    add("--config", type=Path, default=CONFIG, help=f"(default: {CONFIG.relative_to(ROOT)})")
    add("--out", type=Path, default=ROOT / "build" / "evaluate", help="(default: build/evaluate)")
    add("--jobs", type=int, default=os.cpu_count() or 1, help="processes at most, for --ablation (default: all cores)")
    values = vars(parser.parse_args(arguments))
    try:
        values["seeds"] = tuple(dict.fromkeys(int(seed) for seed in values["seeds"].split(",")))
    except ValueError:
        parser.error(f"--seeds {values['seeds']}: must be numbers with commas between them")
    return Options(**{**values, "without": tuple(values["without"])})


def off(names: Sequence[str]) -> dict[str, object]:
    """Changes that leave detectors off."""
    return {f"detectors.{name}.mode": "off" for name in names}


def evaluate(options: Options) -> Summary:
    """Simulates, replays, writes everything below ``options.out``; says on standard error what it is at."""
    settings, runs = effective(options.config, off(options.without)), list[Run]()
    for seed in options.seeds:
        folder = options.out / str(seed)
        plan = plan_of(options.preset, seed, options.people, options.exponent)
        _say(f"seed {seed}: {'simulated' if ensure(plan, folder) else 'the day is there already'}")
        runs.append(judge(seed, folder, settings))
        _say(f"seed {seed}: {runs[-1].report.events:,} events judged in {runs[-1].report.wall_s:.0f} s")
    summary = summary_of(runs, settings, _ablation(options) if options.ablation else [])
    (options.out / "summary.json").write_bytes(msgspec.json.format(msgspec.json.encode(summary)) + b"\n")
    (options.out / "summary.md").write_text(text_of(summary), encoding="utf-8")
    return summary


def _ablation(options: Options) -> list[Outcome]:
    names = [name for name in classes() if name not in options.without]
    changes = [off([*options.without, name]) for name in names]
    cases = [Case(each, effective(options.config, each)) for each in changes]
    rows = []
    for seed in options.seeds:
        folder = options.out / str(seed)
        rows.append(tune(Task((folder / "events.ndjson",), None, folder / "labels.json"), cases, jobs=options.jobs))
        _say(f"seed {seed}: judged {len(cases)} times, each detector off in turn")
    return [
        added(name, [_outcome(row) for row in same]) for name, same in zip(names, zip(*rows, strict=True), strict=True)
    ]


def _outcome(row: Row) -> Outcome:
    found = row.labelled
    assert found is not None, "there were labels"
    return Outcome(
        "", found.scrapers, found.found, found.blocked, found.leaked, found.people_alerted, found.people_hurt
    )


def _say(text: str) -> None:
    sys.stderr.write(f"{text}\n")


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; returns the exit status."""
    options = read_options(arguments)
    try:
        summary = evaluate(options)
    except WeirError as error:
        complain(str(error))
        return error.exit_status
    except KeyboardInterrupt:
        return 130
    sys.stdout.write(text_of(summary))
    _say(f"written to {options.out}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
