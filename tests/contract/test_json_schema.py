import json
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from schemas.describe import DIALECT, RECORDS, record_schema
from schemas.generate import FOLDER, generated, write
from tests.contract.golden_file import lines

every_record = pytest.mark.parametrize("stem", RECORDS)


def schema_of(stem: str) -> dict[str, Any]:
    """The published schema, from its file."""
    schema: dict[str, Any] = json.loads((FOLDER / f"{stem}.v1.schema.json").read_bytes())
    return schema


def test_generated_files_are_current() -> None:
    """What lies in the folder is what the records say now; if not, run ``python -m schemas.generate``."""
    assert {path.name: path.read_bytes() for path in FOLDER.iterdir()} == dict(generated())


def test_generating_writes_every_file(tmp_path: Path) -> None:
    """The command makes the folder and all files in it."""
    write(tmp_path / "new")
    assert {path.name for path in (tmp_path / "new").iterdir()} == {name for name, _ in generated()}


@every_record
def test_schema_is_one_of_2020_12(stem: str) -> None:
    """Each file is valid in the dialect that it names, and says who it is."""
    schema = schema_of(stem)
    Draft202012Validator.check_schema(schema)
    assert schema["$schema"] == DIALECT
    assert schema["$id"] == f"urn:weir:schema:{stem}:v1"
    assert schema["title"] == RECORDS[stem].__name__
    assert schema["description"]


@every_record
def test_golden_records_are_valid(stem: str) -> None:
    """Old records, and those with keys of a later version, satisfy the schema."""
    validator = Draft202012Validator(schema_of(stem))
    for line in lines(f"{stem}.v1") + lines(f"{stem}.v1.unknown"):
        validator.validate(json.loads(line))


@every_record
def test_schema_refuses_what_lacks_a_required_key(stem: str) -> None:
    """Taking away any required key makes a golden record invalid."""
    schema = schema_of(stem)
    record = json.loads(lines(f"{stem}.v1")[0])
    for key in schema["required"]:
        rest = {name: value for name, value in record.items() if name != key}
        assert not Draft202012Validator(schema).is_valid(rest), key


@every_record
def test_schema_refuses_wrong_types(stem: str) -> None:
    """Putting an object with a list in it under any known key makes a golden record invalid."""
    schema = schema_of(stem)
    record = json.loads(lines(f"{stem}.v1")[0])
    for key in schema["properties"]:
        assert not Draft202012Validator(schema).is_valid(record | {key: {"x": [1]}}), key


def test_schema_describes_what_names_do_not_say() -> None:
    """Docstrings of fields are in the schema, on one line."""
    properties = record_schema("alert")["properties"]
    assert properties["decided_at"]["description"] == "By the wall clock of the worker."
    assert properties["decided_at"]["format"] == "date-time"


def test_schema_of_requests_takes_what_the_decoder_takes() -> None:
    """Digits, lists of headers, null, and somebody by any of three names; nobody is refused."""
    validator = Draft202012Validator(schema_of("request_event"))
    event = json.loads(lines("request_event.v1")[1])
    somebody = event | {"http.response.status_code": "404", "client.as.number": "1", "user.id": None}
    assert validator.is_valid(somebody | {"http.request.header.referer": ["a"]})
    nobody = deepcopy(event)
    del nobody["client.address"]
    assert not validator.is_valid(nobody)
    assert not validator.is_valid(nobody | {"session.id": ""})
    assert validator.is_valid(nobody | {"session.id": "s"})
