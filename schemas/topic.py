"""Topics: names, keys and clean-up, as others may rely on them."""

from enum import StrEnum
from typing import Final

import msgspec


class Cleanup(StrEnum):
    """``cleanup.policy`` of Kafka."""

    DELETE = "delete"
    COMPACT = "compact"


class Direction(StrEnum):
    """What Weir does with a topic, seen from outside."""

    RECEIVE = "receive"
    SEND = "send"
    INSIDE = "inside"
    """Between workers: the records may change with any version."""


class Topic(msgspec.Struct, frozen=True, kw_only=True):
    """One topic."""

    name: str
    direction: Direction
    key: str
    """What stands in the key, in words."""
    cleanup: Cleanup
    purpose: str


REQUESTS: Final = Topic(
    name="http.requests",
    direction=Direction.RECEIVE,
    key="any; Weir does not read it",
    cleanup=Cleanup.DELETE,
    purpose="Request events of the platform; the name is configurable.",
)
ALERTS: Final = Topic(
    name="weir.alerts.v1",
    direction=Direction.SEND,
    key="id of the incident",
    cleanup=Cleanup.DELETE,
    purpose="Messages to people on incidents.",
)
BLOCKS: Final = Topic(
    name="weir.blocks.v1",
    direction=Direction.SEND,
    key="scope:value of the actor",
    cleanup=Cleanup.COMPACT,
    purpose="Instructions to enforcement, the whole state of each actor; a null value ends it.",
)
DEAD_LETTERS: Final = Topic(
    name="weir.deadletters.v1",
    direction=Direction.SEND,
    key="that of the original record",
    cleanup=Cleanup.DELETE,
    purpose="Records that never can be processed, untouched, with place and reason in headers.",
)
AUDIT: Final = Topic(
    name="weir.audit.v1",
    direction=Direction.SEND,
    key="who acted",
    cleanup=Cleanup.DELETE,
    purpose="Who changed what, and which worker does less than it should.",
)
CONFIG: Final = Topic(
    name="weir.config.v1",
    direction=Direction.RECEIVE,
    key="time from which on it is in force/revision",
    cleanup=Cleanup.COMPACT,
    purpose="Revisions of the configuration.",
)
OVERRIDES: Final = Topic(
    name="weir.overrides.v1",
    direction=Direction.RECEIVE,
    key="scope:value of the actor, kill_switch:detector, revoke:revision",
    cleanup=Cleanup.COMPACT,
    purpose="Operators' overrides with owner, reason and expiry.",
)
ACTIVITY: Final = Topic(
    name="weir.activity.v1",
    direction=Direction.INSIDE,
    key="none; observe chooses the partition",
    cleanup=Cleanup.DELETE,
    purpose="Sightings in packed columns, from observe to assess.",
)
MODEL: Final = Topic(
    name="weir.model.v1",
    direction=Direction.INSIDE,
    key="epoch/partition/part",
    cleanup=Cleanup.COMPACT,
    purpose="What was learned, by epoch, in deltas that add up.",
)
STATE: Final = Topic(
    name="weir.state.v1",
    direction=Direction.INSIDE,
    key="owner/part of the checkpoint",
    cleanup=Cleanup.COMPACT,
    purpose="Checkpoints of what assess remembers, a partition for each of the sightings'.",
)

CATALOGUE: Final = (REQUESTS, ALERTS, BLOCKS, DEAD_LETTERS, AUDIT, CONFIG, OVERRIDES, ACTIVITY, MODEL, STATE)

ALERTS_OCSF: Final = Topic(
    name="weir.alerts.ocsf.v1",
    direction=Direction.SEND,
    key="id of the incident",
    cleanup=Cleanup.DELETE,
    purpose="The alerts once more, as Detection Findings of OCSF.",
)
ALERTS_ECS: Final = Topic(
    name="weir.alerts.ecs.v1",
    direction=Direction.SEND,
    key="id of the incident",
    cleanup=Cleanup.DELETE,
    purpose="The alerts once more, in the Elastic Common Schema.",
)

FORMATS: Final = {"ocsf": ALERTS_OCSF, "ecs": ALERTS_ECS}
"""Topics that exist where ``notify.formats`` names them."""
