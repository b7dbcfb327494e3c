"""Events that came together in one record are judged as if each had come by itself."""

import json
from pathlib import Path

import msgspec
import pytest

from schemas.mode import Mode
from streams import config
from streams.offline.replay import Replay, replay


def events() -> list[dict[str, object]]:
    """A scraper and thirty people with sessions, several of them in the same microsecond, in one order."""
    made = []
    for n in range(400):
        at = 1_790_000_000 + n // 4
        who = "eve" if n % 2 else f"person-{n % 60}"
        made.append(
            {
                "@timestamp": at,
                "http.request.method": "GET",
                "url.path": f"/people/{n}" if who == "eve" else f"/people/{n % 3}",
                "user.id": who,
                "session.id": f"{who}-s" if n % 8 < 6 else "",
                "client.address": "203.0.113.9" if who == "eve" else f"198.51.100.{n % 60}",
            }
        )
    return made


def judged(path: Path, lines: list[str], *, enforce: bool) -> Replay:
    """A replay of a file of lines."""
    path.write_text("\n".join(lines))
    return replay([path], config.parse("[policy]\naccounts_max = 0\n"), mode=Mode.ENFORCE, enforce=enforce)


@pytest.mark.parametrize("enforce", [True, False])
@pytest.mark.parametrize("size", [2, 7, 100])
def test_records_of_several_give_the_same_decisions(size: int, enforce: bool, tmp_path: Path) -> None:
    """The same alerts, blocks and incidents, and nobody is denied who was not: a block takes no neighbour along."""
    alone = judged(tmp_path / "alone.ndjson", [json.dumps(event) for event in events()], enforce=enforce)
    arrays = [json.dumps(events()[at : at + size]) for at in range(0, 400, size)]
    together = judged(tmp_path / "together.ndjson", arrays, enforce=enforce)
    assert alone.blocks
    assert {block.actor.value for block in alone.blocks} & {"eve", "eve-s"}
    for name in ("alerts", "blocks", "incidents"):
        assert msgspec.to_builtins(getattr(together, name)) == msgspec.to_builtins(getattr(alone, name))
    assert together.report.outcomes == alone.report.outcomes
    assert together.report.profiles == alone.report.profiles
    if enforce:
        # Requests of one principal in one record at one time are told apart no more, and counted once.
        assert 0 < together.report.requests_denied <= alone.report.requests_denied
