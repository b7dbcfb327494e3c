"""Labels against decisions, where it is not plain whose a request is."""

from pathlib import Path

import msgspec
import orjson
import pytest

from schemas.actor import Actor
from schemas.block import Action, Block
from schemas.event_time import format_time
from streams.offline.replay import replay
from streams.offline.report import Report
from streams.offline.simulate.labels import Labels, PeopleLabel, ScraperLabel
from streams.offline.truth import Truth, actors_of
from tests.low import low
from tests.streams.live.decisions import block

START_US = 1_790_000_000_000_000
HOME, THIEF = "198.51.100.7", "203.0.113.9"
STOLEN = ScraperLabel("stolen-1", "stolen_session", "odd", [], ["cal.stolen"], [THIEF], [], [], 20, 20, ["cal"])
LABELS = Labels(
    seed=1,
    start="",
    end="",
    quiet_until="",
    members=100,
    popularity_exponent=1.0,
    people=[PeopleLabel("reader", ["cal", "ann"])],
    scrapers=[STOLEN],
)


def answer(action: Action, second: int) -> Block:
    """To the thief's address, enforced."""
    at = format_time(START_US + second * 1_000_000)
    return msgspec.structs.replace(block(), actor=Actor("ip", THIEF), action=action, event_time=at)


def view(account: str, profile: int, after_s: float, address: str) -> bytes:
    """One view of a profile."""
    event = {
        "@timestamp": format_time(START_US + int(after_s * 1e6)),
        "http.request.method": "GET",
        "url.path": f"/people/{profile}",
        "client.address": address,
        "user.id": account,
    }
    return orjson.dumps(event)


def run(tmp_path: Path, events: list[bytes], minute: int = 1000) -> Report:
    """Replay them with a limit of an account in a minute, and nothing else."""
    text = f'[mode]\ndefault = "off"\n[detectors.profile_rate]\nmode = "enforce"\naccount = {{minute = {minute}}}\n'
    file = tmp_path / "events.ndjson"
    file.write_bytes(b"\n".join(events))
    return replay([file], low(text), truth=Truth(LABELS)).report


STEALS = [view("cal", 100 + n, n, THIEF) for n in range(20)]
READS = [view("cal", n, 30 + n, HOME) for n in range(3)]


def test_what_a_stolen_session_is_shown_leaks_to_the_thief(tmp_path: Path) -> None:
    """By the address; what the person reads, and another person at the thief's address, is no leak."""
    report = run(tmp_path, [*STEALS, *READS, view("ann", 7, 40, THIEF)])
    assert report.scrapers[0].leaked == 20
    assert not report.scrapers[0].found
    assert (report.people_alerted, report.people_hurt) == (0, 0)


def test_an_alert_on_a_stolen_account_finds_the_thief(tmp_path: Path) -> None:
    """And is none on the person; below the level of a block nobody is hurt."""
    report = run(tmp_path, STEALS, minute=17)
    assert (report.scrapers[0].found, report.scrapers[0].blocked) == (True, False)
    assert report.scrapers[0].time_to_alert_s == 16
    assert (report.people_alerted, report.people_hurt) == (0, 0)


def test_a_block_of_a_stolen_account_hurts_the_person_too(tmp_path: Path) -> None:
    """Both are stopped."""
    report = run(tmp_path, [*STEALS, *READS], minute=8)
    assert report.scrapers[0].blocked
    assert report.scrapers[0].leaked == 10
    assert report.scrapers[0].denied == 10
    (reader,) = report.people
    assert (reader.alerted, reader.blocked, reader.denied) == (0, 1, 1)


def test_without_a_theft_the_same_account_is_a_persons(tmp_path: Path) -> None:
    """The same requests under labels without the scraper alert on a person."""
    file = tmp_path / "events.ndjson"
    file.write_bytes(b"\n".join(STEALS))
    text = '[mode]\ndefault = "off"\n[detectors.profile_rate]\nmode = "enforce"\naccount = {minute = 17}\n'
    honest = msgspec.structs.replace(LABELS, scrapers=[])
    assert replay([file], low(text), truth=Truth(honest)).report.people_alerted == 1


@pytest.mark.parametrize("actor", ["session:cal.stolen", f"ip:{THIEF}"])
def test_actors_of_a_thief(actor: str) -> None:
    """The session and the addresses are its own; the account is not."""
    assert actor in actors_of(STOLEN)
    assert "account:cal" not in actors_of(STOLEN)


@pytest.mark.parametrize(
    ("minute", "alert", "stop", "block"), [(1000, 20, 20, 20), (20, 20, 20, 20), (17, 17, 20, 20), (8, 8, 10, 10)]
)
def test_what_had_leaked_by_each_decision(tmp_path: Path, minute: int, alert: int, stop: int, block: int) -> None:
    """With the profile of the request that led to it; all that was taken where there was no such decision."""
    (thief,) = run(tmp_path, STEALS, minute).scrapers
    assert (thief.leaked_before_alert, thief.leaked_before_stop, thief.leaked_before_block) == (alert, stop, block)


def test_a_challenge_stops_before_the_block_does() -> None:
    """Decided in whatever order they are seen; what two requests disclose leaks once."""
    truth = Truth(LABELS)
    for second in range(6):
        truth.requested(f"ip:{THIEF}", f"p{second // 2}", START_US + second * 1_000_000, allowed=True)
    for action, second in ((Action.BLOCK, 4), (Action.CHALLENGE, 1)):
        truth.decided(answer(action, second))
    (thief,) = truth.scrapers()
    assert (thief.leaked_before_alert, thief.leaked_before_stop, thief.leaked_before_block) == (1, 1, 3)
    assert (thief.challenged, thief.blocked, thief.leaked) == (True, True, 3)
