"""Which messages go together."""

from hypothesis import given
from hypothesis import strategies as st

from schemas.alert import AlertStatus, Severity
from streams.notify.webhook import ALERTS_MAX, batches
from streams.outputs.webhook import of_alert
from tests.streams.notify.saying import alert


def test_a_wave_goes_together() -> None:
    """Messages of one kind are one, up to a limit."""
    messages = [of_alert(alert(f"i{number}"), {}) for number in range(120)]
    assert [len(batch) for batch in batches(messages)] == [ALERTS_MAX, ALERTS_MAX, 20]


@given(st.lists(st.tuples(st.integers(0, 5), st.sampled_from(Severity)), max_size=200))
def test_order(said: list[tuple[int, Severity]]) -> None:
    """Nothing is lost or doubled, labels of a batch are equal, and what is told of one incident stays in order."""
    messages = [of_alert(alert(f"i{n}", AlertStatus.UPDATED, at, severity=s), {}) for at, (n, s) in enumerate(said)]
    found = list(batches(messages))
    assert all(len({one.group for one in batch}) == 1 and len(batch) <= ALERTS_MAX for batch in found)
    told = [one for batch in found for one in batch]
    assert sorted(one.id for one in told) == sorted(one.id for one in messages)
    for incident in {one.subject for one in messages}:
        assert [one.id for one in told if one.subject == incident] == [
            one.id for one in messages if one.subject == incident
        ]
