"""One credential at many places at once: a stolen or shared session behind rotating addresses.

Seen: the addresses, networks (ASNs) and countries that one account, or one session without an account, is used from.
People do not work from three networks by turns: a person who roams between home, office, carrier and VPN switches and
stays, and two devices at once alternate between two places for hours. So the two networks used last within an hour are
known; a request from another one is a *hop*. Three sums of log-likelihood ratios, floored and decaying, are added:

* across: hops between networks, more so to a country that neither of the two lies in, and to a network that the
  account is not remembered to have used before, less so back to a third one of the same hour, since some people have
  three devices; requests from the two last addresses speak against. It has no cap of its own.
  Who roams does so between home, office, carrier and VPN, which are remembered; a thief's addresses are all new. Two
  devices are two sessions: a *session* in a third network within five minutes, be it for the first time or again, is a
  hop like one to a network that is not remembered, since no device is in three. That counts among networks where
  sessions are learned not to do so, not among the operators of a privacy relay. Time makes a hop ordinary: ten minutes
  after the last request it says nothing.
* within: another address of a known network, against how often it changes there for honest people. Carriers change it
  for them, some with every connection: a trait.
* novel: an address and network not among the last four places, however long ago.

Beside it stand limits that an operator can read, in addresses, networks and countries within five minutes; the level is
whichever is nearest to being passed. Addresses of networks that change them for honest people are not counted, nor are
those of a network before it is learned whether it does. Ground for a block is only what nobody's devices do within five
minutes, four networks or three countries, however much has added up: at home, under way and behind a VPN are three
networks and two countries, and whoever roams so day after day adds up. The operators of a privacy relay are one.

Blind spots: rotation that stays five requests at each place, or that leaves ten minutes between requests; two places by
turns; addresses of one network, below the limit. Without an ASN in the stream each address counts as a network, so
carriers' changes weigh in full, and only countries are ground for a block. Sessions are not told apart where the stream
has no ``session.id``, nor until networks are learned; who rotates over a relay's networks, or whose session has the
mark of the owner's (one in seven), is seen as an account that hops.

Source: DETECTION's channels, tried on simulated days; AWS's tiers of 2, 5 and 8 addresses and 1, 2 and 3 networks or
countries within five minutes; Page 1954; Wald 1945.
"""

from collections.abc import Mapping
from typing import Annotated, ClassVar, Final, cast

import msgspec
import numpy as np
from numpy.typing import NDArray

from detectors.core.columns import US, Columns
from detectors.core.compiled import compiled
from detectors.core.contract import Detector, DetectorConfig, Evidence, Explanation, Nats, State
from detectors.core.model import Model
from detectors.core.places import (
    KNOWN_S,
    NO_ASN,
    PLACES,
    SHIFT,
    WINDOW_S,
    apart,
    distinct,
    grow_old,
    tags,
    third,
    to_front,
    use,
)
from detectors.core.prefetch import AHEAD, prefetch
from schemas.actor import Scope
from schemas.sighting import Kind

FOUR: Final = 4
"""Places that a new one is compared with."""
MOVED_S: Final = 600
"""After so long the next request comes from anywhere: of simulated people's 1 in 100 from another network within two
minutes, 3 from two to five, 22 from five to ten, 40 from then on."""
HOP: Final = 0.5
"""Share of a shared credential's requests that hop."""
STAY_LLR: Final = float(np.log(0.5 / 0.97))
SEEN_LLR: Final = float(np.log(0.5 / 0.88))
NOVEL_LLR: Final = float(np.log(0.5 / 0.12))
FAR: Final = 0.01
ACROSS: Final = 0.03
THIRD: Final = 0.25
"""Shares of honest requests, right after the last one, that come from another network in another country, from another
network, and from the third network of the hour again."""
FAR_NEW: Final = 0.002
ACROSS_NEW: Final = 0.005
"""Likewise from a network that is not remembered, where one is from before the hour: of simulated people 1 request in
500 comes from another network within five minutes of the last, remembered ones among them, and 1 in 14,000 from
another country."""
WITHIN: Final = 0.3
"""Share that comes from a third address of a known network, until it is learned by network."""
WITHIN_WEIGHT: Final = 50.0
"""Observations that this is worth."""
OF_SESSION: Final = 0.005
"""Share of a session's honest requests, right after the last one, from what is its third network within five minutes:
as `ACROSS_NEW`, though of 1.9 million requests of simulated people in settled networks 18 do so."""
LEARNED: Final = 1_000
"""Requests of calm principals from which on a network can be settled, and its addresses are counted."""
OFTEN: Final = 0.001
"""Share of them that came from a session's third network beyond which it is not: a simulated relay has 0.011."""
SINCE_S: Final = 16
TURN: Final = 65_536
"""Starts of a rise are kept in so many seconds, up to so many of them."""
MIX: Final = 0.3
EXCUSED: Final = 0.2
"""Share of changes from which a network's addresses are not counted; nor are they before it is `LEARNED`."""
WITHIN_CAP: Final = 4.0
NOVEL_CAP: Final = 5.0
ROAMED: Final = (3, 2)
"""Networks and countries that one person's devices are in within five minutes; more is ground for a block."""
STEP: Final = 1 / 8192
"""Unit of the sums that are kept as whole numbers."""


