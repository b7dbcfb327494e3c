"""`streams/serve/openapi.json` describes what there is, and what comes back."""

import re
from itertools import chain
from pathlib import Path
from typing import Any, Final

import msgspec
import pytest
from jsonschema import Draft202012Validator

from schemas.block import Action
from streams.pipeline.enforce.wording import Decision
from streams.serve import api, authz, keys, question
from tests.streams.pipeline.enforce.saying import T0_US, block
from tests.streams.serve.serving import Known, Served, tell

FILE: Final = Path(api.__file__).with_name("openapi.json")
DOCUMENT: Final[dict[str, Any]] = msgspec.json.decode(FILE.read_bytes())
METHODS: Final = ("get", "head", "post", "put", "patch", "delete", "options", "trace")
"""That the document can name; a route for every method has them all."""


def resolved(node: dict[str, Any]) -> dict[str, Any]:
    """What a reference points to, or the node itself."""
    if "$ref" not in node:
        return node
    found: dict[str, Any] = DOCUMENT
    for part in node["$ref"].removeprefix("#/").split("/"):
        found = found[part]
    return found


def validator(name: str) -> Draft202012Validator:
    """Of one of the schemas."""
    return Draft202012Validator(DOCUMENT | {"$ref": f"#/components/schemas/{name}"})


def test_routes(tmp_path: Path) -> None:
    """Every path with every method, and no other."""
    application = api.Api(Known(), keys.Keys(tmp_path / "none"), lambda: 0).application()
    routes = {
        (route.resource.canonical, method)
        for route in application.router.routes()
        if route.resource
        for method in (METHODS if route.method == "*" else [route.method.lower()])
    }
    written = {(path, method) for path, item in DOCUMENT["paths"].items() for method in item}
    assert {(path, method) for path, method in written if method in METHODS} == routes


def test_parameters() -> None:
    """Those that are read, and no others."""
    read = set(re.findall(r'_(?:one|several|boolean|number)\(query, "(\w+)"', Path(question.__file__).read_text()))
    operations = [operation for item in DOCUMENT["paths"].values() for operation in item.values()]
    named = [operation.get("parameters", []) for operation in operations if isinstance(operation, dict)]
    assert {resolved(each)["name"] for each in chain.from_iterable(named)} == read
    asked = DOCUMENT["paths"]["/v1/authz"]["parameters"]
    assert [resolved(each)["name"] for each in asked] == [authz.ADDRESS, *authz.NAMES]


def test_decision() -> None:
    """Its fields, all of them required: enforcers fail without one."""
    schema = DOCUMENT["components"]["schemas"]["Decision"]
    assert tuple(schema["required"]) == tuple(schema["properties"]) == Decision.__struct_fields__


@pytest.mark.parametrize("status", ["200", "400", "403", "503"])
def test_what_comes_back(tmp_path: Path, status: str) -> None:
    """Answers of each status are as the document says, and a wrong one would be noticed."""
    known = Known(reason="not yet" if status == "503" else "")

    async def story(server: Served) -> None:
        key = keys.add(server.path, "all", ("Ip", "username"), ("ban", "throttle"), T0_US)
        known.log.say(0, "ip:203.0.113.7", block("ip:203.0.113.7", 60))
        known.log.say(0, "account:42", block("account:42", 0, action=Action.THROTTLE))
        for path, operation in (
            ("/v1/decisions/stream", "/v1/decisions/stream"),
            ("/v1/decisions?ip=203.0.113.7", "/v1/decisions"),
            ("/v1/decisions?ip=203.0.113.8", "/v1/decisions"),
        ):
            wrong = "&limit=1&limit=2&startup=1&startup=2".replace("&", "&" if "?" in path else "?", 1)
            got = await server.ask(path + wrong * (status == "400"), "x" if status == "403" else key)
            assert str(got.status) == status
            said = resolved(DOCUMENT["paths"][operation]["get"]["responses"][status])
            name = said["content"]["application/json"]["schema"]["$ref"].rpartition("/")[2]
            validator(name).validate(got.json)
            assert list(validator(name).iter_errors({"other": got.json}))

    tell(tmp_path, story, known=known)
