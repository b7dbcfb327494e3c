"""Real worker processes from request events to alerts and blocks, beside what `weir replay` says of the same file.

A day is fed once to each broker; every test has an installation of its own that reads it. Undisturbed days run on the
embedded broker and on Apache Kafka where it may be had; where workers are hurt, Kafka alone will do if it is there.
"""

import random
import signal
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

import msgspec
import pytest

from schemas import topic
from schemas.block import BLOCK_CODEC
from schemas.event_time import parse_time_us
from streams.config import parse
from streams.offline.replay import replay
from streams.offline.simulate import PRESETS, simulate, write
from tests.broker.installation import (
    PARTITIONS,
    Installation,
    Received,
    Record,
    Worker,
    by_id,
    config_text,
    content,
    feed,
    installed,
)
from tests.brokers import Broker, kinds

pytestmark = pytest.mark.timeout(180)

BATCH_RECORDS: Final = 150
"""So few that the stream has a middle in which a worker can be killed."""


@dataclass(frozen=True, slots=True)
class Recording:
    """A day of requests, and what a replay of it decides."""

    events: list[bytes]
    requests: str
    """Topic for them: its name counts as configuration, which decisions name."""
    alerts: dict[str, Record]
    """Content by id, as the blocks."""
    blocks: dict[str, Record]

    @property
    def incidents(self) -> set[str]:
        """Keys of alerts."""
        return {alert["incident"] for alert in self.alerts.values()}

    @property
    def end(self) -> str:
        """Time of the last event."""
        return str(msgspec.json.decode(self.events[-1])["@timestamp"])


@dataclass(frozen=True, slots=True)
class Day:
    """The recording on one broker."""

    broker: Broker
    recording: Recording

    def install(self, directory: Path) -> AbstractContextManager[Installation]:
        """A Weir that reads it and has not been started."""
        requests = self.recording.requests
        return installed(self.broker, directory, requests=requests, batch_records=BATCH_RECORDS)


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Recording:
    """A day with every kind of scraper in it, after a quiet one."""
    directory = tmp_path_factory.mktemp("day")
    write(simulate(PRESETS["small"]), directory)
    requests, path = f"test-{uuid.uuid4().hex[:12]}", directory / "events.ndjson"
    done = replay([path], parse(config_text(requests=requests)), enforce=False)
    alerts, blocks = ({one.id: content(plain(one)) for one in made} for made in (done.alerts, done.blocks))
    assert len(alerts) > 20, "a day without decisions proves nothing"
    assert len(blocks) > 5, "a day without decisions proves nothing"
    return Recording(path.read_bytes().splitlines(), requests, alerts, blocks)


@pytest.fixture(scope="module")
def fed(request: pytest.FixtureRequest, recording: Recording) -> Callable[[str], Day]:
    """Gives the day on a broker of a kind, fed at the first call."""

    @cache
    def once(kind: str) -> Day:
        broker: Broker = request.getfixturevalue(f"{kind}_broker")
        broker.admin.create_topics({recording.requests: {"num_partitions": PARTITIONS, "replication_factor": 1}})
        feed(broker, recording.requests, recording.events)
        return Day(broker, recording)

    return once


@pytest.fixture(scope="module", params=["embedded", "kafka"])
def any_day(request: pytest.FixtureRequest, fed: Callable[[str], Day]) -> Day:
    """The day on each broker."""
    return fed(request.param)


@pytest.fixture(scope="module", params=kinds())
def day(request: pytest.FixtureRequest, fed: Callable[[str], Day]) -> Day:
    """The day on a broker of the kind that WEIR_TEST_KAFKA chooses."""
    return fed(request.param)


@pytest.fixture
def weir(day: Day, tmp_path: Path) -> Iterator[Installation]:
    """An installation that has not been started."""
    with day.install(tmp_path) as made:
        yield made


