"""Where it was measured: a figure means nothing without it."""

import os
import platform
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Final

PACKAGES: Final = ("aiokafka", "faust-streaming", "msgspec", "numba", "numpy")


def facts() -> dict[str, object]:
    """The machine and the versions, each under a name for people."""
    return {
        "at": datetime.now(UTC).strftime("%Y-%m-%dT%H:%MZ"),
        "cores": os.cpu_count(),
        "processor": _processor(),
        "load": f"{os.getloadavg()[0]:.1f}",
        "python": platform.python_version(),
        **{name: version(name) for name in PACKAGES},
    }


def _processor() -> str:
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:  # noqa: PTH123
            names = [line.partition(":")[2].strip() for line in file if line.startswith("model name")]
    except OSError:
        names = []
    return names[0] if names else platform.machine()
