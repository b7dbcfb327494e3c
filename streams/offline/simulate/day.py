"""Composes a simulated time out of its parts and writes it."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Final

import msgspec
import numpy as np
import orjson

from streams.offline.simulate import traffic as columns
from streams.offline.simulate.gathering import gatherings
from streams.offline.simulate.labels import Labels, people_labels, scraper_label
from streams.offline.simulate.members import Members
from streams.offline.simulate.plan import Plan
from streams.offline.simulate.scrapers import Scraper, scrapers
from streams.offline.simulate.traffic import Event, Traffic
from streams.offline.simulate.visit import Part, honest
from streams.offline.simulate.world import World

LINES: Final = 16_384


@dataclass(frozen=True, slots=True)
class Day:
    """A simulated time: all requests in order of time, and who was who."""

    plan: Plan
    members: Members
    traffic: Traffic
    labels: Labels

    def events(self) -> Iterator[Event]:
        """Request events in order of time, equal times in a fixed order."""
        return columns.events(self.traffic, self.members, self.plan.start_ms, self.plan.route)


def simulate(plan: Plan) -> Day:
    """Makes the requests of a plan; the same plan makes the same."""
    world = World.of(plan)
    people = [part for crowd in world.crowds for part in honest(world, crowd)] + gatherings(world)
    intruders = scrapers(world)
    parts = [part.traffic for part in people] + [intruder.traffic for intruder in intruders]
    return Day(plan, world.members, Traffic.merged(parts, plan.end_ms), _labels(world, people, intruders))


def write(day: Day, out_dir: Path, progress: Callable[[int], object] = int) -> None:
    """Writes ``events.ndjson`` and ``labels.json``.

    Args:
        day: What to write.
        out_dir: Made if it is missing; files of the same names are replaced.
        progress: Told of the number of events after each stretch that is written.

    Raises:
        OSError: The directory or a file cannot be written; nothing is cleaned up.
    """
    out_dir.mkdir(parents=True, exist_ok=True)
    events = day.events()
    with (out_dir / "events.ndjson").open("wb") as file:
        while lines := [orjson.dumps(event, option=orjson.OPT_APPEND_NEWLINE) for event in islice(events, LINES)]:
            file.writelines(lines)
            progress(len(lines))
    text = orjson.dumps(msgspec.to_builtins(day.labels), option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)
    (out_dir / "labels.json").write_bytes(text)


def _labels(world: World, people: list[Part], intruders: list[Scraper]) -> Labels:
    kinds = {origin: part.kind for part in people for origin in part.traffic.origins}
    fingerprints = {origin.client.ja4 for origin in kinds}
    addresses = {origin.address.value for origin in kinds}
    plan = world.plan
    start, quiet_until, end = columns.timestamps(plan.start_ms + np.array([0, plan.quiet_ms, plan.end_ms]))
    return Labels(
        seed=plan.seed,
        start=start,
        end=end,
        quiet_until=quiet_until,
        members=plan.members,
        popularity_exponent=plan.popularity_exponent,
        people=people_labels(((kind, origin) for origin, kind in kinds.items()), world.internet.shared()),
        scrapers=[scraper_label(intruder, world.members, fingerprints, addresses) for intruder in intruders],
        decoys=[str(decoy) for decoy in world.members.decoys.tolist()],
    )
