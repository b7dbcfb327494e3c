"""Who was who in a simulated time: what `labels.json` holds."""

from collections.abc import Iterable

import msgspec

from streams.offline.simulate.internet import net_of
from streams.offline.simulate.members import Members
from streams.offline.simulate.scrapers import Scraper
from streams.offline.simulate.traffic import Origin


class PeopleLabel(msgspec.Struct, frozen=True):
    """Honest people of one kind. `addresses`: of visitors without an account, and addresses that people share."""

    kind: str
    accounts: list[str] = []
    addresses: list[str] = []


class ScraperLabel(msgspec.Struct, frozen=True):
    """One scraper. `fingerprints` and `nets` (/24) are those that no person shares.

    `addresses` are all of its own; `profiles` is how many distinct ones it takes if nobody stops it. `stolen` are
    accounts whose session it uses: they are people's and so not among `accounts`; only the session is the scraper's.
    """

    id: str
    kind: str
    rate: str
    accounts: list[str]
    sessions: list[str]
    addresses: list[str]
    fingerprints: list[str]
    nets: list[str]
    profiles: int
    requests: int
    stolen: list[str] = []


class Labels(msgspec.Struct, frozen=True, kw_only=True):
    """``labels.json``; a principal (account, else address) belongs to at most one entry.

    `decoys` are ids of profiles that exist and that nobody honest is ever shown.
    """

    version: int = 1
    seed: int
    start: str
    end: str
    quiet_until: str
    members: int
    popularity_exponent: float
    people: list[PeopleLabel]
    scrapers: list[ScraperLabel]
    decoys: list[str] = []


def people_labels(origins: Iterable[tuple[str, Origin]], shared: dict[str, set[str]]) -> list[PeopleLabel]:
    """Accounts and addresses by kind.

    Args:
        origins: Kind and origin of every visit of a person.
        shared: Kind of shared address to the addresses; these belong to no person.
    """
    everybody = frozenset().union(*shared.values())
    accounts: dict[str, set[str]] = {}
    addresses: dict[str, set[str]] = {}
    for kind, origin in origins:
        named, own = accounts.setdefault(kind, set()), addresses.setdefault(kind, set())
        if origin.account is not None:
            named.add(origin.account)
        elif origin.address.value not in everybody:
            own.add(origin.address.value)
    people = [PeopleLabel(kind, _sorted(accounts[kind]), _sorted(addresses[kind])) for kind in accounts]
    return people + [PeopleLabel(kind, [], _sorted(values)) for kind, values in shared.items() if values]


def scraper_label(scraper: Scraper, members: Members, fingerprints: set[str], addresses: set[str]) -> ScraperLabel:
    """The label of a scraper, given the fingerprints and addresses of all people."""
    origins = scraper.traffic.origins
    nets = {net_of(origin.address.value) for origin in origins} - set(map(net_of, addresses))
    return ScraperLabel(
        id=scraper.id,
        kind=scraper.kind,
        rate=scraper.rate,
        accounts=_sorted({origin.account for origin in origins} - scraper.stolen),
        sessions=_sorted(origin.session for origin in origins),
        addresses=_sorted(origin.address.value for origin in origins),
        fingerprints=_sorted({origin.client.ja4 for origin in origins} - fingerprints),
        nets=_sorted(nets),
        profiles=scraper.traffic.profiles(members),
        requests=len(scraper.traffic),
        stolen=_sorted(scraper.stolen),
    )


def _sorted(values: Iterable[str | None]) -> list[str]:
    """Distinct values, short before long so that u9 comes before u10."""
    return sorted({value for value in values if value is not None}, key=lambda value: (len(value), value))
