"""The AsyncAPI document against the parser of the AsyncAPI project itself.

It runs where node and npm are and the parser can be installed, into a folder of its own under ``build/``;
``WEIR_TEST_ASYNCAPI=require`` turns a skip into a failure.
"""

import json
import os
import shutil
import subprocess
from collections.abc import Callable
from copy import deepcopy
from hashlib import sha256
from pathlib import Path
from typing import Final, NoReturn

import pytest

from schemas.alert import ALERT_CODEC
from schemas.asyncapi import TOPICS, document
from schemas.describe import DIALECT, Json
from schemas.topic import Direction
from streams.outputs import ecs, ocsf

GOLDEN: Final = Path(__file__).with_name("golden")
SOURCE: Final = Path(__file__).with_name("asyncapi")
BUILD: Final = Path(__file__).parents[2] / "build" / "asyncapi"
FILES: Final = ("package.json", "package-lock.json", "validate.mjs")
REQUIRED: Final = os.environ.get("WEIR_TEST_ASYNCAPI") == "require"

Parse = Callable[[object], Json]


@pytest.fixture(scope="module")
def parse() -> Parse:
    """Gives a document to the parser; returns ``channels``, their addresses, and ``errors``."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        give_up("node or npm is missing")
    script = install(npm) / "validate.mjs"

    def run(content: object) -> Json:
        done = subprocess.run([node, script], input=json.dumps(content), capture_output=True, text=True, check=True)
        answer: Json = json.loads(done.stdout)
        return answer

    return run


def install(npm: str) -> Path:
    """Folder with the parser as the lock file pins it; made once, and moved into place when it is whole."""
    contents = [(SOURCE / name).read_bytes() for name in FILES]
    folder = BUILD / sha256(b"\0".join(contents)).hexdigest()[:16]
    if folder.exists():
        return folder
    fresh = folder.with_name(f"{folder.name}.{os.getpid()}")
    fresh.mkdir(parents=True)
    for name, content in zip(FILES, contents, strict=True):
        (fresh / name).write_bytes(content)
    command = [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
    done = subprocess.run(command, cwd=fresh, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        shutil.rmtree(fresh)
        give_up(f"npm cannot install the parser: {done.stderr.strip()[-300:]}")
    fresh.rename(folder)
    return folder


def give_up(reason: str) -> NoReturn:
    """Skip, or fail where the check is required."""
    if REQUIRED:
        pytest.fail(reason)
    pytest.skip(reason)


def changed(path: str, value: object) -> Json:
    """The document with something else at one place, whose keys are joined by ``|``."""
    broken = deepcopy(document())
    *parents, last = path.split("|")
    level = broken
    for parent in parents:
        level = level[parent]
    level[last] = value
    return broken


@pytest.mark.timeout(300)
def test_parser_accepts_the_document(parse: Parse) -> None:
    """No errors, and the parser finds every topic."""
    assert parse(document()) == {"channels": [topic.name for topic in TOPICS], "errors": []}


@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("asyncapi", "9.9.9"),
        ("operations|send:weir.alerts.v1|action", "publish"),
        ("operations|send:weir.alerts.v1|channel", {"$ref": "#/channels/none"}),
        ("channels|weir.alerts.v1|messages|alert", {"$ref": "#/components/messages/none"}),
        ("channels|weir.blocks.v1|bindings|kafka|topicConfiguration|cleanup.policy", "compact"),
        ("channels|weir.blocks.v1|bindings|kafka|bindingVersion", "0.0.1"),
        ("components|schemas|Alert|properties|status", {"$ref": "#/components/schemas/None"}),
        ("components|schemas|Alert|properties|members", {"type": "lots"}),
    ],
)
def test_parser_refuses_a_broken_document(parse: Parse, path: str, value: object) -> None:
    """Breaking the document at one place gives an error: the check above can fail."""
    assert parse(changed(path, value))["errors"]


def test_topics_say_who_reads_and_writes_them() -> None:
    """Operations are Weir's own, as AsyncAPI 3 has it; what is inside is both sent and received."""
    found = {(item["action"], item["channel"]["$ref"]) for item in document()["operations"].values()}
    expected = {
        Direction.RECEIVE: {"receive"},
        Direction.SEND: {"send"},
        Direction.INSIDE: {"send", "receive"},
    }
    assert found == {(action, f"#/channels/{topic.name}") for topic in TOPICS for action in expected[topic.direction]}


def test_keys_and_clean_up_stand_in_bindings() -> None:
    """What a consumer of blocks relies on: compacted, keyed by scope and value, a tombstone allowed."""
    channel = document()["channels"]["weir.blocks.v1"]
    message = document()["components"]["messages"]["block"]
    assert channel["bindings"]["kafka"]["topicConfiguration"] == {"cleanup.policy": ["compact"]}
    assert message["bindings"]["kafka"]["key"]["description"] == "scope:value of the actor"
    assert {"type": "null"} in message["payload"]["oneOf"]
    assert message["headers"]["properties"]["ce_specversion"] == {"const": "1.0"}


def test_what_weir_writes_as_cloud_events_says_so() -> None:
    """Whatever `streams/outputs/cloudevents.py` makes has its headers in the document, tombstones too."""
    messages = document()["components"]["messages"]
    told = {name for name, message in messages.items() if "ce_id" in message.get("headers", {}).get("properties", {})}
    assert told == {"alert", "block", "audit", "config", "override", "alertOcsf", "alertEcs"}


def test_other_formats_hold_what_alerts_become() -> None:
    """Each key that the document requires of an OCSF or ECS record is in one that was made of an alert."""
    messages = document()["components"]["messages"]
    alert = ALERT_CODEC.decode((GOLDEN / "alert.v1.ndjson").read_bytes().splitlines()[0])
    for name, made in (("alertOcsf", ocsf.finding(alert, "1")), ("alertEcs", ecs.document(alert, "1"))):
        payload = messages[name]["payload"]
        assert set(payload["required"]) <= made.keys()
        for key, one in payload.get("properties", {}).items():
            assert made[key] == one["const"]


def test_document_holds_no_dialect_of_its_own() -> None:
    """Schemas within the document use AsyncAPI's references, so that they resolve in it."""
    text = json.dumps(document())
    assert DIALECT not in text
    assert "#/$defs/" not in text
