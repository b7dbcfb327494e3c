"""Alerts as Alertmanager takes them, and the words for people."""

import re

import msgspec
from hypothesis import given
from msgspec.structs import replace

from schemas.alert import Alert
from schemas.exposure import Exposure
from streams.outputs.alertmanager import TEXT_MAX, Posting, annotations_of, cut, kind_of, postable
from tests.schemas import strategy
from tests.streams.notify.saying import T0_US, US, alert


def test_times() -> None:
    """It ends when the sender says, and never before it began, which Alertmanager would refuse."""
    posting = Posting({"alertname": "x"}, {"summary": "y"}, T0_US)
    assert postable(posting, T0_US + US) == {
        "labels": {"alertname": "x"},
        "annotations": {"summary": "y"},
        "startsAt": "2026-11-24T09:15:00.000Z",
        "endsAt": "2026-11-24T09:15:01.000Z",
    }
    assert postable(posting, T0_US - US)["startsAt"] == "2026-11-24T09:14:59.000Z"


@given(strategy.alerts)
def test_any_alert(one: Alert) -> None:
    """Labels are strings under names that Alertmanager takes; texts have an end, and JSON can hold them."""
    labels, texts = kind_of(one), annotations_of(one)
    assert all(re.fullmatch("[a-zA-Z_][a-zA-Z0-9_]*", name) for name in (*labels, *texts))
    assert all(isinstance(value, str) for value in labels.values())
    assert all(len(text) <= TEXT_MAX for text in texts.values())
    msgspec.json.encode([labels, texts])


def test_nothing_of_an_actor_is_in_the_labels_of_a_kind() -> None:
    """Labels say which alert it is: ten thousand actors must not be ten thousand alerts."""
    assert len({tuple(kind_of(alert(f"i{n}", actor=f"account:{n}", profiles=n)).items()) for n in range(100)}) == 1


def test_words() -> None:
    """An estimate says so, and a long name is cut."""
    about = replace(alert("a"), exposure=Exposure(1_234, False))
    assert annotations_of(about)["summary"] == "account:42 was shown about 1,234 profiles"
    assert cut("x" * 2_000) == "x" * (TEXT_MAX - 3) + "..."
    assert cut("a\ud800b") == "a?b"
