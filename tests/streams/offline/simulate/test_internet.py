from dataclasses import replace
from ipaddress import ip_address, ip_network

import numpy as np
import pytest

from streams.offline.simulate.internet import (
    COUNTRIES,
    PROXIES_PER_KIND,
    Address,
    Internet,
    net_of,
    other_family,
    relay_exit,
)
from streams.offline.simulate.plan import PRESETS, Plan

PLAN = Plan(people=2_000, anonymous=800)


@pytest.fixture(scope="module")
def internet() -> Internet:
    """The addresses of 2,000 people and 800 visitors."""
    return Internet.of(PLAN)


def every_address(internet: Internet) -> list[Address]:
    """People's and rented ones."""
    rented = [address for slot in range(4) for address in internet.proxies(slot, PROXIES_PER_KIND)]
    return [*internet.addresses, *rented, *internet.hosted(0, 5), *internet.hosted(1, 5)]


def test_no_address_is_anybodys(internet: Internet) -> None:
    """Every address lies in space that is routed nowhere, and is written canonically."""
    nowhere = [ip_network("240.0.0.0/4"), ip_network("2001:db8::/32")]
    for address in every_address(internet):
        parsed = ip_address(address.value)
        assert str(parsed) == address.value
        assert any(parsed in net for net in nowhere if net.version == parsed.version)
        assert 64_512 <= address.asn <= 65_534


def test_a_net_has_one_provider_and_country(internet: Internet) -> None:
    """Network number and country are the same throughout a /24 (IPv6: /48)."""
    owner: dict[str, set[tuple[int, str]]] = {}
    for address in every_address(internet):
        prefix = 48 if ":" in address.value else 24
        net = str(ip_network(f"{address.value}/{prefix}", strict=False))
        owner.setdefault(net, set()).add((address.asn, address.country))
    assert {len(owners) for owners in owner.values()} == {1}


def test_no_address_is_given_twice(internet: Internet) -> None:
    """Homes, shared addresses, and rented ones of every kind of scraper are all different."""
    values = [address.value for address in every_address(internet)]
    assert len(set(values)) == len(values)


def test_countries_have_their_share(internet: Internet) -> None:
    """People live where the table says, most homes have IPv4, a good part IPv6."""
    share = np.bincount(internet.country) / len(internet.country)
    assert share == pytest.approx([country.share for country in COUNTRIES], abs=0.03)
    six = np.mean([":" in internet.addresses[place].value for place in internet.home.tolist()])
    assert six == pytest.approx(0.3, abs=0.04)


def test_hundreds_behind_a_carrier(internet: Internet) -> None:
    """A carrier's address stands for hundreds of people of its own country."""
    behind = np.bincount(internet.carrier)
    assert behind.max() == 300
    for person in range(0, 2_800, 100):
        address = internet.addresses[internet.carrier[person]]
        assert address.country == COUNTRIES[internet.country[person]].code


def test_households(internet: Internet) -> None:
    """A fifth of people share their home's address with one other, who lives in the same country; nobody with two."""
    behind = np.bincount(internet.home)
    assert behind.max() == 2
    assert 2 * np.count_nonzero(behind == 2) / len(internet.home) == pytest.approx(0.2, abs=0.01)
    for place in np.flatnonzero(behind == 2)[:50].tolist():
        one, other = np.flatnonzero(internet.home == place).tolist()
        assert internet.country[one] == internet.country[other]


def test_carriers_of_a_country(internet: Internet) -> None:
    """Every person's carrier is among the addresses of the country's carriers, of which a large country has several."""
    first, number = internet.carriers[internet.country].T
    assert (internet.carrier >= first).all()
    assert (internet.carrier < first + number).all()
    assert internet.carriers[0, 1] > 1
    for country, (begin, count) in enumerate(internet.carriers.tolist()):
        codes = {internet.addresses[place].country for place in range(begin, begin + count)}
        assert codes == {COUNTRIES[country].code}


def test_exits_lie_in_several_countries(internet: Internet) -> None:
    """A VPN has two exits in each of three countries, and each is somebody's usual one."""
    codes = [internet.addresses[place].country for place in internet.exits.tolist()]
    assert sorted(codes) == ["DE", "DE", "FR", "FR", "GB", "GB"]
    assert set(internet.vpn.tolist()) == set(internet.exits.tolist())


