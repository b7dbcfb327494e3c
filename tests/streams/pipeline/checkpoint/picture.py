"""All that a partition knows, in a form that hangs neither on slots nor on where anything lies in memory.

It reads the objects themselves and shares nothing with what it is to check. Which attributes are state stands in
`KEPT`: a test fails when a class gets another, which a checkpoint might forget.
"""

from collections.abc import Iterator
from dataclasses import asdict, fields, replace
from typing import Any, Final

import numpy as np

from streams.pipeline.actors.contacts import FEW, Contacts
from streams.pipeline.actors.contacts import GRAIN as CONTACTS_GRAIN
from streams.pipeline.actors.memory import GRAIN, SIZES, Memory
from streams.pipeline.actors.store import PLACES, SLOTS, Actors
from streams.pipeline.assess.assessor import Assessor
from streams.pipeline.assess.roster import Roster
from streams.pipeline.rows import join

Picture = dict[str, Any]
TABLES: Final = ("windows", "principals", "groups")
KEPT: Final = {
    "Assessor": {
        "actors", "bounds", "decider", "learner", "release", "roster",
        "_epoch", "judged", "partition", "tiers", "tiers_cut",
    },
    "Actors": {
        "all", "windows", "principals", "groups", "pairs", "contacts", "members", "serial",
        "_index", "_member_index", "_places", "_counts", "_texts",
    },
    "Release": {"_bound", "_let_go", "_sources", "duplicates", "late"},
    "Decider": {"_blocked", "_brakes", "_closed", "_next_us", "_open"},
    "Brakes": {"_active", "_held", "_moved", "_new_us"},
    "Learner": {"_honest", "_met", "_suspects", "_tables"},
    "Roster": {"_held", "_sums"},
    "Bounds": {"sleepers", "turnover"},
    "Sleepers": {"_runs", "count"},
}  # fmt: skip
GIVEN: Final = {
    "Assessor": {
        "_begun", "_detectors", "_epoch_us", "_fusion", "_limits", "_models", "_most", "_regime", "_settings",
        "_timeline", "epoch_s", "judge", "written",
    },
    "Actors": {"touched"},
    "Release": {"_expected", "_lateness_us"},
    "Decider": {"_answers", "_config", "_cooldown_us", "_denied", "_policy", "overruling"},
    "Brakes": {"_brake_us", "_most", "_part", "_partition", "_partitions", "_share_max"},
    "Learner": {"_partition", "epochs"},
    "Roster": {"_given"},
    "Bounds": {"_actors", "_caps", "_decider", "_idle_s", "_members_idle_s", "_memory", "_release", "_roster"},
    "Sleepers": {"record"},
}  # fmt: skip
"""What the settings or the other objects give, what follows from the state, and what checkpoints themselves keep."""
BY_ARRIVAL: Final = frozenset({"rows that wait, course", "roster, held", "turnover"})
"""What hangs on how events came and not on what they were: duplicates, messages kept to name members by."""


def picture(assessor: Assessor) -> Picture:
    """Everything by name; two partitions are the same when their pictures are."""
    keys = assessor.actors.keys()
    found: Picture = dict(_actors(assessor.actors, keys))
    found |= {f"rows that wait, {name}": values for name, values in _release(assessor, keys).items()}
    decider, learner, bounds = assessor.decider, assessor.learner, assessor.bounds
    found["open"] = [(int(keys[slot]), _plain(episode)) for slot, episode in decider._open.items()]
    found["blocked"] = [(int(keys[slot]), standing) for slot, standing in decider._blocked.items()]
    found["decider"] = decider._next_us, list(decider._closed)
    brakes = decider._brakes
    found["brakes"] = list(brakes._new_us), dict(brakes._held), brakes._active, list(brakes._moved)
    found["met"] = np.sort(np.concatenate([np.zeros(0, np.uint64), *learner._met])).tobytes()
    found["honest"] = learner._honest.tobytes()
    found["tables"] = {name: counts.tobytes() for name, counts in learner._tables.items()}
    found["suspects"] = learner._suspects.tobytes()
    found["roster, held"], found["roster, names"] = _roster(assessor.roster, keys)
    found["turnover"] = asdict(bounds.turnover)
    asleep, records = bounds.sleepers.state()
    found["sleepers"] = bounds.sleepers.count, asleep.tobytes(), records.tobytes()
    found["course"] = assessor._epoch, list(assessor.tiers), assessor.partition
    found["counts"] = assessor.judged, assessor.tiers_cut, assessor.actors.serial
    return found


