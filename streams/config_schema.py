"""JSON Schema 2020-12 of the configuration, for editors that check a file while it is written."""

from collections.abc import Iterable
from math import isfinite
from typing import Any, Final

import msgspec

from detectors.core.contract import DetectorConfig
from detectors.core.discovery import classes
from schemas.describe import DIALECT, Json, docstrings_of
from streams.settings import Settings

_REFERENCE: Final = "#/$defs/{name}"


def config_schema() -> Json:
    """Of all sections and of every detector, with units and meanings as descriptions; complete in itself.

    It knows types, ranges and names. What hangs on several keys together `weir config check` says.
    """
    kinds: dict[str, type[DetectorConfig]] = {name: kind.Config for name, kind in classes().items()}
    (root, *sections), definitions = msgspec.json.schema_components(
        [Settings, *kinds.values()], ref_template=_REFERENCE
    )
    for struct in _structs([Settings, *kinds.values()]):
        _describe(struct, definitions)
    settings = definitions[root["$ref"].rpartition("/")[2]]
    settings["properties"]["detectors"] = {
        "type": "object",
        "description": "One section a detector, named as its module.",
        "properties": dict(zip(kinds, sections, strict=True)),
        "additionalProperties": False,
        "default": {},
    }
    schema = {"$schema": DIALECT, "$id": "urn:weir:schema:config:v1"} | settings
    used = {name: one for name, one in definitions.items() if one is not settings and name != "DetectorConfig"}
    whole: Json = _for_toml(schema | {"$defs": dict(sorted(used.items()))})
    return whole


def _structs(roots: Iterable[type[msgspec.Struct]]) -> list[type[msgspec.Struct]]:
    """The structs that ``roots`` are made of, themselves among them."""
    found: dict[type[msgspec.Struct], None] = {}

    def meet(info: Any) -> None:
        if isinstance(info, msgspec.inspect.StructType):
            if info.cls in found:
                return
            found[info.cls] = None
        for value in (getattr(info, name) for name in getattr(info, "__struct_fields__", ())):
            for one in value if isinstance(value, tuple) else (value,):
                if isinstance(one, msgspec.inspect.Type | msgspec.inspect.Field):
                    meet(one)

    for info in msgspec.inspect.multi_type_info(list(roots)):
        meet(info)
    return list(found)


def _describe(struct: type[msgspec.Struct], definitions: dict[str, Json]) -> None:
    """Add the docstrings of keys, its own and those that it has from another struct."""
    for name in (struct.__name__, f"{struct.__module__}.{struct.__qualname__}", struct.__qualname__):
        schema = definitions.get(name)
        if schema is not None:
            break
    else:
        return
    for kind in reversed(struct.__mro__):
        if issubclass(kind, msgspec.Struct) and kind is not msgspec.Struct and kind.__module__ != "msgspec":
            for key, text in docstrings_of(kind):
                listed = schema["properties"].get(key)
                if listed is not None:
                    schema["properties"][key] = {**listed, "description": text}


def _for_toml(value: Any) -> Any:
    """The same without what TOML cannot say, null, and without defaults that JSON has no number for."""
    if isinstance(value, list | tuple):
        return [_for_toml(one) for one in value]
    if not isinstance(value, dict):
        return value
    kept = {key: _for_toml(one) for key, one in value.items() if _is_sayable(one)}
    if "anyOf" in kept:
        kept["anyOf"] = [one for one in kept["anyOf"] if one != {"type": "null"}]
        if len(kept["anyOf"]) == 1:
            (only,) = kept.pop("anyOf")
            kept = {**only, **kept}
    return kept


def _is_sayable(value: Any) -> bool:
    return value is not None and not (isinstance(value, float) and not isfinite(value))
