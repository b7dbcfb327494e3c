"""Where values of JSON end: where the decoder of the standard library says so, or nowhere."""

import json
from typing import Any, Final

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.pipeline.observe.events import ABSENT
from streams.pipeline.observe.plain_json import key_end, scalar_end, skip_blanks, value_end, whole_number
from streams.pipeline.observe.text import Text

_PLAIN: Final = ["null", "true", "false", "0", "-0", "-1.50", "17", '""', '"a b~"', "[]", "{}", "[ ]", "{ }", "[[],{}]"]
_MORE: Final = ['[1,"a",[{"b":{"c":null}},true],-1.5]', '{"a":[{}],"b" :\t{"c": 1 } ,"":""}', "[\r\n1 , 2\n]"]
_ODD: Final = [
    "",
    "nul",
    "nulL",
    "tru",
    "TRUE",
    "-",
    ".5",
    "1.",
    "00",
    "+1",
    '"',
    '"a',
    '"a\\n"',
    '"\x7f"',
    '"\xe4"',
    '"\t"',
]
_BROKEN: Final = [
    "[",
    "{",
    "[1",
    "[1,",
    "[1,]",
    "[,]",
    "[1 2]",
    "[1}",
    '{"a":1]',
    '{"a"}',
    '{"a" 1}',
    "{1:2}",
    '{"a":1,}',
]


def text_of(text: str) -> Text:
    """Bytes as the reader has them: a NUL behind them."""
    return np.frombuffer(bytearray(text.encode("latin-1") + b"\0"), np.uint8)


def plain(depth: int) -> st.SearchStrategy[Any]:
    """Values that are plain, in no more than so many levels of objects and lists."""
    texts = st.text(st.characters(min_codepoint=32, max_codepoint=126, exclude_characters='"\\\\'), max_size=5)
    scalars = st.one_of(st.none(), st.booleans(), st.integers(-(10**14), 10**14), texts)
    if depth == 0:
        return scalars
    below = plain(depth - 1)
    return st.one_of(scalars, st.lists(below, max_size=3), st.dictionaries(texts, below, max_size=3))


@pytest.mark.parametrize("value", [*_PLAIN, *_MORE])
@pytest.mark.parametrize("behind", ["", " ", ",", "}", "]", '"', "x"])
def test_a_plain_value_ends_behind_its_last_byte(value: str, behind: str) -> None:
    """Whatever stands there, it is no part of the value."""
    assert value_end(text_of(value + behind), 0) == len(value)
    assert value_end(text_of(f"x{value}{behind}"), 1) == len(value) + 1


@pytest.mark.parametrize("value", [*_ODD, *_BROKEN])
def test_what_is_not_plain_ends_nowhere(value: str) -> None:
    """Nor does what is none."""
    assert value_end(text_of(value), 0) == ABSENT
    assert value_end(text_of(f"[{value} ,1]"), 0) == ABSENT


def test_what_lies_too_deep_ends_nowhere() -> None:
    """Thirty objects and lists in each other are plain, one more is for a decoder to refuse."""
    for opens, closes in (("[", "]"), ('{"a":', "}")):
        assert value_end(text_of(opens * 30 + "1" + closes * 30), 0) == len(opens) * 30 + 31
        assert value_end(text_of(opens * 31 + "1" + closes * 31), 0) == ABSENT
    assert value_end(text_of("[" + "[]," * 100 + "1]"), 0) == 303


@given(plain(3), st.sampled_from([None, 1]), st.data())
def test_a_value_is_cut_where_it_ends_and_nowhere_else(value: Any, indent: int | None, data: st.DataObject) -> None:
    """The beginning of a value is none, but for numbers."""
    whole = json.dumps(value, indent=indent)
    assert value_end(text_of(whole), 0) == len(whole)
    size = data.draw(st.integers(0, len(whole) - 1))
    end = value_end(text_of(whole[:size]), 0)
    assert end == (size if type(value) is int and whole[:size] not in ("", "-") else ABSENT)


def test_a_scalar_is_no_object_and_no_list() -> None:
    """Under a name that wants one value there is none."""
    assert scalar_end(text_of("[]"), 0) == scalar_end(text_of("{}"), 0) == ABSENT
    assert scalar_end(text_of('"a":1'), 0) == 3


def test_a_whole_number_has_at_most_fifteen_digits() -> None:
    """So it fits, whatever it is compared with; a longer one is for the decoder, as is one that begins with a zero."""
    assert whole_number(text_of("9" * 15 + "."), 0) == (15, 10**15 - 1)
    assert whole_number(text_of("9" * 16), 0)[0] == 0
    assert whole_number(text_of("0,"), 0) == (1, 0)
    assert whole_number(text_of("01"), 0)[0] == 0
    assert whole_number(text_of("-1"), 0)[0] == 0


def test_a_key_has_a_colon_and_a_value() -> None:
    """Blanks may stand around the colon, and nothing else."""
    assert key_end(text_of('"ab" :\n1'), 0) == (3, 7)
    for odd in ('"ab" 1', "ab:1", '"a\\\\b":1', '"ab', ""):
        assert key_end(text_of(odd), 0) == (ABSENT, ABSENT)


def test_blanks_are_those_of_json() -> None:
    """No others that a language may call so."""
    assert skip_blanks(text_of(" \t\r\nx"), 0) == 4
    for other in "\v\f\xa0\0":
        assert skip_blanks(text_of(other), 0) == 0
