"""Golden records: one file a record and version, one record a line; what once was written stays readable.

``alert.v1.ndjson`` holds records as this version writes them. ``alert.v1.unknown.ndjson`` holds the same ones with keys
of a later version, ``request_event.v1.nested.ndjson`` the same ones in the nested spelling.
"""

from pathlib import Path
from typing import Final

FOLDER: Final = Path(__file__).with_name("golden")


def lines(name: str) -> list[bytes]:
    """Records of a file, by its name without the suffix."""
    return (FOLDER / f"{name}.ndjson").read_bytes().splitlines()
