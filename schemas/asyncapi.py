"""AsyncAPI 3.0 of the topics: who reads and writes what, with keys, headers and clean-up."""

from typing import Final

from schemas.describe import RECORDS, Json, definitions_of
from schemas.topic import (
    ACTIVITY,
    ALERTS,
    ALERTS_ECS,
    ALERTS_OCSF,
    AUDIT,
    BLOCKS,
    CATALOGUE,
    CONFIG,
    DEAD_LETTERS,
    FORMATS,
    MODEL,
    OVERRIDES,
    REQUESTS,
    Direction,
    Topic,
)

_BINDING_VERSION: Final = "0.5.0"
_SCHEMA_REFERENCE: Final = "#/components/schemas/{name}"

_DESCRIPTION: Final = """\
What Weir reads from Kafka and writes to it. Unknown keys, headers and values of enumerations are to be ignored: records
of one version only ever gain some. Topics without a message here have records that are not fixed yet."""

_CLOUD_EVENT: Final[Json] = {
    "type": "object",
    "description": "CloudEvents 1.0 in binary mode.",
    "properties": {
        "ce_id": {"type": "string", "description": "That of the record."},
        "ce_source": {"type": "string", "format": "uri-reference"},
        "ce_type": {"type": "string"},
        "ce_specversion": {"const": "1.0"},
        "ce_time": {"type": "string", "format": "date-time", "description": "When it was decided."},
        "ce_subject": {
            "type": "string",
            "description": "scope:value of the actor; else who acted, what is overridden, or the revision.",
        },
        "content-type": {"const": "application/json"},
    },
    "required": ["ce_id", "ce_source", "ce_type", "ce_specversion", "ce_time", "ce_subject", "content-type"],
}

_FINDING: Final[Json] = {
    "type": "object",
    "description": "Fields are those of OCSF; what it has no place for stands under `unmapped`.",
    "properties": {"class_uid": {"const": 2004}, "category_uid": {"const": 2}},
    "required": ["class_uid", "category_uid", "metadata", "finding_info", "unmapped"],
}
_ECS: Final[Json] = {
    "type": "object",
    "description": "Fields are those of ECS; the whole alert stands under `weir`.",
    "required": ["@timestamp", "ecs", "event", "weir"],
}

TOPICS: Final = (*CATALOGUE, *FORMATS.values())
"""All that stand in the document; those of other formats exist where ``notify.formats`` names them."""


def document() -> Json:
    """The whole document."""
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Weir",
            "version": "1.0.0",
            "description": " ".join(_DESCRIPTION.split()),
            "license": {"name": "Apache-2.0"},
        },
        "defaultContentType": "application/json",
        "channels": {topic.name: _channel(topic) for topic in TOPICS},
        "operations": dict(operation for topic in TOPICS for operation in _operations(topic)),
        "components": {
            "messages": _messages(),
            "schemas": definitions_of(RECORDS.values(), _SCHEMA_REFERENCE),
        },
    }


def _channel(topic: Topic) -> Json:
    message = _MESSAGES.get(topic.name)
    return {
        "address": topic.name,
        "description": topic.purpose,
        "messages": {message: {"$ref": f"#/components/messages/{message}"}} if message else {},
        "bindings": {
            "kafka": {
                "topic": topic.name,
                "topicConfiguration": {"cleanup.policy": [topic.cleanup.value]},
                "bindingVersion": _BINDING_VERSION,
            }
        },
    }


_ACTIONS: Final = {
    Direction.RECEIVE: ("receive",),
    Direction.SEND: ("send",),
    Direction.INSIDE: ("send", "receive"),
}


def _operations(topic: Topic) -> list[tuple[str, Json]]:
    """What Weir itself does: AsyncAPI 3 tells an application's view, not its neighbours'."""
    channel = {"$ref": f"#/channels/{topic.name}"}
    return [(f"{action}:{topic.name}", {"action": action, "channel": channel}) for action in _ACTIONS[topic.direction]]


_MESSAGES: Final = {
    REQUESTS.name: "requestEvent",
    ALERTS.name: "alert",
    BLOCKS.name: "block",
    DEAD_LETTERS.name: "deadLetter",
    AUDIT.name: "audit",
    CONFIG.name: "config",
    OVERRIDES.name: "override",
    ALERTS_OCSF.name: "alertOcsf",
    ALERTS_ECS.name: "alertEcs",
    ACTIVITY.name: "sightingBatch",
    MODEL.name: "modelDelta",
}
"""Message by topic."""


def _messages() -> Json:
    return {
        "requestEvent": _message(REQUESTS, "One served request.", payload=_reference("RequestEvent")),
        "alert": _message(ALERTS, "One message on an incident.", payload=_reference("Alert"), headers=_CLOUD_EVENT),
        "block": _message(
            BLOCKS,
            "One instruction to enforcement; a null value is a tombstone.",
            payload={"oneOf": [_reference("Block"), {"type": "null"}]},
            headers=_CLOUD_EVENT,
        ),
        "deadLetter": _message(
            DEAD_LETTERS,
            "The original record, with why it is here in headers.",
            headers=_reference("DeadLetter"),
            contentType="application/octet-stream",
        ),
        "audit": _message(
            AUDIT,
            "What became of a worker, or what somebody changed.",
            payload=_reference("Audit"),
            headers=_CLOUD_EVENT,
        ),
        "config": _message(
            CONFIG, "One published configuration.", payload=_reference("PublishedConfig"), headers=_CLOUD_EVENT
        ),
        "override": _message(
            OVERRIDES,
            "One override; a null value takes it back.",
            payload={"oneOf": [_reference("Override"), {"type": "null"}]},
            headers=_CLOUD_EVENT,
        ),
        "alertOcsf": _message(
            ALERTS_OCSF,
            "An alert as a Detection Finding (class_uid 2004) of OCSF 1.5.0.",
            payload=_FINDING,
            headers=_CLOUD_EVENT,
        ),
        "alertEcs": _message(
            ALERTS_ECS, "An alert in the Elastic Common Schema 8.17.", payload=_ECS, headers=_CLOUD_EVENT
        ),
        "sightingBatch": _packed(ACTIVITY, "Sightings in packed columns; read `schemas/sighting.py`."),
        "modelDelta": _packed(MODEL, "What one partition learned in one epoch; read `schemas/model.py`."),
    }


def _packed(topic: Topic, summary: str) -> Json:
    return _message(topic, summary, payload={"type": "array"}, contentType="application/msgpack")


def _message(topic: Topic, summary: str, **fields: object) -> Json:
    key = {"type": "string", "description": topic.key}
    binding = {"kafka": {"key": key, "bindingVersion": _BINDING_VERSION}}
    return {"summary": summary} | fields | {"bindings": binding}


def _reference(name: str) -> Json:
    return {"$ref": _SCHEMA_REFERENCE.format(name=name)}
