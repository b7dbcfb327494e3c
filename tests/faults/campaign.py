"""A round of faults: a day is fed while workers and brokers are hurt, and what comes out is compared.

Beside it stands what one undisturbed process makes of the same events: every alert and block with its content, and what
is known of every actor at the end.
"""

import random
import re
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

import msgspec
from kafka.admin import ConfigResource, ConfigResourceType

from schemas import topic
from schemas.alert import Alert
from schemas.block import Block
from streams.offline.replay import replay
from streams.offline.simulate import PRESETS, simulate, write
from streams.offline.simulate import Plan as Day
from tests.broker.installation import PARTITIONS, Installation, Received, Record, content
from tests.brokers import KNOWN_S, Broker
from tests.faults.fault import NEXT_S, Site, strike
from tests.faults.feeding import Feeding
from tests.faults.state import differing_actors

RECOVERY_S: Final = 240.0
"""Until a start is seen, and after the last fault until everything is judged."""
LATE: Final = re.compile(r"\((\d+) late, ")
"""What a worker says now and then of what it has judged."""


@dataclass(slots=True)
class Round:
    """What one round showed."""

    seed: int
    events: int = 0
    alerts: int = 0
    blocks: int = 0
    actors: int = 0
    faults: Counter[str] = field(default_factory=Counter)
    repeated: int = 0
    """Decisions that came more than once, each time with the same id and content."""
    restored: int = 0
    """Partitions taken over from a checkpoint."""
    late: int = 0
    """Sightings that came behind the watermark, of a source that was away for longer than others wait (`Plan.idle_ms`).

    They are judged as they come: where there are any, decisions may differ from those of a single process.
    """
    recalled: int = 0
    """Partitions that were taken over from so far behind that the model had to be read again."""
    compacted: int = 0
    """Records of checkpoints that the broker has taken away meanwhile, since their keys were written again."""
    ended: dict[str, str] = field(default_factory=dict)
    """Workers that ended by themselves, and their last words."""
    differences: list[str] = field(default_factory=list)
    recovery_s: float = 0.0
    """From the last fault and event to everything judged."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What a round is to be."""

    seed: int
    """Of the day and of the faults."""
    faults: int
    duration_s: float
    """In which the day is fed, and hurt."""
    idle_ms: int
    replication: int = 1
    partitions: int = PARTITIONS
    day: Day = PRESETS["small"]
    at_once: float = 0.0
    """Share of the day that is fed at once, before any of the rest."""
    leave_out: Callable[[bytes], bool] = lambda _: False
    """Events that are not fed, which the comparison must notice."""


MakeSite = Callable[[Installation, random.Random], Site]
Hurt = Callable[[Site, Feeding, int], Iterator[str]]
"""Hurts a site while it is fed, so many times at most; gives the name of each fault."""
Tell = Callable[[str], None]


def at_random(site: Site, feeding: Feeding, faults: int) -> Iterator[str]:
    """Faults drawn by chance until all is fed, and time for what undoes the last ones."""
    while not feeding.done or site.later:
        until = time.monotonic() + site.chance.uniform(*NEXT_S)
        while time.monotonic() < until:
            site.tend()
            time.sleep(0.1)
        name = strike(site) if faults > 0 and not feeding.done else None
        if name is not None:
            faults -= 1
            yield name


def run(
    broker: Broker,
    directory: Path,
    plan: Plan,
    make_site: MakeSite,
    tell: Tell = lambda _: None,
    hurt: Hurt = at_random,
) -> Round:
    """One round; ``tell`` hears of each fault."""
    found, chance = Round(plan.seed), random.Random(plan.seed)
    directory.mkdir(parents=True, exist_ok=True)
    requests, path = f"test-{uuid.uuid4().hex[:12]}", directory / "events.ndjson"
    write(simulate(replace(plan.day, seed=plan.seed)), directory)
    events = path.read_bytes().splitlines()
    found.events = len(events)
    weir = Installation(
        broker,
        directory,
        requests=requests,
        batch_records=150,
        idle_ms=plan.idle_ms,
        replication=plan.replication,
        partitions=plan.partitions,
        wait_s=RECOVERY_S,
    )
    weir.install()
    _compact_soon(weir)
    place = make_site(weir, chance)
    try:
        for _ in range(place.workers_min):
            weir.start()
        for name in _disturb(place, plan, [event for event in events if not plan.leave_out(event)], hurt):
            found.faults[name] += 1
            tell(name)
        started = time.monotonic()
        _recover(place)
        found.recovery_s = time.monotonic() - started
        for worker in place.alive():
            worker.stop()
        found.ended = dict(place.ended)
        # That brokers gave no answer to one that starts is what its supervisor is for.
        for name, said in found.ended.items():
            found.differences += [] if said.startswith("status 2:") else [f"{name} {said}"]
        found.compacted = sum(weir.ends(weir.own(topic.STATE)).values()) - len(weir.read(weir.own(topic.STATE)))
        found.restored = sum(worker.output().count("restored") for worker in weir.workers)
        found.recalled = sum(worker.output().count("was let go of") for worker in weir.workers)
        found.late = sum(max(map(int, LATE.findall(worker.output())), default=0) for worker in weir.workers)
        _compare(weir, found, path)
    finally:
        place.undo()
        weir.close()
    return found


