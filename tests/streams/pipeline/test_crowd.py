"""Crowds that want memory: an actor costs a bounded number of bytes, however many there are."""

from typing import Final

import pytest

from detectors.core.distinct import ERROR
from tests.requests import START_S, request_of
from tests.streams.pipeline.hostile import run

BYTES_AN_ACTOR: Final = 1_600
"""Room to grow included: ten million actors that appear once would take 16 GB, so `[memory] actors_max` bounds them."""


def test_actors_that_appear_once() -> None:
    """300,000 accounts with one view each: one row, one slot, so many bytes."""
    values = [request_of(START_S + n / 10, f"p{n % 5_000}", account=f"a{n}", ip=None) for n in range(300_000)]
    done = run(values)
    actors = done.flow.assessors[0].actors
    assert (done.judged, len(actors)) == (300_000, 300_000)
    assert actors.nbytes / len(actors) < BYTES_AN_ACTOR


def test_sessions_of_one_account() -> None:
    """100,000 session ids under one account: two rows a view."""
    values = [request_of(START_S + n / 10, f"p{n}", account="eve", session=f"s{n}", ip=None) for n in range(100_000)]
    done = run(values)
    actors = done.flow.assessors[0].actors
    assert (done.judged, len(actors)) == (200_000, 100_001)
    assert actors.nbytes / len(actors) < BYTES_AN_ACTOR


def test_members_behind_one_fingerprint() -> None:
    """70,000 addresses with one fingerprint: the group remembers a bounded part, and a sketch of what they saw."""
    values = [
        request_of(START_S + n / 10, f"p{n}", ip=f"10.{n >> 16}.{n >> 8 & 255}.{n & 255}", fingerprint="f")
        for n in range(70_000)
    ]
    done = run(values)
    actors = done.flow.assessors[0].actors
    assert actors.pairs.count <= 2 * 70_000
    assert done.exposed("fingerprint:f") == pytest.approx(70_000, rel=3 * ERROR)
    assert actors.nbytes / len(actors) < 2 * BYTES_AN_ACTOR
