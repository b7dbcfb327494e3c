"""`weir config`, as its user calls it."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from schemas.audit import AUDIT_CODEC
from schemas.event_time import parse_time_us
from streams.cli.main import run
from streams.clock import wall_clock_us
from streams.config import parse, revision
from streams.live.publications import standing
from streams.live.topics import create, layouts
from streams.live.whole_topic import records
from streams.offline import replay as replaying
from tests.brokers import Broker, Sent, running_embedded


def write(tmp_path: Path, text: str) -> str:
    """A configuration file."""
    file = tmp_path / "weir.toml"
    file.write_text(text)
    return str(file)


def test_check_names_the_revision(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """A right file is said to be right, with the digest that its decisions will carry."""
    file = write(tmp_path, "[policy]\nblock_s = 60\n")
    assert run(["config", "check", "--config", file]) == 0
    assert capfd.readouterr().out.startswith(f"{file}: right, revision sha256:")


def test_check_names_file_line_and_reason(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """A wrong one is refused with status 2."""
    file = write(tmp_path, "[policy]\n\nblok_s = 60\n")
    assert run(["config", "check", "--config", file]) == 2
    err = capfd.readouterr().err
    assert err.startswith(f"weir: {file}:3: policy")
    assert "blok_s" in err


@pytest.mark.parametrize("path", ["/people/{id}", "/people/:id"])
def test_check_tells_of_a_surface_without_a_profile(
    path: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """Right, since requests may name who was shown; but most often it is another framework's spelling."""
    views = f"[[surfaces]]\nkind = 'view'\npath = '{path}'\n[[surfaces]]\nkind = 'view'\npath = '/in/{{profile}}'\n"
    assert run(["config", "check", "--config", write(tmp_path, views)]) == 0
    (line,) = capfd.readouterr().err.splitlines()
    assert line.startswith(f"[[surfaces]] path {path}: without {{profile}} it counts only")


