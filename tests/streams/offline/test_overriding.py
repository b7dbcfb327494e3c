"""Overrides in a replay: what would have been."""

import json
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from schemas.errors import InputError
from schemas.override import EVERYTHING, OVERRIDE_CODEC, Override
from streams.cli.main import run
from streams.offline.overriding import read_overrides
from tests.requests import START_S, views
from tests.streams.pipeline.policy.overriding import override

ACCOUNT = "account:eve"


@pytest.fixture
def day(tmp_path: Path) -> Path:
    """An account that walks through two hundred profiles in two minutes, and a person."""
    file = tmp_path / "events.ndjson"
    file.write_bytes(b"\n".join([*views(START_S, 200, 0.5, account="eve"), *views(START_S + 100, 2, account="ann")]))
    return file


def replayed(day: Path, capfd: pytest.CaptureFixture[str], *overrides: Override) -> tuple[dict[str, Any], list[Any]]:
    """The report, and the records on the account."""
    file, out = day.parent / "overrides.ndjson", day.parent / "out"
    file.write_bytes(b"\n\n".join(map(OVERRIDE_CODEC.encode, overrides)) + b"\n")
    arguments = ["replay", str(day), "--out", str(out), "--mode", "enforce", "--json"]
    assert run([*arguments, "--overrides", str(file)]) == 0
    found = [json.loads(line) for line in (out / "blocks.ndjson").read_bytes().splitlines()]
    return json.loads(capfd.readouterr().out), [one for one in found if one["actor"]["value"] == "eve"]


def test_nothing_is_overridden(day: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """An empty file is as none: the account is blocked and denied from then on."""
    report, blocks = replayed(day, capfd)
    assert report["blocks"] == {"account block enforce": 1}
    assert report["requests_denied"] > 50
    assert [one["status"] for one in blocks] == ["active"]


def test_allowed(day: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Nobody is blocked, and nothing denied; the alerts are there."""
    report, blocks = replayed(day, capfd, override("allow", ACCOUNT, -60))
    assert (blocks, report["blocks"], report["requests_denied"]) == ([], {}, 0)
    assert report["alerts"]["open"] >= 1


def test_unblocked_in_between(day: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Denied from the block to the override, and no longer; both records are there, and one block is counted."""
    before, blocks = replayed(day, capfd)
    report, both = replayed(day, capfd, override("unblock", ACCOUNT, 80))
    assert [one["status"] for one in both] == ["active", "revoked"]
    assert both[0] == blocks[0]
    assert both[1]["decided_at"] == override("unblock", ACCOUNT, 80).since
    assert report["blocks"] == {"account block enforce": 1, "account block revoked": 1}
    assert report["requests_denied"] == before["requests_denied"] - 40


@pytest.mark.parametrize(("since_s", "until_s", "denied"), [(10, 3_600, 180), (10, 20, 20), (-10, 0, 0)])
def test_blocked(since_s: float, until_s: float, denied: int, day: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """An operator's block denies from its begin to its end, half-open, whatever is found."""
    switch = override("kill_switch", "profile_rate", -60)
    others = [override("kill_switch", name, -60) for name in ("id_walk", "long_tail", "pacing", "bare_view")]
    report, _ = replayed(day, capfd, override("block", ACCOUNT, since_s, until_s), switch, *others)
    assert report["requests_denied"] == denied


def test_all_is_off(day: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Operators' blocks too."""
    both = override("kill_switch", EVERYTHING, -60), override("block", ACCOUNT, 10)
    report, _ = replayed(day, capfd, *both)
    assert report["requests_denied"] == 0


def test_the_last_on_an_actor_counts(day: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """As on the topic."""
    report, _ = replayed(day, capfd, override("block", ACCOUNT, 10), override("allow", ACCOUNT, -60))
    assert report["requests_denied"] == 0


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (b"{", "truncated"),
        (b"null", "Expected"),
        (OVERRIDE_CODEC.encode(override("allow", "ip:nobody")), "neither an address nor a range"),
        (OVERRIDE_CODEC.encode(replace(override("allow", ACCOUNT), until=None)), "needs an end"),
        (b"\xff", "UTF-8|malformed"),
    ],
)
def test_what_is_none(line: bytes, said: str, tmp_path: Path) -> None:
    """The whole file is refused, with the line."""
    file = tmp_path / "overrides.ndjson"
    file.write_bytes(OVERRIDE_CODEC.encode(override("allow", ACCOUNT)) + b"\n" + line)
    with pytest.raises(InputError, match=f"overrides.ndjson:2: .*({said})"):
        read_overrides(file)


def test_no_file(tmp_path: Path) -> None:
    """It is named."""
    with pytest.raises(InputError, match=r"none\.ndjson: No such file"):
        read_overrides(tmp_path / "none.ndjson")
