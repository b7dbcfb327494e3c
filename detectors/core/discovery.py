"""Finds the detectors: every module of `detectors` that is not a package holds exactly one."""

import importlib
import inspect
import pkgutil
from collections.abc import Mapping
from functools import cache

import detectors
from detectors.core.contract import Detector, DetectorConfig


@cache
def classes() -> Mapping[str, type[Detector[DetectorConfig]]]:
    """Detector classes by id, in the order of their ids."""
    names = sorted(module.name for module in pkgutil.iter_modules(detectors.__path__) if not module.ispkg)
    return {name: _only_detector(name) for name in names}


def _only_detector(name: str) -> type[Detector[DetectorConfig]]:
    module = importlib.import_module(f"detectors.{name}")
    found = [
        member
        for member in vars(module).values()
        if inspect.isclass(member) and issubclass(member, Detector) and member.__module__ == module.__name__
    ]
    if len(found) != 1:
        raise TypeError(f"detectors/{name}.py holds {len(found)} detectors instead of one")
    return found[0]
