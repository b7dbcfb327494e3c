import json
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import msgspec
import numpy as np
import pytest

from schemas.request import decode_request
from streams.offline.simulate import PRESETS, Day, Labels, simulate, write

SMALL = PRESETS["small"]


def test_the_same_plan_gives_the_same_bytes(small: Day, tmp_path: Path) -> None:
    """Two runs of one plan write the same files; another seed writes others."""
    for name, day in (("a", small), ("b", simulate(SMALL)), ("c", simulate(replace(SMALL, seed=2)))):
        write(day, tmp_path / name)
    digests = {
        name: [sha256((tmp_path / name / file).read_bytes()).digest() for file in ("events.ndjson", "labels.json")]
        for name in "abc"
    }
    assert digests["a"] == digests["b"]
    assert digests["a"][0] != digests["c"][0]


@pytest.mark.parametrize("scrapers", [(), ("fleet",), ("id_walk", "burst")])
def test_scrapers_change_nobody_else(small: Day, scrapers: tuple[str, ...]) -> None:
    """Leaving scrapers out removes their requests and alters no other request, label or member."""
    fewer = simulate(replace(SMALL, scrapers=scrapers))
    gone = {
        name
        for label in small.labels.scrapers
        if label.kind not in scrapers
        for name in (*label.accounts, *label.addresses)
    }
    kept = [event for event in small.events() if (event.get("user.id") or event["client.address"]) not in gone]
    assert kept == list(fewer.events())
    assert fewer.labels.people == small.labels.people
    assert [label for label in small.labels.scrapers if label.kind in scrapers] == fewer.labels.scrapers


def test_small_is_small_and_has_all(small: Day) -> None:
    """The preset for tests has 20,000 to 35,000 events: views, searches and others."""
    assert 20_000 <= len(small.traffic) <= 35_000
    assert (np.bincount(small.traffic.what) > 100).all()


def test_written_events(small: Day, tmp_path: Path) -> None:
    """The file has a line an event, in order of time, within the plan, each with the contract's required keys."""
    write(small, tmp_path)
    lines = (tmp_path / "events.ndjson").read_bytes().splitlines()
    events = [json.loads(line) for line in lines]
    assert events == list(small.events())
    times = [event["@timestamp"] for event in events]
    assert times == sorted(times)
    assert small.labels.start <= times[0]
    assert times[-1] < small.labels.end
    assert all(event["http.request.method"] == "GET" and event["url.path"] for event in events)


def test_events_are_canonical(small: Day, tmp_path: Path) -> None:
    """Every written line is a request event as Weir reads it, and comes out with what went in."""
    write(small, tmp_path)
    lines = (tmp_path / "events.ndjson").read_bytes().splitlines()
    for line, event in zip(lines, small.events(), strict=True):
        read = decode_request(line)
        assert (read.path, read.user, read.address) == (
            event["url.path"],
            event.get("user.id"),
            event["client.address"],
        )


def test_written_labels_read_back(small: Day, tmp_path: Path) -> None:
    """labels.json is what the day's labels are, with a version."""
    write(small, tmp_path)
    text = (tmp_path / "labels.json").read_bytes()
    assert msgspec.json.decode(text, type=Labels) == small.labels
    assert json.loads(text)["version"] == 1
    assert (small.labels.start, small.labels.quiet_until, small.labels.end) == (
        "2026-11-24T00:00:00.000Z",
        "2026-11-25T00:00:00.000Z",
        "2026-11-26T00:00:00.000Z",
    )


def test_progress_counts_every_event(small: Day, tmp_path: Path) -> None:
    """What progress is told adds up to the number of events."""
    told: list[int] = []
    write(small, tmp_path, told.append)
    assert sum(told) == len(small.traffic)
    assert len(told) > 1


def test_quiet_days_are_quiet(small: Day) -> None:
    """No request of a scraper comes before the labels' end of the quiet time."""
    names = {name for label in small.labels.scrapers for name in (*label.accounts, *label.addresses)}
    first = next(event for event in small.events() if (event.get("user.id") or event["client.address"]) in names)
    assert str(first["@timestamp"]) >= small.labels.quiet_until


def test_addresses_agree_on_their_network(small: Day) -> None:
    """In the events, an address always has the same network number and country."""
    facts: dict[object, set[tuple[object, object]]] = {}
    for event in small.events():
        fact = (event["client.as.number"], event["client.geo.country_iso_code"])
        facts.setdefault(event["client.address"], set()).add(fact)
    assert {len(found) for found in facts.values()} == {1}


def test_without_scrapers_and_visitors() -> None:
    """A quiet half day of the fewest people is simulated too."""
    day = simulate(replace(SMALL, people=40, anonymous=0, quiet_days=0.5, scraper_days=0, scrapers=()))
    assert day.labels.scrapers == []
    assert len(day.traffic) > 500
    assert day.traffic.time_ms.max() < 43_200_000


def test_a_day_is_counted_from_its_start() -> None:
    """Another start moves the times and nothing else, if it is at the same hour."""
    later = replace(SMALL, start=SMALL.start.replace(year=2027), scrapers=())
    moved, here = next(simulate(later).events()), next(simulate(replace(SMALL, scrapers=())).events())
    assert moved["@timestamp"] == "2027-11-24T00:00:00.000Z"
    assert moved["client.address"] == here["client.address"]


def test_unwritable_place(small: Day, tmp_path: Path) -> None:
    """A place that cannot be written to is an OSError that names it."""
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match="file"):
        write(small, tmp_path / "file" / "out")
