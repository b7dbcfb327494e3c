"""Lines of the log, from whoever says them."""

import ast
import io
import json
import logging
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
import structlog

from streams import log

STREAMS: Final = Path(log.__file__).parent
PERSONAL: Final = {"actor", "address", "user", "session", "principal", "remote", "ip", "value", "values", "request"}
"""Names that hold a person, or may."""
ABOVE_DEBUG: Final = {"info", "warning", "error", "critical", "exception", "log"}


class Terminal(io.StringIO):
    """A stream that is one."""

    def isatty(self) -> bool:
        """So it says."""
        return True


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    """Leave logging as it was found."""
    root = logging.getLogger()
    kept = root.handlers[:], root.level, logging.getLogger(log.CHATTY).level
    yield
    root.handlers[:] = kept[0]
    root.setLevel(kept[1])
    logging.getLogger(log.CHATTY).setLevel(kept[2])
    logging.getLogger("own").setLevel(logging.NOTSET)
    structlog.reset_defaults()


def written(kind: str, level: str = "info", stream: io.StringIO | None = None, own: str = "") -> io.StringIO:
    """Where lines go from now on."""
    stream = stream or io.StringIO()
    log.configure(level, kind, stream, own)
    return stream


def objects(stream: io.StringIO) -> list[dict[str, Any]]:
    """Lines for machines, read."""
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_both_ways_look_alike() -> None:
    """What is said through `logging` and through `structlog` has the same four names, and the latter its own beside."""
    stream = written("json")
    logging.getLogger("own.a").warning("partition %d: restored %s actors", 3, "1,000")
    structlog.get_logger("own.b").info("decision", incident="f00", profiles=7)
    first, second = objects(stream)
    stamps = [each.pop("timestamp") for each in (first, second)]
    assert first == {"severity_text": "WARNING", "logger": "own.a", "body": "partition 3: restored 1,000 actors"}
    assert second == {
        "severity_text": "INFO", "logger": "own.b", "body": "decision", "incident": "f00", "profiles": 7
    }  # fmt: skip
    assert all(len(stamp) == len("2026-11-29T16:19:46.326Z") and stamp.endswith("Z") for stamp in stamps)


def test_console() -> None:
    """For people: the text, then key=value, quoted where it would run together."""
    stream = written("console")
    structlog.get_logger("own").info("decision", scope="ip", why='a "b"', none="")
    logging.getLogger("own").critical("the end")
    first, second = stream.getvalue().splitlines()
    assert first.partition(" ")[2] == 'INFO own: decision scope=ip why="a \\"b\\"" none=""'
    assert second.partition(" ")[2] == "CRITICAL own: the end"


def test_auto() -> None:
    """A terminal gets lines for people, in colour where they are grave; a file gets JSON."""
    stream = written("auto", stream=Terminal())
    logging.getLogger("own").error("no")
    assert f"{log.COLOURS['ERROR']}ERROR{log.PLAIN} own: no" in stream.getvalue()
    assert objects(_said(written("auto")))[0]["body"] == "no"
    assert log.PLAIN not in _said(written("console")).getvalue()


def _said(stream: io.StringIO) -> io.StringIO:
    logging.getLogger("own").error("no")
    return stream


def test_levels() -> None:
    """Nothing below the level; nothing of kafka-python before debug; with ``own`` only warnings of all others."""
    stream = written("json")
    logging.getLogger("own").debug("1")
    structlog.get_logger("own").debug("2")
    logging.getLogger(f"{log.CHATTY}.net").error("3")
    logging.getLogger("own").info("4")
    assert [each["body"] for each in objects(stream)] == ["4"]
    stream = written("json", "debug", own="own")
    logging.getLogger("own.part").debug("5")
    logging.getLogger("aiohttp").info("6")
    logging.getLogger("aiohttp").warning("7")
    assert [each["body"] for each in objects(stream)] == ["5", "7"]


