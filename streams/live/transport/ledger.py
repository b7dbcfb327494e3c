"""How far a partition may be committed, given what was delivered and what is acknowledged."""

from collections import deque


class RangeLostError(Exception):
    """A delivered batch does not begin where the one before it ended, or where reading was to begin.

    Operator: restart the worker, which resumes at the committed offset. If the log then says that records were deleted
    before they were read, retention was faster than the group: lengthen it or add workers. If the error comes again,
    with a batch that begins at 0, the topic was made anew: delete the group's offsets.
    """


class AckLedger:
    """Delivered ranges of one partition in order, and which of them are acknowledged.

    Acknowledgements may come late and in any order. Only the unbroken acknowledged prefix is ever settled:

        delivered   [10,20) [20,35) [35,40) [40,41)
        acked          x       x               x        -> settle() is 35

    A ceiling, where there is one, holds the commit back further, and costs no memory but the ends of ranges.
    """

    __slots__ = ("_acked", "_ceiling", "_committed", "_next", "_pending", "_reached")

    def __init__(self, start: int, committed: int, ceiling: int | None = None) -> None:
        """``start`` is where delivery must begin; ``committed`` is 0 where nothing is.

        With a ``ceiling`` the range up to ``start`` counts as acknowledged: whoever sets it answers for it.
        """
        self._next = start
        self._committed = committed
        self._reached = committed if ceiling is None else max(committed, start)
        self._ceiling = ceiling
        self._pending: deque[int] = deque()
        self._acked: set[int] = set()

    def deliver(self, lo: int, hi: int) -> None:
        """Note that ``[lo, hi)`` goes to the agents.

        Raises:
            RangeLostError: ``lo`` is not where the last range ended; the caller must stop and not commit.
        """
        if lo != self._next:
            raise RangeLostError(f"offset {self._next} should come next, but the batch is [{lo}, {hi})")
        self._next = hi
        self._pending.append(hi)

    def ack(self, hi: int) -> None:
        """Note that the range that ends at ``hi`` is done with."""
        self._acked.add(hi)

    def let_commit(self, offset: int) -> None:
        """Raise the ceiling to ``offset``; it never falls."""
        self._ceiling = max(offset, self._ceiling or 0)

    def settle(self) -> int | None:
        """Take the acknowledged prefix off; the offset to commit, or None if nothing moves forward.

        Ranges up to the committed offset (a rewound topic reads them again) count as acknowledged.
        """
        while self._pending and (self._pending[0] in self._acked or self._pending[0] <= self._committed):
            end = self._pending.popleft()
            self._acked.discard(end)
            self._reached = max(self._reached, end)
        reached = self._reached if self._ceiling is None else min(self._reached, self._ceiling)
        if reached <= self._committed:
            return None
        self._committed = reached
        return reached