def _compact_soon(weir: Installation) -> None:
    """Have checkpoints compacted while they are written and read, which else begins after hours."""
    soon = {"segment.ms": "1000", "min.cleanable.dirty.ratio": "0.01", "max.compaction.lag.ms": "1000"}
    resource = ConfigResource(ConfigResourceType.TOPIC, weir.own(topic.STATE), soon)
    until = time.monotonic() + KNOWN_S
    while True:
        try:
            weir.broker.admin.alter_configs([resource])
        except ValueError:  # kafka-python's word where the node that it asks has not heard of the topic yet
            if time.monotonic() > until:
                raise
            time.sleep(0.2)
        else:
            return


def _disturb(site: Site, plan: Plan, events: list[bytes], hurt: Hurt) -> Iterator[str]:
    begun = ("silent below", "restored")
    site.weir.wait(lambda: any(word in one.output() for one in site.alive() for word in begun), "a start")
    weir = site.weir
    feeding = Feeding(weir.broker.bootstrap, weir.requests, events, plan.duration_s, weir.partitions, plan.at_once)
    feeding.start()
    yield from hurt(site, feeding, plan.faults)
    feeding.finish()


def _recover(site: Site) -> None:
    """Undo everything, keep the workers up, and wait until all is judged."""
    site.undo()
    site.weir.meanwhile = site.tend
    site.weir.wait_judged()


def _compare(weir: Installation, found: Round, path: Path) -> None:
    expected = replay([path], weir.settings, enforce=False)
    found.repeated += _decisions(weir, topic.ALERTS, {one.id: _plain(one) for one in expected.alerts}, found)
    found.repeated += _decisions(weir, topic.BLOCKS, {one.id: _plain(one) for one in expected.blocks}, found)
    found.alerts, found.blocks = len(expected.alerts), len(expected.blocks)
    dead = weir.read(weir.own(topic.DEAD_LETTERS))
    if dead:
        found.differences.append(f"{len(dead)} dead letters")
    found.actors, differing = differing_actors(weir, path.read_bytes().splitlines())
    found.differences += differing


def _plain(decision: Alert | Block) -> Record:
    record: Record = msgspec.json.decode(msgspec.json.encode(decision))
    return content(record)


def _decisions(weir: Installation, where: topic.Topic, expected: Mapping[str, Record], found: Round) -> int:
    """Compare a topic with what was expected; how many records came again."""
    seen: dict[str, Record] = {}
    received: list[Received] = [one for one in weir.read(weir.own(where)) if one.value is not None]
    for record in (content(one.record) for one in received):
        if seen.setdefault(record["id"], record) != record:
            found.differences.append(f"{where.name}: {record['id']} came again with another content")
    found.differences += [f"{where.name}: {one} is missing" for one in expected.keys() - seen.keys()]
    found.differences += [f"{where.name}: {one} should not be" for one in seen.keys() - expected.keys()]
    found.differences += [
        f"{where.name}: {one}: {'; '.join(_unlike(expected[one], seen[one]))}"
        for one in expected.keys() & seen.keys()
        if expected[one] != seen[one]
    ]
    return len(received) - len(seen)


def _unlike(expected: object, seen: object, at: str = "") -> Iterator[str]:
    """Each value that is not as expected, with its place in the record."""
    if isinstance(expected, dict) and isinstance(seen, dict):
        for key in sorted(expected.keys() | seen.keys()):
            yield from _unlike(expected.get(key), seen.get(key), f"{at}.{key}".lstrip("."))
    elif isinstance(expected, list) and isinstance(seen, list) and len(expected) == len(seen):
        for number, both in enumerate(zip(expected, seen, strict=True)):
            yield from _unlike(*both, f"{at}[{number}]")
    elif expected != seen:
        yield f"{at} is {seen}, not {expected}"
