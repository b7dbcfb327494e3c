"""ASN and country of addresses, from local files in MaxMind's format.

Files of MaxMind (GeoLite2, GeoIP2), DB-IP, IPinfo, IP2Location and others name what they hold differently; all are
taken, and of any other layout the configuration says where to look. A file in which nothing is found there is refused.
A file is copied before it is opened: one that is written over in place would otherwise end the process that has it
mapped. What is not taken leaves the one before.
"""

import logging
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
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
_TRIED: Final = tuple(f"{octet}.{next_}.1.1" for octet in range(1, 224) for next_ in (1, 67, 133, 203))
"""Looked up in a file before it is taken: a damaged one shows itself in some, and one of another layout in all."""
ASN_NAMES: Final = ("autonomous_system_number", "asn", "as_number")
COUNTRY_NAMES: Final = ("country_code", "country_iso_code", "country")
_NAMED_MAX: Final = 12
"""Fields of a file of another layout that are told."""

log = logging.getLogger(__name__)

Stamp = tuple[int, int, int]
"""Number, size and time of a file: another one where it has changed."""


class Database:
    """One file, as it was when it was read."""

    def __init__(self, path: Path, read: "Reads") -> None:
        """Read a file, of whose records ``read`` is wanted.

        Raises:
            OSError: it cannot be read.
            ValueError: it is none, or not whole, or has no such thing.
        """
        with tempfile.NamedTemporaryFile(prefix="weir-mmdb-") as own, path.open("rb") as file:
            self.stamp = _stamp(path)
            shutil.copyfileobj(file, own)
            own.flush()
            if _stamp(path) != self.stamp:
                raise ValueError("it is being written")
            self._reader, self._v6, self.label, found = _opened(own.name)
        if found and all(read(record) is None for record in found):
            raise ValueError(f"none of {len(found)} records has {read.wanted}; they have {', '.join(_names(found))}")

    def get(self, address: str) -> object:
        """What the file says of an address; None where it says nothing, or is damaged there."""
        if ":" in address and not self._v6:
            return None
        try:
            return self._reader.get(address)
        except _DAMAGED:
            return None


def _opened(name: str) -> tuple[maxminddb.Reader, bool, str, list[object]]:
    """Its reader, whether it knows IPv6, its kind with the day that it was made on, and some records."""
    try:
        reader = maxminddb.open_database(name)
        about = reader.metadata()
        label = f"{about.database_type} {_EPOCH + timedelta(seconds=about.build_epoch):%Y-%m-%d}"
        found = [record for address in _TRIED if (record := reader.get(address)) is not None]
    except (*_DAMAGED, OverflowError) as error:
        raise ValueError("this is no whole file in MaxMind's format (.mmdb)") from error
    return reader, about.ip_version == 6, label, found


def _names(records: Sequence[object]) -> list[str]:
    """Fields of some records, those of tables within them with a dot."""
    found: dict[str, None] = {}
    for record in records:
        for name, value in record.items() if isinstance(record, dict) else ():
            inner = value if isinstance(value, dict) else None
            found |= dict.fromkeys(
                [ascii(name)[1:-1]] if not inner else [ascii(f"{name}.{one}")[1:-1] for one in inner]
            )
    more = ["..."] if len(found) > _NAMED_MAX else []
    return [*sorted(found)[:_NAMED_MAX], *more] or ["no fields"]


def _stamp(path: Path) -> Stamp:
    about = path.stat()
    return about.st_ino, about.st_size, about.st_mtime_ns


def asn_of(record: object) -> int | None:
    """The ASN in a record, wherever one of the vendors has it: a number, or text as ``AS64500``."""
    for inner in _tables(record):
        for name in ASN_NAMES:
            number = _asn(inner.get(name))
            if number is not None:
                return number
    return None


def _asn(number: object) -> int | None:
    if isinstance(number, str):
        digits = number.removeprefix("AS")
        number = int(digits) if digits.isascii() and digits.isdigit() and len(digits) <= 10 else None
    return number if isinstance(number, int) and not isinstance(number, bool) and 0 < number < _ASN_END else None


def _tables(record: object) -> Iterator[Mapping[str, object]]:
    if isinstance(record, dict):
        yield record
        # GeoIP2 Enterprise and DB-IP's of providers keep the number one level down, others in a table of the ASN's own.
        for name in ("traits", "asn", "as"):
            if isinstance(record.get(name), dict):
                yield record[name]


def country_of(record: object) -> bytes | None:
    """The country in a record, where the address is used: a table with its code, or the code."""
    if not isinstance(record, dict):
        return None
    country = record.get("country")
    if isinstance(country, dict):
        return _country(country.get("iso_code", country.get("code")))
    return next((code for name in COUNTRY_NAMES if (code := _country(record.get(name))) is not None), None)


def _country(code: object) -> bytes | None:
    if isinstance(code, str) and len(code) == 2 and code.isascii() and code.isalpha():
        return code.upper().encode()
    return None


@dataclass(frozen=True, slots=True)
class Reads:
    """How what is wanted is read off a record: where a path says, or where vendors have it."""

    path: str
    known: Callable[[object], int | bytes | None]
    """Of a whole record, without a path."""
    given: Callable[[object], int | bytes | None]
    """Of the value at the path."""
    noun: str

    @property
    def wanted(self) -> str:
        """In words."""
        return f"{self.noun} in {self.path}" if self.path else f"{self.noun} where a vendor that is known has one"

    def __call__(self, record: object) -> int | bytes | None:
        """None where the record does not say it."""
        if not self.path:
            return self.known(record)
        for name in self.path.split("."):
            record = record.get(name) if isinstance(record, dict) else None
        return self.given(record)


@dataclass(slots=True)
class _Known:
    """The files at one time, and what they have said."""

    asn: Database | None
    country: Database | None
    reads: Mapping[str, Reads]
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
        asn = self.reads["asn"](self.asn.get(address)) if self.asn is not None else None
        country = self.reads["country"](self.country.get(address)) if self.country is not None else None
        return Origin(asn if isinstance(asn, int) else _NOWHERE.asn, country if isinstance(country, bytes) else b"")


class Enrichment:
    """The files of ``[enrich]``; the object that `Observer` asks where addresses belong."""

    def __init__(self, settings: EnrichSettings) -> None:
        """Read the files.

        Raises:
            ConfigError: one cannot be read, or is no such file.
        """
        self._paths = {"asn": settings.asn_file, "country": settings.country_file}
        self._refused: dict[str, Stamp | None] = {}
        self._reads = {
            "asn": Reads(settings.asn_field, asn_of, _asn, "an ASN"),
            "country": Reads(settings.country_field, country_of, _country, "a country"),
        }
        self._known = _Known(self._first("asn"), self._first("country"), self._reads)

    def _first(self, name: str) -> Database | None:
        path = self._paths[name]
        try:
            return Database(Path(path), self._reads[name]) if path else None
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
        self._known = _Known(asn, country, self._reads)
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
            return Database(path, self._reads[name])
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
