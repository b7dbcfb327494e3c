"""Labelled days as files: simulated once, replayed in processes of their own."""

import hashlib
import multiprocessing
import resource
import sys
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Final, ParamSpec, TypeVar

import msgspec

from schemas.incident import Incident
from streams.offline import simulate as simulator
from streams.offline.replay import replay, write
from streams.offline.report import Report
from streams.offline.simulate import PRESETS, Plan, simulate
from streams.offline.simulate import write as write_day
from streams.offline.truth import Truth, read_labels
from streams.settings import Settings
from tests.evaluate.figures import Run

PRESET: Final = "evaluate"
MADE: Final = "made.txt"
"""Digest of what a day was made from, beside it."""

P = ParamSpec("P")
R = TypeVar("R")


def plan_of(preset: str, seed: int, people: int | None, exponent: float | None) -> Plan:
    """The plan of a seed; with another number of ``people``, visitors and members grow or shrink likewise."""
    plan = replace(PRESETS[preset], seed=seed)
    if people is not None:
        share = people / plan.people
        anonymous, members = round(plan.anonymous * share), max(round(plan.members * share), 1_000)
        plan = replace(plan, people=people, anonymous=anonymous, members=members)
    return plan if exponent is None else replace(plan, popularity_exponent=exponent)


def digest(plan: Plan) -> str:
    """Changes with the plan and with any file of the simulator."""
    made = hashlib.sha256(repr(plan).encode())
    for file in sorted(Path(simulator.__file__).parent.rglob("*.py")):
        made.update(file.read_bytes())
    return made.hexdigest()


def ensure(plan: Plan, folder: Path) -> bool:
    """Writes the day of a plan into ``folder`` unless it lies there already; returns whether it was written."""
    made, wanted = folder / MADE, digest(plan)
    if made.is_file() and made.read_text(encoding="utf-8") == wanted:
        return False
    made.unlink(missing_ok=True)
    apart(_make, plan, folder)
    made.write_text(wanted, encoding="utf-8")
    return True


def _make(plan: Plan, folder: Path) -> None:
    write_day(simulate(plan), folder)


def judge(seed: int, folder: Path, settings: Settings) -> Run:
    """Replays the day in ``folder``, writes what `weir replay` writes beside it and reads it again."""
    peak_bytes = apart(_judge, folder, settings)
    return Run(
        seed,
        msgspec.json.decode((folder / "report.json").read_bytes(), type=Report),
        msgspec.json.Decoder(Incident).decode_lines((folder / "incidents.ndjson").read_bytes()),
        read_labels(folder / "labels.json"),
        peak_bytes,
    )


def _judge(folder: Path, settings: Settings) -> int:
    truth = Truth(read_labels(folder / "labels.json"))
    write(replay([folder / "events.ndjson"], settings, truth=truth), folder)
    unit_bytes = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit_bytes


def apart(function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    """Calls it in a process of its own, whose peak of memory is its own and which gives all of it back."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        return pool.submit(function, *args, **kwargs).result()
