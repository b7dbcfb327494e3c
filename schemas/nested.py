"""Nested spelling of dotted keys: a decoder that takes objects cut at any dot, built from the flat names.

``http.request.method`` may stand whole, as ``{"http": {"request": {"method": …}}}``, or cut at one dot only, as
``{"http": {"request.method": …}}``. The decoder is typed all the way down, so keys that nobody asked for are skipped
unread, and errors carry the path that the record really has.
"""

from collections.abc import Mapping
from typing import Any, Final

import msgspec

Types = Mapping[str, Any]
"""Type by dotted name. A type is whatever msgspec takes for one: typing has no name for that."""

Scalar = bool | int | float | str | list[msgspec.Raw] | None
"""What may stand under an unknown key that happens to be the beginning of a known one: anything but an object."""

_Plan = tuple[tuple[str, str | None], ...]
"""Attributes of a level, in the order in which they count; with the dotted name, or None for a level below."""


def prefixes(names: Mapping[str, object]) -> list[str]:
    """Beginnings of dotted names, each once, the longest first: ``a.b`` and ``a`` for ``a.b.c``."""
    parts = [name.split(".") for name in names]
    found = {".".join(part[:count]) for part in parts for count in range(1, len(part))}
    return sorted(found, key=lambda name: (-name.count("."), name))


class Spelling:
    """Reads every spelling of a set of dotted names."""

    def __init__(self, types: Types) -> None:
        """``types`` are those of the values; each of them may also be absent or null. No name begins another."""
        self._plans: Final[dict[type, _Plan]] = {}
        self._decoder: Final = msgspec.json.Decoder(self._level(types, ""), strict=False)

    def decode(self, value: bytes) -> dict[str, Any]:
        """Values by dotted name, without the absent and null ones. Of two spellings the least nested one counts.

        Raises:
            msgspec.DecodeError, UnicodeDecodeError, RecursionError: as every decoder of msgspec.
        """
        found: dict[str, Any] = {}
        self._collect(self._decoder.decode(value), found)
        return found

    def _level(self, types: Types, path: str) -> type[msgspec.Struct]:
        """One level of nesting: the names that end here, then what lies below, from the least nested on."""
        fields = dict(types)
        for name in prefixes(types):
            fields[name] = self._level(_below(name, types), f"{path}{name}.") | Scalar
        level = msgspec.defstruct(
            "Level",
            [
                (f"field_{number}", kind | None, msgspec.field(name=name, default=None))
                for number, (name, kind) in enumerate(fields.items())
            ],
            gc=False,
        )
        self._plans[level] = tuple(
            (f"field_{number}", path + name if name in types else None) for number, name in enumerate(fields)
        )
        return level

    def _collect(self, level: msgspec.Struct, found: dict[str, Any]) -> None:
        for attribute, name in self._plans[type(level)]:
            value = getattr(level, attribute)
            if value is None:
                continue
            if name is not None:
                found.setdefault(name, value)
            elif isinstance(value, msgspec.Struct):
                self._collect(value, found)


def _below(name: str, types: Types) -> Types:
    start = name + "."
    return {key.removeprefix(start): kind for key, kind in types.items() if key.startswith(start)}