@pytest.fixture(scope="module")
def finished(any_day: Day, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """An installation whose two workers have judged the day undisturbed, and have been stopped."""
    with any_day.install(tmp_path_factory.mktemp("finished")) as made:
        made.start()
        made.start()
        made.wait_judged()
        stopping = time.monotonic()
        assert [worker.stop() for worker in made.workers] == [0, 0], "SIGTERM ends a worker in good order"
        assert time.monotonic() - stopping < 12
        yield made


def plain(decision: msgspec.Struct) -> Record:
    """A decision as it reads on a topic."""
    record: Record = msgspec.json.decode(msgspec.json.encode(decision))
    return record


def sent(weir: Installation, where: topic.Topic) -> list[Received]:
    """All decisions on a topic, without tombstones."""
    return [one for one in weir.read(weir.own(where)) if one.value is not None]


def assert_as_replayed(weir: Installation, day: Day) -> int:
    """Ids and contents are those of a replay; how many decisions came more than once."""
    repeats = 0
    for where, expected in ((topic.ALERTS, day.recording.alerts), (topic.BLOCKS, day.recording.blocks)):
        records = [one.record for one in sent(weir, where)]
        assert by_id(records) == expected
        repeats += len(records) - len(expected)
    assert weir.read(weir.own(topic.DEAD_LETTERS)) == []
    return repeats


def part_done(weir: Installation, day: Day) -> float:
    """Share of the request events that are observed and committed."""
    return sum(weir.committed(weir.requests).values()) / len(day.recording.events)


def test_two_workers_decide_as_a_replay(finished: Installation, any_day: Day) -> None:
    """Eight partitions, two workers: the same alerts and blocks as offline from one file, each sent once."""
    assert assert_as_replayed(finished, any_day) == 0


def test_cloud_events(finished: Installation) -> None:
    """Alerts and blocks carry the headers of CloudEvents' binary mode and are keyed by incident and by actor."""
    for where, kind in ((topic.ALERTS, b"weir.alert.v1"), (topic.BLOCKS, b"weir.block.v1")):
        for one in sent(finished, where):
            actor = f"{one.record['actor']['scope']}:{one.record['actor']['value']}".encode()
            assert one.key == (one.record["incident"].encode() if where is topic.ALERTS else actor)
            assert dict(one.headers) == {
                "ce_specversion": b"1.0",
                "ce_type": kind,
                "ce_source": b"/weir",
                "ce_id": one.record["id"].encode(),
                "ce_time": one.record["decided_at"].encode(),
                "ce_subject": actor,
                "content-type": b"application/json",
            }


def test_every_block_expires(finished: Installation, any_day: Day) -> None:
    """A block has reasons and an end after its event; once the day has passed that end, a tombstone has its key."""
    blocks = [(one, BLOCK_CODEC.decode(one.value or b"")) for one in sent(finished, topic.BLOCKS)]
    last: dict[bytes | None, Received] = {one.key: one for one in finished.read(finished.own(topic.BLOCKS))}
    ended, until = 0, {one.key: max(b.until for o, b in blocks if o.key == one.key) for one, _ in blocks}
    for one, block in blocks:
        assert parse_time_us(block.until) > parse_time_us(block.event_time)
        assert block.reason
        assert block.public_reason
        assert block.detectors
        if until[one.key] < any_day.recording.end:
            assert last[one.key].value is None
            assert {"ce_id", "ce_subject", "ce_type"} <= dict(last[one.key].headers).keys()
            ended += 1
    assert ended, "no block of the day has ended in it"


def test_restart_repeats_nothing(finished: Installation) -> None:
    """After a stop in good order all is kept and committed; the next worker goes on there and repeats nothing."""
    before = [finished.ends(finished.own(where)) for where in (topic.ALERTS, topic.BLOCKS, topic.MODEL)]
    next_worker = finished.start()
    finished.wait(lambda: restored(next_worker) == PARTITIONS, "all partitions taken over")
    finished.wait_judged()
    assert next_worker.stop() == 0
    assert [finished.ends(finished.own(where)) for where in (topic.ALERTS, topic.BLOCKS, topic.MODEL)] == before


def test_killed_again_and_again(weir: Installation, day: Day) -> None:
    """Killed at random moments, restarted, at last taken over: nothing is missing, and what comes again is the same."""
    chance = random.Random(1)
    *alone, beside_another = sorted(chance.uniform(0.02, 0.7) for _ in range(3))
    for part in alone:
        worker = weir.start()
        kill_at(weir, day, worker, part, chance)
    worker, _ = weir.start(), weir.start()
    kill_at(weir, day, worker, beside_another, chance)
    weir.wait_judged()
    print(f"{assert_as_replayed(weir, day)} decisions came again")  # noqa: T201
    assert not any("of no use" in worker.output() for worker in weir.workers)


def restored(worker: Worker) -> int:
    """How often ``worker`` went on from a checkpoint."""
    return worker.output().count(": restored ")


def taken_over(worker: Worker) -> int:
    """How often ``worker`` began with a partition, from a checkpoint or from the log."""
    return worker.output().count("silent below")


def test_handed_over(weir: Installation, day: Day) -> None:
    """A second worker joins and the first leaves in mid-stream: checkpoints at the hand-over, nothing sent twice."""
    first = weir.start()
    weir.wait(lambda: part_done(weir, day) >= 0.1, "a tenth of the day")
    second = weir.start()
    weir.wait(lambda: restored(second) > 0, "partitions of the second worker")
    assert first.stop() == 0
    weir.wait_judged()
    assert restored(second) >= PARTITIONS
    assert assert_as_replayed(weir, day) == 0


def test_thought_dead(weir: Installation, day: Day) -> None:
    """A worker stands still beyond the session time-out and wakes when another has its partitions: all as replayed."""
    frozen, other = weir.start(), weir.start()
    weir.wait(lambda: part_done(weir, day) >= 0.1, "a tenth of the day")
    frozen.process.send_signal(signal.SIGSTOP)
    before = taken_over(other)
    weir.wait(lambda: taken_over(other) >= before + PARTITIONS, "all partitions taken over")
    frozen.process.send_signal(signal.SIGCONT)
    weir.wait_judged()
    assert_as_replayed(weir, day)


def test_taken_over_from_long_before(weir: Installation, day: Day) -> None:
    """Whoever takes over what was judged long ago, here all since the beginning, still has the model of that time."""
    weir.config.write_text(weir.config.read_text().replace("interval_s = 1\n", "interval_s = 16\n"))
    left, other = weir.start(), weir.start()
    weir.wait(
        lambda: len({one.key for one in sent(weir, topic.ALERTS)}) == len(day.recording.incidents), "all incidents"
    )
    left.kill()
    weir.wait_judged()
    assert_as_replayed(weir, day)
    assert "the model of its time was let go of" in other.output()


def kill_at(weir: Installation, day: Day, worker: Worker, part: float, chance: random.Random) -> None:
    """Kill ``worker`` soon after ``part`` of the day is observed."""
    weir.wait(lambda: part_done(weir, day) >= part, f"{part:.0%} of the day")
    time.sleep(chance.uniform(0, 0.4))
    worker.kill()
    assert part_done(weir, day) < 1, "it was killed in the middle of the stream"


def test_stages_apart(weir: Installation, day: Day) -> None:
    """One process that observes and one that assesses decide as one that does both."""
    weir.start("--stages", "observe")
    weir.start("--stages", "assess")
    weir.wait_judged()
    assert assert_as_replayed(weir, day) == 0
