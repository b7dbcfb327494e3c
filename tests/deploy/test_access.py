"""`deploy/README.md` shows the rules of every role, and no others."""

import re
from pathlib import Path
from typing import Final

from msgspec.structs import replace

from schemas import topic
from streams.config import parse
from streams.live.access import ROLES, Rule, require, rules
from streams.live.topics import create, layouts
from tests.brokers import Broker

README: Final = Path(__file__).resolve().parents[2] / "deploy" / "README.md"


def documented() -> dict[str, set[tuple[str, str, frozenset[str]]]]:
    """Rules by role, as the table has them: `role | topic or group | operations`."""
    found: dict[str, set[tuple[str, str, frozenset[str]]]] = {}
    row = re.compile(r"^\| `(\w+)`[^|]*\| (topics?|group) ((?:`[^`]+`(?:, )?)+) \| ([A-Z_, ]+) \|$", re.MULTILINE)
    for role, kind, names, operations in row.findall(README.read_text(encoding="utf-8")):
        for name in re.findall(r"`([^`]+)`", names):
            found.setdefault(role, set()).add((kind.rstrip("s"), name, frozenset(operations.split(", "))))
    return found


def as_row(rule: Rule) -> tuple[str, str, frozenset[str]]:
    """A rule as the table says it."""
    return rule.kind, rule.name, frozenset(rule.operations)


def test_the_table_is_the_rules() -> None:
    """Role by role, under the default names: nothing is missing, and nothing more is granted."""
    settings = parse("")
    assert documented() == {role: {as_row(rule) for rule in rules(role, settings)} for role in ROLES}


def test_a_broker_without_rules_allows_everything(broker: Broker) -> None:
    """Without an authorizer every role may begin, on Apache Kafka as on the embedded broker."""
    settings = parse("", changes={"kafka.bootstrap": broker.bootstrap, "kafka.partitions": 1})
    settings = replace(settings, kafka=replace(settings.kafka, prefix=f"{broker.topic()}."))
    create(settings.kafka, layouts(settings))
    require(settings, ROLES)


def test_names_follow_the_configuration() -> None:
    """Prefix, application and the topic of requests are in the rules as they are on the broker."""
    settings = parse('[input]\ntopic = "edge"\n[kafka]\nprefix = "eu."\napplication = "weir-eu"\n')
    found = {rule.name for rule in rules("observe", settings)}
    assert found == {"edge", "eu.weir.activity.v1", "eu.weir.deadletters.v1", "eu.weir.audit.v1", "weir-eu"}


def test_without_checkpoints_assess_needs_no_state() -> None:
    """The topic is neither read nor written then."""
    name = topic.STATE.name
    kept, off = parse(""), parse("[checkpoint]\ninterval_s = 0\n")
    assert name in {rule.name for rule in rules("assess", kept)}
    assert name not in {rule.name for rule in rules("assess", off)}


def test_the_notifier_writes_only_the_formats_that_are_wanted() -> None:
    """And has a group for each receiver, under one name that they begin with."""
    found = {rule.name: rule for rule in rules("notifier", parse('[notify]\nformats = ["ocsf"]\n'))}
    assert found.keys() == {"weir.alerts.v1", "weir.audit.v1", "weir.alerts.ocsf.v1", "weir.notify."}
    assert [name for name, rule in found.items() if rule.prefixed] == ["weir.notify."]
    assert "weir.alerts.ecs.v1" not in {rule.name for rule in rules("administrator", parse(""))}
