from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from streams.offline.simulate import PRESETS, Day, simulate
from streams.offline.simulate.internet import NETS_MIN, PROXIES_PER_KIND, PROXY_HOSTS
from streams.offline.simulate.plan import SCRAPER_KINDS, USUAL_SCRAPERS, Plan
from streams.offline.simulate.scrapers import KINDS, Scraper, scrapers
from streams.offline.simulate.traffic import Origin, Traffic, What
from streams.offline.simulate.world import World

SMALL = PRESETS["small"]
VARIANTS = {
    "burst": "1",
    "low_and_slow": "1 2",
    "fleet": "1",
    "id_walk": "1",
    "unpopular": "25 50 75 100 150 300",
    "mixed": "150 300",
    "id_walks": "0.1s 2s 45s stride7 backwards",
    "guessing": "2s 60s",
    "fleets": "200x20 400x6",
    "fleet_common": "60x30",
    "one_shot": "600",
    "farm_net": "20x60",
    "farm_scattered": "20x60",
    "farm_furnished": "20x60",
    "stolen_session": "4 20",
    "import_order": "2s 15s",
    "import_block": "2s",
    "import_random": "2s 15s",
    "sweep_alphabet": "8s 90s",
    "sweep_surname": "15s 60s",
    "graph_walk": "8s 90s",
    "new_account": "hour 100 150 300",
    "metronome": "5s 120s",
    "headless": "75 150",
    "canary_toucher": "by_id unordered",
    "farm_aged": "20x60",
}


@pytest.fixture(scope="module")
def whole(everyone: World) -> Day:
    """The small day with every kind."""
    return simulate(everyone.plan)


def requests(traffic: Traffic) -> list[tuple[int, Origin, int, int, int]]:
    """What was asked, when, by whom and with what answer."""
    columns = (traffic.time_ms, traffic.origin, traffic.what, traffic.subject, traffic.status)
    rows = zip(*(column.tolist() for column in columns), strict=True)
    return [(time, traffic.origins[origin], what, subject, status) for time, origin, what, subject, status in rows]


def test_every_kind_has_its_function() -> None:
    """A kind that a plan may name is made by a function, and the other way round."""
    assert tuple(KINDS) == SCRAPER_KINDS


def test_there_are_addresses_for_every_kind() -> None:
    """Even the smallest world has as many homes to rent as all kinds together may ask for."""
    assert PROXIES_PER_KIND * len(SCRAPER_KINDS) <= NETS_MIN * PROXY_HOSTS


def test_ids(found: dict[str, Scraper]) -> None:
    """Every kind comes at each of its rates, and an id says which."""
    assert list(found) == [f"{kind}-{variant}" for kind in SCRAPER_KINDS for variant in VARIANTS[kind].split()]
    assert all(scraper.id.startswith(f"{scraper.kind}-") for scraper in found.values())
    assert all(scraper.rate for scraper in found.values())


def test_the_usual_ones(world: World) -> None:
    """A plan that says nothing of scrapers has the usual four kinds."""
    ids = ["burst-1", "low_and_slow-1", "low_and_slow-2", "fleet-1", "id_walk-1"]
    assert [scraper.id for scraper in scrapers(world)] == ids


def test_all_keep_to_their_time(everyone: World, found: dict[str, Scraper]) -> None:
    """No scraper comes before the quiet time is over, or after the end."""
    for scraper in found.values():
        assert scraper.traffic.time_ms.min() >= everyone.plan.quiet_ms
        assert scraper.traffic.time_ms.max() < everyone.plan.end_ms


def test_no_two_share_an_account_or_address(found: dict[str, Scraper]) -> None:
    """Each account, session and address is of one scraper."""
    for of in (
        lambda origin: origin.account,
        lambda origin: origin.session,
        lambda origin: origin.address.value,
    ):
        owners = Counter(value for one in found.values() for value in set(map(of, one.traffic.origins)) - {None})
        assert set(owners.values()) == {1}


def test_nothing_of_theirs_is_a_persons(everyone: World, found: dict[str, Scraper]) -> None:
    """No address is a person's, and no account but the two whose sessions were stolen."""
    people = {address.value for address in everyone.internet.addresses}
    origins = [origin for scraper in found.values() for origin in scraper.traffic.origins]
    assert not {origin.address.value for origin in origins} & people
    theirs = {origin.account for origin in origins if origin.account and int(origin.account[1:]) < 90_000_000}
    assert theirs == found["stolen_session-4"].stolen | found["stolen_session-20"].stolen
    assert sum(len(scraper.stolen) for scraper in found.values()) == len(theirs) == 2


