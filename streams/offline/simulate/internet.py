"""Where requests come from: homes, carriers' and offices' shared addresses, VPN exits, hosting.

IPv4 addresses are out of 240.0.0.0/4 and IPv6 ones out of 2001:db8::/32, which are routed nowhere, and networks'
numbers are private ones: a block list out of a simulation cannot hurt anybody.
"""

from dataclasses import dataclass, replace
from typing import Final, Self

import numpy as np
from numpy.typing import NDArray

from streams.offline.simulate.plan import Plan

Ints = NDArray[np.int64]

FIRST_OCTET: Final = 240
FIRST_ASN: Final = 64_512
HOME_HOSTS: Final = 199
"""Hosts .1 to .199 of a net are homes; those above are rented to scrapers, so that no principal is both."""
PROXY_HOSTS: Final = 50
PROXIES_PER_KIND: Final = 1_000
HOMES_PER_NET: Final = 4
NETS_MIN: Final = 800
V6_SHARE: Final = 0.3
PEOPLE_PER_NAT: Final = 300
OFFICE_SHARE: Final = 0.35
HOUSEHOLD_SHARE: Final = 0.2
"""People who live with somebody else of these people, two to a home."""
VPN_COUNTRIES: Final = 3
VPN_EXITS: Final = 2
"""Exits in each of so many countries."""
PARTNER_HOSTS: Final = 2
CRAWLER_HOSTS: Final = 4


@dataclass(frozen=True, slots=True)
class Country:
    """A country: share of people, hours ahead of UTC."""

    code: str
    share: float
    utc_h: int


COUNTRIES: Final = (
    Country("DE", 0.30, 1),
    Country("GB", 0.15, 0),
    Country("FR", 0.15, 1),
    Country("US", 0.22, -6),
    Country("IN", 0.10, 5),
    Country("BR", 0.08, -3),
)
ISPS: Final = tuple((country, share) for country in range(len(COUNTRIES)) for share in (0.6, 0.4))
"""Home providers: country's number, share within the country. A provider's number is its place here."""
CARRIER: Final = 100
BUSINESS: Final = 150
HOSTING: Final = 200
"""First provider number of each sort; carriers and business providers have one a country, hosting one a place."""
VPN: Final = HOSTING
SCRAPER_HOSTING: Final = HOSTING + 1
MONITORING: Final = HOSTING + 2
PARTNER: Final = HOSTING + 3
CRAWLER: Final = HOSTING + 4
GUESTS: Final = 210
"""First of `GUESTS_PER_COUNTRY` providers a country: hotels, trains, cafés, friends."""
GUESTS_PER_COUNTRY: Final = 4
RELAY: Final = 240
RELAY_OPERATORS: Final = 3
RELAY_EXITS: Final = 40
"""Exits of each operator in each country."""


@dataclass(frozen=True, slots=True)
class Address:
    """An address with the facts a shipper adds to it."""

    value: str
    asn: int
    country: str


