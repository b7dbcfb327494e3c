"""How far a detector may go."""

from enum import StrEnum


class Mode(StrEnum):
    """Each mode does all that the ones before it do."""

    OFF = "off"
    SHADOW = "shadow"
    ALERT = "alert"
    ENFORCE = "enforce"

    @property
    def rank(self) -> int:
        """Place in the order off < shadow < alert < enforce, from 0."""
        return list(Mode).index(self)
