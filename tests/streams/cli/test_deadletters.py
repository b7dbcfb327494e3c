"""`weir deadletters`, as a person and as a script calls it, on a broker."""

import json
import time
from base64 import b64decode
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from kafka import KafkaConsumer, TopicPartition

from schemas import topic
from schemas.dead_letter import headers_for
from schemas.errors import RecordError
from streams.cli.deadletters import escaped
from streams.cli.main import run
from streams.live import letters as live_letters
from streams.settings import KafkaSettings
from tests.brokers import Broker, Sent

NOW_MS = int(time.time() * 1000)
PATH = RecordError("$.url.path", "required, but missing or null")
JSON = RecordError("byte 7", "JSON is malformed")
Call = Callable[..., Any]


class Bin:
    """An installation of nothing but a topic of requests and one of dead letters."""

    def __init__(self, broker: Broker, directory: Path) -> None:
        self.broker = broker
        self.requests = broker.topic(4)
        self.prefix = f"{self.requests}."
        self.config = directory / "weir.toml"
        self.config.write_text(f'[input]\ntopic = "{self.requests}"\n[kafka]\nprefix = "{self.prefix}"\n')
        self.topic = self.prefix + topic.DEAD_LETTERS.name
        shape = {"num_partitions": 2, "replication_factor": 1}
        broker.create(self.topic, shape)

    def put(
        self,
        value: bytes | None,
        offset: int,
        error: RecordError = PATH,
        *,
        age_s: int = 0,
        partition: int = 1,
        **more: Any,
    ) -> None:
        """Write a letter."""
        said = headers_for(error, more.get("topic", self.requests), partition, offset, "observe")
        headers = [("trace", b"1"), ("trace", b""), *said]
        sent = Sent(value, more.get("key", b"k"), headers, NOW_MS - age_s * 1000, offset % 2)
        self.broker.send(self.topic, [sent])

    def call(self, *arguments: str) -> int:
        """Run the command here."""
        return run(["deadletters", *arguments, "--bootstrap", self.broker.bootstrap, "--config", str(self.config)])


