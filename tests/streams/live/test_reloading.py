"""A changed file in a running worker: taken whole or refused whole, published once, never half read."""

import asyncio
import os
import re
import signal
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from schemas import topic
from schemas.audit import AUDIT_CODEC, Change
from schemas.config_revision import PUBLISHED_CODEC
from streams.config import parse, revision
from streams.config_file import BYTES_MAX, ConfigFile
from streams.live.reloading import AFTER_US, FILE_LOOKS, Reloaded, Reloading, at_hangup
from streams.live.revising import Revising
from streams.live.sending import Outgoing
from streams.publication import Publication, publication_of, published

NOW_US = 1_800_000_000_000_000
BASE, STRICT, OTHER = "[policy]\nblock_s = 60\n", "[policy]\nblock_s = 61\n", "[policy]\nblock_s = 62\n"


@dataclass(slots=True)
class Worker:
    """The reloading of one worker, and the topic that it publishes to."""

    path: Path
    judges: bool = True
    sent: list[Outgoing] = field(default_factory=list)
    told: list[bool] = field(default_factory=list)
    revising: Revising | None = field(init=False, default=None)
    reloading: Reloading = field(init=False)

    def __post_init__(self) -> None:
        self.path.write_text(BASE)
        loaded = ConfigFile(self.path).load()
        if self.judges:
            self.revising = Revising(loaded.settings, [], 1, lambda: NOW_US)
        self.reloading = Reloading(loaded, self.revising, self.send, lambda: NOW_US, self.hear)

    async def send(self, records: Sequence[Outgoing]) -> None:
        """Keep them; a publication comes back at once, as the feed would bring it."""
        self.sent += records
        for record in records:
            if record.topic == topic.CONFIG.name:
                self.hear_of(publication_of(record.value or b""))

    def hear(self, *, refused: bool) -> None:
        """Note it."""
        self.told.append(refused)

    def hear_of(self, one: Publication) -> None:
        """Let the feed bring a publication."""
        assert self.revising is not None
        self.revising.feed._found.append(one)

    def reload(self) -> Reloaded:
        """Ask once."""
        return asyncio.run(self.reloading.reload())

    def looks(self, count: int) -> None:
        """Let the time pass in which the file is looked at so often."""

        async def look() -> None:
            for _ in range(count * FILE_LOOKS):
                await self.reloading.look()

        asyncio.run(look())

    @property
    def published(self) -> list[Publication]:
        """What was published by it."""
        return [publication_of(one.value or b"") for one in self.sent if one.topic == topic.CONFIG.name]

    @property
    def audited(self) -> list[Change]:
        """What the audit was told."""
        found = [AUDIT_CODEC.decode(one.value or b"").change for one in self.sent if one.topic == topic.AUDIT.name]
        return [one for one in found if one is not None]


@pytest.fixture
def worker(tmp_path: Path) -> Worker:
    """One that judges."""
    return Worker(tmp_path / "weir.toml")


def of(text: str, who: str = "operator:other") -> Publication:
    """A publication of somebody else."""
    return publication_of(PUBLISHED_CODEC.encode(published(parse(text), who, "", NOW_US, NOW_US)))


class TestReload:
    """One reload."""

    def test_nothing_has_changed(self, worker: Worker) -> None:
        """Nothing is published and nothing audited."""
        done = worker.reload()
        assert (done.outcome, done.refused) == ("unchanged", False)
        assert worker.sent == []
        assert worker.told == [False]

    def test_what_is_hot_is_published(self, worker: Worker) -> None:
        """With its keys as the reason, in force ten seconds from now, and the audit is told."""
        worker.path.write_text(STRICT)
        done = worker.reload()
        (one,) = worker.published
        assert (one.settings, one.from_us) == (parse(STRICT), NOW_US + AFTER_US)
        assert one.record.reason == "configuration file: policy.block_s"
        assert one.record.who.startswith("worker:")
        assert done.outcome == "published"
        assert one.record.revision in done.detail
        (change,) = worker.audited
        assert (change.before, change.after) == (revision(parse(BASE)), revision(parse(STRICT)))

    def test_asking_twice_is_asking_once(self, worker: Worker) -> None:
        """The second time it is what came last."""
        worker.path.write_text(STRICT)
        worker.reload()
        assert worker.reload().outcome == "unchanged"
        assert len(worker.published) == 1

    def test_another_worker_was_quicker(self, worker: Worker) -> None:
        """The same from somebody else, even if an operator has pushed something newer since: nothing is undone."""
        worker.path.write_text(STRICT)
        worker.hear_of(of(STRICT))
        worker.hear_of(of(OTHER))
        assert worker.reload().outcome == "unchanged"
        assert worker.published == []

    def test_asked_for_again_it_counts(self, worker: Worker) -> None:
        """Whoever asks for a file that differs from what is in force means it."""
        worker.hear_of(of(OTHER))
        assert worker.reload().outcome == "published"
        assert worker.published[0].settings == parse(BASE)

    def test_back_and_forth(self, worker: Worker) -> None:
        """Each change is a publication of its own, under the same revision when it comes again."""
        for text in (STRICT, BASE, STRICT):
            worker.path.write_text(text)
            assert worker.reload().outcome == "published"
        assert [one.settings for one in worker.published] == [parse(STRICT), parse(BASE), parse(STRICT)]

    def test_what_is_cold_needs_a_restart(self, worker: Worker) -> None:
        """It is told once, with its keys; what is hot beside it is published."""
        worker.path.write_text(BASE + "[memory]\nactors_max = 7\n[kafka]\nbootstrap = 'b:1'\n")
        assert worker.reload() == Reloaded("restart", "a restart is needed for kafka.bootstrap, memory.actors_max")
        worker.reload()
        assert [one.reason for one in worker.audited] == ["a restart is needed for kafka.bootstrap, memory.actors_max"]
        worker.path.write_text(STRICT + "[memory]\nactors_max = 7\n")
        done = worker.reload()
        assert done.outcome == "published"
        assert done.detail.endswith("; a restart is needed for memory.actors_max")

    def test_a_worker_that_does_not_judge(self, tmp_path: Path) -> None:
        """It publishes nothing: it may not."""
        worker = Worker(tmp_path / "weir.toml", judges=False)
        worker.path.write_text(STRICT)
        assert worker.reload().outcome == "unchanged"
        assert worker.sent == []


