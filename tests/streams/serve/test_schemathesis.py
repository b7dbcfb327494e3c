"""schemathesis against a running server: whatever is sent, the answer is one of those that `openapi.json` describes."""

import asyncio
import threading
from collections.abc import Iterator
from typing import Any

import pytest
import requests
import schemathesis
from hypothesis import given, settings
from hypothesis import strategies as st
from schemathesis import Case
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    positive_data_acceptance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from schemas.block import Action
from tests.streams.pipeline.enforce.saying import block
from tests.streams.serve.serving import Known, served
from tests.streams.serve.test_openapi import DOCUMENT, validator

DESCRIBED = [
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    """Address and key of a server in a thread of its own, with some decisions."""
    known, begun, told = Known(), threading.Event(), list[str]()
    for number, key in enumerate(("ip:203.0.113.7", "net:0.0.0.0/1", "net:2001:db8::/32", "ip:0.0.0.0")):
        known.log.say(0, key, block(key, 60 * number, action=list(Action)[number % 3]))
    known.log.into(known.decisions)
    loop, ended = asyncio.new_event_loop(), asyncio.Event()

    async def story() -> None:
        async with served(tmp_path_factory.mktemp("serve"), known) as running:
            told.extend((running.at, running.key))
            begun.set()
            await ended.wait()

    thread = threading.Thread(target=loop.run_until_complete, args=[story()])
    thread.start()
    assert begun.wait(10)
    yield told[0], told[1]
    loop.call_soon_threadsafe(ended.set)
    thread.join()
    loop.close()


@schemathesis.openapi.from_dict(DOCUMENT).parametrize()
@settings(max_examples=20)
def test_as_described(case: Case[Any], server: tuple[str, str]) -> None:
    """No fault of the server, and a status, a type and a body as the document has them."""
    if case.path.startswith("/v1/authz"):
        # Without a right key it is 503, since 403 would block the visitor, and it answers methods without a name.
        case.call_and_validate(base_url=f"http://{server[0]}", headers={"X-Api-Key": server[1]}, checks=DESCRIBED)
        return
    case.call_and_validate(
        base_url=f"http://{server[0]}",
        headers={"X-Api-Key": server[1]},
        # That two parameters exclude one another is nothing that a document of OpenAPI can say; and where a case
        # leaves the key out, to be refused, it is put in here.
        excluded_checks=[positive_data_acceptance, negative_data_rejection],
    )


ADDRESSES = (
    "203.0.113.7",
    "::ffff:203.0.113.7",
    "0.0.0.0/0",
    "::/0",
    "1.2.3.4/8",
    "fe80::1%eth0",
    "1.2.3",
    "1.2.3.4/33",
)
NAMES = (
    "startup",
    "scope",
    "scopes",
    "origins",
    "ip",
    "range",
    "contains",
    "value",
    "type",
    "limit",
    "offset",
    "dedup",
)
values = st.one_of(
    st.sampled_from(ADDRESSES), st.sampled_from(("true", "false", "Ip", "ip,range", "", "-1", "9" * 13)), st.text()
)
queries = st.lists(st.tuples(st.one_of(st.sampled_from(NAMES), st.text(min_size=1)), values), max_size=5)
headers = st.dictionaries(
    st.from_regex(r"[A-Za-z][A-Za-z-]{0,20}", fullmatch=True).map("X-".__add__),
    st.one_of(st.from_regex(r"[!-~]{0,50}", fullmatch=True), st.just("h" * 8_000), st.just("h" * 9_000)),
    max_size=3,
)


@settings(max_examples=150)
@given(st.sampled_from(["/v1/decisions", "/v1/decisions/stream"]), queries, headers)
def test_questions(server: tuple[str, str], path: str, query: list[tuple[str, str]], extra: dict[str, str]) -> None:
    """Parameters unknown and repeated, what is no address, any text, long headers: 200 or 400, as described."""
    got = requests.get(f"http://{server[0]}{path}", query, headers=extra | {"X-Api-Key": server[1]}, timeout=10)
    long = max(map(len, extra.values()), default=0) > 8_190
    assert got.status_code in ((400,) if long else (200, 400)), got.text
    content = DOCUMENT["paths"][path]["get"]["responses"]["200"]["content"]
    told = content["application/json"]["schema"]["$ref"].rpartition("/")[2]
    if not long:
        validator(told if got.status_code == 200 else "Message").validate(got.json())