class Config(DetectorConfig, frozen=True, kw_only=True):
    """``[detectors.credential_spread]``."""

    cap: Nats = 10.0
    """Two in 10,000 simulated days of people who travel, or use a relay, come to more."""
    limit: Annotated[float, msgspec.Meta(ge=7.0)] = 15.0
    """Evidence in natural logarithms that an alert needs; 7 is one honest person in a thousand."""
    block_ratio: Annotated[float, msgspec.Meta(ge=1.0)] = 1.2
    addresses: Annotated[int, msgspec.Meta(ge=4, le=PLACES)] = 8
    """Addresses within five minutes at which a credential is spoken of; of a network that is learned to keep them."""
    networks: Annotated[int, msgspec.Meta(ge=4, le=PLACES)] = 6
    """Likewise of networks that are known; at home, under way and behind a VPN are three."""
    countries: Annotated[int, msgspec.Meta(ge=3, le=PLACES)] = 4
    """Likewise of countries; a VPN makes them two."""
    half_life_s: Annotated[int, msgspec.Meta(ge=3600)] = 302_400


@compiled
def _honest_hop(share: float, gap_s: float) -> float:
    """Share of honest requests that hop, by the time since the last one: that of a thief's after `MOVED_S`."""
    moved = max(gap_s / KNOWN_S, (gap_s / MOVED_S) ** 2)
    return share + (HOP - share) * min(moved, 1.0)


@compiled
def _unheard_of(
    address: NDArray[np.uint16], network: NDArray[np.uint8], age_s: NDArray[np.uint16], here: np.int64
) -> bool:
    """Whether no place that is remembered, however old, lies in the network ``here``, and one is from before."""
    before = False
    for j in range(PLACES):
        if address[j] != 0:
            if network[j] == here:
                return False
            before = before or age_s[j] >= KNOWN_S
    return before


@compiled
def _hop_share(
    address: NDArray[np.uint16],
    network: NDArray[np.uint8],
    mark: NDArray[np.uint8],
    age_s: NDArray[np.uint16],
    here: NDArray[np.int64],
) -> float:
    """Honest share of what a request from ``here`` (address, network, country) is; 0 of one that stays."""
    first, second, far = 0, 0, here[2] != 0
    for j in range(PLACES):
        if address[j] == 0 or age_s[j] >= KNOWN_S:
            continue
        if j < 2 and address[j] == here[0]:
            return 0.0
        if network[j] == first or network[j] == second:
            continue
        if network[j] == here[1]:
            return THIRD if second else WITHIN
        if second:
            break
        second = network[j] if first else 0
        first = first or network[j]
        far = far and mark[j] >> SHIFT != 0 and mark[j] >> SHIFT != here[2]
    if _unheard_of(address, network, age_s, here[1]):
        return FAR_NEW if far else ACROSS_NEW
    return FAR if far else ACROSS


@compiled
def _novel(address: NDArray[np.uint16], network: NDArray[np.uint8], here: NDArray[np.int64]) -> float:
    """Log-likelihood ratio of the address among the last four places."""
    new = True
    for j in range(FOUR):
        if address[j] == here[0]:
            return SEEN_LLR
        if network[j] == here[1]:
            new = False
    return NOVEL_LLR if new and address[0] != 0 else 0.0


@compiled
def _kept(total: int, decay: float, llr: float, cap: float) -> int:
    """A capped sum in units of `STEP` after one more observation."""
    return round(min(max(total * STEP * decay + llr, 0.0), cap) / STEP)


