"""What makes new places and new programs ordinary: trips, homes of two families, a privacy relay, updates, new devices.

Drawn on top of where people come from, each from a generator of its own: what is asked for, and when, stays the same.
Shares and their sources are in the README.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from streams.offline.simulate.client import BROWSES_BY_SAFARI, CLIENTS, PREFETCHES, Client, draw_devices, updated
from streams.offline.simulate.coming import Views
from streams.offline.simulate.internet import COUNTRIES, Address, guest, other_family, relay_exit
from streams.offline.simulate.people import Crowd
from streams.offline.simulate.place import Whereabouts
from streams.offline.simulate.plan import DAY_MS, HOUR_MS
from streams.offline.simulate.traffic import Origin
from streams.offline.simulate.world import World

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

TRIPS_A_DAY: Final = 0.008
"""Trips that a person begins."""
NIGHTS: Final = 5.1
"""Of a trip, on average."""
ABROAD_SHARE: Final = 0.27
LOCAL_SIM_SHARE: Final = 0.5
"""Of trips abroad, those whose phone goes out where it is; the others' goes out at home, through the home carrier."""
UNDER_WAY_MS: Final = 6 * HOUR_MS
"""After the begin and before the end of a trip: stations, trains, airports."""
HOTSPOT_MS: Final = 2 * HOUR_MS
STOP_MS: Final = 2 * DAY_MS
"""How long one network is used, under way and afterwards."""
HOTSPOT_SWITCH_SHARE: Final = 0.25
"""Of the views by phone under way, those before which the phone goes from hotspot to carrier or back."""
LONGEST_MS: Final = 30 * DAY_MS
TWO_FAMILIES_SHARE: Final = 0.5
FAMILY_SWITCH_SHARE: Final = 0.2
"""Of the views from a home of two families, those before which the browser goes from one to the other."""
RELAY_SHARE: Final = 0.07
"""Of those who browse by Safari."""
OPERATOR_SHARE: Final = 0.2
"""Of the views through the relay, those before which another of its operators may be drawn."""
EXIT_SHARE: Final = 0.5
"""Likewise another exit of the operator."""
UPDATE_DAYS: Final = 28
DEVICE_DAYS: Final = 1_000
"""Between two devices of one sort."""
ELSEWHERE_SHARE: Final = 0.3
"""Of new devices, those first used at a place never used before."""


@dataclass(slots=True)
class _Places:
    """Addresses by place, those of the internet first; others are added as they are met."""

    addresses: list[Address]
    added: dict[Address, int] = field(default_factory=dict)

    def of(self, addresses: Sequence[Address]) -> Ints:
        """The place of each."""
        return np.array([self._place(address) for address in addresses], np.int64)

    def _place(self, address: Address) -> int:
        if address not in self.added:
            self.added[address] = len(self.addresses)
            self.addresses.append(address)
        return self.added[address]


@dataclass(frozen=True, slots=True)
class Trips:
    """At most one a person: first and last ms, and the number of the country; arrays of one entry a person."""

    begin_ms: Ints
    end_ms: Ints
    country: Ints

    def on(self, views: Views) -> Bools:
        """Which views fall into one."""
        away: Bools = (self.begin_ms[views.person] <= views.time_ms) & (views.time_ms < self.end_ms[views.person])
        return away

    def under_way(self, views: Views) -> Bools:
        """Which of them near its begin or end."""
        since = views.time_ms - self.begin_ms[views.person]
        until = self.end_ms[views.person] - views.time_ms
        near: Bools = self.on(views) & ((since < UNDER_WAY_MS) | (until <= UNDER_WAY_MS))
        return near


