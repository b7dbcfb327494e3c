"""Sums over members of a group: whose their parts are, and that nobody gives all or stands for others."""

from typing import Any, Final

import numpy as np
import pytest
from numpy.typing import NDArray

from detectors.core.columns import Columns
from detectors.core.group import ANONYMOUS, BARE_ACCOUNT, YOUNG
from schemas.sighting import Kind
from tests.detectors.columns_of import Judge
from tests.detectors.groups_of import CELL_S, DAY_S, MODEL, NEW, POPULAR, RARE, SOME, group, judge, noise

HEAVY: Final = 1
FLEET: Final = 100
CROWD: Final = 300
HALF: Final = 7.0
"""Half of an alert's evidence."""
HOUR_S: Final = 3600

Views = tuple[NDArray[np.float64], NDArray[np.int64], int]


def views(nats_a_day: float, days: float, members: int, first: int, from_s: float = 0.0, popularity: int = 0) -> Views:
    """Contacts at a steady pace, rare ones unless ``popularity`` says else, by members numbered from ``first``."""
    count = int(abs(nats_a_day / (RARE if popularity == 0 else POPULAR)) * days)
    at_s = from_s + np.arange(count) * days * DAY_S / count
    return at_s, first + np.arange(count) % members, popularity


def mixed(*parts: Views, **given: Any) -> Columns:
    """All of them, by time."""
    at_s, members = (np.concatenate([part[k] for part in parts]) for k in (0, 1))
    popularity = np.concatenate([np.full(len(part[0]), part[2]) for part in parts])
    order = np.argsort(at_s, kind="stable")
    return group(at_s[order], members[order], popularity=popularity[order], **given)


def levels(of: Judge, first: int, *parts: Views, flags: int = 0) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Seconds and levels at rows of the hundred members from ``first`` on; young ones have asked for pages before."""
    columns = mixed(*parts, flags=flags)
    who = columns.member_slot // 100 == first // 100
    if flags == NEW:
        everybody = np.unique(columns.member_slot)
        of.judge(group([-15 * DAY_S] * len(everybody), everybody, kind=Kind.TOUCH, flags=flags), MODEL)
    found = of.judge(columns, MODEL)
    return (columns.time_us[who] - columns.time_us[who][0]) / 1e6, found.level[who]


@pytest.mark.parametrize("flags", [0, NEW])
@pytest.mark.parametrize(
    "heavy",
    [
        views(12_000, 1 / 24, 1, HEAVY, -HOUR_S),
        views(100, 8, 1, HEAVY, -7 * DAY_S),
        views(30, 14, 1, HEAVY, -13 * DAY_S),
    ],
)
def test_a_heavy_one_hides_no_fleet(heavy: Views, flags: int) -> None:
    """Whatever one member asked for, in an hour or for weeks, a fleet of 60 beside it is found as soon as by itself."""
    fleet = views(570, 0.5, 60, FLEET)
    alone_s, alone = levels(judge(), FLEET, fleet, flags=flags)
    beside_s, beside = levels(judge(), FLEET, fleet, heavy, flags=flags)
    assert beside_s[beside >= 1][0] <= alone_s[alone >= 1][0] < HOUR_S


@pytest.mark.parametrize("flags", [0, NEW])
@pytest.mark.parametrize("nats_a_day", [50, 200, 450])
def test_a_heavy_one_alone(nats_a_day: float, flags: int) -> None:
    """Among people whose taste takes from the sum what it gives again and again, one member never makes an alert."""
    crowd = views(-nats_a_day / 2, 5, 60, CROWD, popularity=SOME)
    at_s, level = levels(judge(), HEAVY, views(nats_a_day, 5, 1, HEAVY), crowd, flags=flags)
    assert level[at_s > DAY_S].max() <= HALF / 14.0 + 1e-3


@pytest.mark.parametrize("flags", [0, NEW])
@pytest.mark.parametrize(("members", "crowd"), [(3, 150.0), (5, 350.0), (60, 350.0)])
def test_a_fleet_in_a_crowd(members: int, crowd: float, flags: int) -> None:
    """What people's taste takes members give again, so that a fleet that gives more is found, and stays found."""
    people = views(-crowd, 5, 60, CROWD, -3 * DAY_S, SOME)
    nats_a_day = 286 if members == 3 else 477
    at_s, level = levels(judge(), FLEET, views(nats_a_day, 2, members, FLEET), people, flags=flags)
    assert at_s[level >= 1][0] < 4 * HOUR_S
    assert (level[at_s > 8 * HOUR_S] >= 1).all()


