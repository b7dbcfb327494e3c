"""Settings with limits that no operator may set, so that a handful of requests is enough to trip them."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from unittest.mock import patch

from streams import config
from streams.settings import Settings


@contextmanager
def no_floors() -> Iterator[None]:
    """Meanwhile the floors of detectors are not looked at; all else is checked."""
    with patch.object(config, "require_floors", lambda *_: None):
        yield


def low(text: str, changes: Mapping[str, object] | None = None) -> Settings:
    """As `config.parse` reads it, whatever the floors say."""
    with no_floors():
        return config.parse(text, changes=changes)
