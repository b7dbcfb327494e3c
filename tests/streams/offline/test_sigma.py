from pathlib import Path

import pytest

from schemas.errors import InputError
from streams.cli.main import run
from streams.config import parse
from streams.offline.sigma import Translation, translate

BASE = """
title: A profile is shown
name: profile_view
status: test
logsource:
  category: webserver
detection:
  selection:
    cs-method: GET
    cs-uri-stem|startswith: /people/
  condition: selection
"""
RULE = """
---
title: {title}
status: test
correlation:
  type: {type}
  rules: [profile_view]
  group-by: [{by}]
  timespan: {span}
  condition:
    {condition}
    field: {field}
"""
GIVEN = {
    "title": "Many profiles",
    "type": "value_count",
    "by": "user.id",
    "span": "1h",
    "condition": "gte: 200",
    "field": "weir.target.id",
}


def rule(**changes: str) -> str:
    """A correlation rule with some parts changed."""
    return RULE.format(**GIVEN | changes)


def translated(*rules: str) -> Translation:
    """Of rules over the base."""
    made = Translation()
    translate(BASE + "".join(rules), "rules.yml", made)
    return made


@pytest.mark.parametrize(
    ("changes", "place", "limit"),
    [
        ({}, ("account", "hour"), 200),
        ({"condition": "gt: 200"}, ("account", "hour"), 201),
        ({"by": "c-ip", "span": "10m", "field": "cs-uri-stem"}, ("ip", "ten_minutes"), 200),
        ({"by": "session.id", "span": "1d"}, ("session", "day"), 200),
        ({"by": "client.as.number, tls.client.ja4", "span": "24h"}, ("fingerprint_asn", "day"), 200),
    ],
)
def test_a_rule_becomes_a_limit(changes: dict[str, str], place: tuple[str, str], limit: int) -> None:
    """Scope by the fields it groups by, window by its time span, and at so many a finding."""
    assert translated(rule(**changes)).limits == {place: limit}


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"type": "event_count"}, "its type is event_count; only value_count counts distinct profiles"),
        ({"by": "user.id, client.address"}, "no scope is grouped by client.address, user.id"),
        ({"span": "30m"}, "its time span is 30m; the windows are 60 s, 600 s, 3600 s, 86400 s"),
        ({"condition": "lte: 3"}, "its condition is not gte or gt; a limit is passed upwards"),
        ({"field": "user_agent.original"}, "it counts user_agent.original; Weir counts profiles"),
    ],
)
def test_what_cannot_be_expressed_is_said(changes: dict[str, str], reason: str) -> None:
    """With the rule's title and the reason; nothing is bent into shape."""
    made = translated(rule(**changes))
    assert made.limits == {}
    assert made.remarks == [f"Many profiles: left out: {reason}"]


def test_the_strictest_rule_of_a_window_holds() -> None:
    """In whatever order they come."""
    lax, strict = rule(title="Lax", condition="gte: 300"), rule(title="Strict", condition="gte: 250")
    for order in ((lax, strict), (strict, lax)):
        made = translated(*order)
        assert made.limits == {("account", "hour"): 250}
        assert made.from_rules == {("account", "hour"): "Strict"}


def test_what_comes_out_is_a_configuration() -> None:
    """Read back, it is what the rules say, and nothing else is changed."""
    made = translated(rule(), rule(by="client.address", span="1m", condition="gte: 90"))
    settings, plain = parse(made.toml()), parse("")
    changed = {name for name in plain.detectors if settings.detectors[name] != plain.detectors[name]}
    assert changed == {"profile_rate"}
    assert "hour = 200  # Many profiles" in made.toml()


def test_a_title_stays_a_comment() -> None:
    """Whatever is written in it, TOML can read what comes out."""
    text = rule(title='"a\\nb \\x07\\x1b[2J\\x7f ]]"')
    assert "hour = 200  # a b [2J ]]" in translated(text).toml()
    parse(translated(text).toml())


@pytest.mark.parametrize("text", ["{", "title: x\ncorrelation: 7\n", "- 1\n", "a: !!python/object:os.system x\n"])
def test_what_is_no_rule_is_refused(text: str) -> None:
    """In one line that names the file."""
    with pytest.raises(InputError, match=r"^rules\.yml: [^\n]+$"):
        translate(text, "rules.yml", Translation())


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Limits on standard output, remarks beside it; 2 when nothing could be expressed."""
    file = tmp_path / "rules.yml"
    file.write_text(BASE + rule() + rule(span="2h"))
    assert run(["sigma", str(file)]) in (0, None)
    said = capsys.readouterr()
    assert said.out == "[detectors.profile_rate.account]\nhour = 200  # Many profiles\n"
    assert "left out: its time span is 2h" in said.err
    file.write_text(BASE)
    assert run(["sigma", str(file)]) == 2
