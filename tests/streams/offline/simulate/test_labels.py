import numpy as np

from streams.offline.simulate import Day
from streams.offline.simulate.client import CLIENTS, GO_HTTP
from streams.offline.simulate.internet import Address
from streams.offline.simulate.labels import PeopleLabel, people_labels, scraper_label
from streams.offline.simulate.members import Members
from streams.offline.simulate.plan import Plan
from streams.offline.simulate.scrapers import Scraper
from streams.offline.simulate.traffic import Origin, Traffic

HOME = Address("240.0.0.1", 64_512, "DE")
NAT = Address("240.100.0.1", 64_612, "DE")


def test_people() -> None:
    """Accounts, and addresses of visitors alone; a shared address is labelled as that and as nobody's."""
    origins = [
        ("regular", Origin(HOME, CLIENTS[0], "u10")),
        ("regular", Origin(NAT, CLIENTS[0], "u9")),
        ("regular", Origin(NAT, CLIENTS[9], "u9")),
        ("anonymous", Origin(Address("240.0.0.2", 64_512, "DE"), CLIENTS[0])),
        ("anonymous", Origin(NAT, CLIENTS[0])),
    ]
    assert people_labels(origins, {"carrier_nat": {NAT.value}, "vpn_exit": set()}) == [
        PeopleLabel("regular", ["u9", "u10"], []),
        PeopleLabel("anonymous", [], ["240.0.0.2"]),
        PeopleLabel("carrier_nat", [], [NAT.value]),
    ]


def test_a_scraper_is_known_only_by_what_is_its_own() -> None:
    """A fingerprint or net that a person shares is not the scraper's label; its addresses always are."""
    members = Members.of(Plan(members=1_000))
    origins = (
        Origin(Address("240.0.0.250", 64_512, "DE"), GO_HTTP),
        Origin(Address("240.0.9.250", 64_512, "DE"), CLIENTS[0]),
    )
    traffic = Traffic.views(members, np.array([0, 1]), np.array([0, 1]), members.ids[:2], origins)
    label = scraper_label(Scraper("x-1", "x", "fast", traffic), members, {CLIENTS[0].ja4}, {"240.0.0.1", "2001:db8::1"})
    assert label.addresses == ["240.0.0.250", "240.0.9.250"]
    assert label.fingerprints == [GO_HTTP.ja4]
    assert label.nets == ["240.0.9.0/24"]
    assert (label.accounts, label.sessions) == ([], [])
    assert (label.profiles, label.requests, label.stolen) == (2, 2, [])


def test_a_stolen_account_stays_a_persons() -> None:
    """Of an account that is a person's, the scraper's label has the session and the address, and no account."""
    members = Members.of(Plan(members=1_000))
    origins = (Origin(HOME, CLIENTS[0], "u7", "u7.stolen"), Origin(HOME, CLIENTS[0], "u90", "u90.1"))
    traffic = Traffic.views(members, np.array([0, 1]), np.array([0, 1]), members.ids[:2], origins)
    label = scraper_label(Scraper("x-1", "x", "fast", traffic, frozenset({"u7"})), members, set(), set())
    assert (label.accounts, label.stolen) == (["u90"], ["u7"])
    assert label.sessions == ["u90.1", "u7.stolen"]
    assert label.addresses == [HOME.value]


def test_every_principal_has_one_label(small: Day) -> None:
    """Every account, else address, of the traffic is labelled once: as people or as a scraper."""
    labelled = [name for label in small.labels.people for name in (*label.accounts, *label.addresses)]
    labelled += [name for label in small.labels.scrapers for name in (*label.accounts, *label.addresses)]
    assert len(set(labelled)) == len(labelled)
    principals = {origin.account or origin.address.value for origin in small.traffic.origins}
    assert principals <= set(labelled)


def test_shared_addresses_have_people_behind_them(small: Day) -> None:
    """Behind a carrier's address stand many accounts, and visitors without one."""
    (carrier,) = (label for label in small.labels.people if label.kind == "carrier_nat")
    behind: dict[str, set[str | None]] = {}
    for origin in small.traffic.origins:
        behind.setdefault(origin.address.value, set()).add(origin.account)
    most = max((behind.get(address, set()) for address in carrier.addresses), key=len)
    assert len(most) > 20
    assert None in most


def test_what_the_small_day_says_of_scrapers(small: Day) -> None:
    """The library's fingerprint gives the fleet away, a browser's does not give the slow account away."""
    by_id = {label.id: label for label in small.labels.scrapers}
    assert by_id["fleet-1"].fingerprints == [GO_HTTP.ja4]
    assert by_id["low_and_slow-1"].fingerprints == []
    assert len(by_id["fleet-1"].addresses) == 60
    assert len(by_id["burst-1"].accounts) == len(by_id["burst-1"].sessions) == 1
