"""What stands against an actor: its record on the blocks topic."""

from typing import NamedTuple

from schemas.actor import Actor
from schemas.block import Action, Block, BlockMode


class Standing(NamedTuple):
    """The record on the blocks topic that an actor has."""

    until_us: int
    actor: Actor
    mode: BlockMode
    action: Action
    since_us: int
    """Event from which on, without a gap, something of this mode has stood."""
    detectors: tuple[str, ...]
    """On whose word."""
    config: str
    """Revision that it was decided under."""
    record: Block | None = None
    """Of what is enforced: the record itself, since who takes it back must write all of it. Or what took it back, until
    that can be sent."""
    around: tuple[Actor, ...] = ()
    """Whom else an operator may name to spare the actor: the account of a session, what a group lies within."""

    @property
    def named(self) -> tuple[Actor, ...]:
        """The actor, and then those around it."""
        return self.actor, *self.around

    @property
    def enforced(self) -> bool:
        """Enforcers act on it."""
        return self.mode is BlockMode.ENFORCE

    @property
    def blocks(self) -> bool:
        """Enforcers deny every request."""
        return self.enforced and self.action is Action.BLOCK

    def outweighs(self, mode: BlockMode, action: Action) -> bool:
        """It must not give way to a record with this mode and action: what is enforced goes first, then the ladder."""
        return (self.enforced, self.action.rank) > (mode is BlockMode.ENFORCE, action.rank)

    def withdrawn(self, time_us: int) -> "Standing":
        """The same as it is once the record has been taken back: nobody enforces it, and its tombstone is still due."""
        return self._replace(mode=BlockMode.SHADOW, since_us=time_us, record=None)
