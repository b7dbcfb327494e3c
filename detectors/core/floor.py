"""Floors: how low a limit may be set at most, so that no ordinary person trips it whoever configures it.

On simulated days of 4,000 people, recruiters among them, the busiest minute of one in two has 4 distinct profiles, the
busiest hour 14 and the busiest day 25; of one in a hundred 9, 63 and 131; of one in a thousand 11, 128 and 449. The
evidence of one honest day in a hundred is above 10.9 natural logarithms. Floors lie above what all but few busy people
do and well below the defaults: there is room to be strict, and none for a mistake that blocks everybody.

With every plain limit at its floor, of 2,644 regular members of such a day one is blocked, as with the defaults; of 50
who bring an address book along 20 are.

A floor of a plain number is its ``ge``. `none_or` is that of a limit that 0 turns off, which types cannot say.
"""

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Final

import msgspec
from msgspec import inspect

FLOOR: Final = "floor"


def none_or(lowest: int) -> msgspec.Meta:
    """A whole number that is 0, for no limit, or at least ``lowest``."""
    spelt = {"anyOf": [{"const": 0}, {"minimum": lowest}]}
    return msgspec.Meta(ge=0, extra={FLOOR: lowest}, extra_json_schema=spelt)


def nats(lowest: float) -> msgspec.Meta:
    """Evidence of at least ``lowest`` natural logarithms."""
    return msgspec.Meta(ge=0.0, extra={FLOOR: lowest}, extra_json_schema={"minimum": lowest})


PerMinute = Annotated[int, none_or(15)]
TenMinutes = Annotated[int, none_or(40)]
PerHour = Annotated[int, none_or(75)]
PerDay = Annotated[int, none_or(150)]
PersonNats = Annotated[float, nats(12.0)]
"""Above it is what an honest person shows once in some two hundred days."""
GroupNats = Annotated[float, nats(10.0)]


def below(config: msgspec.Struct) -> Iterator[tuple[str, str]]:
    """Limits that lie below their floor: path from the configuration (``.tiers[...].day``), and what is expected."""
    return _below(inspect.type_info(type(config)), config, "")


def _below(kind: inspect.Type, value: Any, path: str) -> Iterator[tuple[str, str]]:
    if isinstance(kind, inspect.Metadata):
        lowest = (kind.extra or {}).get(FLOOR)
        off = isinstance(lowest, int) and value == 0
        if lowest is not None and not off and not value >= lowest:
            yield path, f"Expected {'0 or `int`' if isinstance(lowest, int) else '`float`'} >= {lowest}"
        yield from _below(kind.type, value, path)
    elif isinstance(kind, inspect.StructType) and isinstance(value, msgspec.Struct):
        for field in kind.fields:
            yield from _below(field.type, getattr(value, field.name), f"{path}.{field.encode_name}")
    elif isinstance(kind, inspect.DictType) and isinstance(value, Mapping):
        for inner in value.values():
            yield from _below(kind.value_type, inner, f"{path}[...]")
