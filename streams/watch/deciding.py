"""Decisions as enforcers ask for them, in the process that makes them."""

from collections.abc import Iterable

from schemas.block import Block
from schemas.event_time import parse_time_us
from streams.clock import Clock
from streams.pipeline.enforce.decisions import KEPT_US, Decisions
from streams.pipeline.policy.decide import Lift


class Deciding:
    """A source of `streams.serve.api.Api`: complete as soon as the logs have been read to their end once."""

    def __init__(self, known: Iterable[Block], clock: Clock) -> None:
        """Begin with what was decided before, in order."""
        self.decisions = Decisions(1)
        self._clock, self._next = clock, 0
        self._complete = False
        oldest_us = clock() - KEPT_US
        for block in known:
            if parse_time_us(block.until) > oldest_us:
                self._apply(parse_time_us(block.decided_at), block.actor.key, block)

    @property
    def complete_once(self) -> bool:
        """Whether the logs have ever been read to their end."""
        return self._complete

    def missing(self) -> str:
        """Why no answer can be given; empty when it can."""
        return "" if self._complete else "the logs have not been read to their end yet"

    async def caught_up(self) -> None:
        """Nothing to wait for: what is decided is known."""

    def complete(self) -> None:
        """The logs have been read to their end."""
        self._complete = True

    def take(self, decision: Block | Lift) -> None:
        """A new decision."""
        if isinstance(decision, Block):
            self._apply(self._clock(), decision.actor.key, decision)
        else:
            self._apply(self._clock(), decision.actor.key, None)

    def forget(self) -> None:
        """Let go of what ended more than a day ago."""
        self.decisions.forget(self._clock() - KEPT_US)

    def _apply(self, at_us: int, key: str, block: Block | None) -> None:
        self.decisions.apply(0, self._next, at_us, key, block)
        self._next += 1
