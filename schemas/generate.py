"""Writes what is generated from the records: ``python -m schemas.generate``."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import msgspec

from schemas.asyncapi import document
from schemas.describe import RECORDS, Json, record_schema

FOLDER: Final = Path(__file__).with_name("generated")


def generated() -> Iterator[tuple[str, bytes]]:
    """Name and content of every generated file."""
    for stem in RECORDS:
        yield f"{stem}.v1.schema.json", _text(record_schema(stem))
    yield "asyncapi.json", _text(document())


def write(folder: Path) -> None:
    """Write all of them; files that are no longer generated stay, and a test finds them."""
    folder.mkdir(exist_ok=True)
    for name, content in generated():
        (folder / name).write_bytes(content)


def _text(content: Json) -> bytes:
    return msgspec.json.format(msgspec.json.encode(content), indent=2) + b"\n"


if __name__ == "__main__":
    write(FOLDER)
