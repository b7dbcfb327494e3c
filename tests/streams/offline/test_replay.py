"""A replay of a labelled day: who is found, who is denied, and what is written."""

from pathlib import Path

import msgspec
import orjson
import pytest

from schemas.alert import Alert
from schemas.block import Block
from schemas.errors import InputError, UsageError
from schemas.event_time import format_time
from schemas.mode import Mode
from streams.config import parse
from streams.offline.replay import Replay, replay, write
from streams.offline.report import Report
from streams.offline.simulate import PRESETS, Plan, simulate
from streams.offline.simulate import write as write_day
from streams.offline.truth import Truth, read_labels
from streams.settings import Settings
from tests.low import low

DEMO = Path(__file__).resolve().parents[3] / "deploy" / "demo.toml"
START_US = 1_790_000_000_000_000
LIMITED = low('[detectors.profile_rate]\nmode = "enforce"\n[detectors.profile_rate.account]\nminute = 10\n')
"""An alert at ten profiles a minute, a block at 12.5."""


def view(account: str, profile: int, after_s: float, address: str = "198.51.100.7") -> bytes:
    """One view of a profile."""
    event = {
        "@timestamp": format_time(START_US + int(after_s * 1e6)),
        "http.request.method": "GET",
        "url.path": f"/people/{profile}",
        "http.response.status_code": 200,
        "client.address": address,
        "user.id": account,
    }
    return orjson.dumps(event)


def run(tmp_path: Path, events: list[bytes], settings: Settings = LIMITED, *, enforce: bool = True) -> Replay:
    """Replay ``events`` from a file."""
    file = tmp_path / "events.ndjson"
    file.write_bytes(b"\n".join(events))
    return replay([file], settings, enforce=enforce)


