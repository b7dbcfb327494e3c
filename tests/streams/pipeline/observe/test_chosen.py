"""Which mistakes a client can make a shipper send."""

import pytest

from streams.pipeline.observe.reading import Dead


@pytest.mark.parametrize(
    ("where", "chosen"),
    [("$.url.path", True), ("$.session.id", True), ("$.weir.targets", True), ("$.user.id", False), ("$", False)],
)
def test_chosen_by_clients(where: str, chosen: bool) -> None:
    """A path or a session that is none is what somebody asked for: no flood, else anybody could stop all judgement."""
    assert Dead(0, 0, where, "holds a NUL").may_be_asked_for is chosen
