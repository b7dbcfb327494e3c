"""The guard over private names: it passes here, and says what moved where something did."""

from importlib.metadata import version

import pytest
from aiokafka.consumer.fetcher import Fetcher
from faust.transport.consumer import Consumer

from streams.live.transport import pins
from streams.live.transport.pins import NAMES, VERSIONS, PinError, check_name, check_pins


def test_installed_versions_fit() -> None:
    """Every name that batches lean on is where it was."""
    check_pins()


def test_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    """A method that is gone is named, with package and version."""
    monkeypatch.delattr(Fetcher, "_proc_fetch_request")
    found = f"aiokafka {version('aiokafka')}: aiokafka.consumer.fetcher.Fetcher._proc_fetch_request is gone; "
    with pytest.raises(PinError, match=found + "Weir's batch transport leans on it"):
        check_pins()


def test_other_parameters(monkeypatch: pytest.MonkeyPatch) -> None:
    """A method that takes something else is named with both parameter lists."""

    def _new_offset(self: Consumer, tp: object, at: int) -> None: ...

    monkeypatch.setattr(Consumer, "_new_offset", _new_offset)
    with pytest.raises(PinError, match=r"Consumer\._new_offset takes \(tp,at\) and not \(tp\)"):
        check_pins()


def test_instance_name_gone() -> None:
    """A name that a constructor does not set any more is found, though no class has it."""
    check_name("aiokafka.consumer.fetcher", "Fetcher", ":_records")
    with pytest.raises(PinError, match=r"Fetcher\(\)\._buffered is gone"):
        check_name("aiokafka.consumer.fetcher", "Fetcher", ":_buffered")


def test_class_gone() -> None:
    """A class that is gone is named."""
    with pytest.raises(PinError, match=r"fetcher\.Fetched is gone"):
        check_name("aiokafka.consumer.fetcher", "Fetched", ".x")


@pytest.mark.parametrize("package", sorted(VERSIONS))
def test_other_version(package: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another version is refused even if every name is there: what a name means may have moved."""
    monkeypatch.setattr(pins, "version", lambda name: "99.0" if name == package else version(name))
    with pytest.raises(PinError, match=f"{package} 99.0 is not {VERSIONS[package]}"):
        check_pins()


def test_every_line_names_something() -> None:
    """A line without a name would check nothing."""
    assert all(len(line.split()) > 2 for line in NAMES.strip().splitlines())
