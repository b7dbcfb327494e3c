from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from streams.offline.simulate.client import CLIENTS, PREFETCHES
from streams.offline.simulate.members import PAGES_MAX
from streams.offline.simulate.plan import MINUTE_MS
from streams.offline.simulate.prefetch import _apart
from streams.offline.simulate.visit import doings
from tests.streams.offline.simulate.everybody import crowd_of, demo, doings_of


def bursts(times: NDArray[np.int64], origins: NDArray[np.int64]) -> list[NDArray[np.int64]]:
    """Times of one origin's requests, parted where a second or more lies between two."""
    order = np.lexsort((times, origins))
    cuts = np.flatnonzero((np.diff(times[order]) >= 1_000) | (np.diff(origins[order]) != 0)) + 1
    return np.split(times[order], cuts)


def test_profiles_come_in_one_go() -> None:
    """What an app asks for ahead are three to six profiles 100 to 300 ms apart, the first as soon as its view."""
    ahead = doings_of("regular").ahead
    found = bursts(ahead.time_ms, ahead.origin)
    assert len(found) > 100
    assert {len(burst) for burst in found} == {3, 4, 5, 6}
    gap_ms = np.concatenate([np.diff(burst) for burst in found])
    assert gap_ms.min() >= 100
    assert gap_ms.max() <= 300
    views = doings_of("regular").views
    begun = {(origin, time) for origin, time in zip(views.origin.tolist(), views.time_ms.tolist(), strict=True)}
    first = min(zip(ahead.time_ms.tolist(), ahead.origin.tolist(), strict=True))
    assert any((first[1], time) in begun for time in range(first[0] - 300, first[0] - 99))


@pytest.mark.parametrize("name", ["regular", "glancer", "anonymous"])
def test_only_the_app_prefetches(name: str) -> None:
    """Every such request comes from the program that does it, on a phone."""
    ahead = doings_of(name).ahead
    (app,) = (CLIENTS[number] for number in np.flatnonzero(PREFETCHES).tolist())
    assert {ahead.origins[origin].client for origin in np.unique(ahead.origin).tolist()} <= {app}
    assert 0 < len(ahead) < 0.1 * len(doings_of(name).views)


def test_what_is_ahead_is_the_next_of_a_list() -> None:
    """Profiles asked for ahead follow on each other in the friends' list or on a page of results."""
    crowd, doings = crowd_of("regular"), doings_of("regular")
    lists = [crowd.friends[begin:end] for begin, end in zip(crowd.friends_begin, crowd.friends_begin[1:], strict=False)]
    searched = np.unique(doings.searches.subject).tolist()
    lists += [demo().members.results(*divmod(subject, PAGES_MAX)) for subject in searched]
    pairs = {pair for ids in lists for pair in zip(ids.tolist(), ids[1:].tolist(), strict=False)}
    order = np.lexsort((doings.ahead.time_ms, doings.ahead.origin))
    times, ids = doings.ahead.time_ms[order], doings.ahead.subject[order]
    near = np.flatnonzero((np.diff(times) >= 0) & (np.diff(times) <= 300) & (np.diff(doings.ahead.origin[order]) == 0))
    assert all((one, other) in pairs for one, other in zip(ids[near].tolist(), ids[near + 1].tolist(), strict=True))
    assert len(near) > 300


def test_results_are_fetched_ahead_more_often() -> None:
    """What a search found is fetched ahead sooner than friends: recruiters, if by phone, fetch more than others."""
    phones = replace(crowd_of("recruiter").kind, phone=1.0), replace(crowd_of("regular").kind, phone=1.0)
    app = int(np.flatnonzero(PREFETCHES)[0])
    ratio = []
    for kind in phones:
        crowd = crowd_of(kind.name)
        done = doings(demo(), replace(crowd, kind=kind, devices=np.full_like(crowd.devices, app)))
        ratio.append(len(done.ahead) / len(done.views))
    assert ratio[0] > 1.5 * ratio[1]


def test_once_a_minute() -> None:
    """A person's app fetches ahead again after a minute and not before; others' apps do not matter."""
    person = np.array([0, 0, 0, 1, 1])
    time = np.array([0, MINUTE_MS - 1, 2 * MINUTE_MS - 1, 2 * MINUTE_MS, 2 * MINUTE_MS + 5])
    assert _apart(person, time).tolist() == [True, False, True, True, False]
    assert _apart(person[:0], time[:0]).tolist() == []


def test_pages_fetched_ahead_have_furniture() -> None:
    """Of what is asked for beside, as much belongs to profiles fetched ahead as to the others."""
    doings = doings_of("glancer")
    assert len(doings.others) / (len(doings.views) + len(doings.ahead)) == pytest.approx(0.993, abs=0.02)
    assert len(doings.others) > len(doings.views)
