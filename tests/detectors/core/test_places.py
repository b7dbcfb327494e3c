"""Where a credential was used lately, in few bits."""

import numpy as np

from detectors.core.places import (
    NO_ASN,
    PLACES,
    SESSIONS,
    SHIFT,
    WINDOW_S,
    apart,
    distinct,
    tags,
    to_front,
    use,
)
from tests.detectors.columns_of import columns_of


def test_tags_lie_in_their_bits() -> None:
    """Whatever is asked from, every tag fits what keeps it, and 0 stands for what is unknown alone."""
    rng = np.random.default_rng(1)
    n = 5_000
    address, asn, country = rng.integers(1, 2**63, n), rng.integers(1, 2**32, n), rng.integers(1, 2**16, n)
    columns = columns_of([0.0] * n, address=address, asn=asn, country=country, session=rng.integers(1, 2**16, n))
    address, network, country, mark, session = tags(columns).T
    assert (address.min(), address.max()) >= (1, 60_000)
    assert (network.min(), network.max()) == (1, NO_ASN - 1)
    assert (country.min(), country.max(), mark.min(), mark.max()) == (1, 31, 1, 7)
    assert session.max() < 2**16
    unknown = tags(columns_of([0.0], address=5))
    assert unknown[0, 1] >= NO_ASN
    assert unknown[0, 2:].tolist() == [0, 0, 0]


def test_the_same_mark() -> None:
    """A session takes the places of another one with its mark away, and of no other."""
    mark = np.array([1 << SHIFT | 5, 2 << SHIFT | 6, 3 << SHIFT | 5, 0, 0, 0, 0, 0], np.uint8)
    assert use(mark, 4, np.array([1, 1, 1, 5, 4 + SESSIONS])) == 4 + SESSIONS
    assert mark[:4].tolist() == [1 << SHIFT, 2 << SHIFT | 6, 3 << SHIFT, 0]
    assert use(mark, 7, np.array([1, 1, 1, 6, 5])) == 5
    assert mark[1] == 2 << SHIFT | 6
    assert use(mark, 7, np.array([1, 1, 1, 0, 0])) == 7


def test_a_place_keeps_country_and_session_apart() -> None:
    """What is brought to the front is told by country and by session."""
    address, network = np.zeros(PLACES, np.uint16), np.zeros(PLACES, np.uint8)
    mark, age_s = np.zeros(PLACES, np.uint8), np.zeros(PLACES, np.uint16)
    for number, country, session in ((1, 31, 1), (2, 30, 7), (3, 31, 7), (2, 1, 2)):
        to_front(address, network, mark, age_s, np.array([number, number, country, session, session]), 0)
    assert address[:3].tolist() == [2, 3, 1]
    assert mark[:3].tolist() == [1 << SHIFT | 2, 0xFF, 31 << SHIFT | 1]
    assert distinct(mark, SHIFT, age_s, 256) == 2


def test_relays_are_one() -> None:
    """Of networks within five minutes, those of a relay count once together; unknown ones and older ones not at all."""
    relay = np.zeros(256, np.bool_)
    relay[[3, 4]] = True
    age_s = np.array([0, 1, 2, 3, 4, WINDOW_S, 5, WINDOW_S + 1], np.uint16)
    network = np.array([3, 4, 1, 1, NO_ASN, 2, 0, 9], np.uint8)
    assert apart(network, age_s, relay) == 3
    assert apart(network, age_s, ~relay) == 3
    assert apart(np.zeros(8, np.uint8), age_s, relay) == 0
