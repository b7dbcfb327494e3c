"""What may be committed, given deliveries and acknowledgements in any order."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.live.transport.ledger import AckLedger, RangeLostError


def ledger(*ends: int, committed: int = 0, start: int = 0) -> AckLedger:
    """A ledger with delivered ranges that end at ``ends``."""
    made, at = AckLedger(start, committed), start
    for end in ends:
        made.deliver(at, end)
        at = end
    return made


def test_nothing_acknowledged() -> None:
    """Delivery alone commits nothing."""
    assert ledger(10, 20).settle() is None


def test_in_order() -> None:
    """The end of the acknowledged range is the offset to commit, once."""
    made = ledger(10, 20)
    made.ack(10)
    assert made.settle() == 10
    assert made.settle() is None
    made.ack(20)
    assert made.settle() == 20


def test_out_of_order() -> None:
    """A range behind one that is not acknowledged waits for it."""
    made = ledger(10, 20, 30)
    made.ack(20)
    made.ack(30)
    assert made.settle() is None
    made.ack(10)
    assert made.settle() == 30


@pytest.mark.parametrize(("lo", "hi"), [(11, 20), (9, 20)])
def test_break_in_delivery(lo: int, hi: int) -> None:
    """A hole or an overlap between deliveries is an error, on either side."""
    made = ledger(10)
    with pytest.raises(RangeLostError, match="offset 10 should come next"):
        made.deliver(lo, hi)
    made.deliver(10, 20)


def test_start_is_expected() -> None:
    """The first delivery must begin where reading began."""
    with pytest.raises(RangeLostError):
        AckLedger(5, 5).deliver(6, 7)


def test_rewound_never_goes_back() -> None:
    """Ranges up to the committed offset need no acknowledgement and move nothing; the one across it does."""
    made = ledger(10, 20, 30, committed=15)
    made.ack(10)
    assert made.settle() is None
    made.ack(20)
    assert made.settle() == 20
    made.ack(30)
    assert made.settle() == 30


def test_ceiling() -> None:
    """No commit goes above the ceiling, however much is acknowledged; raised, it lets go what was held back."""
    made = AckLedger(0, 0, ceiling=0)
    for lo, hi in ((0, 10), (10, 20)):
        made.deliver(lo, hi)
        made.ack(hi)
    assert made.settle() is None
    made.let_commit(10)
    assert made.settle() == 10
    made.let_commit(15)
    assert made.settle() == 15
    made.let_commit(12)
    made.let_commit(99)
    assert made.settle() == 20, "nor above what is acknowledged"


def test_ceiling_and_beginning() -> None:
    """Where reading begins in the middle, what lies before counts as acknowledged, up to the ceiling."""
    made = AckLedger(30, 10, ceiling=25)
    assert made.settle() == 25
    made.let_commit(40)
    assert made.settle() == 30
    assert AckLedger(30, 10).settle() is None, "without a ceiling nobody has answered for it"


def test_ceiling_over_a_rewound_topic() -> None:
    """A rebuild from the beginning moves nothing until it is beyond the committed offset and allowed to."""
    made = AckLedger(0, 15, ceiling=15)
    for lo, hi in ((0, 10), (10, 20)):
        made.deliver(lo, hi)
        made.ack(hi)
    assert made.settle() is None
    made.let_commit(20)
    assert made.settle() == 20


@given(
    lengths=st.lists(st.integers(1, 5), min_size=1, max_size=12),
    committed=st.integers(0, 30),
    data=st.data(),
)
def test_prefix_only(lengths: list[int], committed: int, data: st.DataObject) -> None:
    """After each acknowledgement in any order, the commit is the end of the unbroken prefix and never goes back."""
    ends = [sum(lengths[: index + 1]) for index in range(len(lengths))]
    made = ledger(*ends, committed=committed)
    acked: set[int] = set()
    reached = committed
    for end in data.draw(st.permutations(ends)):
        made.ack(end)
        acked.add(end)
        prefix = [e for i, e in enumerate(ends) if all(x in acked or x <= committed for x in ends[: i + 1])]
        expected = max(prefix, default=0)
        settled = made.settle()
        assert settled == (expected if expected > reached else None)
        reached = max(reached, expected)
