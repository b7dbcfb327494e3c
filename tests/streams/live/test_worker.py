"""How a worker process ends."""

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from schemas.errors import ConfigError, TransportError
from streams.live import worker
from streams.live.app import Built
from streams.metrics import WORKER, Metrics
from streams.monitor import bound
from streams.settings import MetricsSettings, Settings


@pytest.fixture
def app(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """An app that nobody starts, in place of the one that `run` builds."""
    made = SimpleNamespace(conf=SimpleNamespace(datadir=None))
    measuring = SimpleNamespace(metrics=Metrics(WORKER), missing=str)
    built = Built(made, measuring, SimpleNamespace(reload=None))  # type: ignore[arg-type]
    monkeypatch.setattr(worker, "build", lambda settings, stages, loaded: built)
    monkeypatch.setattr(worker, "at_hangup", lambda _: None)
    monkeypatch.setattr(worker, "configure", lambda *_: None)
    monkeypatch.setattr(worker, "warm_up", lambda settings: None)
    monkeypatch.setattr(worker, "gc", SimpleNamespace(collect=int, freeze=int, set_threshold=lambda *_: None))
    monkeypatch.setattr(worker, "sys", SimpleNamespace(setswitchinterval=conf_of(made, "switch_s")))
    return made


def conf_of(app: SimpleNamespace, name: str) -> Callable[[object], None]:
    """Notes a value under ``name`` of the app's settings."""
    return lambda value: setattr(app.conf, name, value)


@pytest.mark.parametrize(("ended", "status"), [(0, 0), (1, 70), (71, 70)])
def test_status(monkeypatch: pytest.MonkeyPatch, app: SimpleNamespace, ended: int, status: int) -> None:
    """A stop in good order is 0; whatever else ends Faust is a bug's 70, so that 1 keeps its meaning."""
    there: list[bool] = []

    class Worker:
        def __init__(self, *_: object, **__: object) -> None: ...

        def execute_from_commandline(self) -> None:
            there.append(Path(app.conf.datadir).is_dir())
            raise SystemExit(ended)

    monkeypatch.setattr(worker, "Worker", Worker)
    with pytest.raises(SystemExit) as caught:
        worker.run(Settings(), ("observe",), "info")
    assert caught.value.code == status
    assert app.conf.switch_s < 0.005, "beside the thread that judges the others wait less than by Python's own interval"
    assert there == [True], "Faust's directory is there while it runs"
    assert not Path(app.conf.datadir).exists(), "and gone afterwards, with nothing left in the working directory"


def test_metrics_are_listened_to(monkeypatch: pytest.MonkeyPatch, app: SimpleNamespace) -> None:
    """Where an address is set, a service that answers there runs beside the app; else none does."""
    given: list[int] = []

    class Worker:
        def __init__(self, _: object, *services: object, **__: object) -> None:
            given.append(len(services))

        def execute_from_commandline(self) -> None:
            raise SystemExit(0)

    monkeypatch.setattr(worker, "Worker", Worker)
    for listen in ("", "127.0.0.1:0"):
        with pytest.raises(SystemExit):
            worker.run(Settings(metrics=MetricsSettings(listen)), ("observe",), "info")
    assert given == [0, 1]


def test_a_wrong_address_is_said_before_anything_begins(monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker whose port is taken, or is none, asks the broker for nothing."""
    monkeypatch.setattr(worker, "build", lambda *_, **__: pytest.fail("it began"))
    monkeypatch.setattr(worker, "configure", lambda *_: None)
    with bound("127.0.0.1:0") as taken, pytest.raises(TransportError, match="in use"):
        worker.run(Settings(metrics=MetricsSettings(f"127.0.0.1:{taken.getsockname()[1]}")), ("observe",), "info")
    with pytest.raises(ConfigError, match="no port"):
        worker.run(Settings(metrics=MetricsSettings("127.0.0.1:70000")), ("observe",), "info")
