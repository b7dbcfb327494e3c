"""`weir challenge` as a process, and its report."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from streams.challenge.comparing import Row
from tests.broker.installation import ROOT, Installation, Worker


@dataclass(slots=True)
class Challenge:
    """Processes of `weir challenge`, one after another, with one report."""

    weir: Installation
    file: Path
    out: Path

    def start(self, *options: str, **environment: str) -> Worker:
        """Start it and wait until it compares."""
        log = self.file.with_name(f"challenge-{len(self.weir.workers)}.log")
        command = [sys.executable, "-m", "streams.cli", "challenge", "--config", str(self.weir.config), "--every", "1"]
        command += ["--challenger", str(self.file), "--out", str(self.out), *options]
        with log.open("wb") as output:
            process = subprocess.Popen(
                command,
                cwd=ROOT,
                env={**os.environ, **environment},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
            )
        one = Worker(process, log)
        self.weir.workers.append(one)
        self.weir.wait(lambda: "comparing from" in one.output(), "the comparison")
        return one

    def summary(self) -> dict[str, Any]:
        """The counts."""
        found: dict[str, Any] = json.loads((self.out / "summary.json").read_bytes())
        return found

    def rows(self) -> list[Row]:
        """The differences."""
        lines = (self.out / "difference.ndjson").read_bytes().splitlines()
        return [msgspec.json.decode(line, type=Row) for line in lines]

    def only(self, kind: str, by: str) -> set[str]:
        """Actors of whom only one has spoken."""
        return {row.actor for row in self.rows() if (row.kind, row.by) == (kind, by)}