@compiled
def _spread(
    slot: NDArray[np.int32],
    time_s: NDArray[np.int64],
    counts: NDArray[np.bool_],
    tags: NDArray[np.int64],
    changing: NDArray[np.float64],
    excused: NDArray[np.bool_],
    settled: NDArray[np.bool_],
    relay: NDArray[np.bool_],
    half_life_s: float,
    address: NDArray[np.uint16],
    network: NDArray[np.uint8],
    mark: NDArray[np.uint8],
    age_s: NDArray[np.uint16],
    at_s: NDArray[np.uint32],
    since: NDArray[np.uint16],
    session: NDArray[np.uint16],
    across: NDArray[np.float32],
    capped: NDArray[np.uint16],
) -> tuple[NDArray[np.float64], NDArray[np.int64], NDArray[np.int64]]:
    """[n, 2] sums across networks, of all; [n, 5] begin of the rise, addresses, networks, countries, apart; lessons."""
    sums, numbers = np.zeros((slot.size, 2)), np.zeros((slot.size, 5), np.int64)
    lessons = np.full(slot.size, -1, np.int64)
    for i in range(slot.size):
        later = slot[min(i + AHEAD, slot.size - 1)]
        prefetch(later, (address, network, mark, age_s, at_s, since, session, across, capped))
        if not counts[i]:
            continue
        s, here, t = slot[i], tags[i], time_s[i]
        elapsed = max(t - np.int64(at_s[s]), 0) if at_s[s] else 0
        again = elapsed == 0 and address[s, 0] == here[0]
        gap = grow_old(age_s[s], address[s], elapsed)
        session[s] = use(mark[s], session[s], here)
        before = across[s] + (np.int64(capped[s, 0]) + capped[s, 1]) * STEP
        if not again:
            decay = 2.0 ** (-elapsed / half_life_s)
            share = _hop_share(address[s], network[s], mark[s], age_s[s], here)
            hop = third(network[s], mark[s], age_s[s], settled, here)
            share = min(share, OF_SESSION) if hop == 2 else share
            honest = changing[here[1]] if share == WITHIN else share
            llr = STAY_LLR if share == 0.0 else np.log(HOP / _honest_hop(honest, gap))
            if gap >= KNOWN_S:
                llr = 0.0
            elif hop or share == 0.0 or share == WITHIN:
                lessons[i] = 3 * here[1] + (2 if hop else int(share == WITHIN))
            across[s] = max(across[s] * decay + (0.0 if share == WITHIN else llr), 0.0)
            capped[s, 0] = _kept(capped[s, 0], decay, llr if share == WITHIN or share == 0.0 else 0.0, WITHIN_CAP)
            capped[s, 1] = _kept(capped[s, 1], decay, _novel(address[s], network[s], here), NOVEL_CAP)
        to_front(address[s], network[s], mark[s], age_s[s], here, max(np.int64(at_s[s]) - t, 0))
        at_s[s] = max(np.int64(at_s[s]), t)
        sums[i, 0] = across[s]
        sums[i, 1] = across[s] + (np.int64(capped[s, 0]) + capped[s, 1]) * STEP
        if before == 0.0 and not again:
            since[s] = at_s[s] // SINCE_S % TURN
        numbers[i, 0] = (at_s[s] // SINCE_S - (at_s[s] // SINCE_S - since[s]) % TURN) * SINCE_S
        for j in range(PLACES):
            numbers[i, 1] += address[s, j] != 0 and age_s[s, j] <= WINDOW_S and not excused[network[s, j]]
        numbers[i, 2] = distinct(network[s], 0, age_s[s], NO_ASN)
        numbers[i, 3] = distinct(mark[s], SHIFT, age_s[s], 256)
        numbers[i, 4] = apart(network[s], age_s[s], relay)
    return sums, numbers, lessons


_REQUEST: Final = np.isin(np.arange(256), [Kind.VIEW, Kind.LOOKUP, Kind.QUERY, Kind.TOUCH])
"""By kind: rows of which a request has one."""


class CredentialSpread(Detector[Config]):
    """See the module."""

    Config = Config
    shared_from: ClassVar[float] = 3.0
    principals_only: ClassVar[bool] = True
    principal_state: ClassVar[Mapping[str, str]] = {
        "address": f"({PLACES},)u2",
        "network": f"({PLACES},)u1",
        "mark": f"({PLACES},)u1",  # the country's, and in the lower bits the session's
        "age_s": f"({PLACES},)u2",
        "at_s": "u4",
        "since": "u2",  # in units of `SINCE_S`, the highest bits off
        "session": "u2",
        "across": "f4",
        "capped": "(2,)u2",
    }
    lessons: ClassVar[Mapping[str, int]] = {"changes": 3 * 256}
    """By network tag: requests from a known address, from a changed one of a network in use, and from what is within
    five minutes the third network of one session."""
    control: ClassVar[str] = "R4"
    blind_spots: ClassVar[tuple[str, ...]] = (
        "a rotation that stays five requests or more at each place, or leaves ten minutes between requests",
        "two places by turns, as two devices of one person are used",
        "addresses of one network below the limit, as carriers change them",
        "without an ASN in the stream a carrier's changes weigh in full, and only countries are ground for a block",
        "a rotation over the networks of a privacy relay, where honest sessions hop as well",
    )

    def judge(self, columns: Columns, state: State, model: Model) -> Evidence:
        """Level: the sum or a count within five minutes as a share of its limit, whichever is larger."""
        one = (columns.scope == Scope.ACCOUNT.value) | (columns.scope == Scope.SESSION.value)
        request = _REQUEST[columns.kind]
        counts = columns.own & one & request & (columns.address > 0)
        learned = model.counts(f"{self.name}.changes", self.lessons["changes"]).reshape(-1, 3)
        seen, changed = learned.sum(axis=1), learned[:, 1]
        known, often = np.arange(seen.size) < NO_ASN, learned[:, 2] > OFTEN * seen
        enough = known & (seen >= LEARNED)
        share = (changed + WITHIN * WITHIN_WEIGHT) / (seen + WITHIN_WEIGHT)
        sums, numbers, lessons = _spread(
            columns.principal_slot,
            np.clip(columns.time_us // US, 1, 2**32 - 1),
            counts,
            tags(columns),
            (1 - MIX) * share + MIX * HOP,
            (known & ~enough) | (changed > EXCUSED * (seen + WITHIN_WEIGHT)),
            enough & ~often,
            enough & often,
            float(self.config.half_life_s),
            cast("NDArray[np.uint16]", state["address"]),
            cast("NDArray[np.uint8]", state["network"]),
            cast("NDArray[np.uint8]", state["mark"]),
            cast("NDArray[np.uint16]", state["age_s"]),
            cast("NDArray[np.uint32]", state["at_s"]),
            cast("NDArray[np.uint16]", state["since"]),
            cast("NDArray[np.uint16]", state["session"]),
            cast("NDArray[np.float32]", state["across"]),
            cast("NDArray[np.uint16]", state["capped"]),
        )
        limits = np.array([self.config.addresses, self.config.networks, self.config.countries])
        shares = np.where(numbers[:, 1:4] > 1, numbers[:, 1:4] / limits, 0.0)
        by_count, by_sum = shares.max(axis=1, initial=0.0), sums[:, 1] / self.config.limit
        since_us = np.where(by_count > by_sum, columns.time_us - WINDOW_S * US, numbers[:, 0] * US)
        since_us = np.minimum(np.where(counts, since_us, columns.time_us), columns.time_us)
        spread = (numbers[:, [4, 3]] > ROAMED).any(axis=1)
        found = {"nats": sums[:, 1], "across": sums[:, 0]}
        found |= {name: numbers[:, 1 + j].astype(np.float64) for j, name in enumerate(("addresses", "networks"))}
        return Evidence(
            np.maximum(by_count, by_sum),
            since_us,
            columns.shown_since(since_us),
            counts & spread,
            found | {"countries": numbers[:, 3].astype(np.float64)},
            sums[:, 1],
            counts,
            {"changes": lessons},
        )

    def explain(self, columns: Columns, evidence: Evidence, row: int) -> Explanation:
        """Name the counts of five minutes, and the sum with its limit."""
        addresses, networks, countries = (
            int(evidence.numbers[name][row]) for name in ("addresses", "networks", "countries")
        )
        nats = float(evidence.numbers["nats"][row])
        return Explanation(
            reason=f"used from {addresses} addresses, {networks} networks and {countries} countries within five "
            f"minutes; evidence {nats:.1f} of {self.config.limit:.1f}",
            public_reason="the sign-in is used from many places at once",
            evidence={
                "addresses": addresses,
                "networks": networks,
                "countries": countries,
                "log_likelihood_ratio": round(nats, 3),
                "limit": self.config.limit,
            },
        )