def test_a_library_is_of_one_scraper(found: dict[str, Scraper]) -> None:
    """Who does not use a browser of people has a TLS hello that no other scraper has."""
    hellos = Counter(ja4 for one in found.values() for ja4 in {origin.client.ja4 for origin in one.traffic.origins})
    browser = found["headless-75"].traffic.origins[0].client.ja4
    assert hellos.pop(browser) > 10
    assert set(hellos.values()) == {1}


@pytest.mark.parametrize("kind", SCRAPER_KINDS)
def test_a_kind_alone_is_the_same(found: dict[str, Scraper], kind: str) -> None:
    """A scraper is the same when others are left out, and when the plan is simulated again."""
    alone = scrapers(World.of(replace(SMALL, scrapers=(kind,))))
    assert [scraper.id for scraper in alone] == [f"{kind}-{variant}" for variant in VARIANTS[kind].split()]
    for scraper in alone:
        assert requests(scraper.traffic) == requests(found[scraper.id].traffic)


def test_another_seed_is_another_scraper(found: dict[str, Scraper]) -> None:
    """With another seed every scraper asks for other things, or at other times."""
    for scraper in scrapers(World.of(replace(SMALL, seed=2, scrapers=SCRAPER_KINDS))):
        assert scraper.traffic.time_ms.tolist() != found[scraper.id].traffic.time_ms.tolist()


def test_none_without_days_for_them() -> None:
    """A plan without days for scrapers has none."""
    assert scrapers(World.of(replace(SMALL, scraper_days=0, scrapers=SCRAPER_KINDS))) == []


def test_people_do_not_notice(whole: Day) -> None:
    """Without any scraper every request of a person is the same, those of the robbed accounts too."""
    quiet = simulate(replace(whole.plan, scrapers=()))
    labels = whole.labels.scrapers
    own = {name for label in labels for name in (*label.accounts, *label.sessions, *label.addresses)}
    kept = [row for row in requests(whole.traffic) if not own & {row[1].session, row[1].address.value}]
    assert kept == requests(quiet.traffic)
    assert whole.labels.people == quiet.labels.people


def test_labels_agree_with_requests(whole: Day, found: dict[str, Scraper]) -> None:
    """A label counts its scraper's requests, and by its sessions and addresses they are found in the day."""
    for label in whole.labels.scrapers:
        names = {*label.sessions, *label.addresses}
        mine = np.array([bool(names & {origin.session, origin.address.value}) for origin in whole.traffic.origins])
        assert mine[whole.traffic.origin].sum() == label.requests == len(found[label.id].traffic)
        assert label.profiles == found[label.id].traffic.profiles(whole.members)


def test_robbed_people_stay_people(whole: Day) -> None:
    """An account whose session was stolen is a person's in the labels, and its owner goes on from elsewhere."""
    regular = next(label for label in whole.labels.people if label.kind == "regular")
    robbed = [label for label in whole.labels.scrapers if label.stolen]
    for label in robbed:
        (account,) = label.stolen
        assert label.accounts == []
        assert label.sessions == [f"{account}.stolen"]
        assert account in regular.accounts
        owner = {origin.address.value for origin in whole.traffic.origins if origin.account == account}
        assert owner - set(label.addresses)
    assert len(robbed) == 2


def test_only_canary_touchers_and_those_by_id_meet_decoys(whole: Day) -> None:
    """The labels name the decoys; only scrapers that go by the id or take all that is listed ask for them."""
    decoys = np.array([int(decoy) for decoy in whole.labels.decoys])
    asked = np.isin(whole.traffic.subject, decoys) & (whole.traffic.what == What.VIEW)
    accounts = {whole.traffic.origins[origin].account for origin in whole.traffic.origin[asked].tolist()}
    by_account = {label.accounts[0]: label.kind for label in whole.labels.scrapers if label.accounts}
    kinds = {by_account[str(account)] for account in accounts}
    assert {"canary_toucher"} <= kinds <= {"canary_toucher", "id_walk", "id_walks", "guessing"}


@pytest.mark.parametrize("scraper_days", [0.02, 0.25])
@pytest.mark.parametrize("kinds", [USUAL_SCRAPERS, SCRAPER_KINDS])
def test_short_time(scraper_days: float, kinds: tuple[str, ...]) -> None:
    """Where time is short every scraper still begins, and stops with it."""
    plan = Plan(people=40, anonymous=0, members=5_000, quiet_days=0, scraper_days=scraper_days, scrapers=kinds)
    for scraper in scrapers(World.of(plan)):
        assert len(scraper.traffic) > 0
        assert scraper.traffic.time_ms.min() >= 0
        assert scraper.traffic.time_ms.max() < plan.end_ms


def test_the_fewest_members() -> None:
    """Among a thousand members every scraper finds something to do."""
    plan = Plan(people=40, anonymous=0, members=1_000, scrapers=SCRAPER_KINDS)
    world = World.of(plan)
    assert all(scraper.traffic.profiles(world.members) > 0 for scraper in scrapers(world))