@pytest.mark.parametrize("kind", ["console", "json"])
def test_a_line_stays_a_line(kind: str) -> None:
    """A text from outside can neither begin a line of its own nor steer a terminal."""
    stream = written(kind)
    logging.getLogger("own").warning("a\n2026 CRITICAL own: forged\x1b[2J\r\x9b")
    structlog.get_logger("own").warning("b", value="c\nd")
    text = stream.getvalue()
    assert text.count("\n") == 2
    assert not {"\x1b", "\r"}.intersection(text)


@pytest.mark.parametrize("kind", ["console", "json"])
def test_what_no_encoder_takes(kind: str) -> None:
    """Half a surrogate, bytes, a number of more than 64 bits and an object: the line comes all the same."""
    stream = written(kind)
    structlog.get_logger("own").info("x", half="\ud800", raw=b"\xff", huge=1 << 70, thing=object)
    text = stream.getvalue()
    assert text.count("\n") == 1
    text.encode()
    assert "1180591620717411303424" in text


@pytest.mark.parametrize("kind", ["console", "json"])
def test_traceback(kind: str) -> None:
    """It comes with the line that tells of the error, of either way to tell."""
    stream = written(kind)
    logging.getLogger("own").error("%s failed", "assess", exc_info=LookupError("a bug"))
    try:
        dict[str, int]()["a bug"]
    except KeyError:
        structlog.get_logger("own").exception("again")
    text = stream.getvalue()
    assert [text.count(error) for error in ("LookupError: a bug", "KeyError: 'a bug'")] == [1, 1]
    assert text.count("ERROR") == 2
    assert text.count("\n") == 2 or kind == "console"


def test_standard_error_by_default(capsys: pytest.CaptureFixture[str]) -> None:
    """Where a supervisor looks; asked for anew at each configuration."""
    log.configure("info", "json")
    logging.getLogger("own").info("here")
    said = capsys.readouterr()
    assert (said.out, json.loads(said.err)["body"]) == ("", "here")
    assert logging.getLogger().handlers[0].stream is sys.stderr  # type: ignore[attr-defined]  # a stream handler


def personal(code: str) -> list[str]:
    """Where a line above debug is given something of a person; the scope of an actor is none."""
    found = []
    for call in (node for node in ast.walk(ast.parse(code)) if isinstance(node, ast.Call)):
        if not isinstance(call.func, ast.Attribute) or call.func.attr not in ABOVE_DEBUG:
            continue
        if not isinstance(call.func.value, ast.Name) or call.func.value.id not in ("log", "logger"):
            continue
        given = [*call.args, *(keyword.value for keyword in call.keywords)]
        inside = [node for each in given for node in ast.walk(each)]
        harmless = {id(node.value) for node in inside if isinstance(node, ast.Attribute) and node.attr == "scope"}
        names = [
            node.attr if isinstance(node, ast.Attribute) else node.id
            for node in inside
            if isinstance(node, ast.Attribute | ast.Name) and id(node) not in harmless
        ]
        found += [f"{call.lineno}: {name}" for name in names if name in PERSONAL]
    return found


@pytest.mark.parametrize("file", sorted(STREAMS.rglob("*.py")), ids=lambda file: file.relative_to(STREAMS).as_posix())
def test_no_person_above_debug(file: Path) -> None:
    """No line of ours above debug is given an actor, an address or what a record holds."""
    assert personal(file.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("log.info('x', actor=one.actor.key)", ["1: actor"]),
        ("log.warning('%s', request.remote)", ["1: remote", "1: request"]),
        ("log.info('x', scope=one.actor.scope)", []),
        ("log.debug('x', actor=one.actor.key)", []),
        ("print(one.actor)", []),
    ],
)
def test_the_search_finds_what_it_should(line: str, found: list[str]) -> None:
    """It would see a mistake."""
    assert sorted(personal(line)) == found
