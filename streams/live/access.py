"""What each role may do on the broker, and no more: the rules of an authorizer, and a look whether they hold.

`deploy/README.md` shows them as a table, for whoever sets the rules. A test compares the two, and another has
every role do its work on a broker that allows nothing else.
"""

import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from kafka import KafkaAdminClient
from kafka.errors import GroupAuthorizationFailedError, KafkaError, RetriableError, TopicAuthorizationFailedError

from schemas import topic as catalogue
from schemas.errors import TransportError
from schemas.topic import Topic
from streams.live.topics import admin_of
from streams.settings import KafkaSettings, Settings

Operation = Literal["READ", "WRITE", "CREATE", "DESCRIBE", "DESCRIBE_CONFIGS"]
"""As Kafka names them. Whoever may READ or WRITE may DESCRIBE."""

COORDINATOR_TRIES: Final = 10
COORDINATOR_WAIT_S: Final = 0.3
"""A broker that has never had a group first makes the topic for them."""

GROUP: Final = "group"
TOPIC: Final = "topic"


@dataclass(frozen=True, slots=True)
class Rule:
    """What one role may do with one thing; everything else is refused."""

    kind: Literal["topic", "group"]
    name: str
    operations: tuple[Operation, ...]
    prefixed: bool = False
    """The name is the beginning of many."""


SEEING: Final[tuple[Operation, ...]] = ("DESCRIBE", "DESCRIBE_CONFIGS")

ROLES: Final[Mapping[str, Mapping[Topic | None, tuple[Operation, ...]]]] = {
    "observe": {
        catalogue.REQUESTS: ("READ",),
        catalogue.ACTIVITY: ("WRITE",),
        catalogue.DEAD_LETTERS: ("WRITE",),
        catalogue.AUDIT: ("WRITE",),
        None: ("READ",),
    },
    "assess": {
        # It counts the partitions of the requests, and tells observe's members which are theirs if it leads the group.
        catalogue.REQUESTS: ("DESCRIBE",),
        catalogue.ACTIVITY: ("READ",),
        catalogue.MODEL: ("READ", "WRITE"),
        catalogue.OVERRIDES: ("READ",),
        catalogue.CONFIG: ("READ", "WRITE"),
        catalogue.STATE: ("READ", "WRITE"),
        catalogue.ALERTS: ("WRITE",),
        catalogue.BLOCKS: ("WRITE",),
        catalogue.AUDIT: ("WRITE",),
        None: ("READ",),
    },
    # `weir topics check`, `weir model show`, `weir deadletters`, `weir block` and what else overrides,
    # `weir config push`.
    "operator": {
        **dict.fromkeys((*catalogue.CATALOGUE, *catalogue.FORMATS.values()), SEEING),
        catalogue.REQUESTS: (*SEEING, "WRITE"),
        catalogue.DEAD_LETTERS: (*SEEING, "READ"),
        catalogue.MODEL: (*SEEING, "READ"),
        catalogue.OVERRIDES: (*SEEING, "READ", "WRITE"),
        catalogue.CONFIG: (*SEEING, "READ", "WRITE"),
        catalogue.BLOCKS: (*SEEING, "READ", "WRITE"),
        # `weir incidents`, `weir explain`.
        catalogue.ALERTS: (*SEEING, "READ"),
        # `weir collectors`.
        catalogue.ACTIVITY: (*SEEING, "READ"),
        catalogue.AUDIT: (*SEEING, "READ", "WRITE"),
    },
    # `weir topics create`.
    "administrator": dict.fromkeys((*catalogue.CATALOGUE, *catalogue.FORMATS.values()), ("CREATE", *SEEING)),
    "shipper": {catalogue.REQUESTS: ("WRITE",)},
    # `weir serve`, or whoever else carries blocks out.
    "enforcer": {catalogue.BLOCKS: ("READ",)},
    "responder": {catalogue.ALERTS: ("READ",)},
    # `weir notify`.
    "notifier": {
        catalogue.ALERTS: ("READ",),
        catalogue.AUDIT: ("READ",),
        **dict.fromkeys(catalogue.FORMATS.values(), ("WRITE",)),
        None: ("READ",),
    },
    # `weir challenge`, which writes nothing and has no group.
    "challenger": {
        catalogue.REQUESTS: ("DESCRIBE",),
        catalogue.ACTIVITY: ("READ",),
        catalogue.MODEL: ("READ",),
        catalogue.OVERRIDES: ("READ",),
        catalogue.CONFIG: ("READ",),
        catalogue.ALERTS: ("READ",),
        catalogue.BLOCKS: ("READ",),
    },
}
"""By role and topic; None is the consumer group of the workers, of the notifier one for each receiver."""


