"""What is compiled before records wait for it."""

import subprocess
import sys
from typing import Final

import pytest

SCRIPT: Final = """
import gc
from numba.core.dispatcher import Dispatcher
from streams.config import parse
from streams.pipeline.checkpoint.snapshot import encode, restore, take
from streams.pipeline.warm_up import warm_up
from streams.pipeline.batch import Batch
from streams.pipeline.pipeline import Pipeline
from streams import config
from tests.days import HALF_DAY, QUICK, records

def compiled():
    loops = [each for each in gc.get_objects() if isinstance(each, Dispatcher)]
    return {(loop.py_func.__module__, loop.py_func.__qualname__, str(sig)) for loop in loops for sig in loop.overloads}

def new():
    return Pipeline(QUICK, config.detectors(QUICK), config.revision(QUICK))

warm_up(parse(""))
before = compiled()
pipeline, lines, decided = new(), [value for _, value in records(HALF_DAY)], 0
for at in range(0, len(lines), 500):
    some = lines[at : at + 500]
    _, outcomes = pipeline.feed(Batch("t", 0, at, at + len(some), some), lambda: 0)
    decided += sum(len(outcome.decisions) for outcome in outcomes)
    if at == 5000:
        snapshot = take(pipeline.assessors[0], everything=True)
        blobs = dict(encode(snapshot))
        pipeline = new()
        restore(pipeline.assessors[0], blobs)
print("decided", decided > 20, "of so many loops", len(before) > 40)
print("compiled", sorted(compiled() - before))
"""


@pytest.mark.timeout(300)  # where nothing is compiled yet, that comes first
def test_a_day_compiles_nothing() -> None:
    """With every kind of scraper, alerts, blocks, a checkpoint and what is restored of it: no record ever waits."""
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, timeout=280, check=False)
    assert done.stdout.splitlines() == ["decided True of so many loops True", "compiled []"], done.stderr
