"""When a worker that cannot connect ends, and when it goes on trying."""

import inspect
import logging
import threading
from collections.abc import Iterator, Mapping
from typing import Any

import aiokafka.client
import pytest
from msgspec.structs import replace

from schemas.errors import TransportError
from streams.live import lockout
from streams.live.lockout import SAYS, TRIES, Lockout, end_when_locked_out
from streams.settings import KafkaSettings, SecuritySettings

KAFKA = KafkaSettings(bootstrap="127.0.0.1:9", security=SecuritySettings(protocol="sasl_plaintext", username="observe"))
REFUSED = "user observe was not let in: no such user"


@pytest.fixture(autouse=True)
def password(monkeypatch: pytest.MonkeyPatch) -> None:
    """One is needed."""
    monkeypatch.setenv("WEIR_KAFKA__SECURITY__PASSWORD", "first")


@pytest.fixture
def client() -> Iterator[logging.Logger]:
    """The logger in which clients say that they could not connect; nobody else of this process listens there."""
    logger = logging.getLogger(SAYS)
    before = list(logger.filters)
    logger.filters.clear()
    yield logger
    logger.filters[:] = before


def ended(client: logging.Logger, monkeypatch: pytest.MonkeyPatch, answers: list[str | None]) -> list[BaseException]:
    """What a worker ends with whose tries come out like this; its client complains all the while."""
    left, errors, passwords = list(answers), list[BaseException](), set[str]()

    def refusal(_: KafkaSettings, known: Mapping[str, Any]) -> str | None:
        passwords.add(known["sasl_plain_password"])
        return left.pop(0) if left else None

    monkeypatch.setattr(lockout, "refusal", refusal)
    client.addFilter(Lockout(KAFKA, errors.append, pause_s=0))
    monkeypatch.setenv("WEIR_KAFKA__SECURITY__PASSWORD", "another")
    while left:
        client.error("Unable connect to node with id %s: %s", 1, "SaslAuthenticationFailed")
        for thread in threading.enumerate():
            if thread.name == "lockout":
                thread.join()
    assert passwords == {"first"}, "the worker has no other by now"
    return errors


def test_clients_say_it_there() -> None:
    """A version of the client that said it elsewhere would have nobody end."""
    assert aiokafka.client.log.name == SAYS
    assert "Unable connect to node" in inspect.getsource(aiokafka.client.AIOKafkaClient._get_conn)


def test_who_is_refused_again_and_again_ends(client: logging.Logger, monkeypatch: pytest.MonkeyPatch) -> None:
    """With what a start would say."""
    (error,) = ended(client, monkeypatch, [REFUSED] * TRIES)
    assert isinstance(error, TransportError)
    assert str(error) == f"kafka 127.0.0.1:9: {REFUSED}"
    assert error.exit_status == 2


def test_who_is_let_in_or_meets_nobody_goes_on(client: logging.Logger, monkeypatch: pytest.MonkeyPatch) -> None:
    """However often: tries that were refused count only on end."""
    assert ended(client, monkeypatch, [*[REFUSED] * (TRIES - 1), None] * 5) == []


def test_one_look_at_a_time(client: logging.Logger, monkeypatch: pytest.MonkeyPatch) -> None:
    """Clients complain ten times a second, and their lines are written; warnings of theirs say nothing of this."""
    go_on, looks = threading.Event(), list[object]()

    def refusal(*_: object) -> None:
        looks.append(1)
        go_on.wait(5)

    monkeypatch.setattr(lockout, "refusal", refusal)
    one = Lockout(KAFKA, looks.append, pause_s=0)
    record = logging.LogRecord(SAYS, logging.ERROR, "", 0, "Unable connect", None, None)
    warning = logging.LogRecord(SAYS, logging.WARNING, "", 0, "Unable to request metadata", None, None)
    assert one.filter(warning)
    assert all(one.filter(record) for _ in range(20))
    go_on.set()
    for thread in threading.enumerate():
        if thread.name == "lockout":
            thread.join()
    assert looks == [1]


def test_no_thread_to_look_in(client: logging.Logger, monkeypatch: pytest.MonkeyPatch) -> None:
    """The client that complains does not fail of it, and the next complaint is looked into."""

    def start(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as full:
        full.setattr(threading.Thread, "start", start)
        client.addFilter(Lockout(KAFKA, lambda _: None, pause_s=0))
        client.error("Unable connect")
    client.filters.clear()
    assert len(ended(client, monkeypatch, [REFUSED] * TRIES)) == 1


@pytest.mark.parametrize("protocol", ["plaintext", "sasl_plaintext"])
def test_only_who_must_show_something(client: logging.Logger, protocol: Any) -> None:
    """Where nobody is asked for a name, nobody can be locked out."""
    security = replace(KAFKA.security, protocol=protocol, username="observe" if protocol != "plaintext" else "")
    before = len(client.filters)
    end_when_locked_out(replace(KAFKA, security=security))
    assert len(client.filters) - before == (protocol != "plaintext")