@pytest.fixture
def letters(kafka_broker: Broker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bin:
    """An empty bin; the embedded broker knows no idempotent producer, and so keeps no order."""
    monkeypatch.setenv("COLUMNS", "200")
    return Bin(kafka_broker, tmp_path)


@pytest.fixture
def answer(letters: Bin, capfd: pytest.CaptureFixture[str]) -> Call:
    """Runs a command with ``--json``; its status and what it printed, decoded."""

    def ask(*arguments: str) -> tuple[int, Any]:
        status = letters.call(*arguments, "--json")
        return status, json.loads(capfd.readouterr().out)

    return ask


def requests_of(letters: Bin, count: int) -> list[Any]:
    """The records of the topic of requests, of which there must be ``count``."""
    reader = KafkaConsumer(bootstrap_servers=letters.broker.bootstrap, auto_offset_reset="earliest")
    reader.assign([TopicPartition(letters.requests, number) for number in range(4)])
    found: list[Any] = []
    until = time.monotonic() + (10 if count else 1)
    while len(found) < count + 1 and time.monotonic() < until:
        polled = reader.poll(timeout_ms=300)
        found += [record for records in polled.values() for record in records]
        if len(found) == count and not polled:
            break
    reader.close()
    assert len(found) == count
    return sorted(found, key=lambda record: record.timestamp)


def test_nothing_there(letters: Bin, capfd: pytest.CaptureFixture[str]) -> None:
    """An empty bin is no error, for either command."""
    assert letters.call("list") == 0
    assert capfd.readouterr().out == "no dead letters\n"
    assert letters.call("replay") == 0
    assert capfd.readouterr().out == "sent 0 of 0 dead letters again\n"


def test_list_tells_of_each_and_counts(letters: Bin, answer: Call, capfd: pytest.CaptureFixture[str]) -> None:
    """Place, time, stage, reason and size, the newest last; counts by reason, whatever the place within the record."""
    letters.put(b"{}", 10, age_s=50)
    letters.put(b"not json", 11, JSON, age_s=90)
    letters.put(None, 12, RecordError("byte 99", JSON.reason), age_s=10)
    status, said = answer("list")
    assert status == 0
    assert [one["offset"] for one in said["letters"]] == [11, 10, 12]
    first = said["letters"][0]
    assert first["reason"] == "byte 7: JSON is malformed"
    assert (first["letter"], first["topic"], first["partition"]) == ("1/0", letters.requests, 1)
    assert (first["stage"], first["exception"], first["size_bytes"]) == ("observe", "RecordError", 8)
    assert said["reasons"] == {JSON.reason: 2, PATH.reason: 1}
    assert letters.call("list") == 0
    printed = capfd.readouterr().out
    assert f"{letters.requests}[1]@12" in printed
    assert "3 of 3 shown" in printed


def test_list_filters(letters: Bin, answer: Call) -> None:
    """By text whatever its case, by age on both sides of the limit, the newest of many; counts are of all chosen."""
    for offset, age_s in ((1, 9_000), (2, 5_000), (3, 60)):
        letters.put(b"{}", offset, age_s=age_s)
    letters.put(b"{", 4, JSON, age_s=30)
    assert [one["offset"] for one in answer("list", "--since", "2h")[1]["letters"]] == [2, 3, 4]
    assert [one["offset"] for one in answer("list", "--reason", "URL.path")[1]["letters"]] == [1, 2, 3]
    few = answer("list", "--limit", "1", "--reason", "missing")[1]
    assert ([one["offset"] for one in few["letters"]], few["reasons"]) == ([3], {PATH.reason: 3})


def test_show_is_safe_and_whole(letters: Bin, answer: Call, capfd: pytest.CaptureFixture[str]) -> None:
    """No byte of a letter reaches the terminal as a command; a script gets all of them back."""
    value = b'{"a": "\x1b[2J\xff \xc3\xa9 \\ \xe2\x80\xae"}'
    letters.put(value, 5, key=None)
    assert letters.call("list", "--show", "1/0") == 0
    printed = capfd.readouterr().out
    assert 'value: {"a": "\\x1b[2J\\xff é \\\\ \\u202e"}\n' in printed
    assert "key: null\nheader trace: 1\nheader trace: \n" in printed
    said = answer("list", "--show", "1/0")[1]
    assert b64decode(said["value_base64"]) == value
    assert (said["key_base64"], said["headers_base64"]) == (None, [["trace", "MQ=="], ["trace", ""]])


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (("list", "--show", "1/7"), "there is no letter 1/7"),
        (("list", "--show", "seven"), "'seven' is no letter"),
        (("list", "--since", "yesterday"), "'yesterday' is neither an age"),
        (("replay", "--limit", "0"), "0 is not in the range"),
    ],
)
def test_wrong_usage(letters: Bin, capfd: pytest.CaptureFixture[str], options: tuple[str, ...], says: str) -> None:
    """Status 2 and one line."""
    assert letters.call(*options) == 2
    line = capfd.readouterr().err
    assert says in line
    assert line.count("\n") == 1


def test_replay_sends_the_original(letters: Bin, answer: Call) -> None:
    """Key, value and headers are untouched, and the partition; what observe added is gone, the time is the letter's."""
    letters.put(b"\xff{", 8, age_s=100, partition=3)
    letters.put(None, 9, age_s=50)
    assert answer("replay")[1]["sent"] == 2
    first, second = requests_of(letters, 2)
    assert (first.value, first.key, first.partition) == (b"\xff{", b"k", 3)
    assert [(name, value) for name, value in first.headers] == [("trace", b"1"), ("trace", b"")]
    assert first.timestamp == NOW_MS - 100_000
    assert (second.value, second.key, second.partition) == (None, b"k", 1)


def test_dry_run_sends_nothing(letters: Bin, answer: Call, capfd: pytest.CaptureFixture[str]) -> None:
    """It says what would be sent."""
    letters.put(b"{}", 1)
    status, said = answer("replay", "--dry-run")
    assert (status, said["chosen"], said["sent"], said["reasons"]) == (0, 1, 0, {PATH.reason: 1})
    assert letters.call("replay", "--dry-run") == 0
    assert capfd.readouterr().out.startswith("would send 1 dead letters again\n")
    requests_of(letters, 0)