def moved(world: World, crowd: Crowd, views: Views, where: Whereabouts) -> Whereabouts:
    """Where views come from when people with accounts move as well; the same if the plan says that they do not.

    Visitors without an account stay: with another address each is another visitor.
    """
    if not world.plan.moving or crowd.kind.tier is None or not len(views):
        return where
    places = _Places(list(world.internet.addresses))
    trips = draw_trips(world, crowd)
    place = _two_families(world, crowd, views, where.place, places)
    place = _travelled(world, crowd, views, where.phone, place, trips, places)
    place = _relayed(world, crowd, views, where.phone, place, trips, places)
    new, elsewhere = _new_devices(world, crowd, views, where.phone)
    place = _guests(
        _rng(world, crowd, "shop"), views.person, elsewhere, place, _home_country(world, crowd, views), places
    )
    return _put_together(world, crowd, views, where, place, new, places)


def draw_trips(world: World, crowd: Crowd) -> Trips:
    """One trip for each person, most of them before the plan's begin or after its end."""
    rng, count = _rng(world, crowd, "trips"), len(crowd)
    span_ms = LONGEST_MS + world.plan.end_ms
    travels = rng.random(count) < 1 - np.exp(-TRIPS_A_DAY * span_ms / DAY_MS)
    begin_ms = np.where(travels, rng.integers(span_ms, size=count) - LONGEST_MS, world.plan.end_ms)
    length_ms = np.minimum(rng.geometric(1 / NIGHTS, count) * DAY_MS, LONGEST_MS)
    home = world.internet.country[crowd.first : crowd.first + count]
    other = (home + rng.integers(1, len(COUNTRIES), size=count)) % len(COUNTRIES)
    return Trips(begin_ms, begin_ms + length_ms, np.where(rng.random(count) < ABROAD_SHARE, other, home))


def _rng(world: World, crowd: Crowd, part: str) -> np.random.Generator:
    return world.plan.rng(f"moving/{part}/{crowd.kind.name}")


def _home_country(world: World, crowd: Crowd, views: Views) -> Ints:
    country: Ints = world.internet.country[crowd.first + views.person]
    return country


def _two_families(world: World, crowd: Crowd, views: Views, place: Ints, places: _Places) -> Ints:
    """The places, after browsers at some homes have gone from IPv4 to IPv6 and back within visits."""
    rng = _rng(world, crowd, "families")
    both = rng.random(len(crowd)) < TWO_FAMILIES_SHARE
    home = world.internet.home[crowd.first + views.person]
    turned = views.turned(rng.random(len(views)) < FAMILY_SWITCH_SHARE) & both[views.person] & (place == home)
    homes, at = np.unique(home[turned], return_inverse=True)
    out = place.copy()
    out[turned] = places.of([other_family(places.addresses[each]) for each in homes.tolist()])[at]
    return out


