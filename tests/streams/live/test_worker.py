"""How a worker process ends."""

from pathlib import Path
from types import SimpleNamespace

import pytest

from streams.live import worker
from streams.settings import Settings


@pytest.fixture
def app(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """An app that nobody starts, in place of the one that `run` builds."""
    made = SimpleNamespace(conf=SimpleNamespace(datadir=None))
    monkeypatch.setattr(worker, "build", lambda settings, stages: made)
    monkeypatch.setattr(worker, "warm_up", lambda settings: None)
    monkeypatch.setattr(worker, "gc", SimpleNamespace(collect=int, freeze=int, set_threshold=lambda *_: None))
    return made


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
    assert there == [True], "Faust's directory is there while it runs"
    assert not Path(app.conf.datadir).exists(), "and gone afterwards, with nothing left in the working directory"