@dataclass(frozen=True, slots=True)
class Internet:
    """Every address of people, and those that scrapers may rent.

    Attributes:
        addresses: All of people's; the arrays below hold places in it, or -1 for none.
        country: Country's number of each person, accounts first, then anonymous visitors.
        home, carrier, office, vpn: Places per person, same order.
        carriers: First place and number of the carriers' addresses of each country, shape (countries, 2).
        exits: Places of all VPN exits.
        school, monitor: Single places.
        partner, crawler: Places of the authorised collector and of the search engine.
        nets: Number of nets per home provider.
        proxy_order: Random order of all (net, host) that can be rented.
    """

    addresses: tuple[Address, ...]
    country: Ints
    home: Ints
    carrier: Ints
    office: Ints
    vpn: Ints
    carriers: Ints
    exits: Ints
    school: int
    monitor: int
    partner: Ints
    crawler: Ints
    nets: Ints
    proxy_order: Ints

    @classmethod
    def of(cls, plan: Plan) -> Self:
        """The addresses of a plan; they depend on people and visitors, not on scrapers."""
        rng = plan.rng("internet")
        people = plan.people + plan.anonymous
        country = rng.choice(len(COUNTRIES), size=people, p=[entry.share for entry in COUNTRIES]).astype(np.int64)
        isp = 2 * country + (rng.random(people) < ISPS[1][1])
        nets = np.maximum(8, np.bincount(isp, minlength=len(ISPS)) * _nets_total(people) // people)
        table: list[Address] = []
        home = _homes(rng, table, isp, nets)
        carrier = _shared(rng, table, country, CARRIER, np.full(people, PEOPLE_PER_NAT))
        office = _shared(rng, table, country, BUSINESS, _office_sizes(rng, people))
        office[rng.random(people) >= OFFICE_SHARE] = -1
        net_hosts = [(net, host) for net in range(VPN_COUNTRIES) for host in range(1, VPN_EXITS + 1)]
        exits = _extend(table, [_v4(VPN, net, host, net) for net, host in net_hosts])
        single = _extend(table, [_v4(BUSINESS, 255, 7, 0), _v4(MONITORING, 0, 9, 0)])
        partner = _extend(table, [_v4(PARTNER, 0, host, 0) for host in range(1, PARTNER_HOSTS + 1)])
        crawler = _extend(table, [_v4(CRAWLER, 0, host, 3) for host in range(1, CRAWLER_HOSTS + 1)])
        return cls(
            addresses=tuple(table),
            country=country,
            home=home,
            carrier=carrier,
            office=office,
            vpn=exits[rng.integers(len(exits), size=people)],
            carriers=_spans(country, carrier),
            exits=exits,
            school=int(single[0]),
            monitor=int(single[1]),
            partner=partner,
            crawler=crawler,
            nets=nets,
            proxy_order=rng.permutation(int(nets.sum()) * PROXY_HOSTS),
        )

    def shared(self) -> dict[str, set[str]]:
        """Addresses with several people behind them, by what they are."""
        kinds = {"carrier_nat": self.carrier, "office_nat": self.office, "vpn_exit": self.exits}
        places = {kind: np.unique(place[place >= 0]).tolist() for kind, place in kinds.items()}
        return {kind: {self.addresses[at].value for at in found} for kind, found in places.items()} | {
            "school_nat": {self.addresses[self.school].value}
        }

    def proxies(self, slot: int, count: int) -> list[Address]:
        """Home addresses rented to the scraper kind with this number, in scattered nets; at most `PROXIES_PER_KIND`."""
        if count > PROXIES_PER_KIND or (slot + 1) * PROXIES_PER_KIND > len(self.proxy_order):
            raise IndexError(f"no {count} home addresses for scraper kind {slot}")
        chosen = self.proxy_order[slot * PROXIES_PER_KIND :][:count]
        return [self._proxy(int(number)) for number in chosen]

    def hosted(self, slot: int, count: int) -> list[Address]:
        """Addresses at a hosting provider for the scraper kind with this number, all in one net."""
        return [_v4(SCRAPER_HOSTING, slot, host, 3) for host in range(1, count + 1)]

    def carried(self, place: Ints) -> NDArray[np.bool_]:
        """Which places are carriers' addresses."""
        begin, number = self.carriers.T
        within = (place[:, None] >= begin) & (place[:, None] < begin + number)
        carried: NDArray[np.bool_] = np.any(within, axis=1)
        return carried

    def utc_ms(self, person: Ints) -> Ints:
        """How far local time is ahead of UTC, in ms."""
        return np.array([entry.utc_h * 3_600_000 for entry in COUNTRIES])[self.country[person]]

    def _proxy(self, number: int) -> Address:
        net, host = divmod(number, PROXY_HOSTS)
        isp = int(np.searchsorted(np.cumsum(self.nets), net, side="right"))
        return _v4(isp, net - int(self.nets[:isp].sum()), HOME_HOSTS + 1 + host, ISPS[isp][0])


def guest(rng: np.random.Generator, country: int) -> Address:
    """An address that guests share, in a country."""
    provider = GUESTS + GUESTS_PER_COUNTRY * country + int(rng.integers(GUESTS_PER_COUNTRY))
    return _v4(provider, int(rng.integers(256)), int(rng.integers(1, HOME_HOSTS + 1)), country)


def relay_exit(country: int, operator: int, number: int) -> Address:
    """One of the exits through which a relay's users leave it in their country; any numbers will do."""
    return _v4(RELAY + operator % RELAY_OPERATORS, country, 1 + number % RELAY_EXITS, country)


def other_family(home: Address) -> Address:
    """The IPv6 address of a home with an IPv4 one, and the other way round."""
    if ":" in home.value:
        high, low = (int(group, 16) for group in home.value.split(":")[2:4])
        provider, net, host = high >> 8, (high & 255) << 8 | low >> 8, low & 255
        return replace(_v4(provider, net, host, 0), country=home.country)
    first, provider, third, host = map(int, home.value.split("."))
    return replace(_v6(provider, (first - FIRST_OCTET) * 256 + third, host, 0), country=home.country)


def net_of(address: str) -> str | None:
    """The /24 around an IPv4 address; None for IPv6."""
    return None if ":" in address else address.rpartition(".")[0] + ".0/24"


def _nets_total(people: int) -> int:
    return max(NETS_MIN, people // HOMES_PER_NET)


def _v4(provider: int, net: int, host: int, country: int) -> Address:
    value = f"{FIRST_OCTET + net // 256}.{provider}.{net % 256}.{host}"
    return Address(value, FIRST_ASN + provider, COUNTRIES[country].code)


def _v6(provider: int, net: int, host: int, country: int) -> Address:
    value = f"2001:db8:{provider << 8 | net >> 8:x}:{(net & 255) << 8 | host:x}::{1 + host * 7:x}"
    return Address(value, FIRST_ASN + provider, COUNTRIES[country].code)


def _homes(rng: np.random.Generator, table: list[Address], isp: Ints, nets: Ints) -> Ints:
    """A home for each person, shared by two where they live together; gives its place in the table."""
    slot, v6 = np.empty(len(isp), np.int64), rng.random(len(isp)) < V6_SHARE
    flat = np.arange(len(isp))
    for provider in range(len(ISPS)):
        mine = rng.permutation(np.flatnonzero(isp == provider))
        slot[mine] = rng.permutation(int(nets[provider]) * HOME_HOSTS)[: len(mine)]
        pairs = round(len(mine) * HOUSEHOLD_SHARE / 2)
        flat[mine[:pairs]] = mine[pairs : 2 * pairs]
    homes, place = np.unique(flat, return_inverse=True)
    columns = (isp, slot // HOME_HOSTS, slot % HOME_HOSTS + 1, v6)
    rows = zip(*(column[homes].tolist() for column in columns), strict=True)
    made = [(_v6 if six else _v4)(provider, net, host, ISPS[provider][0]) for provider, net, host, six in rows]
    return _extend(table, made)[place]


def _spans(country: Ints, place: Ints) -> Ints:
    """First place and number of places of each country, whose places follow on each other; shape (countries, 2)."""
    mine = [place[country == number] for number in range(len(COUNTRIES))]
    return np.array([(found.min(), np.ptp(found) + 1) if len(found) else (0, 0) for found in mine], np.int64)


def _office_sizes(rng: np.random.Generator, people: int) -> Ints:
    """How many people share each office, more offices than can be needed; log-normal, 2 to 400."""
    return np.clip(np.exp(rng.normal(np.log(30), 1.0, size=people)), 6, 1_000).astype(np.int64)


def _shared(rng: np.random.Generator, table: list[Address], country: Ints, first: int, sizes: Ints) -> Ints:
    """Deals the people of each country to addresses of the given sizes; gives each person's place in the table."""
    place = np.empty(len(country), np.int64)
    used = 0
    for number in range(len(COUNTRIES)):
        mine = rng.permutation(np.flatnonzero(country == number))
        group = np.searchsorted(np.cumsum(sizes[used:]), np.arange(len(mine)), side="right")
        groups = int(group[-1]) + 1 if len(mine) else 0
        rows = [_v4(first + number, at // 200, at % 200 + 1, number) for at in range(groups)]
        place[mine] = _extend(table, rows)[group] if groups else 0
        used += groups
    return place


def _extend(table: list[Address], rows: list[Address]) -> Ints:
    """Adds rows to the table and gives their places."""
    table.extend(rows)
    return np.arange(len(table) - len(rows), len(table))
