"""The configuration file of a process: read whole, or said what is wrong with it and where."""

import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from schemas.errors import ConfigError
from streams.config import parse
from streams.settings import Settings

BYTES_MAX: Final = 1 << 20
"""A hundred times what every key with its comment takes."""


@dataclass(frozen=True, slots=True)
class ConfigFile:
    """A path, and what is put above the file's values."""

    path: Path
    changes: Mapping[str, object] = field(default_factory=dict)
    """Values by dotted key, above the environment's."""

    def content(self) -> bytes:
        """Its bytes.

        Raises:
            ConfigError: it cannot be read, or is larger than any configuration.
        """
        try:
            with self.path.open("rb") as file:
                found = file.read(BYTES_MAX + 1)
        except (OSError, ValueError) as error:
            raise ConfigError(str(self.path), None, getattr(error, "strerror", None) or str(error)) from error
        if len(found) > BYTES_MAX:
            raise ConfigError(str(self.path), None, f"longer than {BYTES_MAX} bytes")
        return found

    def settings(self, content: bytes | None = None) -> Settings:
        """What ``content``, its own by default, says, with what the environment and the changes put above it.

        Raises:
            ConfigError: it cannot be read, or says what it may not.
        """
        found = self.content() if content is None else content
        try:
            text = found.decode()
        except UnicodeDecodeError as error:
            raise ConfigError(str(self.path), None, f"byte {error.start} is not UTF-8") from error
        return parse(text, str(self.path), os.environ, self.changes)

    def load(self) -> "Loaded":
        """Read it once; raises `ConfigError`."""
        content = self.content()
        return Loaded(self, self.settings(content), digest_of(content))

    def digest(self) -> str | None:
        """Of its bytes as they are now; None while there is nothing that could be read: a device or a pipe is not."""
        try:
            return digest_of(self.content()) if self.path.is_file() else None
        except (ConfigError, OSError):
            return None


@dataclass(frozen=True, slots=True)
class Loaded:
    """A file and what it said when it was read."""

    file: ConfigFile
    settings: Settings
    digest: str


def digest_of(content: bytes) -> str:
    """By which contents of a file are told apart."""
    return hashlib.sha256(content).hexdigest()
