"""The catalogue of metrics and the page of them."""

import asyncio
import re
import shutil
import subprocess
from typing import Final

import pytest
from prometheus_client.parser import text_string_to_metric_families

from streams.metrics import (
    ACTORS,
    BATCH,
    CATALOGUE,
    CHALLENGE,
    CONFIG,
    DEAD_LETTERS,
    DEGRADED,
    EVENTS,
    NOTIFY,
    SERVE,
    WORKER,
    Kind,
    Metric,
    Metrics,
)

PROMTOOL: Final = shutil.which("promtool")
PERSONAL: Final = {"actor", "account", "session", "ip", "address", "user", "id", "key", "value", "incident", "bouncer"}


def page(metrics: Metrics, accept: str = "") -> tuple[str, str]:
    """The page and its content type."""
    body, content_type = asyncio.run(metrics.page(accept))
    return body.decode(), content_type


def full(metrics: tuple[Metric, ...]) -> Metrics:
    """A page on which every metric has a value."""
    made = Metrics(metrics)
    for metric in metrics:
        labels = ["x"] * len(metric.labels)
        if metric.kind is Kind.HISTOGRAM:
            made.note(metric, 0.3, *labels)
        else:
            made.put(metric, 1, *labels)
    return made


@pytest.mark.parametrize("metric", CATALOGUE, ids=lambda one: one.name)
def test_names(metric: Metric) -> None:
    """Weir's prefix; ``_total`` on counters and nothing else; seconds and bytes, never parts or multiples of them."""
    assert re.fullmatch(r"weir(_[a-z]+)+", metric.name)
    assert metric.name.endswith("_total") == (metric.kind is Kind.COUNTER)
    assert not re.search(r"_(ms|us|milliseconds|minutes|kb|mb|kilobytes|percent|ratio)\b|_s$", metric.name)
    assert (metric.kind is Kind.HISTOGRAM) == bool(metric.buckets)
    assert list(metric.buckets) == sorted(set(metric.buckets))
    if metric.kind is Kind.HISTOGRAM:
        assert metric.name.endswith("_seconds")


@pytest.mark.parametrize("metric", CATALOGUE, ids=lambda one: one.name)
def test_labels(metric: Metric) -> None:
    """No label could name a person or an enforcer; known values are those of an only label."""
    assert not PERSONAL.intersection(metric.labels)
    assert not metric.known or len(metric.labels) == 1
    assert metric.meaning.endswith(".")


def test_catalogue_is_whole() -> None:
    """It holds what each process shows, once."""
    names = [metric.name for metric in CATALOGUE]
    assert len(names) == len(set(names))
    assert set(CATALOGUE) == {*WORKER, *SERVE, *NOTIFY, *CHALLENGE}


@pytest.mark.skipif(PROMTOOL is None, reason="promtool is not installed")
@pytest.mark.parametrize("metrics", [WORKER, SERVE, NOTIFY, CHALLENGE], ids=["worker", "serve", "notify", "challenge"])
def test_promtool(metrics: tuple[Metric, ...]) -> None:
    """Prometheus' own linter has nothing against the page."""
    assert PROMTOOL is not None
    body, _ = page(full(metrics))
    done = subprocess.run([PROMTOOL, "check", "metrics"], input=body, text=True, capture_output=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_every_metric_is_on_the_page() -> None:
    """With its kind and its meaning; what has known labels begins at 0."""
    families = {family.name: family for family in text_string_to_metric_families(page(Metrics(WORKER))[0])}
    for metric in WORKER:
        family = families[metric.name.removesuffix("_total")]
        assert (family.type, family.documentation) == (metric.kind.value, metric.meaning)
        assert [sample.value for sample in family.samples] == [0.0] * len(metric.known)


def test_values() -> None:
    """Counters add up, gauges say the last word, and what is dropped is said no more."""
    metrics = Metrics(WORKER)
    metrics.add(DEAD_LETTERS, 2, "json")
    metrics.add(DEAD_LETTERS, 3, "json")
    metrics.put(ACTORS, 7, "awake")
    metrics.put(CONFIG, 1, "sha256:1")
    metrics.drop(CONFIG)
    assert (metrics.value(DEAD_LETTERS, "json"), metrics.value(ACTORS, "awake")) == (5, 7)
    assert metrics.value(CONFIG, "sha256:1") is None
    assert metrics.value(DEAD_LETTERS, "record") is None
    body, _ = page(metrics)
    assert 'weir_dead_letters_total{reason="json"} 5.0' in body
    assert "sha256" not in body


def test_a_value_at_a_bound_is_within_it() -> None:
    """Buckets are inclusive above, and cumulative; what lies above all is in the last one."""
    metrics = Metrics([BATCH])
    for value in (BATCH.buckets[0], BATCH.buckets[0] * 1.0001, 1e6):
        metrics.note(BATCH, value, "assess")
    body, _ = page(metrics)
    counts = [float(line.split()[1]) for line in body.splitlines() if line.startswith("weir_batch_duration_seconds_b")]
    assert counts == [1, *[2] * (len(BATCH.buckets) - 1), 3]
    assert metrics.value(BATCH, "assess") == 3
    assert metrics.value(BATCH, "observe") is None
    assert 'weir_batch_duration_seconds_count{stage="assess"} 3.0' in body


@pytest.mark.parametrize(
    ("accept", "content_type"),
    [
        ("", "text/plain; version=0.0.4; charset=utf-8"),
        ("text/plain;version=2..;", "text/plain; version=0.0.4; charset=utf-8"),
        ("application/openmetrics-text;version=x", "text/plain; version=0.0.4; charset=utf-8"),
        (
            "application/openmetrics-text; version=1.0.0",
            "application/openmetrics-text; version=1.0.0; charset=utf-8; escaping=underscores",
        ),
    ],
)
def test_formats(accept: str, content_type: str) -> None:
    """Text by default, OpenMetrics where it is asked for, and no error for a version that does not exist."""
    body, found = page(full(WORKER), accept)
    assert content_type in (found, found.replace("version=1.0.0", "version=0.0.4").partition("; escaping")[0])
    assert body.endswith("# EOF\n") == ("openmetrics" in found)


def test_copies_come_first() -> None:
    """What is counted elsewhere is on the page as it is at that moment."""
    metrics, counted = Metrics(WORKER), [0]

    async def copy() -> None:
        counted[0] += 1
        metrics.put(EVENTS, counted[0])

    metrics.on_page(copy)
    assert "weir_events_total 1.0" in page(metrics)[0]
    assert "weir_events_total 2.0" in page(metrics)[0]


def test_every_reason_of_being_degraded_is_there_from_the_beginning() -> None:
    """An alert rule that compares with 0 needs the 0."""
    assert page(Metrics(WORKER))[0].count("weir_degraded{reason=") == len(DEGRADED.known)
