"""Where a credential was used lately: eight places, the latest first, in few bits each.

A place is an address with its network (ASN), country, the session that used it last, and its age in seconds.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from detectors.core.columns import Columns
from detectors.core.compiled import compiled

PLACES: Final = 8
KNOWN_S: Final = 3600
"""A place is known for an hour after its last use."""
WINDOW_S: Final = 300
AGE_MAX_S: Final = 65_535
NO_ASN: Final = 128
"""Network tags from here on stand for one address of unknown network."""
SHIFT: Final = 3
COUNTRIES: Final = 31
SESSIONS: Final = 7
"""A byte holds a mark of a country in five bits and of a session in `SHIFT`; 0 is unknown."""
GOLDEN: Final = np.uint64(0x9E37_79B9_7F4A_7C15)


@compiled
def grow_old(age_s: NDArray[np.uint16], address: NDArray[np.uint16], elapsed_s: int) -> int:
    """Move ages on; returns that of the place used last, `KNOWN_S` where there is none."""
    least = KNOWN_S
    for j in range(PLACES):
        if address[j] != 0:
            age_s[j] = min(age_s[j] + elapsed_s, AGE_MAX_S)
            least = min(least, age_s[j])
    return least


@compiled
def _forgotten(network: NDArray[np.uint8]) -> int:
    """The oldest place with another of its network beside it: a carrier's addresses must not drive out the home."""
    if network[PLACES - 1] == 0:
        return PLACES - 1
    for j in range(PLACES - 1, -1, -1):
        for k in range(PLACES):
            if k != j and network[k] == network[j]:
                return j
    return PLACES - 1


@compiled
def to_front(
    address: NDArray[np.uint16],
    network: NDArray[np.uint8],
    mark: NDArray[np.uint8],
    age_s: NDArray[np.uint16],
    here: NDArray[np.int64],
    age: int,
) -> None:
    """Make ``here`` the place used last, in its own stead or in that of `_forgotten`."""
    j = 0
    while j < PLACES and address[j] != here[0]:
        j += 1
    if j < PLACES:
        age = min(age, age_s[j])
    else:
        j = _forgotten(network)
    while j > 0:
        address[j], network[j], mark[j], age_s[j] = address[j - 1], network[j - 1], mark[j - 1], age_s[j - 1]
        j -= 1
    address[0], network[0], mark[0], age_s[0] = here[0], here[1], here[2] << SHIFT | here[3], min(age, AGE_MAX_S)


@compiled
def use(mark: NDArray[np.uint8], before: int, here: NDArray[np.int64]) -> int:
    """The session used last from now on, ``before`` until now; another one with its mark loses its places.

    Else the devices of one in seven people with two would pass for one that is in three networks.
    """
    if here[4] == 0 or here[4] == before:
        return before
    if before != 0 and 1 + before % SESSIONS == here[3]:
        for j in range(PLACES):
            if mark[j] & SESSIONS == here[3]:
                mark[j] -= here[3]
    session: int = here[4]
    return session


@compiled
def third(
    network: NDArray[np.uint8],
    mark: NDArray[np.uint8],
    age_s: NDArray[np.uint16],
    settled: NDArray[np.bool_],
    here: NDArray[np.int64],
) -> int:
    """1 if the session of ``here`` used two other networks since it used this one, 2 if they are ``settled`` as it is.

    All within five minutes; 0 if not. ``settled`` [256] says where sessions are known not to do so.
    """
    found, first, firm = 0, 0, 0
    for j in range(PLACES):
        if here[3] == 0 or network[j] == 0 or mark[j] & SESSIONS != here[3] or age_s[j] > WINDOW_S:
            continue
        if network[j] == here[1]:
            break
        found = max(found, int(first != 0 and network[j] != first))
        first = first or network[j]
        if settled[network[j]] and settled[here[1]]:
            found = 2 if firm != 0 and network[j] != firm else found
            firm = firm or network[j]
    return found


@compiled
def distinct(tags: NDArray[np.uint8], shift: int, age_s: NDArray[np.uint16], below: int) -> int:
    """Distinct tags, the lowest bits off, within five minutes, 0 and those from ``below`` on apart."""
    count = 0
    for j in range(PLACES):
        tag = tags[j] >> shift
        new = 0 < tag < below and age_s[j] <= WINDOW_S
        for k in range(j):
            new = new and not (tags[k] >> shift == tag and age_s[k] <= WINDOW_S)
        count += new
    return count


@compiled
def apart(network: NDArray[np.uint8], age_s: NDArray[np.uint16], relay: NDArray[np.bool_]) -> int:
    """Distinct known networks within five minutes, those of ``relay`` [256] counted as one."""
    count, relayed = 0, False
    for j in range(PLACES):
        tag = network[j]
        if tag == 0 or tag >= NO_ASN or age_s[j] > WINDOW_S:
            continue
        relayed = relayed or relay[tag]
        new = not relay[tag]
        for k in range(j):
            new = new and not (network[k] == tag and age_s[k] <= WINDOW_S)
        count += new
    return count + int(relayed)


def tags(columns: Columns) -> NDArray[np.int64]:
    """Address, network, country and session in few bits, and the session in many: [n, 5].

    1-65535, 1-127 (of an unknown ASN 128-255), 1-31, 1-7 and 1-65535; country and session are 0 where unknown. Two of
    them share a tag by chance; then a hop is taken for a stay, never the other way round; for sessions see `use`.
    """
    address = np.maximum((columns.address * GOLDEN) >> np.uint64(48), 1).astype(np.int64)
    known = np.maximum((columns.asn.astype(np.uint64) * GOLDEN) >> np.uint64(57), 1).astype(np.int64)
    network = np.where(columns.asn > 0, known, NO_ASN + address % NO_ASN)
    country = np.where(columns.country > 0, 1 + columns.country.astype(np.int64) % COUNTRIES, 0)
    session = columns.session.astype(np.int64)
    return np.stack([address, network, country, np.where(session > 0, 1 + session % SESSIONS, 0), session], axis=1)
