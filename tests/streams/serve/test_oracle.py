"""The same decisions in Weir and in CrowdSec's own local API: what each tells the same bouncers, pull by pull.

`WEIR_ORACLE_SEQUENCES=1000` tries more of them. Every difference that is let pass here stands in the README of serve.
"""

import asyncio
import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import pytest
from hypothesis import given, note, settings
from hypothesis import strategies as st

from schemas.block import Action
from streams.pipeline.enforce.word import TYPES
from streams.serve import keys
from tests.streams.pipeline.enforce.saying import T0_US
from tests.streams.serve.oracle import has_oracle, running
from tests.streams.serve.pair import ASKS, KINDS, Kind, Pair
from tests.streams.serve.serving import served

SEQUENCES: Final = int(os.environ.get("WEIR_ORACLE_SEQUENCES", "100"))
KEYS: Final = (
    "ip:203.0.113.7",
    "ip:203.0.113.8",
    "net:203.0.113.0/24",
    "ip:2001:db8:1:2::5",
    "ip:2001:db8:1:2::/64",
    "account:u:42",
    "asn:64500",
)


QUESTIONS: Final = (
    "ip=203.0.113.7",
    "ip=203.0.113.9",
    "ip=2001:db8:1:2::5",
    "ip=2001:db8:1:2::6",
    "ip=192.0.2.1",
    "ip=203.0.113.7&contains=false",
    "range=203.0.113.0/24",
    "range=203.0.113.0/25",
    "range=203.0.113.0/24&contains=false",
    "range=203.0.0.0/16&contains=false",
    "range=2001:db8::/32&contains=false",
    "scope=ip&value=203.0.113.7",
    "scopes=Range",
    "scopes=ip,username",
    "ip=203.0.113.7&scopes=range",
    "scope=username&value=u:42",
    "scope=username&value=u:4",
    "value=203.0.113.8",
    "type=captcha",
    "ip=203.0.113.7&type=ban",
    "",
)
STEP_S: Final = (2.0, 4.0, 10.0, 30.0)
LENGTH_S: Final = (1, 3, 5, 11, 31, 61, 3601)
"""Odd, where steps are even: no end falls upon a pull, about which clocks could differ."""

told = st.tuples(st.just("say"), st.sampled_from(KEYS), st.sampled_from(LENGTH_S), st.sampled_from(list(TYPES)))
lifted = st.tuples(st.just("lift"), st.sampled_from(KEYS), st.booleans())
passed = st.tuples(st.just("pass"), st.sampled_from(STEP_S))
pulled = st.tuples(st.just("pull"), st.sampled_from(KINDS), st.sampled_from([False] * 5 + [True]))
asked = st.tuples(st.just("ask"), st.sampled_from(KINDS), st.sampled_from(QUESTIONS))
sequences = st.lists(
    st.one_of(told, told, lifted, passed, passed, pulled, pulled, pulled, asked), min_size=8, max_size=40
)


async def play(pair: Pair, sequence: list[tuple[Any, ...]]) -> None:
    """Do all of a sequence to both."""
    await pair.begin()
    for action in sequence:
        match action:
            case ("say", str(key), int(length_s), Action() as what):
                await pair.say(key, length_s, what)
            case ("lift", str(key), bool(tombstone)):
                await pair.lift(key, tombstone)
            case ("pass", float(seconds)):
                pair.pass_time(seconds)
            case ("pull", Kind() as kind, bool(anew)):
                await pair.pull(kind, anew)
            case ("ask", Kind() as kind, str(question)):
                await pair.ask(kind, question)
            case _:
                raise AssertionError(action)


@pytest.fixture(scope="module")
def directory() -> Iterator[Path]:
    """In memory where there is such a place: a database that waits for a disk makes the test slow."""
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None) as made:
        yield Path(made)


@pytest.fixture(scope="module")
def playing(directory: Path) -> Iterator[Callable[[list[tuple[Any, ...]]], None]]:
    """Plays a sequence in one pair that all of them share."""
    with asyncio.Runner() as runner, running(directory, (ASKS, *(kind.name for kind in KINDS))) as oracle:
        serving = served(directory)
        server = runner.run(serving.__aenter__())
        shown = {
            kind.name: keys.add(server.path, kind.name, kind.scopes, kind.types, T0_US)
            for kind in KINDS
            if kind.name != "edge"
        }
        runner.run(oracle.begin(server.session))
        pair = Pair(server, oracle, shown | {"edge": server.key})
        try:
            yield lambda sequence: runner.run(play(pair, sequence))
        finally:
            runner.run(serving.__aexit__(None, None, None))


@pytest.mark.skipif(not has_oracle(), reason="needs crowdsec, a package of Debian")
@pytest.mark.timeout(120 + SEQUENCES)
def test_as_crowdsec_does(playing: Callable[[list[tuple[Any, ...]]], None]) -> None:
    """Bouncers are told the same: at a start, in what has changed, and when they ask, whoever is asked."""

    @settings(max_examples=SEQUENCES, report_multiple_bugs=False)
    @given(sequences)
    def tried(sequence: list[tuple[Any, ...]]) -> None:
        note(str(sequence))
        playing(sequence)

    tried()