def _travelled(
    world: World, crowd: Crowd, views: Views, phone: Bools, place: Ints, trips: Trips, places: _Places
) -> Ints:
    """The places of who is away: guests' networks, and by phone a carrier; who uses a VPN goes on doing so."""
    rng = _rng(world, crowd, "places")
    away, under_way = trips.on(views), trips.under_way(views)
    country, local_sim = trips.country[views.person], rng.random(len(crowd)) < LOCAL_SIM_SHARE
    carrier = world.internet.carrier[crowd.first + views.person]
    carried = world.internet.carried(place)
    by_carrier = carried ^ (under_way & phone & views.turned(rng.random(len(views)) < HOTSPOT_SWITCH_SHARE))
    first, number = world.internet.carriers[country].T
    foreign = local_sim[views.person] & (country != _home_country(world, crowd, views)) & (number > 0)
    there = np.where(foreign, first + carrier % np.maximum(number, 1), np.where(carried, place, carrier))
    out = np.where(away & by_carrier, there, place)
    fixed = away & ~by_carrier & ~np.isin(place, world.internet.exits)
    since = views.time_ms - trips.begin_ms[views.person]
    stop = np.where(under_way, since // HOTSPOT_MS, -1 - since // STOP_MS)
    return _guests(rng, views.person * 1_000 + stop, fixed, out, country, places)


def _guests(rng: np.random.Generator, stay: Ints, which: Bools, place: Ints, country: Ints, places: _Places) -> Ints:
    """The places, those of some views in a guests' network of the country, one for each different stay."""
    stays, first, at = np.unique(stay[which], return_index=True, return_inverse=True)
    made = [guest(rng, int(number)) for number in country[which][first].tolist()]
    out = place.copy()
    out[which] = places.of(made)[at] if len(stays) else place[which]
    return out


def _relayed(
    world: World, crowd: Crowd, views: Views, phone: Bools, place: Ints, trips: Trips, places: _Places
) -> Ints:
    """The places of those whose Safari goes through a relay: exits of the country that they are in, changing often."""
    rng = _rng(world, crowd, "relay")
    uses = rng.random(len(crowd)) < RELAY_SHARE
    client = crowd.devices[views.person, phone.astype(np.int64)]
    through = uses[views.person] & BROWSES_BY_SAFARI[client]
    operator = rng.random(len(views)) < OPERATOR_SHARE
    exits = operator | (rng.random(len(views)) < EXIT_SHARE)
    country = np.where(trips.on(views), trips.country[views.person], _home_country(world, crowd, views))
    drawn = np.stack([country, *(views.kept(rng.integers(1_000, size=len(views)), by) for by in (operator, exits))])
    codes, at = np.unique(drawn[:, through], axis=1, return_inverse=True)
    out = place.copy()
    out[through] = places.of([relay_exit(*code) for code in codes.T.tolist()])[at.ravel()]
    return out


def _new_devices(world: World, crowd: Crowd, views: Views, phone: Bools) -> tuple[Ints, Bools]:
    """Number of each view's program if its device is new, else -1; which views are where a new one is first used."""
    rng, count = _rng(world, crowd, "devices"), len(crowd)
    bought = rng.random((count, 2)) < world.plan.end_ms / DAY_MS / DEVICE_DAYS
    bought &= ~PREFETCHES[crowd.devices]
    client, elsewhere = draw_devices(rng, count), rng.random((count, 2)) < ELSEWHERE_SHARE
    at_ms = _one_of(rng, views, phone, count)
    begun_ms = at_ms[views.person, phone.astype(np.int64)]
    new = bought[views.person, phone.astype(np.int64)] & (views.time_ms >= begun_ms)
    number = np.where(new, client[views.person, phone.astype(np.int64)], -1)
    out = new & elsewhere[views.person, phone.astype(np.int64)] & (views.time_ms - begun_ms < HOUR_MS)
    return number, out


def _one_of(rng: np.random.Generator, views: Views, phone: Bools, count: int) -> Ints:
    """Time of one view by each device of each person, (count, 2); of who has none it does not matter."""
    at_ms = np.zeros((count, 2), np.int64)
    order = rng.permutation(len(views))
    at_ms[views.person[order], phone[order].astype(np.int64)] = views.time_ms[order]
    return at_ms


def _put_together(
    world: World, crowd: Crowd, views: Views, where: Whereabouts, place: Ints, new: Ints, places: _Places
) -> Whereabouts:
    """One origin for each origin before, place and program."""
    rng = _rng(world, crowd, "updates")
    update_ms = rng.integers(UPDATE_DAYS * DAY_MS, size=(len(crowd), 2))
    updates = (views.time_ms >= update_ms[views.person, where.phone.astype(np.int64)]) & (new < 0)
    codes, origin = np.unique(np.stack([where.origin, place, new, updates]), axis=1, return_inverse=True)
    made = tuple(
        _origin(where.origins[before], places.addresses[at], CLIENTS[number] if number >= 0 else None, bool(newer))
        for before, at, number, newer in codes.T.tolist()
    )
    return Whereabouts(origin.ravel(), where.phone, place, made)


def _origin(before: Origin, address: Address, device: Client | None, newer: bool) -> Origin:
    """The origin at another address; a new device has a session of its own."""
    if device is not None:
        return replace(before, address=address, client=device, session=f"{before.session}.new")
    return replace(before, address=address, client=updated(before.client) if newer else before.client)
