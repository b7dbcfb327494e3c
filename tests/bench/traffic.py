"""The traffic of the benchmark: profile views by uniform visitors, in the order of their times."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from streams.offline.simulate.client import CLIENTS
from streams.pipeline.batch import Batch

Kind = Literal["logged in", "anonymous"]
KINDS: Final[dict[Kind, str]] = {
    "logged in": "account, session, ip, net, asn, fingerprint; the first two answer, the others remember who came",
    "anonymous": "session, ip, net, asn, fingerprint; all answer, and all but the first remember who came",
}
"""Which actors each event names, and what is done for them."""

MEMBERS: Final = 200_000
POPULARITY_EXPONENT: Final = 0.95
NET_VISITORS: Final = 16
"""Visitors of one /24."""
NETWORKS: Final = 300
"""Autonomous systems."""
HOUR_US: Final = 3_600_000_000
SPAN_US: Final = 2 * HOUR_US


@dataclass(frozen=True, slots=True)
class Traffic:
    """Who comes: ``visitors`` of one kind, each as likely as any other, who look at popular profiles more often."""

    kind: Kind
    visitors: int
    seed: int = 1

    def __str__(self) -> str:
        return f"{self.kind}, {self.visitors:,}"

    def values(self, events: int, start_us: int, span_us: int = SPAN_US) -> list[bytes]:
        """So many events as JSON of some 450 bytes, evenly over ``span_us`` of event time."""
        rng = np.random.default_rng(self.seed)
        who = rng.integers(0, self.visitors, events).tolist()
        whom = popular(rng, events).tolist()
        times_us = (start_us + np.arange(events) * (span_us / max(events, 1))).astype(np.int64)
        return [
            self.event(visitor, f"{profile}", time)
            for visitor, profile, time in zip(who, whom, spelled(times_us), strict=True)
        ]

    def event(self, visitor: int, profile: str, time: str) -> bytes:
        """One view of ``profile``."""
        return view(profile, time, self.visitor(visitor))

    def visitor(self, number: int) -> str:
        """What every event of a visitor says of it, as a piece of JSON; the same number is the same one."""
        net, client = number // NET_VISITORS, CLIENTS[number * 2_654_435_761 % len(CLIENTS)]
        who = f'"user.id":"u{number}",' if self.kind == "logged in" else ""
        return (
            f'{who}"session.id":"{number * 0x9E3779B97F4A7C15 % (1 << 64):016x}",'
            f'"client.address":"100.{64 + (net >> 8)}.{net & 255}.{1 + number % NET_VISITORS}",'
            f'"client.as.number":{64_500 + net % NETWORKS},'
            f'"tls.client.ja4":"{client.ja4}","user_agent.original":"{client.user_agent}"'
        )


def view(profile: str, time: str, visitor: str) -> bytes:
    """The event of one view; ``visitor`` is the piece of JSON that says who."""
    return (
        f'{{"@timestamp":"{time}","http.request.method":"GET","url.path":"/people/{profile}",'
        f'"http.route":"/people/{{id}}","http.response.status_code":200,{visitor}}}'
    ).encode()


def popular(rng: np.random.Generator, count: int) -> NDArray[np.int64]:
    """Profiles by popularity: Zipf over the members, the most popular first."""
    weight = np.arange(1, MEMBERS + 1) ** -POPULARITY_EXPONENT
    cumulated = np.cumsum(weight) / weight.sum()
    return np.searchsorted(cumulated, rng.random(count)).clip(max=MEMBERS - 1)


def spelled(times_us: NDArray[np.int64]) -> Iterator[str]:
    """Each time as RFC 3339 with milliseconds."""
    return (f"{text}Z" for text in np.datetime_as_string(times_us.astype("datetime64[us]"), unit="ms").tolist())


def half_past(now: datetime, hours: int) -> int:
    """Half past, so many hours ago, in us: two hours from there cross two ends of an hour."""
    hour = int(now.astimezone(UTC).timestamp()) // 3600 - hours
    return hour * HOUR_US + HOUR_US // 2


def shared_out(values: list[bytes], partitions: int) -> list[list[bytes]]:
    """Events of each partition: in turn, so that every one has all of the time."""
    return [values[partition::partitions] for partition in range(partitions)]


def batches(values: list[bytes], partitions: int, records: int) -> Iterator[Batch]:
    """The same as a worker gets them: so many records of one partition, then of the next."""
    parts = shared_out(values, partitions)
    for lo in range(0, max(map(len, parts), default=0), records):
        for partition, part in enumerate(parts):
            taken = part[lo : lo + records]
            if taken:
                yield Batch("http.requests", partition, lo, lo + len(taken), taken, nbytes=sum(map(len, taken)))
