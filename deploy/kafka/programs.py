"""The programs that Apache Kafka needs, `java` and `mvn`, and the jars that Maven copies."""

import fcntl
import hashlib
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Final

HERE: Final = Path(__file__).resolve().parent
BUILD: Final = HERE.parent.parent / "build" / "kafka"


class ClusterError(Exception):
    """The cluster cannot be had as asked; the text is one line.

    Operator: do what the line says; the node's own log, where one is named, has the details.
    """


def libs() -> Path:
    """Directory of Kafka's jars; the first call has Maven fetch them (some 54 MB).

    Named by the content of `pom.xml`: other versions never mix with these.

    Raises:
        ClusterError: Maven is missing or failed.
    """
    pom = HERE / "pom.xml"
    target = BUILD / "libs" / hashlib.sha256(pom.read_bytes()).hexdigest()[:12]
    target.parent.mkdir(parents=True, exist_ok=True)
    with (target.parent / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not target.exists():
            fetch(pom, target)
    return target


def fetch(pom: Path, target: Path) -> None:
    """Have Maven copy the jars; `target` appears whole or not at all."""
    with tempfile.TemporaryDirectory(dir=target.parent) as scratch:
        copied = Path(scratch) / "libs"
        run([tool("mvn"), "-q", "-B", "-f", str(pom), "dependency:copy-dependencies", f"-DoutputDirectory={copied}"])
        copied.rename(target)


def tool(name: str) -> str:
    """Path of a program that must be installed."""
    found = shutil.which(name)
    if found is None:
        raise ClusterError(f"Apache Kafka needs {name}: not found on PATH")
    return found


def run(command: list[str]) -> None:
    """Run to the end; a failure becomes one line with the last thing the program said."""
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    if done.returncode:
        raise ClusterError(f"{Path(command[0]).name} failed: {last_line(done.stdout)}")


def last_line(text: str) -> str:
    """The last line that looks like the reason, else the last line that says anything."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    telling = [line for line in lines if any(word in line for word in ("Exception", "ERROR", "FATAL"))]
    return (telling or lines or ["it said nothing"])[-1]
