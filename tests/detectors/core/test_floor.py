"""No limit of a detector can be set so low that an ordinary person trips it."""

from collections.abc import Iterator
from typing import Any, Final

import msgspec
import pytest
from msgspec import inspect

from detectors import long_tail, profile_rate
from detectors.core.contract import DetectorConfig
from detectors.core.discovery import classes
from detectors.core.floor import FLOOR, below, none_or
from schemas.errors import ConfigError
from streams import config

CONFIGS: Final = {name: kind.Config for name, kind in classes().items()}
Limit = tuple[str, inspect.Type, dict[str, Any]]


def numbers(kind: inspect.Type, path: str, extra: dict[str, Any]) -> Iterator[Limit]:
    """Every number that a configuration may set, within other structs and tables too."""
    match kind:
        case inspect.Metadata():
            yield from numbers(kind.type, path, kind.extra or {})
        case inspect.IntType() | inspect.FloatType():
            yield path, kind, extra
        case inspect.StructType():
            for field in kind.fields:
                yield from numbers(field.type, f"{path}.{field.name}", {})
        case inspect.DictType():
            yield from numbers(kind.value_type, f"{path}[...]", {})
        case inspect.UnionType():
            for each in kind.types:
                yield from numbers(each, path, {})
        case inspect.VarTupleType():
            yield from numbers(kind.item_type, f"{path}[...]", {})


ALL: Final = [limit for name, kind in CONFIGS.items() for limit in numbers(inspect.type_info(kind), name, {})]


def at_floor(value: Any, lower: float = 0.0) -> Any:
    """The same limits, each as low as it may be, or lower by so much."""
    changes: dict[str, Any] = {}
    kind = inspect.type_info(type(value))
    assert isinstance(kind, inspect.StructType)
    for field in kind.fields:
        now = getattr(value, field.name)
        if isinstance(field.type, inspect.StructType):
            changes[field.name] = at_floor(now, lower)
        elif isinstance(field.type, inspect.Metadata) and field.type.extra and now:
            changes[field.name] = type(now)(field.type.extra[FLOOR] - lower)
    return msgspec.structs.replace(value, **changes)


@pytest.mark.parametrize(("path", "kind", "extra"), ALL, ids=[path for path, _, _ in ALL])
def test_every_number_has_one(path: str, kind: inspect.Type, extra: dict[str, Any]) -> None:
    """A number without a least value could be set to anything; whoever adds one says how low it may be."""
    assert isinstance(kind, inspect.IntType | inspect.FloatType)
    assert kind.ge is not None or kind.gt is not None or FLOOR in extra, path


@pytest.mark.parametrize(
    ("path", "kind", "extra"), [one for one in ALL if one[0].rpartition(".")[2] in ("minute", "hour", "day", "limit")]
)
def test_limits_have_a_floor_that_spares_people(path: str, kind: inspect.Type, extra: dict[str, Any]) -> None:
    """It lies above what a person does, whatever lies at 0 is no limit at all, and no default lies below it."""
    assert isinstance(kind, inspect.IntType | inspect.FloatType)
    lowest = extra.get(FLOOR, kind.ge if kind.ge is not None else kind.gt)
    least = {"minute": 15, "hour": 75, "day": 150, "limit": 6.0}[path.rpartition(".")[2]]
    assert lowest is not None
    assert lowest >= least


@pytest.mark.parametrize("name", CONFIGS)
def test_defaults_and_floors(name: str) -> None:
    """Defaults lie above the floors, what lies on one is allowed, and a bit below is not."""
    default: DetectorConfig = CONFIGS[name]()
    assert list(below(default)) == []
    assert list(below(at_floor(default))) == []
    lower = dict(below(at_floor(default, 1.0)))
    assert len(lower) == {"profile_rate": 14, "long_tail": 1, "cohort": 1}.get(name, 0)
    assert all(expected.startswith("Expected ") for expected in lower.values())


def test_off_is_off() -> None:
    """0 sets no limit, and is no low one."""
    assert list(below(profile_rate.Config(account=profile_rate.Limits(0, 0, 0, 0)))) == []
    low = profile_rate.Config(tiers={"a": profile_rate.Limits(hour=1)})
    assert list(below(low)) == [(".tiers[...].hour", "Expected 0 or `int` >= 75")]


def test_no_number() -> None:
    """What is none is below any."""
    assert dict(below(long_tail.Config(limit=float("nan")))) == {".limit": "Expected `float` >= 12.0"}


def test_schema() -> None:
    """Whoever checks a file by its JSON Schema is told the same."""
    text = msgspec.json.encode(msgspec.json.schema(profile_rate.Limits)).decode()
    assert '"anyOf":[{"const":0},{"minimum":75}]' in text
    assert none_or(3).extra_json_schema == {"anyOf": [{"const": 0}, {"minimum": 3}]}


@pytest.mark.parametrize("variable", ["WEIR_DETECTORS__PROFILE_RATE__ACCOUNT__DAY", "WEIR_DETECTORS__COHORT__LIMIT"])
def test_no_way_around(variable: str) -> None:
    """Neither the environment nor what `weir tune` tries gets below one."""
    with pytest.raises(ConfigError, match="ordinary people would trip it"):
        config.parse("", environment={variable: "3"})
    key = variable.removeprefix("WEIR_").lower().replace("__", ".")
    with pytest.raises(ConfigError, match="ordinary people would trip it"):
        config.parse("", changes={key: 3})
