"""Refusals of a broker in mid-stream: told apart from bugs, and told as at the start."""

import pytest
from aiokafka import errors

from schemas.errors import TransportError
from streams.live import access
from streams.live.refused import refused
from streams.settings import KafkaSettings, SecuritySettings, Settings

SETTINGS = Settings(
    kafka=KafkaSettings(bootstrap="kafka:9092", security=SecuritySettings(protocol="sasl_ssl", username="observe"))
)
NAMED = "kafka kafka:9092: user observe may not WRITE topic weir.activity.v1; deploy/README.md has the rules of observe"


def asked(monkeypatch: pytest.MonkeyPatch, answer: Exception | None) -> None:
    """What comes of asking for all rights."""

    def require(*_: object) -> None:
        if answer is not None:
            raise answer

    monkeypatch.setattr(access, "require", require)


@pytest.mark.parametrize("error", [LookupError("a bug"), OSError("disk"), errors.MessageSizeTooLargeError("topic")])
def test_a_bug(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    """What is wrong with Weir or with what it sends is no matter of the broker's."""
    asked(monkeypatch, TransportError(NAMED))
    assert refused(error, SETTINGS, ["observe"], ends=True) is None


@pytest.mark.parametrize("error", [errors.KafkaTimeoutError(), errors.LeaderNotAvailableError("weir.alerts.v1")])
def test_an_outage(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    """What would have passed in a shorter outage is told in a line, and nobody asks for rights."""
    asked(monkeypatch, TransportError(NAMED))
    assert refused(error, SETTINGS, ["observe"]) is None, "it may pass"
    said = str(refused(error, SETTINGS, ["observe"], ends=True))
    assert said.startswith("kafka kafka:9092: ")
    assert type(error).__name__ in said
    assert "may not" not in said


def test_the_right_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """The line is that of a start which lacks the same right."""
    asked(monkeypatch, TransportError(NAMED))
    assert str(refused(errors.TopicAuthorizationFailedError("weir.activity.v1"), SETTINGS, ["observe"])) == NAMED


def test_behind_another_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """The group's coordinator wraps what it was refused."""
    asked(monkeypatch, TransportError(NAMED))
    wrapped = errors.KafkaError("Unexpected error during coordination")
    wrapped.__cause__ = errors.GroupAuthorizationFailedError("weir")
    assert str(refused(wrapped, SETTINGS, ["observe"])) == NAMED


@pytest.mark.parametrize(
    "answer", [None, TransportError("kafka kafka:9092: no answer within 8 s"), RuntimeError("of the client")]
)
def test_what_the_broker_said_will_do(monkeypatch: pytest.MonkeyPatch, answer: Exception | None) -> None:
    """Where asking does not tell, the line has whoever was refused and what the broker said."""
    asked(monkeypatch, answer)
    said = str(refused(errors.TopicAuthorizationFailedError("weir.activity.v1"), SETTINGS, ["observe"]))
    assert said.startswith("kafka kafka:9092: user observe is refused, ")
    assert said.endswith("TopicAuthorizationFailedError: weir.activity.v1")
