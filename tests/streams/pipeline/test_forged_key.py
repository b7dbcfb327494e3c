"""XXH64 is no secret: who may choose an id may choose its digest. Nobody is to be taken for somebody else by that."""

import itertools
from typing import Any, Final

import numpy as np
import pytest
import xxhash

from schemas.actor import Scope
from streams.pipeline.actors.index import Index
from tests.requests import START_S, request_of, views
from tests.streams.pipeline.hostile import run

MASK: Final = 2**64 - 1
P1, P2, P3, P4, P5 = (
    0x9E3779B185EBCA87,
    0xC2B2AE3D27D4EB4F,
    0x165667B19E3779F9,
    0x85EBCA77C2B2AE63,
    0x27D4EB2F165667C5,
)


def forged(digest: int, seed: int) -> str:
    """A text of 16 letters and signs whose XXH64 under ``seed`` is ``digest``: XXH64 backwards from the last word."""
    end = _unshifted(digest, 32) * pow(P3, -1, 1 << 64) & MASK
    end = _unshifted(_unshifted(end, 29) * pow(P2, -1, 1 << 64) & MASK, 33)
    before = _turned((end - P4) * pow(P1, -1, 1 << 64) & MASK, 64 - 27)
    for number in itertools.count():
        head = f"{number:08d}".encode()
        middle = seed + P5 + 16 & MASK
        middle = _turned(middle ^ _round(int.from_bytes(head, "little")), 27) * P1 + P4 & MASK
        lane = (before ^ middle) * pow(P1, -1, 1 << 64) & MASK
        tail = (_turned(lane, 64 - 31) * pow(P2, -1, 1 << 64) & MASK).to_bytes(8, "little")
        if all(33 <= byte < 127 for byte in tail):
            return (head + tail).decode()
    raise AssertionError


def _round(word: int) -> int:
    return _turned(word * P2 & MASK, 31) * P1 & MASK


def _turned(word: int, bits: int) -> int:
    return (word << bits | word >> 64 - bits) & MASK


def _unshifted(word: int, bits: int) -> int:
    found = word
    for _ in range(64 // bits + 1):
        found = word ^ found >> bits
    return found


@pytest.mark.parametrize("scope", [Scope.SESSION, Scope.FINGERPRINT])
@pytest.mark.parametrize("parts", [1, 3])
def test_a_cookie_does_not_act_for_an_account(scope: Scope, parts: int) -> None:
    """An id with the digest of a victim's account adds nothing to what the account met."""
    id_ = forged(xxhash.xxh64_intdigest(b"victim", seed=Scope.ACCOUNT), int(scope))
    assert xxhash.xxh64_intdigest(id_.encode(), seed=int(scope)) == xxhash.xxh64_intdigest(
        b"victim", seed=Scope.ACCOUNT
    )
    cookie: dict[str, Any] = {"session" if scope is Scope.SESSION else "fingerprint": id_}
    values = [request_of(START_S, "one", account="victim"), *views(START_S + 1, 300, 0.1, **cookie)]
    done = run(values, parts=parts)
    assert done.exposed("account:victim") == 1
    assert not any("victim" in str(decision) for decision in done.decisions)


def test_no_actor_has_the_key_that_stands_for_none() -> None:
    """An id whose digest is 0 is an actor like any other: found again, counted once."""
    id_ = forged(0, int(Scope.ACCOUNT))
    assert xxhash.xxh64_intdigest(id_.encode(), seed=int(Scope.ACCOUNT)) == 0
    done = run(views(START_S, 300, 0.1, account=id_, ip=None), step=10)
    assert len(done.flow.assessors[0].actors) == 1
    assert 290 <= done.exposed(f"account:{id_}") <= 300


@pytest.mark.parametrize("count", [10, 200])
def test_profiles_that_begin_at_the_same_place_of_a_table(count: int) -> None:
    """Targets whose digests have the low 32 bits in common all count, each once a response and once an account."""
    targets = [forged(number << 50 | 5, 0) for number in range(count)]
    more: dict[str, Any] = {"url__path": "/search/people", "weir__targets": [*targets, *targets]}
    done = run([request_of(START_S + n, "", account="eve", ip=None, **more) for n in range(2)])
    assert done.counts["profiles"] == 2 * count


def test_accounts_that_begin_at_the_same_place_of_a_table() -> None:
    """Accounts whose digests have the low bits in common are as many actors, found again."""
    names = [forged(number << 50 | 8, int(Scope.ACCOUNT)) for number in range(300)]
    done = run([request_of(START_S + n, f"p{n}", account=names[n % 300], ip=None) for n in range(900)], step=100)
    assert len(done.flow.assessors[0].actors) == 300
    assert {done.exposed(f"account:{name}") for name in names[::50]} == {3}


def test_keys_that_begin_at_the_same_place_of_the_index() -> None:
    """Slots are those of any other keys: the look goes on to the next free place, and ends."""
    spread = pow(0x9E3779B97F4A7C15, -1, 1 << 64)
    keys = np.array([(number << 40) * spread & MASK for number in range(1, 2_001)], np.uint64)
    index = Index()
    for _ in range(2):
        slots, _ = index.slots(keys)
        assert (slots == np.arange(2_000)).all()
    assert index.count == 2_000
