"""Which session carries an account's evidence: a stolen token is to be blocked, not the person it was stolen from."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from detectors.core.compiled import compiled
from detectors.core.fusion import Fused
from detectors.core.hashing import xxh64
from schemas.actor import Scope
from streams.pipeline.actors.store import Actors
from streams.pipeline.rows import Rows

_ACCOUNT, _SESSION = int(Scope.ACCOUNT), int(Scope.SESSION)
RECENT_S: Final = 86_400
"""A session that was used within so long is in use."""
HALF_LIFE_US: Final = 3_600_000_000
"""What a session brought counts half after an hour: days of honest oddity must not outweigh a thief's minutes."""
KEPT: Final = 4
"""Sessions of an account that are told apart."""


@dataclass(frozen=True, slots=True)
class Sessions:
    """At each of n sightings of an account: the session that carries most of what speaks against it."""

    slot: NDArray[np.int32]
    """Of the session's actor; -1 where there is none."""
    share: NDArray[np.float64]
    """Share of the account's evidence of late that came through it."""
    others: NDArray[np.bool_]
    """Another session of the account was used within a day."""
    known: NDArray[np.int32]
    """[n, KEPT] slots of the sessions used last, the latest first; -1 for none."""


@compiled
def _gain(gained: NDArray[np.float32], gained_us: NDArray[np.int64], slot: int, now_us: int, gain: float) -> None:
    """Let what an actor gained fade until now, and add to it."""
    elapsed_us = max(now_us - gained_us[slot], 0)
    gained[slot] = gained[slot] * 2.0 ** (-elapsed_us / HALF_LIFE_US) + gain
    gained_us[slot] = max(now_us, gained_us[slot])


@compiled
def _use(sessions: NDArray[np.int32], used_s: NDArray[np.uint32], session: int, now_s: int) -> None:
    """Bring a session to the front of those used last."""
    at = KEPT - 1
    for k in range(KEPT):
        if sessions[k] == session + 1:
            at = k
            break
    for k in range(at, 0, -1):
        sessions[k], used_s[k] = sessions[k - 1], used_s[k - 1]
    sessions[0], used_s[0] = session + 1, now_s


@compiled
def _beside(
    i: int,
    slot: NDArray[np.int32],
    scope: NDArray[np.uint8],
    source: NDArray[np.int32],
    offset: NDArray[np.int64],
    chief: NDArray[np.uint64],
) -> int:
    """Slot of the session that row ``i`` of an account came through; -1 where there is none."""
    # An account and its session share a home, so their rows of one event stand together.
    # Of events that share an offset, those of one account alone.
    k = i + 1
    if k >= slot.size or scope[slot[i]] != _ACCOUNT or scope[slot[k]] != _SESSION:
        return -1
    same = source[k] == source[i] and offset[k] == offset[i] and chief[k] == chief[i]
    return slot[k] if same else -1


@compiled
def _all_beside(
    own: NDArray[np.int64],
    slot: NDArray[np.int32],
    scope: NDArray[np.uint8],
    source: NDArray[np.int32],
    offset: NDArray[np.int64],
    chief: NDArray[np.uint64],
) -> NDArray[np.int64]:
    out = np.empty(own.size, np.int64)
    for j in range(own.size):
        out[j] = _beside(own[j], slot, scope, source, offset, chief)
    return out


@compiled
def _tag(texts: NDArray[np.uint8], ends: NDArray[np.int64], out: NDArray[np.uint16]) -> None:
    start = 0
    for j in range(out.size):
        # Never 0, which stands for none.
        out[j] = 1 + (xxh64(texts, start, ends[j] - start, np.uint64(0)) >> np.uint64(32)) % np.uint64(65_535)
        start = ends[j]


def tags(actors: Actors, rows: Rows, own: NDArray[np.int64]) -> NDArray[np.uint16]:
    """[n] tag, by its name, of the session that each row of an account among ``own`` came through; 0 where none did."""
    out = np.zeros(len(rows), np.uint16)
    slots = _all_beside(own, rows.slot, actors.columns["scope"], rows.source, rows.offset, rows.principal)
    through = np.flatnonzero(slots >= 0)
    found = np.zeros(through.size, np.uint16)
    ends = np.cumsum(actors.columns["text_length"][slots[through]].astype(np.int64))
    _tag(actors.texts_of(slots[through]), ends, found)
    out[own[through]] = found
    return out


@compiled
def _follow(
    slot: NDArray[np.int32],
    scope: NDArray[np.uint8],
    time_us: NDArray[np.int64],
    source: NDArray[np.int32],
    offset: NDArray[np.int64],
    chief: NDArray[np.uint64],
    principal: NDArray[np.int32],
    own: NDArray[np.int64],
    gain: NDArray[np.float64],
    gained: NDArray[np.float32],
    gained_us: NDArray[np.int64],
    last: NDArray[np.int32],
    last_s: NDArray[np.uint32],
    out_slot: NDArray[np.int32],
    out_share: NDArray[np.float64],
    out_others: NDArray[np.bool_],
    out_known: NDArray[np.int32],
) -> None:
    for j in range(own.size):
        i = own[j]
        p, session = principal[i], _beside(i, slot, scope, source, offset, chief)
        if session < 0:
            continue
        _use(last[p], last_s[p], session, time_us[i] // 1_000_000)
        if gain[j] > 0:
            _gain(gained, gained_us, slot[i], time_us[i], gain[j])
            _gain(gained, gained_us, session, time_us[i], gain[j])
        best, in_use = -1.0, 0
        for each in range(KEPT):
            if last[p, each] == 0:
                break
            s = last[p, each] - 1
            in_use += time_us[i] // 1_000_000 - np.int64(last_s[p, each]) <= RECENT_S
            held = gained[s] * 2.0 ** (-max(time_us[i] - gained_us[s], 0) / HALF_LIFE_US)
            if held > best:
                best, out_slot[i] = held, s
        whole = gained[slot[i]] * 2.0 ** (-max(time_us[i] - gained_us[slot[i]], 0) / HALF_LIFE_US)
        out_share[i] = min(best / whole, 1.0) if whole > 0 else 0.0
        out_others[i] = in_use > 1
        for each in range(KEPT):
            out_known[i, each] = last[p, each] - 1


def sessions(
    actors: Actors, rows: Rows, principal: NDArray[np.int32], own: NDArray[np.int64], fused: Fused
) -> Sessions:
    """Move on, by ``rows`` and the evidence at ``own``, those of principals, what is known of accounts' sessions."""
    n = len(rows)
    out = Sessions(np.full(n, -1, np.int32), np.zeros(n), np.zeros(n, np.bool_), np.full((n, KEPT), -1, np.int32))
    c, kept = actors.columns, actors.principals.columns
    _follow(
        rows.slot, c["scope"], rows.time_us, rows.source, rows.offset, rows.principal, principal, own, fused.gain,
        c["gained"], c["gained_us"], kept["last_session"], kept["last_session_s"],
        out.slot, out.share, out.others, out.known,
    )  # fmt: skip
    return out
