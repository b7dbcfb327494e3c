"""The benchmark itself, on a few events and without Kafka: it must not rot between the rare times it is run whole."""

from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest
from rich.console import Console

from tests.bench import apart, backlog, checkpoints, recovery, report
from tests.bench.bench import SETTINGS
from tests.bench.measure import Latency, Results, Run, latency
from tests.bench.stages import Stages
from tests.bench.traffic import KINDS, Kind, Traffic, half_past

EVENTS = 3_000
STAGES = ["decode", "observe (with decode)", "assess"]


@pytest.fixture(scope="module", params=list(KINDS))
def measured(request: pytest.FixtureRequest) -> Results:
    """Two runs over the stages."""
    kind: Kind = request.param
    traffic, results = Traffic(kind, 200), Results()
    stages = Stages(SETTINGS, traffic, traffic.values(EVENTS, half_past(datetime.now(UTC), 3)), 4)
    stages.run(results)
    stages.run(results)
    return results


def test_stages(measured: Results) -> None:
    """Each stage has a row with a run for each time it ran, over all events."""
    assert [row.what for row in measured.rows] == STAGES
    assert all([run.events for run in row.runs] == [EVENTS, EVENTS] for row in measured.rows)
    assert all(run.wall_s > 0 and run.cpu_s > 0 for row in measured.rows for run in row.runs)


def test_sizes(measured: Results) -> None:
    """Every actor that the traffic names is held: visitors in one or two scopes, sessions, and fewer groups."""
    (size,) = measured.sizes
    persons = 600 if size.traffic.startswith("logged in") else 400
    assert persons < size.actors < persons + 200
    assert size.bytes_each > 0


def test_report(measured: Results, tmp_path: Path) -> None:
    """The file can be read by a program, the table by a person."""
    file, console = tmp_path / "build" / "bench.json", Console(record=True, width=120)
    report.write(measured, {"cores": 2}, file)
    report.show(measured, {"cores": 2}, console)
    read = msgspec.json.decode(file.read_bytes())
    assert [row["what"] for row in read["rows"]] == STAGES
    assert read["rows"][0]["events_per_s"]["low"] <= read["rows"][0]["events_per_s"]["median"]
    shown = console.export_text()
    assert all(stage in shown for stage in STAGES)


@pytest.mark.parametrize("kind", list(KINDS))
def test_traffic(kind: Kind) -> None:
    """Events are some 450 bytes, in the order of their times, and the same for the same seed."""
    values = Traffic(kind, 50).values(500, 0)
    assert 400 < sum(map(len, values)) / len(values) < 500
    assert values == sorted(values, key=lambda value: value[:40])
    assert values == Traffic(kind, 50).values(500, 0)
    assert values != Traffic(kind, 50, seed=2).values(500, 0)


def test_latency() -> None:
    """Percentiles of a hundred and one waits from 0 to 100 are the waits of that number."""
    found = latency([float(wait) for wait in range(101)], 20_000, 0.5)
    assert found == Latency(20_000, 0.5, 101, 50.0, 99.0, 100.0)


def test_what_a_worker_says_of_its_recovery() -> None:
    """Each partition's line gives when it was written, how many actors, and how long that took."""
    said = """a line that is not JSON
{"timestamp":"2026-11-29T17:24:45.500Z","body":"partition 0: restored 12,345 actors at offset 2 in 0.08 s (term 1)"}
{"timestamp":"2026-11-29T17:24:45.800Z","body":"partition 1: no checkpoint: rebuilding from 0, silent below 0"}
{"timestamp":"2026-11-29T17:24:46.000Z","body":"partition 2: restored 7 actors at offset 9 in 0.30 s (term 1)"}
"""
    (first, *_), (last, *_) = found = recovery.read_restored(said)
    assert [one[1:] for one in found] == [(12_345, 0.08), (7, 0.30)]
    assert last - first == pytest.approx(0.5)


def test_skewed_backlog() -> None:
    """Each event goes to one partition, in order, and the first partition gets five times of what another does."""
    parts = backlog.dealt("skewed", [b"%04d" % number for number in range(1_200)], 8)
    assert [len(part) for part in parts] == [500, *[100] * 7]
    assert sorted(value for part in parts for value in part) == [b"%04d" % number for number in range(1_200)]
    assert all(part == sorted(part) for part in parts)


@pytest.mark.parametrize("who", ["everybody", "one account"])
def test_backlog(who: str) -> None:
    """Chunks follow each other in time, and together are so many events of as many visitors as was said."""
    events = [value for first in (0, 500) for value in backlog.values_of(who, 0, first, 500, 1_000)]
    read = [msgspec.json.decode(value) for value in events]
    times = [one["@timestamp"] for one in read]
    assert times == sorted(times)
    accounts = {one["user.id"] for one in read}
    assert len(accounts) == 1 if who == "one account" else len(accounts) > 900


def test_records_of_a_backlog_have_the_times_of_their_events() -> None:
    """To the millisecond: else nothing could keep partitions together by them."""
    (event,) = backlog.values_of("everybody", 1_795_993_849_366_000, 0, 1, 1)
    assert apart.time_ms(event) == 1_795_993_849_366


def test_checkpoints() -> None:
    """The share of the throughput is one of medians, and a run of less than two intervals is told as too short."""
    pairs = [
        checkpoints.Pair(Run(1_000, wall_s=without, cpu_s=1), Run(1_000, wall_s=kept, cpu_s=1.5))
        for without, kept in ((10, 20), (40, 50), (30, 30))
    ]
    assert checkpoints.ratio(pairs) == pytest.approx(1.0)
    assert pairs[0].throughput == pytest.approx(0.5)
    assert pairs[0].cpu == pytest.approx(1.5)
    assert checkpoints.round_cpu_s(pairs, interval_s=15) == pytest.approx(0.25)
    assert checkpoints.too_short(pairs, interval_s=15)
    assert not checkpoints.too_short(pairs, interval_s=10)
