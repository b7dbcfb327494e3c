"""Overrides from a file, for a replay that tries what they would have changed."""

from pathlib import Path

from schemas.errors import InputError, RecordError
from schemas.override import Override, decode_override
from streams.pipeline.policy.overrides import Overrides


def read_overrides(path: Path) -> list[Override]:
    """The records of a file, one in a line as on their topic; empty lines are left out.

    Raises:
        InputError: the file cannot be read, or a line is no override.
    """
    try:
        lines = path.read_bytes().splitlines()
    except OSError as error:
        raise InputError(str(path), error.strerror or str(error)) from error
    found: list[Override] = []
    for number, line in enumerate(lines, 1):
        try:
            one = decode_override(line) if line.strip() else None
            Overrides([] if one is None else [one])
        except RecordError as error:
            raise InputError(f"{path}:{number}", str(error)) from error
        if one is not None:
            found.append(one)
    return found