@pytest.mark.parametrize("flags", [0, NEW])
def test_a_small_fleet_that_stays(flags: int) -> None:
    """What fades with time members give again: three are found for as long as they go on."""
    at_s, level = levels(judge(), FLEET, views(90, 13, 3, FLEET), flags=flags)
    assert (level[at_s > 12 * HOUR_S] >= 1.2).all()


@pytest.mark.parametrize("config", [{"members_min": 2}, {"block_ratio": 1.7}])
def test_as_few_as_configured(config: dict[str, float]) -> None:
    """Two members, where two make a group, can come to a block; so can three, whatever a block needs."""
    _, level = levels(judge(**config), FLEET, views(400, 1, int(config.get("members_min", 3)), FLEET))
    assert level.max() >= config.get("block_ratio", 1.215)


@pytest.mark.parametrize("flags", [0, NEW])
def test_worn_down(flags: int) -> None:
    """A crowd that took the sum away thousands of times over does not keep a fleet's parts from fading later."""
    of, rng, count = judge(), np.random.default_rng(5), 60_000
    cycle = np.arange(count) % 23
    two, crowd = 1 + cycle % 2, CROWD + rng.integers(0, 200, count)
    everybody = np.concatenate([[1, 2], FLEET + np.arange(3), CROWD + np.arange(200)])
    if flags == NEW:
        of.judge(group([-10] * len(everybody), everybody, kind=Kind.TOUCH, flags=flags), MODEL)
    taste = np.where(cycle < 14, 0, SOME)
    of.judge(group(np.arange(count) * 2.0, np.where(cycle < 14, two, crowd), popularity=taste, flags=flags), MODEL)
    assert of.state["faded"][0].min() < -5_000
    seconds = np.arange(4 * DAY_S)
    fleet = group(2.0 * count + seconds, FLEET + seconds // 600 % 3, first=seconds % 600 == 0, flags=flags)
    assert (of.judge(fleet, MODEL).level[seconds % 600 == 0][-300:] >= 1.2).all()


def own(of: Judge, k: int) -> float:
    """Sum of the parts of members in the present rise of group 0, held or released."""
    state = of.state
    sort = "young" if k == YOUNG else "given"
    since_s, faded = state[f"{sort}_since_s"], state[f"{sort}_faded"]
    given = state["young_given" if k == YOUNG else "given"]
    in_it = (np.arange(len(since_s)) % 3 == 0) & (since_s == state["since_s"][0, k]) & (since_s > 0)
    held = in_it & (state["pending_cell"] == state["at_s"][0] // CELL_S) & (k != YOUNG)
    left = np.maximum(given, 0.0) * 2.0 ** (float(state["faded"][0, k]) - faded)
    return float(np.where(held, given, left)[in_it].sum())


@pytest.mark.parametrize("seed", range(6))
def test_parts_add_up(seed: int) -> None:
    """Whatever comes, the parts of all members are the sum, and none exceeds half of an alert's evidence."""
    of, columns = judge(), noise(np.random.default_rng(seed))
    risen = 0
    for cut in np.array_split(np.arange(len(columns)), 60):
        of.judge(columns_at(columns, cut), MODEL)
        for k in (ANONYMOUS, BARE_ACCOUNT, YOUNG):
            held = 0.0 if k == YOUNG else float(of.state["held"][0, k]) * 2.0**-14
            stands = float(of.state["total"][0, k]) + held
            risen += stands > 1.0
            assert own(of, k) == pytest.approx(stands, abs=0.02 + 0.002 * abs(stands))
    assert risen > 20
    assert max(of.state["given"].max(), of.state["young_given"].max()) <= HALF + 1e-3


def columns_at(columns: Columns, rows: NDArray[np.int64]) -> Columns:
    """Some rows."""
    return Columns(
        **{
            name: value if name == "tiers" else value[rows]
            for name, value in ((name, getattr(columns, name)) for name in Columns.__slots__)
        }
    )
