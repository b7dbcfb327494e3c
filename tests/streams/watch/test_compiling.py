"""Loops are compiled in a process of its own."""

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Final

from streams.watch.compiling import COMPILING_MAX_S

SCRIPT: Final = """
import logging, sys
from streams.config import parse
from streams.pipeline.checkpoint.snapshot import bucket_of
from streams.watch.compiling import load
from tests.streams.watch import warming

logging.basicConfig(format="%(levelname)s %(message)s", level="INFO", stream=sys.stdout)
if __name__ == "__main__":
    load(parse(""), warming.WARM, longest_s=LONGEST)
    stats = bucket_of.stats
    print("loaded", sum(stats.cache_hits.values()), "compiled", sum(stats.cache_misses.values()))
    print("translating", "numba.np.polynomial.polynomial_core" in sys.modules)
"""
KEEPS: Final = "this process compiles, and keeps more memory"
ROOT: Final = Path(__file__).parents[3]


def begun(directory: Path, warm: str, longest_s: float = COMPILING_MAX_S) -> "subprocess.Popen[str]":
    """A process that loads with nothing compiled but what lies in ``directory``."""
    script = directory / "script.py"
    script.write_text(SCRIPT.replace("WARM", warm).replace("LONGEST", str(longest_s)))
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(directory / "cache"), "PYTHONPATH": str(ROOT)}
    return subprocess.Popen([sys.executable, str(script)], env=environment, stdout=subprocess.PIPE, text=True)


def said(directory: Path, warm: str, longest_s: float = COMPILING_MAX_S) -> list[str]:
    """What such a process prints."""
    with begun(directory, warm, longest_s) as process:
        output, _ = process.communicate(timeout=120)
    assert process.returncode == 0, output
    return output.splitlines()


def test_this_process_never_compiles(tmp_path: Path) -> None:
    """The first start has another compile, and says so; the next one has nothing to say."""
    assert said(tmp_path, "one_loop") == [
        "INFO compiling, which takes a minute, once: bucket_of is in no file yet",
        "loaded 1 compiled 0",
        "translating False",
    ]
    assert said(tmp_path, "one_loop") == ["loaded 1 compiled 0", "translating False"]


def test_where_that_fails_it_compiles_itself(tmp_path: Path) -> None:
    """A process that is killed for want of memory must not keep the watch from beginning."""
    assert said(tmp_path, "not_apart") == [
        "INFO compiling, which takes a minute, once: bucket_of is in no file yet",
        f"WARNING compiling apart ended with status 3, and bucket_of is in no file: {KEEPS}",
        "loaded 0 compiled 1",
        "translating True",
    ]


def test_a_compiler_that_hangs_is_killed(tmp_path: Path) -> None:
    """It holds the start for so long and no longer."""
    assert said(tmp_path, "hanging", longest_s=1) == [
        "INFO compiling, which takes a minute, once: bucket_of is in no file yet",
        f"WARNING compiling apart was killed after 1 s, and bucket_of is in no file: {KEEPS}",
        "loaded 0 compiled 1",
        "translating True",
    ]


def test_where_no_process_can_begin_it_compiles_itself(tmp_path: Path) -> None:
    """Where no more are allowed, say, or there is no memory for one."""
    assert said(tmp_path, "no_process") == [
        "INFO compiling, which takes a minute, once: bucket_of is in no file yet",
        f"WARNING compiling apart failed: No such file or directory, and bucket_of is in no file: {KEEPS}",
        "loaded 0 compiled 1",
        "translating True",
    ]


def test_where_no_thread_can_begin_it_compiles_itself(tmp_path: Path) -> None:
    """Likewise where the process that compiles could not be watched."""
    assert said(tmp_path, "no_thread") == [
        "INFO compiling, which takes a minute, once: bucket_of is in no file yet",
        f"WARNING compiling apart failed: can't start new thread, and bucket_of is in no file: {KEEPS}",
        "loaded 0 compiled 1",
        "translating True",
    ]


def test_where_nothing_can_be_kept_it_goes_on(tmp_path: Path) -> None:
    """A disk without room costs each start a minute, and no more than that."""
    told = said(tmp_path, "no_room")
    assert told[0].startswith("INFO compiling")
    assert told[1].startswith("WARNING compiling apart ended with status 0, and bucket_of is in no file")
    assert told[2].startswith("WARNING what is compiled cannot be kept")
    assert told[2].endswith("File too large")
    assert told[3] == "loaded 0 compiled 1"


def test_who_is_killed_leaves_nobody_behind(tmp_path: Path) -> None:
    """What compiles for a watch that is gone ends."""
    with begun(tmp_path, "for_ever") as process:
        assert process.stdout is not None
        first, other = process.stdout.readline(), int(process.stdout.readline())
        assert first.startswith("INFO compiling")
        assert Path(f"/proc/{other}").exists()
        process.kill()
        process.wait(30)
        deadline = time.monotonic() + 30
        while Path(f"/proc/{other}").exists() and time.monotonic() < deadline:
            time.sleep(0.05)
        assert not Path(f"/proc/{other}").exists()
