"""Whoever writes the records wants the pipeline to fall, to swell or to lose count."""

from typing import Any, Final

import pytest

from streams import config
from streams.pipeline.actors.contacts import CAP, GRAIN, SPARE
from streams.pipeline.observe.disclosure import PROFILES_MAX
from streams.pipeline.observe.fan_out import TIERS_MAX
from tests.requests import START_S, request_of, views
from tests.streams.pipeline.hostile import run

WIDE: Final = config.parse("[input]\nrecord_max_bytes = 20_000_000\n")
YEAR_S: Final = 365 * 86_400
GROUPS: Final[dict[str, Any]] = {"asn": 7, "fingerprint": "f"}
SEEN_BY: Final = 6
"""Actors of a view with an account, an address, a network, an ASN and a fingerprint."""
NAMES: Final = {
    "digits": "9" * 10_000,
    "letters": "x" * 10_000,
    "not ASCII": "\u00e9\u4e2d\U0001f600" * 1_100,
    "no UTF-8": "%ff%fe%80" * 1_100,
    "slashes": "a/../" * 2_000,
    "percent": "%",
    "half an escape": "%4",
}
QUERIES: Final = {
    "long": "q=" + "x" * 10_000,
    "repeated": "q=x&" * 1_000,
    "empty": "&" * 10_000,
    "percent": "q=%",
    "half": "q=%4",
    "no digits": "q=%zz",
    "no value": "q",
    "NUL": "q=%ff%00",
    "escapes": "q=" + "%41" * 3_000,
}


def listed(count: int) -> bytes:
    """A search by one account that discloses ``count`` profiles."""
    targets = [f"p{n}" for n in range(count)]
    return request_of(START_S, "", account="eve", url__path="/search/people", weir__targets=targets)


def test_a_million_targets_are_a_dead_letter() -> None:
    """A record beyond the limit is refused, and those beside it are not."""
    done = run([request_of(START_S, "a", account="ann"), listed(1_000_000)])
    assert (done.counts["disclosed"], done.counts["dead"]) == (1, 1)
    assert "longer than 1000000 bytes" in done.reasons[0]


@pytest.mark.parametrize("count", [PROFILES_MAX, PROFILES_MAX + 1, 1_000_000])
def test_what_one_response_discloses_is_cut(count: int) -> None:
    """Under a higher limit so many count, the others are cut and counted; work follows what is kept."""
    done = run([listed(count)], WIDE)
    beyond = count - PROFILES_MAX
    assert (done.counts["cut"], done.counts["cut_responses"]) == (beyond, int(beyond > 0))
    assert done.counts["rows"] == 3 * PROFILES_MAX + 1


def test_one_account_meets_a_million() -> None:
    """Exposure errs by what memory takes for known, 1 %, and memory stays that of one actor."""
    done = run(views(START_S, 1_000_000, 0.08, account="eve", ip=None), step=50_000)
    actors = done.flow.assessors[0].actors
    assert done.counts["rows"] == 1_000_000
    assert 980_000 <= done.exposed("account:eve") <= 1_000_000
    assert actors.contacts.blocks.entries.size <= 2 * CAP + (1 + SPARE) * GRAIN
    assert done.flow.assessors[0].caution()["overflowed"] == 1


@pytest.mark.parametrize("name", NAMES.values(), ids=NAMES)
def test_long_and_odd_names(name: str) -> None:
    """As account, session, profile, tier, user agent and fingerprint each is itself, and two of them differ."""
    values = [
        request_of(
            START_S + n, "x", account=f"{name}{n % 2}", session=f"{name}{n}", fingerprint=name, asn=5, tier=name,
            weir__target__id=f"{name}{n}", user_agent__original=name, client__geo__country_iso_code=name,
        )
        for n in range(6)
    ]  # fmt: skip
    done = run(values)
    assert done.counts["dead"] == 0
    assert done.exposed(f"account:{name}1") == 3
    assert done.counts["long_fingerprints"] == (6 if len(name) > 44 else 0)


@pytest.mark.parametrize("query", QUERIES.values(), ids=QUERIES)
def test_odd_queries(query: str) -> None:
    """Whatever is searched for, a search is one."""
    values = [
        request_of(START_S + n, "", account="eve", url__path="/search/people", url__query=query) for n in range(50)
    ]
    assert run(values).counts["asked"] == 50


