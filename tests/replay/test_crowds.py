"""Honest people who are much alike: a class in one webview, and colleagues on the platform's own app."""

import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

import numpy as np
import pytest

from schemas.block import Action, Block, BlockMode
from schemas.mode import Mode
from streams.config import parse
from streams.offline.replay import replay
from streams.offline.simulate import Plan, simulate

PLAN: Final = Plan(
    seed=77,
    quiet_days=3,
    scraper_days=0,
    people=900,
    anonymous=150,
    members=15_000,
    other_ratio=0.4,
    scrapers=(),
    route=True,
)
SETTINGS: Final = "[model]\nlearning_s = 43200\n[fusion]\nuntil_fitted = 'enforce'\n"
APP: Final = "Platform/9.4 (Android 15) okhttp/4.12.0"
APP_JA4: Final = "t13d1312h2_f57a46bbacb6_14788d8d241b"
WEBVIEW: Final = (
    "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Mobile Safari/537.36"
)
DAY_S: Final = 86_400
HOUR_S: Final = 3_600
RECRUITERS: Final = 5
PUPILS: Final = 30


def view(at: datetime, account: str, address: str, client: tuple[int, str, str], profile: int) -> tuple[str, bytes]:
    """Time and record of one view by an account without anything beside it; ``client``: ASN, JA4, user agent."""
    asn, ja4, agent = client
    time = at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    record = {
        "@timestamp": time,
        "http.request.method": "GET",
        "url.path": f"/people/{profile}",
        "http.route": "/people/{profile}",
        "http.response.status_code": 200,
        "client.address": address,
        "client.as.number": asn,
        "client.geo.country_iso_code": "DE",
        "tls.client.ja4": ja4,
        "user_agent.original": agent,
        "user.id": account,
        "session.id": f"s-{account}",
        "weir.account.created_at": "2020-01-01T00:00:00Z",
    }
    return time, json.dumps(record).encode()


def background(everybody_is_bare: bool) -> Iterator[tuple[str, bytes]]:
    """The platform's days: its app asks for profiles alone, and so does everybody where a CDN serves the rest."""
    for event in simulate(PLAN).events():
        path = str(event["url.path"])
        is_view = path.startswith("/people/") and path.count("/") == 2
        if is_view or not (everybody_is_bare or event["user_agent.original"] == APP):
            yield str(event["@timestamp"]), json.dumps(event).encode()


def crowds(start: datetime) -> Iterator[tuple[str, bytes]]:
    """Two days of recruiters who look for rare people, and of pupils who look at each other."""
    rng = np.random.default_rng(5)
    each_other = rng.choice(np.arange(PLAN.members // 2, PLAN.members), PUPILS, replace=False)
    for day in (1, 2):
        for n in range(RECRUITERS):
            for second in rng.uniform(8 * HOUR_S, 17 * HOUR_S, 35):
                at, profile = start + timedelta(seconds=day * DAY_S + second), int(rng.integers(1, PLAN.members + 1))
                yield view(at, f"recruiter-{n}", f"203.0.113.{10 + n}", (64_999, APP_JA4, APP), profile)
        for n in range(PUPILS):
            times_s = np.sort(rng.uniform(8 * HOUR_S, 14 * HOUR_S, 25))
            for second, profile in zip(times_s, rng.permutation(each_other), strict=False):
                at = start + timedelta(seconds=day * DAY_S + second)
                yield view(at, f"pupil-{n}", f"198.51.100.{10 + n}", (64_998, "t13d_webview", WEBVIEW), int(profile))


@pytest.mark.parametrize("everybody_is_bare", [False, True], ids=["assets seen", "assets on a CDN"])
def test_nobody_of_a_crowd_is_blocked(everybody_is_bare: bool, tmp_path: Path) -> None:
    """However alike they are, whatever their client leaves out, and with everything enforced."""
    rows = list(background(everybody_is_bare))
    start = datetime.fromisoformat(min(rows)[0])
    recording = tmp_path / "requests.ndjson"
    recording.write_bytes(b"\n".join(row for _, row in sorted([*rows, *crowds(start)])) + b"\n")
    found = replay([recording], parse(SETTINGS), mode=Mode.ENFORCE)
    assert found.report.events > 50_000
    assert not {one.actor.key for one in found.blocks if is_against_them(one)}


def is_against_them(block: Block) -> bool:
    """Whether it blocks a member of the crowds, or a group that they are."""
    about = block.actor.value
    ours = ("recruiter-", "pupil-", "203.0.113.", "198.51.100.", "64999", "64998", APP_JA4, "t13d_webview")
    return block.mode is BlockMode.ENFORCE and block.action is Action.BLOCK and any(one in about for one in ours)
