"""Records that hold several: a JSON array, or lines."""

from typing import Final

import msgspec

from schemas.codec import DECODE_ERRORS
from schemas.errors import RecordError

PARTS_MAX: Final = 10_000
"""Of one record: what a batch of a shipper holds, and as many sightings as one message carries."""

_ARRAY: Final = msgspec.json.Decoder(list[msgspec.Raw])


def parts_of(value: bytes) -> list[bytes] | None:
    """The parts of a record in their order; None where it is one by itself.

    Raises:
        RecordError: there are more than PARTS_MAX.
    """
    found = _array(value) if value[:1] == b"[" else None
    if found is None and b"\n" in value.strip():
        found = [line.rstrip(b"\r") for line in value.split(b"\n") if line.strip()]
    if found is not None and len(found) > PARTS_MAX:
        raise RecordError("$", f"holds more than {PARTS_MAX} events")
    return found


def _array(value: bytes) -> list[bytes] | None:
    try:
        return [bytes(part) for part in _ARRAY.decode(value)]
    except DECODE_ERRORS:
        return None
