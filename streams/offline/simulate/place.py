"""From where, and with which device, each view comes: people move within a day, and within a session."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from streams.offline.simulate.coming import Views, Visits
from streams.offline.simulate.internet import Internet
from streams.offline.simulate.people import Crowd
from streams.offline.simulate.plan import DAY_MS
from streams.offline.simulate.traffic import Origin

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

OFFICE_HOURS: Final = (8, 18)
OFFICE_SHARE: Final = 0.85
"""Of the visits by desktop in these local hours, those from the office, if there is one."""
CARRIER_SHARE: Final = 0.5
"""Of the visits by phone, those over a carrier and not at home."""
ROAMING_VPN_SHARE: Final = 0.15
"""Of a roaming person's visits, those through a VPN."""
EXIT_SHARE: Final = 0.3
"""Of the visits through a VPN, those through another exit than the usual one, which may be in another country."""
SWITCH_SHARE: Final = 0.15
"""Of a roaming person's views by phone, those before which the phone goes from home to the carrier or back."""
CARRIER_POOL: Final = 4
"""Addresses among which a carrier changes."""
TWIN_SHARE: Final = 0.5
"""Of a twin's visits, those on both devices at once."""
OTHER_DEVICE_SHARE: Final = 0.4
"""Of the views in such a visit, those on the other device."""


@dataclass(frozen=True, slots=True)
class Whereabouts:
    """Where views come from.

    Attributes:
        origin: Place of each view in `origins`.
        phone: Whether each view is by phone.
        place: Each view's address, by its place among those of the internet; further ones follow on these.
        origins: One for each device and address of each visit.
    """

    origin: Ints
    phone: Bools
    place: Ints
    origins: tuple[Origin, ...]


def whereabouts(
    rng: np.random.Generator, internet: Internet, crowd: Crowd, visits: Visits, views: Views
) -> Whereabouts:
    """Device and address of each view."""
    aside = _aside(rng, crowd, visits, views)
    place = np.where(aside, _places_aside(rng, internet, crowd, visits)[views.visit], 0)
    place = np.where(aside, place, _places(rng, internet, crowd, visits)[views.visit])
    phone = visits.phone[views.visit] ^ aside
    place = _roamed(rng, internet, crowd, views, phone, place)
    place = _hopped(rng, internet, crowd, views.person, place)
    span = len(internet.addresses)
    code, origin = np.unique((views.visit * 2 + phone) * span + place, return_inverse=True)
    return Whereabouts(origin, phone, place, _origins(internet, crowd, visits, code))


def _origins(internet: Internet, crowd: Crowd, visits: Visits, code: Ints) -> tuple[Origin, ...]:
    """One origin for each code of visit, device and place."""
    rest, place = np.divmod(code, len(internet.addresses))
    visit, phone = np.divmod(rest, 2)
    columns = (visits.person[visit], place, phone, visits.start_ms[visit] // DAY_MS)
    rows = zip(*(column.tolist() for column in columns), strict=True)
    return tuple(crowd.origin(person, internet.addresses[at], bool(phone), day) for person, at, phone, day in rows)


def _places(rng: np.random.Generator, internet: Internet, crowd: Crowd, visits: Visits) -> Ints:
    """Place of each visit's address: VPN exit, carrier, office or home."""
    who = crowd.first + visits.person
    chance = rng.random((4, len(who)))
    working = (visits.local_h >= OFFICE_HOURS[0]) & (visits.local_h < OFFICE_HOURS[1]) & (internet.office[who] >= 0)
    vpn = np.where(crowd.roams, max(crowd.kind.vpn, ROAMING_VPN_SHARE), crowd.kind.vpn)
    by_vpn = chance[0] < vpn[visits.person]
    by_carrier = visits.phone & (chance[1] < CARRIER_SHARE)
    at_office = ~visits.phone & working & (chance[2] < OFFICE_SHARE)
    another = internet.exits[rng.integers(len(internet.exits), size=len(who))]
    exits = np.where(chance[3] < EXIT_SHARE, another, internet.vpn[who])
    shared = [exits, internet.carrier[who], internet.office[who]]
    return np.select([by_vpn, by_carrier, at_office], shared, internet.home[who])


def _aside(rng: np.random.Generator, crowd: Crowd, visits: Visits, views: Views) -> Bools:
    """Which views of a twin's visits are on the other device."""
    both = crowd.twin[visits.person] & (rng.random(len(visits.person)) < TWIN_SHARE)
    chosen: Bools = both[views.visit] & (rng.random(len(views)) < OTHER_DEVICE_SHARE)
    return chosen


def _places_aside(rng: np.random.Generator, internet: Internet, crowd: Crowd, visits: Visits) -> Ints:
    """Place of each visit's other device: a phone's is the carrier or home, a desktop's home."""
    who = crowd.first + visits.person
    by_carrier = ~visits.phone & (rng.random(len(who)) < CARRIER_SHARE)
    return np.where(by_carrier, internet.carrier[who], internet.home[who])


def _roamed(
    rng: np.random.Generator, internet: Internet, crowd: Crowd, views: Views, phone: Bools, place: Ints
) -> Ints:
    """The places, after a roaming person's phone has gone from home to the carrier and back within its visits."""
    who = crowd.first + views.person
    home, carrier = internet.home[who], internet.carrier[who]
    turned = views.turned(rng.random(len(views)) < SWITCH_SHARE) & crowd.roams[views.person]
    turned &= phone & ((place == home) | (place == carrier))
    return np.where(turned, home + carrier - place, place)


def _hopped(rng: np.random.Generator, internet: Internet, crowd: Crowd, person: Ints, place: Ints) -> Ints:
    """The places, after carriers have given some people another of their addresses for each view."""
    who = crowd.first + person
    first, number = internet.carriers[internet.country[who]].T
    step = rng.integers(CARRIER_POOL, size=len(who))
    hops = crowd.hops[person] & (place == internet.carrier[who])
    return np.where(hops, first + (place - first + step) % np.maximum(number, 1), place)
