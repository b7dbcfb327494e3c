import re

import numpy as np

from streams.offline.simulate.client import (
    CLIENTS,
    COLLECTOR,
    CURL,
    DESKTOPS,
    GO_HTTP,
    MONITOR,
    PHONES,
    PREFETCHES,
    PYTHON_REQUESTS,
    SEARCH_BOT,
    draw_devices,
    updated,
)

LIBRARIES = (PYTHON_REQUESTS, GO_HTTP, CURL)
ROBOTS = (MONITOR, COLLECTOR, SEARCH_BOT)
JA4 = re.compile(r"t13d\d{4}h[12]_[0-9a-f]{12}_[0-9a-f]{12}")


def test_fingerprints_look_like_ja4() -> None:
    """Every fingerprint has JA4's form, and people have about a dozen."""
    assert all(JA4.fullmatch(client.ja4) for client in (*CLIENTS, *LIBRARIES, *ROBOTS))
    assert 9 <= len({client.ja4 for client in CLIENTS}) <= 14


def test_libraries_are_nobodys_browser() -> None:
    """No person's browser has the fingerprint of a scraper's library."""
    libraries = {client.ja4 for client in LIBRARIES}
    assert len(libraries) == 3
    assert not libraries & {client.ja4 for client in CLIENTS}


def test_robots_are_told_by_hello_and_name() -> None:
    """No two welcome programs, and no browser or library, share a fingerprint or a user agent with one."""
    others = {*CLIENTS, *LIBRARIES}
    for seen in ("ja4", "user_agent"):
        robots = {getattr(client, seen) for client in ROBOTS}
        assert len(robots) == len(ROBOTS)
        assert not robots & {getattr(client, seen) for client in others}


def test_one_app_prefetches() -> None:
    """Of all programs one of the platform's own apps asks ahead, and about a sixth of phones have it."""
    (number,) = np.flatnonzero(PREFETCHES).tolist()
    assert CLIENTS[number] in PHONES
    assert CLIENTS[number].user_agent.startswith("Platform/")
    assert CLIENTS[number].share == 0.16


def test_devices() -> None:
    """Each person has a desktop and a phone; the commonest browser is common, the rarest exists."""
    devices = draw_devices(np.random.default_rng(1), 5_000)
    assert devices.shape == (5_000, 2)
    assert devices[:, 0].max() < len(DESKTOPS) <= devices[:, 1].min()
    share = np.bincount(devices[:, 0]) / 5_000
    assert 0.38 < share[0] < 0.46
    assert (np.bincount(devices.ravel(), minlength=len(CLIENTS)) > 0).all()


def test_updated_programs() -> None:
    """A newer version differs in one number of its name, and keeps its hello."""
    for client in CLIENTS:
        newer = updated(client)
        assert newer.ja4 == client.ja4
        changed = [(a, b) for a, b in zip(client.user_agent.split(), newer.user_agent.split(), strict=True) if a != b]
        assert len(changed) == 1
    assert "Chrome/143." in updated(CLIENTS[0]).user_agent
