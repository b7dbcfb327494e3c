"""Tests run on a tree of which one module has another source than its file."""

import importlib
import importlib.abc
import importlib.util
import multiprocessing
import os
import sys
import types
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.machinery import ModuleSpec, SourceFileLoader
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Final

import hypothesis
import hypothesis.strategies
import msgspec.inspect
import numba.core.cgutils
import numba.extending
import pytest
import pytest_timeout  # type: ignore[import-untyped]  # ships no types
import xxhash

LAYERS: Final = ("schemas", "detectors", "streams", "deploy", "tests")
PRELOADED: Final = (hypothesis.strategies, msgspec.inspect, numba.extending, numba.core.cgutils, pytest_timeout, xxhash)
"""What tests import: a process that is forked has it, and begins at once."""
LOOKS_FOR_PLUGINS: Final = "PYTEST_DISABLE_PLUGIN_AUTOLOAD"
PREFETCH: Final = "detectors.core.prefetch"
ENDLESS: Final = "(no end, or a crash)"
SLOW_S: Final = 20
"""A test that takes longer when it is interpreted is run compiled."""
MUTANT_S: Final = 120
"""So long a test of a mutant may take: one that takes longer on a busy machine has noticed nothing."""
LONGEST_S: Final = 1_800.0


@dataclass(frozen=True, slots=True)
class Mutant:
    """A module with another source."""

    module: str
    path: Path
    source: str


class Loader(SourceFileLoader):
    """Loads a mutant; the file, whose time stamp the compiler's cache goes by, stays as it is."""

    def __init__(self, mutant: Mutant) -> None:
        super().__init__(mutant.module, str(mutant.path))
        self._source = mutant.source

    def get_code(self, fullname: str) -> types.CodeType:
        """The mutant's own, never what is kept of the file's."""
        return compile(self._source, self.path, "exec", dont_inherit=True)


class Finder(importlib.abc.MetaPathFinder):
    """Finds the mutant in the place of its file."""

    def __init__(self, mutant: Mutant) -> None:
        self._mutant = mutant

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: types.ModuleType | None = None
    ) -> ModuleSpec | None:
        """Only of the one module."""
        if fullname != self._mutant.module:
            return None
        return importlib.util.spec_from_file_location(fullname, self._mutant.path, loader=Loader(self._mutant))


class Failures:
    """A plugin that remembers what failed."""

    def __init__(self) -> None:
        self.names: list[str] = []

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """A test, or what it stands on."""
        if report.failed:
            self.names.append(report.nodeid)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """A file that cannot be imported."""
        if report.failed:
            self.names.append(report.nodeid)


def run(root: Path, tests: Sequence[str], mutant: Mutant | None = None, *, cache: Path | None = None) -> list[str]:
    """Run tests of the tree at ``root`` in a process of their own; returns which failed, with a mutant the first.

    Loops are compiled into ``cache``, and interpreted without one: a mutant that only loops see then needs no compiler,
    and small inputs take less time than it would.
    """
    context = multiprocessing.get_context("fork")
    here, there = context.Pipe(duplex=False)
    process = context.Process(target=_run, args=(root, tests, mutant, cache, there))
    process.start()
    there.close()
    try:
        failed: list[str] = here.recv() if here.poll(LONGEST_S) else [ENDLESS]
    except EOFError:
        failed = [ENDLESS]
    process.kill()
    process.join()
    return failed


def _run(root: Path, tests: Sequence[str], mutant: Mutant | None, cache: Path | None, told: Connection) -> None:
    os.chdir(root)
    sys.path.insert(0, str(root))
    for name in [name for name in sys.modules if name.partition(".")[0] in LAYERS]:
        del sys.modules[name]
    for stream in (1, 2):
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream)
    os.environ[LOOKS_FOR_PLUGINS] = "1"
    options = ["-q", "--noconftest", "-p", "no:cacheprovider", "-c", str(root / "pyproject.toml")]
    if mutant is not None:
        sys.meta_path.insert(0, Finder(mutant))
        # A loop without an end is left with the process: who would catch an exception might begin anew.
        options += ["--exitfirst", "--timeout-method", "thread", "--timeout", str(MUTANT_S)]
    os.environ |= {"NUMBA_CACHE_DIR": str(cache or ""), "NUMBA_DISABLE_JIT": str(int(cache is None))}
    numba.core.config.reload_config()  # type: ignore[no-untyped-call]  # has no types
    if cache is None:
        _interpret()
        options += ["-W", "ignore::RuntimeWarning", *([] if mutant else ["--timeout", str(SLOW_S)])]
    hypothesis.settings.register_profile("mutants", deadline=None, derandomize=True, database=None)
    hypothesis.settings.load_profile("mutants")
    failures = Failures()
    code = pytest.main([*options, *tests], plugins=[pytest_timeout, failures])
    # Of a file whose tests are all to be compiled none is left to be interpreted.
    passed = code in {pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED}
    told.send([] if passed else failures.names or [f"(pytest: {code!r})"])
    told.close()


def _interpret() -> None:
    """Leave out what only compiled loops can do, and changes no result."""
    if importlib.util.find_spec(PREFETCH.partition(".")[0]) and importlib.util.find_spec(PREFETCH):
        vars(importlib.import_module(PREFETCH))["prefetch"] = lambda at, arrays: None