@pytest.mark.parametrize(
    ("created", "ahead", "dead"),
    [
        (START_S, 0, 0),
        (START_S + 40, 40, 0),
        (START_S * 2, 40, 0),
        ("2098-01-01T00:00:00Z", 40, 0),
        ("9998-12-31T23:59:59Z", 40, 0),
        (0, 0, 0),
        ("1970-01-01T00:00:00Z", 0, 0),
        (-1, 0, 40),
        (1e300, 0, 40),
        (2**64 - 1, 0, 40),
        ("never", 0, 40),
        ("", 0, 40),
        (True, 0, 40),
    ],
)
def test_forged_ages(created: object, ahead: int, dead: int) -> None:
    """An age from the future says nothing and is counted; what is no time makes a dead letter."""
    done = run([request_of(START_S + n, f"p{n}", account="eve", weir__account__created_at=created) for n in range(40)])
    assert (done.counts["created_ahead"], done.counts["dead"]) == (ahead, dead)


def test_an_age_that_is_no_number() -> None:
    """NaN is no JSON."""
    value = request_of(START_S, "p", account="eve", weir__account__created_at=7777).replace(b"7777", b"NaN")
    assert run([value]).counts["dead"] == 1


def test_time_runs_backwards() -> None:
    """All behind the first batch is late, counted so, and no profile is lost."""
    done = run(views(START_S, 3_000, -10.0, account="eve", **GROUPS), step=100)
    assert done.late == SEEN_BY * 2_900
    assert done.flow.assessors[0].caution()["late"] == done.late
    assert 2_900 <= done.exposed("account:eve") <= 3_000


def test_all_at_the_same_time() -> None:
    """A tie is in order: nothing is late."""
    done = run(views(START_S, 20_000, 0.0, account="eve", session="s", **GROUPS), step=100)
    assert done.late == 0
    assert 19_000 <= done.exposed("account:eve") <= 20_000


def test_time_jumps_a_year_and_back() -> None:
    """What follows a jump ahead is late until its time comes; evidence stays finite."""
    starts = (START_S, START_S + YEAR_S, START_S + 300, 4_000_000_000, 950_000_000)
    values = [
        value for at, start in enumerate(starts) for value in views(start, 300, first=300 * at, account="eve", **GROUPS)
    ]
    done = run(values, step=100)
    assert done.late == SEEN_BY * 2 * 300
    assert done.counts["dead"] == 0


@pytest.mark.parametrize(
    "last", ["9223372036854775807", "-9223372036854775808", "9" * 18, "u" + "9" * 18, "0", "\x7f" * 7]
)
def test_numbers_at_both_ends(last: str) -> None:
    """Ids that jump between the ends of what counts as a number overflow nothing."""
    values = [
        request_of(START_S + n, "", account="eve", weir__target__id=last if n % 2 else str(n)) for n in range(400)
    ]
    assert run(values).counts["disclosed"] == 400


@pytest.mark.parametrize(("tiers", "cut"), [(TIERS_MAX, 0), (TIERS_MAX + 1, 1), (1_000, 1_000 - TIERS_MAX)])
def test_tiers_of_one_batch(tiers: int, cut: int) -> None:
    """Tiers beyond the limit become the unnamed one, and are counted."""
    done = run([request_of(START_S + n, f"p{n}", account=f"u{n}", tier=f"tier{n}") for n in range(tiers)])
    assert done.counts["tiers_cut"] == cut
    assert done.flow.assessors[0].caution()["sightings_tier_cut"] == 0


def test_tiers_of_many_batches() -> None:
    """Likewise over all batches that a partition met: each sighting beyond is counted."""
    values = [request_of(START_S + n, f"p{n}", account=f"u{n}", ip=None, tier=f"tier{n}") for n in range(300)]
    done = run(values, step=100)
    assert done.counts["tiers_cut"] == 0
    assert done.flow.assessors[0].caution()["sightings_tier_cut"] == 300 - TIERS_MAX


def test_one_actor_is_half_the_traffic() -> None:
    """It is counted as itself, and the others are."""
    names = ["eve" if n % 2 else f"u{n % 1_000}" for n in range(50_000)]
    done = run([request_of(START_S + n / 10, f"p{n}", account=name, ip=None) for n, name in enumerate(names)])
    assert len(done.flow.assessors[0].actors) == 501
    assert 24_500 <= done.exposed("account:eve") <= 25_000
    assert 49 <= done.exposed("account:u2") <= 50
