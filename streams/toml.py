"""Settings as TOML that reads back as the same settings, for what is published or taken over."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from typing import Any, Final

import msgspec

from streams.section import DECIDING
from streams.settings import Settings
from streams.surfaces.setting import Surface

_BARE: Final = re.compile(r"[A-Za-z0-9_-]+")


def toml_of(settings: Settings) -> str:
    """All keys that decide anything, with the values in force; what is absent by default stays absent."""
    table: Mapping[str, Any] = msgspec.to_builtins(settings, builtin_types=(date,))
    return "\n".join(_table({name: table[name] for name in DECIDING}, "")).strip() + "\n"


def toml_of_surfaces(surfaces: Sequence[Surface]) -> str:
    """``[[surfaces]]``, without what is absent or empty."""
    tables = [{key: value for key, value in msgspec.to_builtins(one).items() if value} for one in surfaces]
    return "\n".join(_table({"surfaces": tables}, "")).strip() + "\n"


def _table(table: Mapping[str, Any], path: str) -> Iterator[str]:
    """Lines of a table whose header is written: its own keys first, as TOML wants it, then tables within it."""
    inner = {key: value for key, value in table.items() if isinstance(value, Mapping) or _is_tables(value)}
    for key, value in table.items():
        if key not in inner and value is not None:
            yield f"{_key(key)} = {_value(value)}"
    for key, value in inner.items():
        name = f"{path}.{_key(key)}" if path else _key(key)
        for entry in [value] if isinstance(value, Mapping) else value:
            yield ""
            yield f"[{name}]" if isinstance(value, Mapping) else f"[[{name}]]"
            yield from _table(entry, name)


def _is_tables(value: Any) -> bool:
    return isinstance(value, list | tuple) and bool(value) and all(isinstance(entry, Mapping) for entry in value)


def _key(text: str) -> str:
    return text if _BARE.fullmatch(text) else _text(text)


def _value(value: Any) -> str:
    match value:
        case bool():
            return str(value).lower()
        case str():
            return _text(value)
        case date():
            return value.isoformat()
        case list() | tuple():
            return f"[{', '.join(map(_value, value))}]"
        case _:
            return repr(value)


def _text(text: str) -> str:
    """A basic string: JSON's, and TOML forbids one control character that JSON does not."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