class TestRefused:
    """A file that is wrong changes nothing."""

    @pytest.mark.parametrize(
        ("content", "why"),
        [
            (b"", "the file is empty"),
            (b" \n\n", "the file is empty"),
            (b"[policy]\nblock_s = ", r"weir\.toml:2: "),
            (b"[policy]\nblok_s = 7\n", r"weir\.toml:2: policy\.blok_s: "),
            (b"[policy]\nblock_s = 'x'\n", r"weir\.toml:2: policy\.block_s: "),
            (b"\xff\xfe[", "byte 0 is not UTF-8"),
            (b"#" * (BYTES_MAX + 1), "longer than"),
            (b"a" + b".a" * 10_000 + b" = 1", "nested too deeply"),
        ],
    )
    def test_content(self, worker: Worker, content: bytes, why: str) -> None:
        """File, line and reason are in the answer and in the audit; the next right one is taken."""
        worker.path.write_bytes(content)
        done = worker.reload()
        assert done.refused
        assert worker.published == []
        (change,) = worker.audited
        assert (change.subject, change.before, change.after) == (str(worker.path), revision(parse(BASE)), "")
        for said in (done.detail, change.reason):
            assert re.search(why, said)
        worker.path.write_text(STRICT)
        assert worker.reload().outcome == "published"
        assert worker.told == [True, False]

    def test_a_byte_order_mark_is_none(self, worker: Worker) -> None:
        """It is read past, as at the start."""
        worker.path.write_text("\ufeff" + STRICT)
        assert worker.reload().outcome == "published"

    def test_not_there(self, worker: Worker) -> None:
        """Gone, or a directory or a pipe in its place, which would never end."""
        worker.path.unlink()
        assert "there is no such file" in worker.reload().detail
        os.mkfifo(worker.path)
        assert "there is no such file" in worker.reload().detail

    def test_no_file_at_all(self) -> None:
        """A worker that runs on the defaults says so."""
        sent: list[Outgoing] = []

        async def send(records: Sequence[Outgoing]) -> None:
            sent.extend(records)

        reloading = Reloading(parse(""), None, send, lambda: NOW_US)
        done = asyncio.run(reloading.reload())
        assert (done.outcome, len(sent)) == ("refused", 1)
        assert "--config" in done.detail


class TestLooking:
    """The file is looked at."""

    def test_a_change_is_taken_when_it_stands_still(self, worker: Worker) -> None:
        """At the first look it may be half written; at the second it is the same, and taken once."""
        worker.path.write_text(STRICT)
        worker.looks(1)
        assert worker.told == []
        worker.looks(1)
        assert len(worker.published) == 1
        worker.looks(5)
        assert worker.told == [False]

    def test_while_it_is_written(self, worker: Worker) -> None:
        """Nothing is taken that is another at each look, though every part of it would be right."""
        for seconds in range(70, 75):
            worker.path.write_text(f"[policy]\nblock_s = {seconds}\n")
            worker.looks(1)
        assert worker.told == []
        worker.looks(1)
        assert worker.published[0].settings.policy.block_s == 74

    def test_a_wrong_one_is_told_once(self, worker: Worker) -> None:
        """And not every two seconds until somebody mends it."""
        worker.path.write_text("[policy")
        worker.looks(6)
        assert (worker.told, len(worker.audited)) == ([True], 1)

    def test_while_it_is_gone(self, worker: Worker) -> None:
        """Between two names of a file nothing is said; the same content again is no change."""
        worker.path.unlink()
        worker.looks(3)
        worker.path.write_text(BASE)
        worker.looks(3)
        assert worker.told == []

    def test_as_kubernetes_swaps_it(self, tmp_path: Path) -> None:
        """The file is a link through `..data`, which is renamed onto another directory."""
        for name, text in (("..1", BASE), ("..2", STRICT)):
            (tmp_path / name).mkdir()
            (tmp_path / name / "weir.toml").write_text(text)
        (tmp_path / "..data").symlink_to("..1")
        (tmp_path / "made").mkdir()
        worker = Worker(tmp_path / "made" / "weir.toml")
        (tmp_path / "weir.toml").symlink_to("..data/weir.toml")
        worker.path.unlink()
        worker.path.symlink_to(tmp_path / "weir.toml")
        worker.looks(2)
        assert worker.told == []
        (tmp_path / "..new").symlink_to("..2")
        (tmp_path / "..new").rename(tmp_path / "..data")
        worker.looks(2)
        assert [one.settings for one in worker.published] == [parse(STRICT)]

    def test_at_hangup(self, worker: Worker) -> None:
        """SIGHUP has it read at the next look, changed or not."""
        before = signal.getsignal(signal.SIGHUP)
        try:
            at_hangup(worker.reloading)
            os.kill(os.getpid(), signal.SIGHUP)
            asyncio.run(worker.reloading.look())
        finally:
            signal.signal(signal.SIGHUP, before)
        assert worker.told == [False]