def burst(count: int) -> list[bytes]:
    """``count`` profiles of one account within a minute, in no order that anything else could speak of."""
    return [view("eve", n**3 * 1009, n * 0.4) for n in range(count)]


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small labelled day."""
    out = tmp_path_factory.mktemp("small")
    write_day(simulate(PRESETS["small"]), out)
    return out


def test_a_block_denies_from_its_event_on(tmp_path: Path) -> None:
    """The deciding event still counts, the next one is denied, and exposure stops there."""
    done = run(tmp_path, burst(30))
    assert [block.exposure.profiles for block in done.blocks] == [13]
    assert done.blocks[0].event_time == format_time(START_US + 4_800_000)
    assert done.report.requests_denied == 17
    assert done.report.exposure_before_block == 13


def test_without_enforcement_nothing_is_denied(tmp_path: Path) -> None:
    """The same block is decided and the burst goes on."""
    done = run(tmp_path, burst(30), enforce=False)
    assert done.blocks[0].id == run(tmp_path, burst(30)).blocks[0].id
    assert done.report.requests_denied == 0
    assert done.incidents[0].exposure.profiles >= 13


@pytest.mark.parametrize(("count", "alerts", "blocks"), [(9, 0, 0), (10, 1, 0), (12, 1, 0), (13, 2, 1)])
def test_both_sides_of_each_limit(tmp_path: Path, count: int, alerts: int, blocks: int) -> None:
    """One below nothing happens; at the limit there is an alert; a quarter above it a block."""
    done = run(tmp_path, burst(count))
    assert (len(done.alerts), len(done.blocks)) == (alerts, blocks)


def test_a_block_ends_by_itself(tmp_path: Path) -> None:
    """After its end the account is served again."""
    later = [view("eve", 1000 + n, 3700 + n) for n in range(3)]
    done = run(tmp_path, [*burst(20), *later])
    assert done.report.requests_denied == 7
    assert done.report.profiles == 23


def test_denied_requests_are_those_of_the_blocked_actor_only(tmp_path: Path) -> None:
    """Another account at the same address goes on."""
    neighbour = [view("ann", n, 20 + n) for n in range(5)]
    done = run(tmp_path, sorted([*burst(30), *neighbour], key=lambda event: orjson.loads(event)["@timestamp"]))
    assert done.report.requests_denied == 17


def test_mode_replaces_that_of_every_detector(tmp_path: Path) -> None:
    """In shadow the same block is a shadow block and denies nothing; the revision says that it was another run."""
    file = tmp_path / "events.ndjson"
    file.write_bytes(b"\n".join(burst(30)))
    shadow = replay([file], LIMITED, mode=Mode.SHADOW)
    assert {block.mode for block in shadow.blocks} == {"shadow"}
    assert {alert.mode for alert in shadow.alerts} == {"shadow"}
    assert shadow.report.requests_denied == 0
    assert shadow.report.config != run(tmp_path, burst(30)).report.config


def test_two_files_side_by_side_are_one_stream(tmp_path: Path) -> None:
    """A burst that is split over two files passes the limit at the same event as in one."""
    events = burst(30)
    (tmp_path / "a").write_bytes(b"\n".join(events[::2]))
    (tmp_path / "b").write_bytes(b"\n".join(events[1::2]))
    split = replay([tmp_path / "a", tmp_path / "b"], LIMITED)
    assert [block.id for block in split.blocks] == [block.id for block in run(tmp_path, events).blocks]


def test_bad_lines_are_counted_and_cost_nothing_else(tmp_path: Path) -> None:
    """Their neighbours are judged as if they were not there."""
    bad = [b"{", b"\xff", b"[1]", b'{"@timestamp": 1}', view("x", 1, 0).replace(b"198.51.100.7", b"nowhere")]
    done = run(tmp_path, [bad[0], *burst(15), *bad[1:], *burst(30)[15:]])
    assert done.report.outcomes["dead"] == 5
    assert [block.exposure.profiles for block in done.blocks] == [13]


def test_the_same_input_gives_the_same_bytes(small: Path, tmp_path: Path) -> None:
    """Alerts, blocks and incidents of two runs are the same files."""
    for name in ("one", "two"):
        write(replay([small / "events.ndjson"], parse(""), mode=Mode.ENFORCE), tmp_path / name)
    for file in ("alerts.ndjson", "blocks.ndjson", "incidents.ndjson"):
        text = (tmp_path / "one" / file).read_bytes()
        assert text
        assert text == (tmp_path / "two" / file).read_bytes()


def test_what_is_written_can_be_read(small: Path, tmp_path: Path) -> None:
    """Records of the contract, in order of decision, each dated by its event."""
    write(replay([small / "events.ndjson"], parse(""), mode=Mode.ENFORCE), tmp_path)
    alerts = [msgspec.json.decode(line, type=Alert) for line in (tmp_path / "alerts.ndjson").read_bytes().splitlines()]
    blocks = [msgspec.json.decode(line, type=Block) for line in (tmp_path / "blocks.ndjson").read_bytes().splitlines()]
    assert alerts
    assert blocks
    assert all(alert.decided_at == alert.event_time for alert in alerts)
    assert all(block.decided_at == block.event_time for block in blocks)
    assert all(block.until > block.event_time and block.reason and block.public_reason for block in blocks)
    report = msgspec.json.decode((tmp_path / "report.json").read_bytes(), type=Report)
    assert report.events == (small / "events.ndjson").read_bytes().count(b"\n")


def test_a_labelled_day_is_told_by_scraper_and_by_kind_of_people(small: Path) -> None:
    """Burst and id walk are found and blocked with most of their profiles untaken; of the people nobody is hurt."""
    done = replay(
        [small / "events.ndjson"], parse(""), mode=Mode.ENFORCE, truth=Truth(read_labels(small / "labels.json"))
    )
    by_kind = {result.kind: result for result in done.report.scrapers}
    for kind in ("burst", "id_walk"):
        result = by_kind[kind]
        assert result.found
        assert result.blocked
        assert result.leaked_before_block <= result.leaked < result.profiles / 2
        assert result.denied > 0
        assert result.time_to_alert_s is not None
        assert result.time_to_block_s is not None
        assert 0 < result.time_to_alert_s <= result.time_to_block_s
    assert done.report.people_hurt == 0
    assert sum(result.people for result in done.report.people) > 200


def test_robots_are_counted_and_not_judged(tmp_path: Path) -> None:
    """The demo's crawler and monitor: all their requests are exempt, and none of their actors is remembered."""
    day = simulate(Plan(people=1_000, anonymous=40, members=3_000, quiet_days=0.1, scraper_days=0, other_ratio=0))
    robots = {"240.202.0.9", *(f"240.204.0.{host}" for host in range(1, 5))}
    addresses = [event["client.address"] for event in day.events()]
    requests = sum(address in robots for address in addresses)
    assert robots <= set(addresses)
    write_day(day, tmp_path)
    known = parse(DEMO.read_text(encoding="utf-8"))
    with_them, without = (
        replay([tmp_path / "events.ndjson"], settings).report
        for settings in (msgspec.structs.replace(known, bots=()), known)
    )
    assert (with_them.outcomes["exempt"], without.outcomes["exempt"]) == (0, requests)
    assert sum(without.outcomes.values()) == without.events == len(addresses)
    # Five addresses; and of crawler and monitor each: net, ASN, fingerprint, and that within the ASN.
    assert with_them.actors - without.actors == 5 + 2 * 4


def test_labels_count_people_who_are_hurt(small: Path) -> None:
    """With limits that are far too low the report says so: it can fail."""
    strict = low("[detectors.profile_rate.account]\nday = 3\n[detectors.profile_rate.ip]\nday = 3\n")
    truth = Truth(read_labels(small / "labels.json"))
    report = replay([small / "events.ndjson"], strict, mode=Mode.ENFORCE, truth=truth).report
    assert report.people_hurt > 50
    assert report.people_alerted > 50


def test_labels_that_are_none_are_refused(tmp_path: Path) -> None:
    """With the file's name."""
    (tmp_path / "labels.json").write_text("{}")
    with pytest.raises(InputError, match=r"labels\.json: these are no labels"):
        read_labels(tmp_path / "labels.json")
    with pytest.raises(InputError, match=r"none\.json"):
        read_labels(tmp_path / "none.json")


def test_an_output_directory_that_cannot_be_is_refused(tmp_path: Path) -> None:
    """In one line, as a mistake of the asker's."""
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match="file"):
        write(Replay(Report(config="", model="")), tmp_path / "file")


def test_an_empty_file_gives_an_empty_report(tmp_path: Path) -> None:
    """No event, no decision, no error."""
    done = run(tmp_path, [])
    assert (done.report.events, done.alerts, done.blocks, done.report.event_time_first) == (0, [], [], None)
