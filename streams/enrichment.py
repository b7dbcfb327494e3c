"""ASN and country of addresses, from local files in MaxMind's format.

Files of MaxMind (GeoLite2, GeoIP2), DB-IP and IPinfo name what they hold differently; all are taken. A file is copied
before it is opened: one that is written over in place would otherwise end the process that has it mapped. What is not
whole is not taken, and the one before goes on.
"""

import logging
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import maxminddb

from schemas.errors import ConfigError
from streams.pipeline.observe.origin import Origin
from streams.settings import EnrichSettings

REMEMBERED_MAX: Final = 200_000
"""Addresses whose origin is held; above so many all are looked up anew."""
LOOK_S: Final = 60.0
"""A process that runs on looks so often (wall clock) whether a file has changed."""
_DAMAGED: Final = (maxminddb.InvalidDatabaseError, ValueError, TypeError, SystemError, MemoryError)
"""What reading raises where a file is not what it should be; its compiled reader forgets to say some of it in words."""
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_ASN_END: Final = 1 << 32
_NOWHERE: Final = Origin()
_TRIED: Final = tuple(f"{octet}.1.1.1" for octet in range(1, 224))
"""Looked up in a file before it is taken: a damaged one shows itself in some of them."""

log = logging.getLogger(__name__)

Stamp = tuple[int, int, int]
"""Number, size and time of a file: another one where it has changed."""


class Database:
    """One file, as it was when it was read."""

    def __init__(self, path: Path) -> None:
        """Read a file.

        Raises:
            OSError: it cannot be read.
            ValueError: it is none, or not whole.
        """
        with tempfile.NamedTemporaryFile(prefix="weir-mmdb-") as own, path.open("rb") as file:
            self.stamp = _stamp(path)
            shutil.copyfileobj(file, own)
            own.flush()
            if _stamp(path) != self.stamp:
                raise ValueError("it is being written")
            self._reader, self._v6, self.label = _opened(own.name)

    def get(self, address: str) -> object:
        """What the file says of an address; None where it says nothing, or is damaged there."""
        if ":" in address and not self._v6:
            return None
        try:
            return self._reader.get(address)
        except _DAMAGED:
            return None


def _opened(name: str) -> tuple[maxminddb.Reader, bool, str]:
    """Its reader, whether it knows IPv6, and its kind with the day that it was made on."""
    try:
        reader = maxminddb.open_database(name)
        about = reader.metadata()
        label = f"{about.database_type} {_EPOCH + timedelta(seconds=about.build_epoch):%Y-%m-%d}"
        for address in _TRIED:
            reader.get(address)
    except (*_DAMAGED, OverflowError) as error:
        raise ValueError("this is no whole file in MaxMind's format (.mmdb)") from error
    return reader, about.ip_version == 6, label


def _stamp(path: Path) -> Stamp:
    about = path.stat()
    return about.st_ino, about.st_size, about.st_mtime_ns


def asn_of(record: object) -> int | None:
    """The ASN in a record: MaxMind's and DB-IP's number, IPinfo's text ``AS64500``."""
    for inner in _tables(record):
        number = inner.get("autonomous_system_number", inner.get("asn"))
        if isinstance(number, str):
            digits = number.removeprefix("AS")
            number = int(digits) if digits.isascii() and digits.isdigit() and len(digits) <= 10 else None
        if isinstance(number, int) and 0 < number < _ASN_END:
            return number
    return None


def _tables(record: object) -> Iterator[Mapping[str, object]]:
    if isinstance(record, dict):
        yield record
        # GeoIP2 Enterprise and Insights keep the number one level down.
        if isinstance(record.get("traits"), dict):
            yield record["traits"]


def country_of(record: object) -> bytes | None:
    """The country in a record, where the address is used: MaxMind's and DB-IP's table, IPinfo's code."""
    if not isinstance(record, dict):
        return None
    country = record.get("country")
    code = country.get("iso_code") if isinstance(country, dict) else record.get("country_code", country)
    if isinstance(code, str) and len(code) == 2 and code.isascii() and code.isalpha():
        return code.upper().encode()
    return None


@dataclass(slots=True)
class _Known:
    """The files at one time, and what they have said."""

    asn: Database | None
    country: Database | None
    said: dict[str, Origin] = field(default_factory=dict)

    def look_up(self, address: str) -> Origin:
        """What both files say of an address."""
        found = self.said.get(address)
        if found is None:
            if len(self.said) >= REMEMBERED_MAX:
                self.said.clear()
            found = self.said[address] = self._read(address)
        return found

    def _read(self, address: str) -> Origin:
        asn = asn_of(self.asn.get(address)) if self.asn is not None else None
        country = country_of(self.country.get(address)) if self.country is not None else None
        return Origin(_NOWHERE.asn if asn is None else asn, country or b"")


class Enrichment:
    """The files of ``[enrich]``; the object that `Observer` asks where addresses belong."""

    def __init__(self, settings: EnrichSettings) -> None:
        """Read the files.

        Raises:
            ConfigError: one cannot be read, or is no such file.
        """
        self._paths = {"asn": settings.asn_file, "country": settings.country_file}
        self._refused: dict[str, Stamp | None] = {}
        self._known = _Known(self._first("asn"), self._first("country"))

    def _first(self, name: str) -> Database | None:
        path = self._paths[name]
        try:
            return Database(Path(path)) if path else None
        except (OSError, ValueError) as error:
            raise ConfigError(f"enrich.{name}_file", None, f"{path}: {_reason(error)}") from error

    def __call__(self, addresses: Sequence[str]) -> list[Origin]:
        """Where each address belongs, all by the same files."""
        return list(map(self._known.look_up, addresses))

    @property
    def labels(self) -> dict[str, str]:
        """Kind and day of each file."""
        files = {"asn": self._known.asn, "country": self._known.country}
        return {name: file.label for name, file in files.items() if file is not None}

    def refresh(self) -> bool:
        """Read what has changed since; whether anything has. One that cannot be read is told once, and not taken."""
        asn, country = self._newer("asn", self._known.asn), self._newer("country", self._known.country)
        if asn is self._known.asn and country is self._known.country:
            return False
        self._known = _Known(asn, country)
        labels = self.labels
        log.info("enrich: %s", ", ".join(labels[kind] for kind in labels))
        return True

    def _newer(self, name: str, now: Database | None) -> Database | None:
        if now is None:
            return None
        path, stamp = Path(self._paths[name]), None
        try:
            stamp = _stamp(path)
            if stamp in (now.stamp, self._refused.get(name)):
                return now
            return Database(path)
        except (OSError, ValueError) as error:
            if name not in self._refused or self._refused[name] != stamp:
                log.warning("enrich.%s_file: %s: %s; the one of before goes on", name, path, _reason(error))
            self._refused[name] = stamp
            return now


def _reason(error: OSError | ValueError) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or str(error)


def enrichment_of(settings: EnrichSettings) -> Enrichment | None:
    """The files of a configuration; None where it names none, and whoever asks does without.

    Raises:
        ConfigError: one cannot be read, or is no such file.
    """
    return Enrichment(settings) if settings.asn_file or settings.country_file else None
