"""The tables of keys: every spelling of a name leads to it, and nothing else does."""

from collections.abc import Iterator

import msgspec
import pytest

from schemas.request import RequestEvent
from streams.pipeline.observe.keys import FLAT, LEVEL_BITS, NESTED, REQUIRED, TOP, Keys, Sort

NAMES = [one.encode_name for one in msgspec.structs.fields(RequestEvent)]


def level_of(keys: Keys, level: int) -> dict[str, int]:
    """Entries of a level by what stands there."""
    entries = range(keys.level_first[level], keys.level_first[level + 1])
    return {keys.text[keys.first[k] : keys.first[k + 1]].tobytes().decode(): k for k in entries}


def cuts(parts: list[str]) -> Iterator[list[str]]:
    """All ways to write a name: its parts, joined by dots or cut."""
    yield [".".join(parts)]
    for count in range(1, len(parts)):
        for rest in cuts(parts[count:]):
            yield [".".join(parts[:count]), *rest]


@pytest.mark.parametrize("name", NAMES)
def test_a_nested_name_is_found_however_it_is_cut(name: str) -> None:
    """Each spelling of it sets the same bit, so that what is said twice is noticed."""
    found = set()
    for *beginnings, last in cuts(name.split(".")):
        level = TOP
        for beginning in beginnings:
            entry = level_of(NESTED, level)[beginning]
            assert NESTED.sort[entry] == Sort.BEGINNING
            level = int(NESTED.below[entry])
        entry = level_of(NESTED, level)[last]
        found.add((int(NESTED.bit[entry]), int(NESTED.sort[entry])))
    flat = level_of(FLAT, TOP)[name]
    assert found == {(1 << NAMES.index(name), int(FLAT.sort[flat]))}
    assert FLAT.bit[flat] == 1 << NAMES.index(name)


def test_a_flat_name_is_not_cut() -> None:
    """There is no level below the top, and an object under the beginning of a name is not for this table."""
    assert len(FLAT.level_first) == TOP + 2
    assert Sort.BEGINNING not in FLAT.sort
    assert FLAT.sort[level_of(FLAT, TOP)["http"]] == Sort.NO_OBJECT


@pytest.mark.parametrize("keys", [FLAT, NESTED])
def test_numbers_fit(keys: Keys) -> None:
    """Levels into the bits of a path, names into the bits of what was seen; no name has no bit and means nothing."""
    assert len(keys.level_first) - 2 < 1 << LEVEL_BITS
    assert 0 <= int(keys.bit.min()) < int(keys.bit.max()) < 1 << 62
    assert (keys.bit[-1], keys.sort[-1]) == (0, Sort.ANYTHING)
    assert keys.first[-1] == len(keys.text)


def test_no_record_lacks_what_is_required() -> None:
    """Time, method and path."""
    wanted = {"@timestamp", "http.request.method", "url.path"}
    assert {name for number, name in enumerate(NAMES) if REQUIRED >> number & 1} == wanted