def test_show_has_every_key_with_the_value_in_force(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """The file's value, the environment's above it, and the default of all others."""
    monkeypatch.setenv("WEIR_POLICY__COOLDOWN_S", "7")
    file = write(tmp_path, "[policy]\nblock_s = 60\ncooldown_s = 5\n")
    assert run(["config", "show", "--config", file, "--json"]) == 0
    policy = json.loads(capfd.readouterr().out)["policy"]
    assert (policy["block_s"], policy["cooldown_s"], policy["incident_close_s"]) == (60, 7, 14_400)
    assert run(["config", "show", "--config", file]) == 0
    lines = [line.split() for line in capfd.readouterr().out.splitlines()]
    assert ["policy.block_s", "60"] in lines
    assert ["detectors.profile_rate.account.minute", "45"] in lines
    assert ["surfaces[0].kind", '"view"'] in lines
    assert ["detectors.canary.cap", "inf"] in lines


def test_show_has_the_mode_that_a_detector_works_in(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Its own, or else the default, and never above the ceiling."""
    modes = '[mode]\ndefault = "shadow"\nceiling = "alert"\n[detectors.long_tail]\nmode = "enforce"\n'
    file = write(tmp_path, modes)
    assert run(["config", "show", "--config", file, "--json"]) == 0
    told = json.loads(capfd.readouterr().out)["detectors"]
    assert (told["pacing"]["mode"], told["long_tail"]["mode"]) == ("shadow", "alert")
    assert run(["config", "show", "--config", file]) == 0
    rows = [line.split() for line in capfd.readouterr().out.splitlines()]
    assert ["detectors.pacing.mode", '"shadow"'] in rows


class TestDiff:
    """Two files."""

    def test_keys_before_and_after(self, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
        """Each changed key with both values and what it takes; status 1."""
        one, other = tmp_path / "a.toml", tmp_path / "b.toml"
        one.write_text("[policy]\nblock_s = 60\n")
        other.write_text("[memory]\nactors_max = 7\n")
        assert run(["config", "diff", str(one), str(other), "--json"]) == 1
        found = json.loads(capfd.readouterr().out)
        assert found["changed"] == [
            {"key": "policy.block_s", "before": "60", "after": "3600", "restart": False},
            {"key": "memory.actors_max", "before": "2000000", "after": "7", "restart": True},
        ]
        assert (found["before"], found["after"]) == tuple(revision(parse(each.read_text())) for each in (one, other))
        assert run(["config", "diff", str(one), str(other)]) == 1
        shown = capfd.readouterr().out
        assert "a restart" in shown
        assert "effect at once" in shown

    def test_the_same(self, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
        """However it is written: status 0."""
        one, other = tmp_path / "a.toml", tmp_path / "b.toml"
        one.write_text("# nothing\n")
        other.write_text("[policy]\nblock_s = 3_600\n")
        assert run(["config", "diff", str(one), str(other)]) == 0
        assert capfd.readouterr().out.startswith("the same, revision sha256:")

    @pytest.mark.parametrize("jobs", [[], ["--jobs", "1"]])
    def test_processes(
        self, tmp_path: Path, jobs: list[str], monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
    ) -> None:
        """Two replays of large inputs have one beside them, which the advice of an error can leave out."""
        begun = []

        def apart(*_: object) -> Iterator[object]:
            begun.append(1)
            yield from ()

        monkeypatch.setattr(replaying, "worth_apart", lambda _: True)
        monkeypatch.setattr(replaying, "observed_apart", apart)
        one, other, events = tmp_path / "a.toml", tmp_path / "b.toml", tmp_path / "events.ndjson"
        one.write_text("")
        other.write_text("[policy]\nblock_s = 60\n")
        events.write_text("")
        assert run(["config", "diff", str(one), str(other), str(events), *jobs]) == 0
        assert "0 actors alike, 0 not" in capfd.readouterr().out
        assert len(begun) == (0 if jobs else 2)

    def test_a_wrong_one(self, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
        """Is named with its line, status 2."""
        one, other = tmp_path / "a.toml", tmp_path / "b.toml"
        one.write_text("")
        other.write_text("[policy]\nblock_s = 0\n")
        assert run(["config", "diff", str(one), str(other)]) == 2
        assert f"{other}:2: policy.block_s" in capfd.readouterr().err


class TestPush:
    """Publishing, on a broker."""

    @pytest.fixture
    def own(self) -> Iterator[Broker]:
        """A broker of the test's own, with Weir's topics."""
        with running_embedded() as broker:
            create(broker.kafka, layouts(parse("[kafka]\npartitions = 2\n")))
            yield broker

    def push(self, own: Broker, tmp_path: Path, text: str, *options: str) -> int:
        """Publish ``text``."""
        file = write(tmp_path, text)
        said = ["--owner", "sre", "--reason", "because", *options]
        return run(["config", "push", "--config", file, "--bootstrap", own.bootstrap, *said])

    def test_from_the_first_on(self, own: Broker, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
        """Each is on the topic with its point ten seconds ahead, and in the audit with who, what and why."""
        before_us = wall_clock_us()
        assert self.push(own, tmp_path, "[policy]\nblock_s = 60\n") == 0
        assert self.push(own, tmp_path, "[policy]\nblock_s = 61\n", "--in-force-after", "1h") == 0
        assert "to be in force from" in capfd.readouterr().out
        first, second = standing(own.kafka)
        assert first.from_us >= before_us + 9_999_000
        assert second.from_us >= before_us + 3_600_000_000 - 1_000
        assert [one.settings.policy.block_s for one in (first, second)] == [60, 61]
        assert second.record.who == "operator:sre"
        entries = [AUDIT_CODEC.decode(one.value) for one in records(own.kafka, "weir.audit.v1", 1)]
        changes = [entry.change for entry in entries if entry.change is not None]
        assert [(one.before, one.after, one.reason) for one in changes] == [
            ("", first.record.revision, "because"),
            (first.record.revision, second.record.revision, "because; policy.block_s"),
        ]
        assert [entry.who for entry in entries] == ["operator:sre", "operator:sre"]

    def test_the_same_again(self, own: Broker, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
        """Publishes nothing, whatever differs in what is a process's own."""
        assert self.push(own, tmp_path, "") == 0
        assert self.push(own, tmp_path, "[log]\nformat = 'json'\n") == 0
        assert "nothing to publish" in capfd.readouterr().out
        assert len(standing(own.kafka)) == 1

    def test_what_takes_a_restart(self, own: Broker, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
        """Is refused with its keys, nothing of it published, until it is acknowledged."""
        text = "[memory]\nactors_max = 7\n[policy]\nblock_s = 60\n"
        assert self.push(own, tmp_path, "[detectors.canary]\nmode = 'off'\n") == 0
        assert self.push(own, tmp_path, text) == 2
        err = capfd.readouterr().err
        assert "takes a restart of every worker: detectors.canary.mode, memory.actors_max" in err
        assert len(standing(own.kafka)) == 1
        assert self.push(own, tmp_path, text, "--restart") == 0
        assert "restart the workers one after another" in capfd.readouterr().out
        assert len(standing(own.kafka)) == 2

    def test_json(self, own: Broker, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
        """Revision, point and changes."""
        assert self.push(own, tmp_path, "") == 0
        capfd.readouterr()
        assert self.push(own, tmp_path, "[policy]\nblock_s = 61\n", "--json") == 0
        told = json.loads(capfd.readouterr().out)
        (last,) = standing(own.kafka)[1:]
        assert told["revision"] == last.record.revision == revision(parse("[policy]\nblock_s = 61\n"))
        assert parse_time_us(told["in_force_from"]) == last.from_us
        assert [one["key"] for one in told["changed"]] == ["policy.block_s"]

    def test_somebody_else_s_rubbish(self, own: Broker, tmp_path: Path) -> None:
        """What stands on the topic and is no publication hides nothing."""
        own.send("weir.config.v1", [Sent(b"{", b"k"), Sent(None, b"k")])
        assert self.push(own, tmp_path, "") == 0
        assert len(standing(own.kafka)) == 1

    def test_a_wrong_file_is_not_published(
        self, own: Broker, tmp_path: Path, capfd: pytest.CaptureFixture[str]
    ) -> None:
        """Refused whole, with its line."""
        assert self.push(own, tmp_path, "[policy]\nblock_s = 60\nblok = 1\n") == 2
        assert "weir.toml:3: policy.blok" in capfd.readouterr().err
        assert standing(own.kafka) == []

    def test_a_file_must_be_named(self, capfd: pytest.CaptureFixture[str]) -> None:
        """The defaults are published by nobody who has only forgotten an option."""
        assert run(["config", "push", "--reason", "x"]) == 2
        assert "--config FILE" in capfd.readouterr().err
