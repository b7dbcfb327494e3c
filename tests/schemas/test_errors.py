import inspect
import re

import pytest

from schemas import errors
from schemas.errors import (
    BUG_EXIT_STATUS,
    CheckpointError,
    ConfigError,
    FloodError,
    GapError,
    InputError,
    RecordError,
    StopError,
    WeirError,
)

CLASSES = [item for _, item in inspect.getmembers(errors, inspect.isclass) if issubclass(item, Exception)]


@pytest.mark.parametrize("error", CLASSES, ids=lambda error: error.__name__)
def test_every_error_tells_its_operator_what_to_do(error: type[WeirError]) -> None:
    """Every class has an ``Operator:`` line of its own with something behind it."""
    text = error.__dict__["__doc__"]
    assert re.search(r"^\s*Operator: \S+", text, re.MULTILINE)


def test_tree_in_the_docstring_is_the_tree_in_the_code() -> None:
    """The drawing at the top names every class, each below its parent."""
    assert _drawn() == {item.__name__: item.__mro__[1].__name__ for item in CLASSES if item is not WeirError}


def _drawn() -> dict[str, str]:
    """Parent by class, as the drawing has it."""
    parents, path = {}, ["WeirError"]
    for line in (errors.__doc__ or "").splitlines():
        branch = re.match(r"    ((?:│   |    )*)[├└]── (\w+)", line)
        if branch:
            depth = len(branch[1]) // 4 + 1
            parents[branch[2]] = path[depth - 1]
            path[depth:] = [branch[2]]
    return parents


@pytest.mark.parametrize("error", CLASSES, ids=lambda error: error.__name__)
def test_errors_end_a_process_with_the_status_of_wrong_input(error: type[WeirError]) -> None:
    """Whatever Weir raises on purpose ends with 2, which no bug does."""
    assert error.exit_status == 2
    assert BUG_EXIT_STATUS not in (0, 1, 2, 130)


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (ConfigError("weir.toml", 7, "no such key: mod"), "weir.toml:7: no such key: mod"),
        (ConfigError("WEIR_MODE__CEILING", None, "no such mode"), "WEIR_MODE__CEILING: no such mode"),
        (InputError("day.ndjson", "no such file"), "day.ndjson: no such file"),
        (RecordError("$.url.path", "missing"), "$.url.path: missing"),
        (CheckpointError("bucket/0007", "is missing"), "checkpoint, bucket/0007: is missing"),
        (GapError("http.requests", 3, 10, 15), "http.requests[3]: sightings of offsets 10 to 14 are missing"),
        (
            FloodError("http.requests", 3, 77, 0.1, 1000, "$: is no JSON"),
            (
                "http.requests[3]: more than 0.1 of 1000 records (dead_letters.share_max) cannot be read, "
                "up to offset 77; one of them: $: is no JSON"
            ),
        ),
    ],
    ids=lambda value: type(value).__name__,
)
def test_error_is_one_line_that_begins_with_the_place(error: WeirError, line: str) -> None:
    """The text of an error is the line that a user sees."""
    assert str(error) == line


def test_stop_errors_are_no_record_errors() -> None:
    """What goes to the dead letters can never be what must stop the process."""
    assert not issubclass(RecordError, StopError)
    assert not issubclass(GapError, RecordError)
