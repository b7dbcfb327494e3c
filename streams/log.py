"""Logs: one line for each thing that is said, whoever says it.

What Weir, Faust and Kafka's clients say through `logging`, and what is said through `structlog`, takes one way: for
people a line with key=value behind the text, for machines a JSON object with the names that OpenTelemetry uses. Nothing
above `debug` names an actor, an address or anything else of a person: an incident's id leads to it.
"""

import logging
import sys
from collections.abc import Callable, MutableMapping
from datetime import UTC, datetime
from typing import Any, Final, TextIO

import orjson
import structlog

Fields = MutableMapping[str, Any]
"""What is said: its parts by name."""
Renderer = Callable[[object, str, Fields], str]

FIRST: Final = ("timestamp", "severity_text", "logger", "body")
"""Names of what every line has, in order."""
LEVELS: Final = {"exception": "error", "warn": "warning", "fatal": "critical"}
"""Of methods that are not called as their level is."""
CHATTY: Final = "kafka"
"""kafka-python, the client for administration, tells of every connection and of every try: what comes of them we say
ourselves, in one line."""
COLOURS: Final = {"WARNING": "\x1b[33m", "ERROR": "\x1b[31m", "CRITICAL": "\x1b[1;31m"}
PLAIN: Final = "\x1b[0m"
CONTROLS: Final = {code: repr(chr(code))[1:-1] for code in (*range(32), *range(127, 160))}


def configure(level: str, kind: str = "auto", stream: TextIO | None = None, own: str = "") -> None:
    """Have everything of ``level`` and above written to ``stream``, which is standard error by default.

    ``kind`` is ``console``, ``json`` or ``auto``, which is ``console`` on a terminal and ``json`` elsewhere. With
    ``own``, ``level`` is that of loggers below this name, and of all others only warnings are written.
    """
    stream = sys.stderr if stream is None else stream
    terminal = stream.isatty()
    render = console(coloured=terminal) if kind == "console" or (kind == "auto" and terminal) else json
    shared: list[Any] = [_stamp, structlog.stdlib.add_logger_name, structlog.processors.format_exc_info]
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=shared,
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, render],
    )
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        wrapper_class=structlog.stdlib.BoundLogger,
        logger_factory=structlog.stdlib.LoggerFactory(),
    )
    handler = logging.StreamHandler(stream)
    handler.setFormatter(formatter)
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING if own else level.upper())
    if level.upper() != "DEBUG":
        logging.getLogger(CHATTY).setLevel(logging.CRITICAL)
    if own:
        logging.getLogger(own).setLevel(level.upper())


def _stamp(_: object, name: str, fields: Fields) -> Fields:
    """When and how grave, as both kinds of lines have it."""
    record: logging.LogRecord | None = fields.get("_record")
    at_s = datetime.now(UTC) if record is None else datetime.fromtimestamp(record.created, UTC)
    fields["timestamp"] = at_s.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    fields["severity_text"] = LEVELS.get(name, name).upper() if record is None else record.levelname
    return fields


def json(_: object, __: str, fields: Fields) -> str:
    """A line for machines."""
    ordered = _ordered(fields)
    try:
        return orjson.dumps(ordered, default=str, option=orjson.OPT_NON_STR_KEYS).decode()
    except orjson.JSONEncodeError:  # half a surrogate, or a number beyond 64 bits
        return orjson.dumps({name: _clean(str(value)) for name, value in ordered.items()}).decode()


def console(*, coloured: bool) -> Renderer:
    """What makes lines for people."""

    def line(_: object, __: str, fields: Fields) -> str:
        ordered = _ordered(fields)
        trace = ordered.pop("exception", None)
        stamp, level, logger, body = (str(ordered.pop(name, "")) for name in FIRST)
        begin = COLOURS.get(level, "") if coloured else ""
        said = " ".join([_one_line(body), *(f"{name}={_quoted(value)}" for name, value in ordered.items())])
        text = f"{stamp} {begin}{level}{PLAIN if begin else ''} {logger}: {said}"
        return text if trace is None else f"{text}\n{_clean(trace)}"

    return line


def _ordered(fields: Fields) -> dict[str, Any]:
    fields["body"] = fields.pop("event", "")
    return {name: fields[name] for name in (*FIRST, *(each for each in fields if each not in FIRST)) if name in fields}


def _clean(text: str) -> str:
    """What a file takes: half a surrogate is spelled out."""
    return text.encode("utf-8", "backslashreplace").decode()


def _one_line(text: str) -> str:
    """Whatever has got into a message stays one line and moves no cursor."""
    return _clean(text).translate(CONTROLS)


def _quoted(value: object) -> str:
    text = _one_line(str(value))
    return orjson.dumps(text).decode() if not text or any(sign in text for sign in ' "=') else text