def test_replay_chooses_the_oldest(letters: Bin, answer: Call) -> None:
    """The same filters as the list, and the first of many."""
    for offset, age_s in ((1, 100), (2, 300), (3, 200)):
        letters.put(b"%d" % offset, offset, age_s=age_s)
    letters.put(b"4", 4, JSON, age_s=400)
    assert answer("replay", "--reason", "$.url", "--limit", "2")[1]["sent"] == 2
    assert [record.value for record in requests_of(letters, 2)] == [b"2", b"3"]


def test_replay_keeps_the_order_of_a_source(letters: Bin, answer: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    """Letters lie in two partitions; records go back as they lay, though one letter was written out of turn."""
    monkeypatch.setattr(live_letters, "PARCEL_RECORDS", 3)
    for offset in (1, 2, 3, 5, 6, 4, 7, 8, 9):
        letters.put(b"%d" % offset, offset, age_s=100 - offset, partition=1)
        letters.put(b"%d" % offset, offset, age_s=500 - offset, partition=2)
    letters.put(b"0", 0, partition=1)
    assert answer("replay")[1]["sent"] == 19
    back = requests_of(letters, 19)
    for partition, values in ((1, b"0123456789"), (2, b"123456789")):
        own = sorted((one for one in back if one.partition == partition), key=lambda one: one.offset)
        assert b"".join(one.value for one in own) == values


def test_show_reads_only_what_lies_near(letters: Bin, answer: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    """One letter of many is not looked for from the beginning; what is beyond either end is not there."""
    for offset in range(2, 12, 2):
        letters.put(b"%d" % offset, offset)
    monkeypatch.delattr(live_letters, "records")
    assert b64decode(answer("list", "--show", "0/3")[1]["value_base64"]) == b"8"
    for name in ("0/5", "0/99", "1/0", "9/0"):
        assert letters.call("list", "--show", name) == 2


def test_since_skips_what_is_older(letters: Bin) -> None:
    """Letters from before are not read at all, where they lie before."""
    for offset, age_s in ((2, 900), (4, 800), (6, 10), (8, 700), (3, 900)):
        letters.put(b"x", offset, age_s=age_s)
    settings = KafkaSettings(bootstrap=letters.broker.bootstrap, prefix=letters.prefix)
    read = [str(one.id) for one in live_letters.Bin(settings).letters(NOW_MS - 60_000)]
    assert read == ["0/2", "0/3"]


def test_one_record_goes_once(letters: Bin, answer: Call) -> None:
    """Two letters of one record, as a crash before a commit leaves them, are one record again."""
    letters.put(b"once", 6, age_s=9)
    letters.put(b"once", 6)
    status, said = answer("replay")
    assert (status, said["sent"], said["same_record"]) == (0, 1, 1)
    requests_of(letters, 1)


def test_no_other_topic_is_written_to(letters: Bin, answer: Call) -> None:
    """A letter that claims to come from elsewhere is left out, with status 1, unless that topic is named."""
    other = letters.broker.topic(2)
    letters.put(b"x", 1, topic=other)
    status, said = answer("replay")
    assert (status, said["sent"], said["other_topics"]) == (1, 0, {other: 1})
    assert answer("replay", "--topic", other)[1]["sent"] == 1


def test_partition_that_is_gone(letters: Bin, answer: Call) -> None:
    """Where the topic was made anew with fewer partitions, the key chooses."""
    letters.put(b"far", 1, partition=40)
    assert answer("replay")[1]["sent"] == 1
    requests_of(letters, 1)


def test_what_is_no_letter_is_left_out(letters: Bin, answer: Call) -> None:
    """Somebody else's record in the topic stops nothing."""
    letters.broker.send(letters.topic, [Sent(b"hello")])
    letters.put(b"{}", 2)
    assert len(answer("list")[1]["letters"]) == 1
    assert answer("replay")[1]["sent"] == 1


@pytest.mark.parametrize(
    ("raw", "text"),
    [(None, "null"), (b"", ""), (b"a\tb\n", "a\\tb\\n"), (b"\x80", "\\x80"), (b"\\x80", "\\\\x80")],
)
def test_escaped(raw: bytes | None, text: str) -> None:
    """Escaping can be undone: no two different values look the same, but null."""
    assert escaped(raw) == text
