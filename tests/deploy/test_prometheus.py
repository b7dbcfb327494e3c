"""Alert rules, the dashboard and the table of metrics, beside the catalogue."""

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest

from streams.metrics import CATALOGUE, CHALLENGE, NOTIFY, SERVE, WORKER, Kind, Metric

PLACE: Final = Path(__file__).resolve().parents[2] / "deploy" / "prometheus"
RULES: Final = (PLACE / "weir.rules.yml").read_text(encoding="utf-8")
README: Final = (PLACE / "README.md").read_text(encoding="utf-8")
DASHBOARD: Final[dict[str, Any]] = json.loads((PLACE / "weir.dashboard.json").read_text(encoding="utf-8"))
PROMTOOL: Final = shutil.which("promtool")
needs_promtool = pytest.mark.skipif(PROMTOOL is None, reason="promtool is not installed")


def promtool(*arguments: str, cwd: Path = PLACE) -> subprocess.CompletedProcess[str]:
    """One run of it."""
    assert PROMTOOL is not None
    return subprocess.run([PROMTOOL, *arguments], cwd=cwd, capture_output=True, text=True, check=False)


def series() -> set[str]:
    """Names that expressions may have."""
    suffixes = {Kind.HISTOGRAM: ("_bucket", "_count", "_sum")}
    ours = {metric.name + suffix for metric in CATALOGUE for suffix in suffixes.get(metric.kind, ("",))}
    return ours | {"process_resident_memory_bytes", "process_cpu_seconds_total"}


def named(expression: str) -> set[str]:
    """Names of series in an expression."""
    return set(re.findall(r"\b(?:weir|process)_[a-z_]+", re.sub(r'"[^"]*"', "", expression)))


def row(metric: Metric) -> str:
    """How the table tells of a metric."""
    places = (("worker", WORKER), ("serve", SERVE), ("notify", NOTIFY), ("challenge", CHALLENGE))
    where = ", ".join(name for name, shown in places if metric in shown)
    labels = ", ".join(f"`{label}`" for label in metric.labels)
    return f"| `{metric.name}` | {metric.kind} | {labels} | {where} | {metric.meaning} |"


def expressions() -> Iterator[str]:
    """Of all panels."""
    for panel in DASHBOARD["panels"]:
        yield from (target["expr"] for target in panel.get("targets", ()))


def test_every_metric_is_documented() -> None:
    """The table has a row for each, in the catalogue's order, and no other: kind, labels, who shows it, meaning."""
    expected = ["| metric | kind | labels | of | meaning |", "| --- | --- | --- | --- | --- |", *map(row, CATALOGUE)]
    section = README.partition("## Metrics")[2].partition("\n## ")[0]
    assert [line for line in section.splitlines() if line.startswith("|")] == expected


def test_rules_know_their_metrics() -> None:
    """No expression names a series that nobody shows."""
    found = {
        name for text in re.findall(r"expr: (?:\|\n((?: {10}.*\n)+)|(.*)\n)", RULES) for name in named("".join(text))
    }
    assert len(found) > 15
    assert found - series() == set()


def test_every_rule_is_tested() -> None:
    """Both sides of its limit: an expectation of silence and one of noise, or the test of a worker that is well."""
    text = (PLACE / "weir.rules.test.yml").read_text(encoding="utf-8")
    alerts = re.findall(r"- alert: (\w+)", RULES)
    assert len(alerts) == len(set(alerts)) > 12
    assert [alert for alert in alerts if not re.search(rf"alertname: {alert}\n(?:.*\n)+?\s+- exp_labels", text)] == []
    assert "exp_samples: []" in text


@needs_promtool
def test_rules() -> None:
    """Prometheus takes them, and each does what it should."""
    checked = promtool("check", "rules", "weir.rules.yml")
    assert checked.returncode == 0, checked.stderr
    tested = promtool("test", "rules", "weir.rules.test.yml")
    assert tested.returncode == 0, tested.stdout + tested.stderr


@needs_promtool
@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("weir_watermark_lag_seconds > 60", "weir_watermark_lag_seconds >= 60"),
        ("weir_watermark_lag_seconds > 60", "weir_watermark_lag_seconds > 61"),
        ("weir_checkpoint_age_seconds > 120", "weir_checkpoint_age_seconds >= 120"),
        ("weir_serve_age_seconds > 60", "weir_serve_age_seconds >= 60"),
        (" - sum(increase(weir_events_exempt_total[15m]))", ""),
        ('weir_decisions_total{kind=~"alert|block"}', "weir_decisions_total"),
        (" and sum by (stage) (delta(weir_consumer_lag_records[10m])) > 0", ""),
        (" * on (instance) group_left () weir_config_last_reload_successful", ""),
        ("increase(weir_blocks_withheld_total[10m])", "weir_blocks_withheld_total"),
    ],
)
def test_a_wrong_rule_is_found(tmp_path: Path, right: str, wrong: str) -> None:
    """The tests of rules can fail: each of these mistakes does."""
    assert right in RULES
    (tmp_path / "weir.rules.yml").write_text(RULES.replace(right, wrong))
    shutil.copy(PLACE / "weir.rules.test.yml", tmp_path)
    assert promtool("test", "rules", "weir.rules.test.yml", cwd=tmp_path).returncode == 1


def test_dashboard() -> None:
    """It can be provisioned as it is: a fixed id, the data source as a variable everywhere, only series that exist."""
    assert DASHBOARD["uid"] == "weir-overview"
    assert [variable["name"] for variable in DASHBOARD["templating"]["list"]] == ["datasource", "instance"]
    panels = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]
    assert {panel["datasource"]["uid"] for panel in panels} == {"${datasource}"}
    identities = [panel["id"] for panel in DASHBOARD["panels"]]
    assert len(identities) == len(set(identities))
    assert {name for expression in expressions() for name in named(expression)} - series() == set()
    assert all('instance=~"$instance"' in expression for expression in expressions())
    assert not [expression for expression in expressions() if re.search(r"\[\d", expression)], "use $__rate_interval"


@needs_promtool
def test_dashboard_expressions(tmp_path: Path) -> None:
    """Each is PromQL."""
    rules = [
        {"record": f"panel:{number}", "expr": expression.replace("$__rate_interval", "5m").replace("$instance", ".*")}
        for number, expression in enumerate(expressions())
    ]
    assert len(rules) > 30
    (tmp_path / "panels.yml").write_text(json.dumps({"groups": [{"name": "panels", "rules": rules}]}))
    done = promtool("check", "rules", "panels.yml", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