def unlike(one: Picture, other: Picture) -> set[str]:
    """Names under which two pictures differ."""
    return {name for name in one.keys() | other.keys() if one.get(name) != other.get(name)}


def of_the_input(known: Picture) -> Picture:
    """Without what hangs on when events came, when decisions were made and how batches were cut.

    That is what came twice, the time of day, the watermark, the order in which tiers came, and the number of sightings:
    a touch is told once a batch.
    """
    timeless = {"decided_us": 0, "watermark_us": 0}
    episodes = [
        (key, episode | {name: replace(episode[name], **timeless) for name in ("opened", "latest")})
        for key, episode in known["open"]
    ]
    epoch, tiers, partition = known["course"]
    own = {
        "open": episodes,
        "counts": known["counts"][1:],
        "course": (epoch, sorted(tiers), partition),
        "decider": known["decider"][1:],  # the first says when to look next at the latest, which is never missed
    }
    return {name: value for name, value in (known | own).items() if name not in BY_ARRIVAL}


def _plain(episode: Any) -> dict[str, Any]:
    return {each.name: getattr(episode, each.name) for each in fields(episode) if each.name != "slot"}


def _actors(actors: Actors, keys: np.ndarray[Any, Any]) -> Iterator[tuple[str, Any]]:
    order = np.argsort(keys)
    pair_order = np.argsort(actors.pair_keys())
    yield "keys", keys[order].tobytes()
    yield "pair keys", actors.pair_keys()[pair_order].tobytes()
    yield "values", [actors.value(slot) for slot in order.tolist()]
    yield "placed", (actors._places[order] > 0).tobytes()
    yield "counts of places", (actors._counts.tolist(), [getattr(actors, name).count for name in ("all", *TABLES)])
    places = {"all": order, "pairs": pair_order}
    for k, name in enumerate(TABLES):
        own = actors._places[order, k]
        places[name] = own[own > 0] - 1
    for table, at in places.items():
        found = getattr(actors, table)
        for detector, columns in (("", found.columns), *found.state.items()):
            for name, column in columns.items():
                values = column[at]
                if not detector and name in SLOTS:
                    values = np.where(values > 0, keys[np.maximum(values, 1) - 1], np.uint64(0))
                if detector or name not in PLACES:
                    yield ".".join(filter(None, (table, detector, name))), (values.dtype.str, values.tobytes())
    yield "contacts", [_met(actors.contacts, slot) for slot in order.tolist()]
    yield "members", [_remembered(actors.members, slot) for slot in order.tolist()]


def _met(contacts: Contacts, slot: int) -> tuple[bool, bool, bytes]:
    place, state = contacts.blocks.head[slot].tolist()
    start = place * CONTACTS_GRAIN
    entries = contacts.blocks.entries[start : start + state // 64].tobytes()
    return bool(state & FEW), bool(contacts.blocks.overflowed[slot]), entries


def _remembered(memory: Memory, slot: int) -> tuple[int, int, bool, bytes]:
    head, swept = memory.blocks.head[slot].tolist()
    start = head // 16 * GRAIN
    entries = memory.blocks.entries[start : start + SIZES[head % 16 - 1]].tobytes() if head else b""
    return head % 16, swept, bool(memory.blocks.overflowed[slot]), entries


def _release(assessor: Assessor, keys: np.ndarray[Any, Any]) -> Picture:
    release = assessor.release
    found: Picture = {"course": (release._bound, release._let_go, release.late, release.duplicates)}
    for number, source in sorted(release._sources.items()):
        rows = join([held.rows for held in source.held])
        # A tier's number is the partition's own, as a slot is: the name says which one it is.
        columns: list[object] = [keys[rows.slot].tobytes(), [assessor.tiers[tier] for tier in rows.tier.tolist()]]
        columns += [getattr(rows, name).tobytes() for name in rows._fields if name not in ("slot", "tier")]
        found[f"source {number}"] = source.applied, source.watermark_us, source.idle, columns
    return found


def _roster(roster: Roster, keys: np.ndarray[Any, Any]) -> tuple[Any, Any]:
    held = [(last, *(np.asarray(each).tobytes() for each in names[:3]), names.text) for last, names in roster._held]
    return held, {
        int(keys[slot]): [(one.sum, one.rise, list(one.members.items())) for one in sums.values()]
        for slot, sums in roster._sums.items()
    }
