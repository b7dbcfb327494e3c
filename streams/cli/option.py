"""What several commands share: their options, reading the configuration, printing JSON."""

import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final, ParamSpec, TypeVar

import click
import orjson
from msgspec.structs import replace

from schemas.errors import ConfigError
from streams.config import CHANGE, parse
from streams.config_file import ConfigFile
from streams.settings import KafkaSettings, Settings

SECONDS: Final = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}
"""Of the units that a duration may have: 90s, 30m, 12h, 7d."""

P = ParamSpec("P")
R = TypeVar("R")


def config_option(command: Callable[P, R]) -> Callable[P, R]:
    """``--config FILE``, the argument ``config_file``; see `effective`."""
    kind = click.Path(path_type=Path, dir_okay=False)
    return click.option("--config", "config_file", type=kind, help="Configuration; without it the defaults.")(command)


def json_option(command: Callable[P, R]) -> Callable[P, R]:
    """``--json``, the argument ``as_json``; see `print_json`."""
    return click.option("--json", "as_json", is_flag=True, help="Print JSON and not a table.")(command)


def bootstrap_option(command: Callable[P, R]) -> Callable[P, R]:
    """``--bootstrap``, the argument ``bootstrap``; see `kafka_at`."""
    return click.option("--bootstrap", help="The broker, host:port[,host:port...], instead of kafka.bootstrap.")(
        command
    )


def log_level_option(command: Callable[P, R]) -> Callable[P, R]:
    """``--log-level``, the argument ``log_level``; see `streams.log.configure`."""
    kind = click.Choice(["debug", "info", "warning", "error"])
    text = "What goes to standard error."
    return click.option("--log-level", type=kind, default="info", show_default=True, help=text)(command)


def kafka_at(settings: Settings, bootstrap: str | None) -> KafkaSettings:
    """The broker of the settings, or one at another address that is reached in the same way."""
    return settings.kafka if bootstrap is None else replace(settings.kafka, bootstrap=bootstrap)


def effective(
    config_file: Path | None,
    changes: Mapping[str, object] | None = None,
    options: Mapping[str, str] | None = None,
) -> Settings:
    """Settings of a file, or the defaults, with what the environment overrides, and then ``changes`` by dotted key.

    ``options`` are the names of the options that changes come from, by dotted key: a mistake is told with that name.

    Raises:
        ConfigError: it cannot be read, or says what it may not.
    """
    try:
        return _effective(config_file, changes)
    except ConfigError as error:
        key, _, reason = error.reason.partition(": ")
        if error.file != CHANGE or options is None or key not in options:
            raise
        raise ConfigError(options[key], None, reason) from error


def _effective(config_file: Path | None, changes: Mapping[str, object] | None) -> Settings:
    if config_file is None:
        return parse("", environment=os.environ, changes=changes)
    return ConfigFile(config_file, changes or {}).settings()


def print_json(value: object) -> None:
    """A value on standard output, indented, for another program to read."""
    sys.stdout.write(orjson.dumps(value, option=orjson.OPT_APPEND_NEWLINE | orjson.OPT_INDENT_2).decode())


def printable(line: str) -> str:
    """A line with what a terminal would take for a command escaped: ids and paths are what strangers have sent."""
    return "".join(letter if letter.isprintable() else ascii(letter)[1:-1] for letter in line)