def test_welcome_programs_have_nets_of_their_own(internet: Internet) -> None:
    """Partner, crawler and monitor each come from a provider of their own."""
    places = [internet.partner.tolist(), internet.crawler.tolist(), [internet.monitor]]
    providers = [{internet.addresses[place].asn for place in group} for group in places]
    assert [len(group) for group in providers] == [1, 1, 1]
    assert len(set.union(*providers)) == 3
    people = {internet.addresses[place].asn for place in (*internet.home.tolist(), *internet.carrier.tolist())}
    assert not set.union(*providers) & people


def test_offices_are_of_all_sizes(internet: Internet) -> None:
    """About a third of people share an office's address with few or many others."""
    office = internet.office[internet.office >= 0]
    assert len(office) / len(internet.office) == pytest.approx(0.35, abs=0.04)
    behind = np.bincount(office)
    behind = behind[behind > 0]
    assert np.percentile(behind, 90) > 20
    assert behind.min() < 5


def test_shared_addresses_by_what_they_are(internet: Internet) -> None:
    """Each shared address is of one sort, and no home is among them."""
    shared = internet.shared()
    assert set(shared) == {"carrier_nat", "office_nat", "vpn_exit", "school_nat"}
    values = [value for group in shared.values() for value in group]
    assert len(set(values)) == len(values)
    assert not {internet.addresses[place].value for place in internet.home.tolist()} & set(values)


def test_rented_addresses_are_scattered(internet: Internet) -> None:
    """Sixty rented homes lie in nearly as many nets, of many providers and several countries."""
    rented = internet.proxies(2, 60)
    assert len({net_of(address.value) for address in rented}) > 50
    assert len({address.asn for address in rented}) >= 8
    assert len({address.country for address in rented}) >= 4


def test_rented_addresses_run_out_loudly(internet: Internet) -> None:
    """Asking for more than a kind may rent is an error and not a repetition."""
    with pytest.raises(IndexError, match="kind 0"):
        internet.proxies(0, PROXIES_PER_KIND + 1)


def test_utc_offsets(internet: Internet) -> None:
    """Local time is that of the person's country."""
    german = int(np.flatnonzero(internet.country == 0)[0])
    american = int(np.flatnonzero(internet.country == 3)[0])
    assert internet.utc_ms(np.array([german, american])).tolist() == [3_600_000, -6 * 3_600_000]


def test_smallest_world() -> None:
    """Forty people without visitors still have all sorts of addresses, a country without people no carrier."""
    internet = Internet.of(replace(PRESETS["small"], people=40, anonymous=0))
    assert len(internet.home) == 40
    assert len(set(internet.home.tolist())) >= 35
    people = np.bincount(internet.country, minlength=len(COUNTRIES))
    assert ((people > 0) == (internet.carriers[:, 1] > 0)).all()


@pytest.mark.parametrize(("address", "net"), [("240.1.2.3", "240.1.2.0/24"), ("2001:db8::1", None)])
def test_net_of(address: str, net: str | None) -> None:
    """The net around an IPv4 address is its /24; IPv6 has none here."""
    assert net_of(address) == net


def test_the_other_family_of_a_home(internet: Internet) -> None:
    """A home of IPv4 has an IPv6 address beside it and the other way round, of its own and of the same network."""
    homes = {internet.addresses[place] for place in internet.home.tolist()}
    others = {home: other_family(home) for home in homes}
    assert not set(others.values()) & homes
    assert len(set(others.values())) == len(homes)
    for home, other in others.items():
        assert (":" in home.value) != (":" in other.value)
        assert (home.asn, home.country) == (other.asn, other.country)
        assert other_family(other) == home


def test_exits_of_a_relay() -> None:
    """Any numbers name an exit, of one network for each operator, in the country."""
    exits = [
        relay_exit(country, operator, number) for country in range(6) for operator in range(3) for number in (0, 41)
    ]
    assert len({each.asn for each in exits}) == 3
    assert {each.country for each in exits} == {country.code for country in COUNTRIES}
    assert relay_exit(2, 4, 41) == relay_exit(2, 1, 1)
