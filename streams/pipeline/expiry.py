"""When an entry of the configuration that has a last day ends."""

from datetime import date
from typing import Final

_DAY_US: Final = 86_400_000_000
_EPOCH: Final = date(1970, 1, 1).toordinal()


def expiry_us(expires: date) -> int:
    """Microseconds at which an entry ends: with the end of its day, UTC."""
    return (expires.toordinal() + 1 - _EPOCH) * _DAY_US
