"""Loops that are loaded without what the compiler alone would need."""

import subprocess
import sys
from types import SimpleNamespace

import pytest

from streams.watch.packed import pack

pytestmark = pytest.mark.timeout(300)  # where nothing is compiled yet, that comes first

SCRIPT = """
import gc, sys
import numpy as np
from numba import njit
from numba.core.dispatcher import Dispatcher
from detectors.core.hashing import mix
from streams.config import parse
from streams.pipeline import warm_up
from streams.watch.packed import Packed, load_packed

def held():
    loops = [each for each in gc.get_objects() if isinstance(each, Dispatcher)]
    return [one.library._shared_module for loop in loops for one in loop.overloads.values()]

settings = parse("")  # which imports the detectors
print("each once", load_packed() > 30, load_packed())
warm_up.warm_up(settings)
print("packed", len(held()) > 30, all(isinstance(one, Packed) for one in held()))
print("nothing of translating", "numba.np.polynomial.polynomial_core" in sys.modules)

@njit
def anew(x):
    return mix(x) + np.uint64(1)

print("compiled around one", anew(np.uint64(3)) == mix.py_func(np.uint64(3)) + np.uint64(1))
print("and what that takes", "numba.np.polynomial.polynomial_core" in sys.modules)
"""


def test_loops_are_loaded_packed_and_compiled_around_as_ever() -> None:
    """What the compiler asks for later is there then."""
    prepared = [sys.executable, "-m", "tests.warm"]
    subprocess.run(prepared, check=True, timeout=240)
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, timeout=120, check=False)
    assert done.stdout.splitlines() == [
        "each once True 0",
        "packed True True",
        "nothing of translating False",
        "compiled around one True",
        "and what that takes True",
    ], done.stderr


def test_what_has_another_form_stays() -> None:
    """Another release of the compiler may keep nothing, or something else."""
    pack(SimpleNamespace())
    library = SimpleNamespace(_shared_module="something")
    pack(library)
    assert library._shared_module == "something"


def test_formats_that_do_not_come_take_no_room() -> None:
    """Nothing of OTLP's protobuf is loaded before there is a batch of it."""
    script = "import sys, streams.watch.process as _; print([one for one in sys.modules if 'protobuf' in one])"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=120, check=True)
    assert done.stdout == "[]\n"
