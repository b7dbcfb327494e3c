"""JSON Schema 2020-12 of the records, with every docstring in it."""

import ast
import inspect
from collections.abc import Iterable, Iterator
from itertools import pairwise
from textwrap import dedent
from typing import Any, Final

import msgspec

from schemas.actor import Actor
from schemas.alert import Alert, Members
from schemas.audit import Audit, Cause, Change
from schemas.block import Block, Collateral
from schemas.collector_day import CollectorDay, Decided, Surfaces
from schemas.config_revision import PublishedConfig
from schemas.dead_letter import OFFSET, PARTITION, DeadLetter
from schemas.exposure import Exposure
from schemas.finding import Finding
from schemas.incident import Incident
from schemas.override import Override
from schemas.request import RequestEvent

Json = dict[str, Any]
"""A JSON object."""

RECORDS: Final[dict[str, type[msgspec.Struct]]] = {
    "request_event": RequestEvent,
    "finding": Finding,
    "incident": Incident,
    "alert": Alert,
    "block": Block,
    "dead_letter": DeadLetter,
    "audit": Audit,
    "override": Override,
    "config": PublishedConfig,
}
"""Records that somebody outside reads or writes, by the stem of their schema's file."""

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"

_NESTED: Final[tuple[type[msgspec.Struct], ...]] = (
    Actor,
    Members,
    Exposure,
    Collateral,
    Cause,
    Change,
    CollectorDay,
    Decided,
    Surfaces,
)
_DIGITS: Final = {"type": "string", "pattern": "^[0-9]+$"}
_ALSO_ACCEPTED: Final[dict[str, Json]] = {
    "http.response.status_code": _DIGITS,
    "client.as.number": _DIGITS,
    "http.request.header.referer": {"type": "array", "items": {"type": "string"}},
}
_IN_HEADERS: Final[dict[str, Json]] = {PARTITION: _DIGITS, OFFSET: _DIGITS}
_SOMEBODY: Final = ("user.id", "client.address", "session.id")


def record_schema(stem: str) -> Json:
    """Schema of one record of `RECORDS`, complete in itself."""
    record = RECORDS[stem]
    definitions = definitions_of([record], "#/$defs/{name}")
    root = definitions.pop(record.__name__)
    schema = {"$schema": DIALECT, "$id": f"urn:weir:schema:{stem}:v1"} | root
    return schema | {"$defs": definitions} if definitions else schema


def definitions_of(records: Iterable[type[msgspec.Struct]], reference: str) -> dict[str, Json]:
    """Schemas of ``records`` and of all that they hold, by name; ``reference`` is the template of a ``$ref``."""
    _, definitions = msgspec.json.schema_components(list(records), ref_template=reference)
    for struct in (*RECORDS.values(), *_NESTED):
        if struct.__name__ in definitions:
            _describe(struct, definitions[struct.__name__])
    return definitions


def _describe(struct: type[msgspec.Struct], schema: Json) -> None:
    """Add what msgspec does not know: docstrings of fields, and what only the decoder accepts."""
    documented = dict(docstrings_of(struct))
    for item in msgspec.structs.fields(struct):
        listed = schema["properties"][item.encode_name]
        if item.encode_name in _ALSO_ACCEPTED:
            listed["anyOf"].append(_ALSO_ACCEPTED[item.encode_name])
        listed = _IN_HEADERS.get(item.encode_name, listed)
        text = {"description": documented[item.name]} if item.name in documented else {}
        schema["properties"][item.encode_name] = text | listed
    if struct is RequestEvent:
        schema["anyOf"] = [_given(name) for name in _SOMEBODY]


def _given(name: str) -> Json:
    return {"required": [name], "properties": {name: {"type": "string", "minLength": 1}}}


def docstrings_of(struct: type[msgspec.Struct]) -> Iterator[tuple[str, str]]:
    """Fields of a struct with the strings that stand below them."""
    tree = ast.parse(dedent(inspect.getsource(struct))).body[0]
    assert isinstance(tree, ast.ClassDef)
    for above, below in pairwise(tree.body):
        match above, below:
            case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str(text))):
                yield name, " ".join(text.split())
