"""`python -m tests.mutants`: changes each limit of the detectors, and says which changes no test notices."""

import argparse
import ast
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from tests.mutants.alive import ALIVE
from tests.mutants.limit import Limit, limits
from tests.mutants.trial import LAYERS, Mutant, run

ROOT: Final = Path(__file__).resolve().parents[2]


def main(arguments: list[str] | None = None) -> int:
    """0 when every mutant died or is known to live, else 1."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutants", description=__doc__)
    parser.add_argument("files", nargs="*", help="of detectors, as detectors/canary.py (default: all)")
    parser.add_argument("--name", default="", help="only limits whose name holds this, as Config. or NEAR")
    parser.add_argument("--root", type=Path, default=ROOT, help="another tree (default: this one)")
    parser.add_argument("--told", action="store_true", help="tell of every mutant, with the test that it died of")
    options = parser.parse_args(arguments)
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="weir-mutants-") as name:
        hunt = Hunt(Path(name), options.root, told=options.told)
        for file in options.files or hunt.files():
            hunt.file(file, options.name)
    sys.stdout.write(
        f"{hunt.count} mutants: {hunt.count - len(hunt.alive)} killed, {len(hunt.alive)} alive, of these "
        f"{len(hunt.unknown())} not known; {time.monotonic() - began:.0f} s\n"
    )
    return 1 if hunt.unknown() else 0


@dataclass(slots=True)
class Hunt:
    """A run over a copy of the tree at ``root``, which is not touched."""

    directory: Path
    root: Path
    told: bool = False
    """Whether to tell of those that died, too."""
    count: int = 0
    alive: list[tuple[str, str]] = field(default_factory=list)
    """File and name of each limit with a mutant that no test noticed."""
    _later: dict[str, list[str]] = field(default_factory=dict)
    """By file of tests: those that do not pass, or take long, where loops are interpreted."""

    def __post_init__(self) -> None:
        forget = shutil.ignore_patterns("__pycache__")
        for layer in (self.root / name for name in LAYERS):
            if layer.is_dir():
                shutil.copytree(layer, self._tree / layer.name, ignore=forget)
        shutil.copy(self.root / "pyproject.toml", self._tree)

    @property
    def _tree(self) -> Path:
        return self.directory / "tree"

    @property
    def _compiled(self) -> Path:
        """Loops of the tree as it is."""
        return self.directory / "compiled"

    def _module(self, path: Path) -> str:
        return ".".join(path.relative_to(self._tree).with_suffix("").parts)

    def files(self) -> list[str]:
        """Sources of detectors, those that judge before what they share."""
        found = [*self._tree.glob("detectors/*.py"), *self._tree.glob("detectors/core/*.py")]
        return [str(each.relative_to(self._tree)) for each in sorted(found, key=lambda each: (len(each.parts), each))]

    def unknown(self) -> list[tuple[str, str]]:
        """Those of `alive` that nobody gave a reason for."""
        return [(file, name) for file, name in self.alive if name not in ALIVE.get(file, {})]

    def file(self, file: str, part: str = "") -> None:
        """Try every mutant of a file, and tell of those that no test notices."""
        path = self._tree / file
        source = path.read_text(encoding="utf-8")
        wanted = [each for each in limits(source) if part in each.name]
        tests = self._tests(path) if wanted else []
        for each in wanted:
            for new in each.new:
                killer = self._killer(tests, each, Mutant(self._module(path), path, each.mutant(source, new)))
                self._note(file, each, new, killer)

    def _note(self, file: str, limit: Limit, new: str, killer: str | None) -> None:
        self.count += 1
        if killer is None:
            self.alive.append((file, limit.name))
        if killer is None or self.told:
            how = f"died of {killer}" if killer else ALIVE.get(file, {}).get(limit.name, "ALIVE")
            sys.stdout.write(f"{file}:{limit.line} {limit.name}: {limit.old} -> {new}: {how}\n")
            sys.stdout.flush()

    def _killer(self, tests: Sequence[str], limit: Limit, mutant: Mutant) -> str | None:
        """The test that notices: where loops are interpreted, then those that have to be compiled."""
        later = [test for file in tests for test in self._later[file]]
        skipped = [option for test in later for option in ("--deselect", test)]
        if failed := run(self._tree, [*tests, *skipped], mutant):
            return failed[0]
        if not later:
            return None
        with tempfile.TemporaryDirectory(dir=self.directory) as fresh:
            failed = run(self._tree, later, mutant, cache=self._compiled if limit.is_field else Path(fresh))
        return failed[0] if failed else None

    def _tests(self, path: Path) -> list[str]:
        """Files of tests of a module: its own, then those of modules that import it; each passes without a mutant."""
        users = [each for each in map(self._tree.joinpath, self.files()) if self._module(path) in _imported(each)]
        names = [str(test.relative_to(self._tree)) for each in [path, *users] for test in self._own(each)]
        if not names:
            raise SystemExit(f"mutants: no tests of {path.relative_to(self._tree)}")
        for name in [name for name in names if name not in self._later]:
            self._later[name] = later = run(self._tree, [name])
            if later and (failed := run(self._tree, later, cache=self._compiled)):
                raise SystemExit(f"mutants: fails without any: {failed[0]}")
        return names

    def _own(self, path: Path) -> Iterator[Path]:
        place = self._tree / "tests" / path.parent.relative_to(self._tree)
        yield from sorted([*place.glob(f"test_{path.stem}.py"), *place.glob(f"test_{path.stem}_*.py")])


def _imported(path: Path) -> set[str]:
    parsed = ast.walk(ast.parse(path.read_text(encoding="utf-8")))
    return {each.module for each in parsed if isinstance(each, ast.ImportFrom) and each.module is not None}


if __name__ == "__main__":
    sys.exit(main())