def rules(role: str, settings: Settings) -> tuple[Rule, ...]:
    """The rules of a role, under the names that topics and group have in ``settings``."""
    absent = {topic for name, topic in catalogue.FORMATS.items() if name not in settings.notify.formats}
    if not settings.checkpoint.interval_s:
        absent.add(catalogue.STATE)
    return tuple(
        _group_rule(role, settings, operations) if topic is None else Rule(TOPIC, name_of(topic, settings), operations)
        for topic, operations in ROLES[role].items()
        if topic not in absent
    )


def _group_rule(role: str, settings: Settings, operations: tuple[Operation, ...]) -> Rule:
    if role == "notifier":
        return Rule(GROUP, receiver_group("", settings), operations, prefixed=True)
    return Rule(GROUP, settings.kafka.application, operations)


def receiver_group(receiver: str, settings: Settings) -> str:
    """The consumer group under which the broker keeps how far a receiver of alerts has been told."""
    return f"{settings.kafka.application}.notify.{receiver}"


def name_of(topic: Topic, settings: Settings) -> str:
    """Name of a topic on the broker."""
    return settings.input.topic if topic == catalogue.REQUESTS else settings.kafka.prefix + topic.name


def require(settings: Settings, roles: Collection[str]) -> None:
    """Refuse to begin what would be refused in the middle.

    A broker without an authorizer allows everything, and one that does not tell is believed.

    Raises:
        TransportError: the broker cannot be reached, or something is not allowed; names who, what and the roles.
    """
    wanted = [rule for role in roles for rule in rules(role, settings)]
    with admin_of(settings.kafka) as admin:
        refused = [*_refused_topics(admin, wanted), *_refused_groups(admin, wanted)]
    if refused:
        who = principal(settings.kafka)
        what = ", ".join(dict.fromkeys(refused))
        advice = f"deploy/README.md has the rules of {' and '.join(sorted(roles))}"
        raise TransportError(f"kafka {settings.kafka.bootstrap}: {who} may not {what}; {advice}")


def principal(kafka: KafkaSettings) -> str:
    """Whom the broker takes Weir for, in words."""
    if kafka.security.sasl:
        return f"user {kafka.security.username}"
    return "the owner of the certificate" if kafka.security.certificate_file else "whoever gives no name"


def _refused_topics(admin: KafkaAdminClient, wanted: Sequence[Rule]) -> Iterator[str]:
    names = list(dict.fromkeys(rule.name for rule in wanted if rule.kind == TOPIC))
    found = {each["name"]: each for each in admin.describe_topics(names)}
    for rule in wanted:
        if rule.kind == TOPIC:
            each = found.get(rule.name, {})
            hidden = each.get("error_code") == TopicAuthorizationFailedError.errno
            yield from _missing(rule, () if hidden else each.get("authorized_operations") or None)


def _refused_groups(admin: KafkaAdminClient, wanted: Sequence[Rule]) -> Iterator[str]:
    for rule in wanted:
        if rule.kind == GROUP:
            yield from _missing(rule, _allowed_group(admin, rule.name))


def _allowed_group(admin: KafkaAdminClient, name: str) -> Collection[str] | None:
    """Operations allowed on a group; None where the broker does not tell."""
    for _ in range(COORDINATOR_TRIES):
        try:
            return admin.describe_groups([name])[name].get("authorized_operations") or None
        except GroupAuthorizationFailedError:
            return ()
        except RetriableError:
            time.sleep(COORDINATOR_WAIT_S)
        except (KafkaError, ValueError):  # the client knows not all the operations that the embedded broker tells
            break
    return None


def _missing(rule: Rule, allowed: Collection[str] | None) -> Iterator[str]:
    """What of a rule is not allowed, in words; nothing where the broker does not tell."""
    if allowed is not None:
        yield from (f"{operation} {rule.kind} {rule.name}" for operation in rule.operations if operation not in allowed)
