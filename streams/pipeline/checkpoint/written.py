"""What stands in the checkpoints written so far, and so what the next one has to write.

::

    checkpoint     0    1    2    3   ..   16   17
    bucket/0000    w                        w              every bucket whole once in `ROUND` checkpoints,
    bucket/0001    w    w                        w         a few at a time
    bucket/0002    w         w
    recent/01           w                        w         beside them the actors that have changed since the checkpoint
    recent/02                w                             before

To write every bucket that holds a changed actor would be to write all: buckets go by hash, and of thousands of actors
in each one some always have changed. What is newest of an actor counts; after a round a `recent` is no longer needed,
because each bucket was written since.
"""

from dataclasses import dataclass, field
from typing import Final

ROUND: Final = 16
"""Checkpoints in which every bucket is written once."""
BITS_LEAST: Final = 4
ACTORS_A_BUCKET: Final = 4096
PAIRS_AN_ACTOR: Final = 8
"""Members within groups that weigh as much as one actor, about."""
SLEEPERS_AN_ACTOR: Final = 16
MET: Final = 131_072
"""First contacts in one blob: 1 MB."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What one checkpoint writes."""

    sequence: int
    bits: int
    """Logarithm of the number of buckets."""
    whole: bool
    """Every bucket."""

    @property
    def buckets(self) -> list[int]:
        """Buckets that are written."""
        every = range(1 << self.bits)
        return list(every) if self.whole else [one for one in every if one % ROUND == self.sequence % ROUND]

    @property
    def recent(self) -> str:
        """How names begin of blobs of actors that have changed since the checkpoint before."""
        return f"recent/{self.sequence % ROUND:02}/"


@dataclass(slots=True)
class Written:
    """The blobs that the last checkpoint consists of."""

    sequence: int = 0
    """Of the last checkpoint; 0 before the first."""
    bits: int = BITS_LEAST
    epoch: int = 0
    met: int = 0
    """First contacts that stand in blobs, of those that are told together with those of `epoch`."""
    parts: dict[str, int] = field(default_factory=dict)
    """By name of a blob, the sequence number of the checkpoint that wrote it."""

    def plan(self, actors: int, *, whole: bool) -> Plan:
        """What to write next of a partition with so many actors; buckets only ever become more."""
        bits = self.bits
        while actors > ACTORS_A_BUCKET << bits:
            bits += 1
        return Plan(self.sequence + 1, bits, whole or bits != self.bits or not self.parts)

    def write(self, plan: Plan, recent: int, epoch: int, met: int) -> list[str]:
        """Note that ``plan`` is carried out; names of all blobs that it writes.

        Recent actors fill ``recent`` blobs; ``met`` first contacts are not told yet, the first of them of ``epoch``, of
        which only those that have come since the last checkpoint are written.
        """
        known = 0 if plan.whole or epoch != self.epoch else self.met
        names = [bucket_name(one) for one in plan.buckets]
        names += [f"{plan.recent}{one:04}" for one in range(recent)]
        names += [name for name, span in met_spans(met) if span.stop > known]
        met_names = {name for name, _ in met_spans(met)}
        kept = {
            name: at
            for name, at in self.parts.items()
            if not (plan.whole or name.startswith(plan.recent) or (is_met(name) and name not in met_names))
        }
        self.parts = kept | dict.fromkeys(names, plan.sequence)
        self.sequence, self.bits, self.epoch, self.met = plan.sequence, plan.bits, epoch, met
        return names


def bucket_name(bucket: int) -> str:
    """Name of a bucket's blob."""
    return f"bucket/{bucket:04}"


def met_spans(met: int) -> list[tuple[str, slice]]:
    """Names of the blobs of ``met`` first contacts, and which of them stand in each."""
    return [(f"met/{lo // MET:04}", slice(lo, min(lo + MET, met))) for lo in range(0, met, MET)]


def is_met(name: str) -> bool:
    """The blob holds first contacts."""
    return name.startswith("met/")


def chunks(actors: int, pairs: int) -> int:
    """Blobs that so many recent actors and pairs fill."""
    return -(-(actors + pairs // PAIRS_AN_ACTOR) // ACTORS_A_BUCKET) or min(pairs, 1)
