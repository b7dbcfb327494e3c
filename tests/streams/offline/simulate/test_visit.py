from dataclasses import replace

import numpy as np
import pytest

from streams.offline.simulate.gathering import gatherings
from streams.offline.simulate.plan import DAY_MS, MINUTE_MS, PRESETS, Plan
from streams.offline.simulate.traffic import Traffic, What
from streams.offline.simulate.visit import Part, beside, doings, honest, together
from streams.offline.simulate.world import World
from tests.streams.offline.simulate.everybody import crowd_of, demo, doings_of

DISCLOSING = (What.VIEW, What.LOOKUP)


def everything(plan: Plan) -> list[Part]:
    """All requests of a plan's people and welcome programs."""
    world = World.of(plan)
    return [part for crowd in world.crowds for part in honest(world, crowd)] + gatherings(world)


def busiest(traffic: Traffic, accounts: bool, span_ms: int) -> int:
    """Most views and look-ups that found somebody, of one account (else address) in any span."""
    chosen = np.isin(traffic.what, DISCLOSING) & (traffic.status == 200)
    names = [origin.account if accounts else origin.address.value for origin in traffic.origins]
    place = np.unique([str(name) for name in names], return_inverse=True)[1][traffic.origin[chosen]]
    # One line of time for each name, far enough apart that no span reaches from one to the next.
    line = np.sort(place * 100 * DAY_MS + traffic.time_ms[chosen])
    return int((np.searchsorted(line, line + span_ms) - np.arange(len(line))).max(initial=0))


def test_furniture() -> None:
    """Most accounts ask for something beside every view, a few never do; a tenth of visitors never do."""
    for name, bare in (("regular", 0.007), ("anonymous", 0.08)):
        doings = doings_of(name)
        with_views, with_others = (np.unique(part.origin) for part in (doings.views, doings.others))
        assert 1 - len(with_others) / len(with_views) == pytest.approx(bare, abs=0.03)
        assert (1 - len(with_others) / len(with_views)) > 0


@pytest.mark.parametrize("ratio", [0.0, 0.4, 1.0, 2.5])
def test_ratio_of_other_requests(world: World, ratio: float) -> None:
    """There are as many requests beside the views as the plan says, each shortly after a view."""
    views = doings(world, crowd_of("regular", world)).views
    others = beside(np.random.default_rng(1), views, ratio, np.ones(len(views), np.bool_))
    assert len(others) / len(views) == pytest.approx(ratio, abs=0.02)
    assert set(others.what.tolist()) <= {What.OTHER}
    if ratio == 1:
        assert (others.time_ms - views.time_ms).min() >= 60


def test_together() -> None:
    """Requests of the same origins are put one after the other and keep their columns."""
    views = doings_of("night").views
    both = together([views, views])
    assert len(both) == 2 * len(views)
    assert both.origins is views.origins
    assert np.array_equal(both.subject, np.tile(views.subject, 2))
    assert np.array_equal(both.status, np.tile(views.status, 2))


def test_parts_are_all_that_is_done() -> None:
    """The parts of a kind hold its views, searches, lists and the rest, and nothing else."""
    doings = doings_of("importer")
    parts = honest(demo(), crowd_of("importer"))
    assert {part.kind for part in parts} == {"importer"}
    expected = [doings.views, doings.searches, doings.lists, doings.ahead, doings.others]
    expected += [doings.lookups, doings.found, doings.others_found]
    assert sum(len(part.traffic) for part in parts) == sum(map(len, expected))
    assert min(map(len, expected[5:])) > 0


def test_the_same_plan_makes_the_same() -> None:
    """Two worlds of one plan do the same; another seed does something else."""
    small = PRESETS["small"]
    one, same, other = (everything(plan) for plan in (small, small, replace(small, seed=2)))
    for name in ("time_ms", "origin", "what", "subject", "status"):
        columns = [np.concatenate([getattr(part.traffic, name) for part in parts]) for parts in (one, same, other)]
        assert np.array_equal(columns[0], columns[1])
        assert not np.array_equal(columns[0], columns[2])


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_nobody_is_faster_than_people(seed: int) -> None:
    """No account sees 25 profiles in a minute, none but recruiters 200 in an hour, none but these 500 in a day.

    Importers' look-ups that find somebody count, and they alone may see up to 40 in a minute and 100 in ten.
    """
    for part in everything(replace(PRESETS["demo"], seed=seed)):
        accounts = part.kind not in {"anonymous", "monitor", "search_bot"}
        minute = busiest(part.traffic, accounts, MINUTE_MS)
        assert minute < (40 if part.kind == "importer" else 25 if accounts else 30), part.kind
        if accounts and part.kind != "collector":
            assert busiest(part.traffic, True, 10 * MINUTE_MS) < 100, part.kind
            assert busiest(part.traffic, True, 60 * MINUTE_MS) < (600 if part.kind == "recruiter" else 220), part.kind
            assert busiest(part.traffic, True, DAY_MS) < (900 if part.kind == "recruiter" else 500), part.kind


def test_volume_of_a_persons_day() -> None:
    """A person's day is about 26 views, 2 searches and half a list and look-up each, all people taken together."""
    parts = everything(PRESETS["demo"])
    number = np.sum([np.bincount(part.traffic.what, minlength=5) for part in parts], axis=0) / (2_000 * 2)
    assert number[What.VIEW] == pytest.approx(26, abs=3)
    assert number[What.SEARCH] == pytest.approx(2, abs=0.4)
    assert number[What.OTHER] == pytest.approx(25, abs=3)
    assert 0.3 < number[What.LOOKUP] < 1.2
    assert 0.3 < number[What.LIST] < 0.9


def test_principals_are_of_one_kind() -> None:
    """No account, and no address of a visitor that nobody shares, is of two kinds."""
    kinds: dict[str, set[str]] = {}
    shared = frozenset().union(*demo().internet.shared().values())
    for part in everything(PRESETS["demo"]):
        for origin in part.traffic.origins:
            if origin.account or origin.address.value not in shared:
                kinds.setdefault(origin.account or origin.address.value, set()).add(part.kind)
    assert {len(of) for of in kinds.values()} == {1}
