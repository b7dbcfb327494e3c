"""The hunt itself: a toy of which one limit is tested on both sides, one on one side, and one in a compiled loop."""

import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

from tests.mutants.alive import ALIVE
from tests.mutants.limit import limits

ROOT: Final = Path(__file__).resolve().parents[2]
FILES: Final = {
    "pyproject.toml": '[tool.pytest.ini_options]\npythonpath = ["."]\naddopts = ["--import-mode=importlib"]\n',
    "detectors/__init__.py": "",
    "detectors/core/__init__.py": "",
    "detectors/core/near.py": """
from typing import Final

import numba

NEAR: Final = 0


@numba.njit(cache=True)
def near(x):
    return x <= NEAR
""",
    "detectors/toy.py": """
from detectors.core.near import near


class Config:
    limit: int = 5
    spare: float = 2.0


def speaks(x):
    return x >= Config.limit and not near(x)
""",
    "tests/detectors/test_toy.py": """
from detectors.toy import Config, speaks


def test_both_sides():
    assert not speaks(4)
    assert speaks(5)


def test_one_side():
    assert Config.spare < 2.1
""",
    "tests/detectors/core/test_near.py": """
from detectors.core.near import near


def test_compiled():
    assert near.py_func(0)
    assert near(0) and not near(1)
""",
}


@pytest.fixture
def toy(tmp_path: Path) -> Path:
    """A tree with a detector."""
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
    return tmp_path


def hunt(root: Path, *options: str) -> tuple[int, list[str]]:
    """What `python -m tests.mutants` returns and says of a tree."""
    command = [sys.executable, "-m", "tests.mutants", "--root", str(root), *options]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    return done.returncode, (done.stdout + done.stderr).splitlines()


def test_who_dies(toy: Path) -> None:
    """What a test notices, in whichever way its loops run, dies of it; what none notices is told, and is an error."""
    code, lines = hunt(toy, "--told")
    assert code == 1
    assert lines[:-1] == [
        "detectors/toy.py:6 Config.limit: 5 -> 6: died of tests/detectors/test_toy.py::test_both_sides",
        "detectors/toy.py:6 Config.limit: 5 -> 4: died of tests/detectors/test_toy.py::test_both_sides",
        "detectors/toy.py:7 Config.spare: 2.0 -> 2.2: died of tests/detectors/test_toy.py::test_one_side",
        "detectors/toy.py:7 Config.spare: 2.0 -> 1.8: ALIVE",
        "detectors/core/near.py:6 NEAR: 0 -> 1: died of tests/detectors/core/test_near.py::test_compiled",
    ]
    assert lines[-1].startswith("5 mutants: 4 killed, 1 alive, of these 1 not known; ")
    assert {str(each.relative_to(toy)) for each in toy.rglob("*") if each.is_file()} == set(FILES)


def test_nothing_lives(toy: Path) -> None:
    """Where all die, the end is no error."""
    code, lines = hunt(toy, "detectors/toy.py", "--name", "limit")
    assert code == 0
    assert [line.partition(";")[0] for line in lines] == ["2 mutants: 2 killed, 0 alive, of these 0 not known"]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("import nothing_of_that_name\n", "fails without any: tests/detectors/test_toy.py"),
        (None, "no tests of detectors/toy.py"),
    ],
)
def test_nothing_dies_of_a_broken_test(toy: Path, text: str | None, says: str) -> None:
    """Tests that fail by themselves, or are not there, are told of, and no mutant is said to have died."""
    file = toy / "tests/detectors/test_toy.py"
    file.unlink() if text is None else file.write_text(text, encoding="utf-8")
    assert hunt(toy, "detectors/toy.py") == (1, [f"mutants: {says}"])


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("A: Final = 3", [("A", "3", ("4", "2"))]),
        ("A: Final = 300", [("A", "300", ("330", "270"))]),
        ("A: Final = 0.5", [("A", "0.5", ("0.55", "0.45"))]),
        ("A: Final = 7 * 86_400", [("A", "7", ("8", "6")), ("A", "86_400", ("95040", "77760"))]),
        ("A: Final = -2.0", [("A", "2.0", ("2.2", "1.8"))]),
        ("A: Final = np.array([0.0, 1])", [("A", "0.0", ("1.0",)), ("A", "1", ("2", "0"))]),
        ("P = Limits(minute=300)", [("P", "300", ("301", "299"))]),
        ("class C:\n    a: int = 300", [("C.a", "300", ("301", "299"))]),
        ("class C:\n    a: int = 30_000", [("C.a", "30_000", ("33000", "27000"))]),
        ('class C:\n    a: float = float("inf")', [("C.a", 'float("inf")', ("10.0",))]),
        ("a: int = 3\nb = 3\nA, B = 0, 1\nC: Final = True\nD: Final = 'x'\nE: Final = A", []),
        ("def f(x: int = 3):\n    A: Final = 3", []),
        ("class C:\n    a = 3\n    b: Annotated[int, Meta(ge=3)]\n    c: Map = {'d': 3}", []),
    ],
)
def test_limits(source: str, found: list[tuple[str, str, tuple[str, ...]]]) -> None:
    """Numbers that stand for a limit, and what they are changed to."""
    assert [(each.name, each.old, each.new) for each in limits(source)] == found


@pytest.mark.parametrize("file", ALIVE)
def test_what_may_live_is_there(file: str) -> None:
    """Whatever has a reason is a limit yet."""
    assert set(ALIVE[file]) <= {each.name for each in limits((ROOT / file).read_text(encoding="utf-8"))}


def test_a_mutant_differs_in_one_place() -> None:
    """Everything else stands where it stood, behind letters of two bytes as well."""
    source = '"""Größe."""\nA: Final = "é", 3  # é\nB: Final = 3\n'
    first, second = limits(source)
    assert first.mutant(source, "4") == source.replace("3  #", "4  #")
    assert second.mutant(source, "4") == source.replace("B: Final = 3", "B: Final = 4")
