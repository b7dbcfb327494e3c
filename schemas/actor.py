"""Who is judged: a scope and a value."""

from enum import IntEnum

import msgspec


class Scope(IntEnum):
    """Kinds of actors, the narrowest first; the number is what travels in sighting batches."""

    ACCOUNT = 1
    SESSION = 2
    IP = 3
    NET = 4
    ASN = 5
    FINGERPRINT = 6
    FINGERPRINT_ASN = 7
    """A fingerprint within an ASN: ``<fingerprint>@<number>``."""
    COMBINATION = 8
    """What events of a group that configuration names have in common: ``<name>:<part>@<part>``."""

    @property
    def label(self) -> str:
        """The name as records and configuration spell it."""
        return self.name.lower()


class Actor(msgspec.Struct, frozen=True, gc=False):
    """One actor as records name it: ``{"scope": "ip", "value": "203.0.113.7"}``."""

    scope: str
    value: str

    @property
    def key(self) -> str:
        """``scope:value``, the key of the blocks topic."""
        return f"{self.scope}:{self.value}"
