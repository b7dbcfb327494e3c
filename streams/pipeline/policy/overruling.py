"""What overrides do to the decisions of one partition, and the records that say so.

Whichever comes first, the override or the block, things end right: a decider that reads an override takes back what it
has decided against it, under an id that follows from block and override, and from then on decides nothing of the kind.
"""

from collections.abc import Iterator, Mapping, MutableMapping, Sequence
from dataclasses import replace as with_fields
from typing import Final

from msgspec.structs import replace

from schemas.actor import Actor
from schemas.block import Action, Block, BlockMode, BlockStatus, Collateral
from schemas.event_time import format_time
from schemas.exposure import Exposure
from schemas.identity import stable_id
from schemas.mode import Mode
from schemas.override import EVERYTHING, Override
from streams.pipeline.actors.store import Actors
from streams.pipeline.policy.case import Case
from streams.pipeline.policy.lifetime import forgive
from streams.pipeline.policy.overrides import NEVER, Overrides, Stage
from streams.pipeline.policy.standing import Standing

PUBLIC_REASON: Final = "decided by an operator"


class Overruling:
    """The overrides as one decider heeds them."""

    def __init__(self, overrides: Overrides | None = None) -> None:
        """Without any nothing is overruled."""
        self._all = overrides or Overrides()
        self._as_they_stand = True
        self._stage: Stage | None = None
        self._ordered: set[str] = set()
        """Operators' blocks that have been said once more."""
        self._said: dict[str, Override] = {}
        """Those among them that were said here."""
        self._aside: tuple[set[str], dict[str, Override]] = set(), {}
        """The same two of when overrides were gone by otherwise; see `heed`."""
        self._covered: dict[Actor, int] = {}
        """On whom something stronger stands than an operator's block, and until when, in us."""

    @property
    def overrides(self) -> Overrides:
        """Those that are gone by."""
        return self._all if self._as_they_stand else self._all.in_time

    def heed(self, as_they_stand: bool) -> None:
        """Go by overrides as they stand, or as each stood in event time.

        The latter while it is judged once more what was decided and sent before: what stood then must be known again,
        and what was taken back must not count. Nothing is sent meanwhile, so afterwards `overrule` says what was taken
        back once more: who decided it may have ended before.
        """
        if as_they_stand != self._as_they_stand:
            self._as_they_stand, self._stage = as_they_stand, None
            # Nothing is sent there, so what was said there of operators' blocks counts for nothing here.
            (self._ordered, self._said), self._aside = self._aside, (self._ordered, self._said)

    def due(self, time_us: int) -> bool:
        """Whether `overrule` has something to look at."""
        stands = self._as_they_stand and self._stage == self.overrides.stage(time_us)
        return not stands or min(self._covered.values(), default=NEVER) <= time_us

    def restrain(self, case: Case, config: str, event_us: int) -> Case:
        """The same with every mode that kill switches and revokes do not allow lowered to alert."""
        off = self.overrides.off(config, event_us)
        if not off:
            return case
        judged = [
            with_fields(one, mode=Mode.ALERT)
            if one.mode is Mode.ENFORCE and not off.isdisjoint((EVERYTHING, one.detector.name))
            else one
            for one in case.judged
        ]
        return with_fields(case, judged=judged, fused=with_fields(case.fused, off=off))

    def forbids(self, named: Sequence[Actor], mode: BlockMode, action: Action, event_us: int) -> bool:
        """Nothing may be said against an actor: it is spared, or an operator has said as much or more.

        ``named`` is the actor, and then what it lies within.
        """
        order = self.overrides.ordered(named[0], event_us)
        if order is not None and (mode is not BlockMode.ENFORCE or action.rank <= action_of(order).rank):
            return True
        return self.overrides.spares(named, event_us) is not None

    def order_on(self, actor: Actor, config: str, time_us: int) -> Block | None:
        """The operator's block that is in force on an actor, to be said again as another record gives way."""
        order = self.overrides.ordered(actor, time_us)
        return None if order is None else self._say(order, config)

    def cover(self, actor: Actor, event_us: int, until_us: int) -> None:
        """Something that is enforced stands on an actor from now on, over an operator's block perhaps.

        When it has ended by the clock that block is in force again: no request need come to move the watermark on.
        """
        if self.overrides.at_once and self.overrides.ordered(actor, event_us) is not None:
            self._covered[actor] = until_us

    def _uncover(self, config: str, time_us: int) -> Iterator[Block]:
        """Say operators' blocks again over which something stood that has ended."""
        for actor in [actor for actor, until_us in self._covered.items() if until_us <= time_us]:
            del self._covered[actor]
            order = self.overrides.ordered(actor, time_us)
            if order is not None:
                yield self._say(order, config)

    def overrule(
        self,
        standings: MutableMapping[int, Standing],
        actors: Actors,
        config: str,
        time_us: int,
        decided_us: int,
    ) -> Iterator[Block]:
        """Take back what stands against an override that has come since the last call.

        A standing that is taken back stays as one that nobody enforces, so that its tombstone comes at its end.
        """
        if self._as_they_stand:
            yield from self._uncover(config, time_us)
        stage = self.overrides.stage(time_us)
        if stage == self._stage:
            return
        self._stage = stage
        for slot, standing in list(standings.items()):
            record = standing.record
            if record is not None and record.status is BlockStatus.REVOKED:
                if self._as_they_stand:
                    standings[slot] = standing._replace(record=None)
                    if time_us < standing.until_us:
                        yield record
                continue
            why = None if record is None else self._against(standing, time_us)
            if record is not None and why is not None:
                made, withdrawn = taken_back(record, why, decided_us), standing.withdrawn(time_us)
                # Where nothing is sent it is kept, also in a checkpoint, until it can be said.
                standings[slot] = withdrawn if self._as_they_stand else withdrawn._replace(record=made)
                if standing.blocks:
                    forgive(actors.columns, slot, time_us)
                actors.touched.actors[slot] = True
                yield made
                order = self.overrides.ordered(standing.actor, time_us)
                if order is not None:
                    yield self._say(order, config)
        yield from self._unsay(standings, actors, config, time_us, decided_us)
        yield from self._say_orders(standings, actors, config, time_us)

    def _against(self, standing: Standing, time_us: int) -> Override | None:
        if time_us >= standing.until_us:
            return None
        return self.overrides.against(standing.named, standing.detectors, standing.config, time_us)

    def _say_orders(
        self, standings: MutableMapping[int, Standing], actors: Actors, config: str, time_us: int
    ) -> Iterator[Block]:
        """Say operators' blocks again on actors that are remembered here, and in a replay, where nobody else does, all.

        What was decided on such an actor before the order was read may have been written after it, and hide it.
        """
        orders = [order for order in self.overrides.orders(time_us) if order.id not in self._ordered]
        self._ordered = {order.id for order in self.overrides.orders(time_us)}
        for order in orders:
            slots = [] if order.actor is None else actors.find(order.actor)
            over = [one for slot in slots if (one := standings.get(slot)) is not None and self._goes_before(one, order)]
            if over:
                self.cover(over[0].actor, time_us, max(one.until_us for one in over))
                continue
            for slot in slots:
                standings.pop(slot, None)
            if slots or not self.overrides.at_once:
                yield self._say(order, config)

    def _say(self, order: Override, config: str) -> Block:
        self._said[order.id] = order
        return block_of(order, config)

    def _unsay(
        self, standings: Mapping[int, Standing], actors: Actors, config: str, time_us: int, decided_us: int
    ) -> Iterator[Block]:
        """Take back what was said here of orders that are in force no more.

        Whoever ended an order has taken it back, but what was said here meanwhile may have been written after that.
        """
        in_force = {order.id for order in self.overrides.orders(time_us)}
        for gone in [order for order in self._said.values() if order.id not in in_force]:
            del self._said[gone.id]
            actor = gone.actor
            if actor is None or not self.overrides.at_once or format_time(time_us) >= (gone.until or ""):
                continue
            others = (standings.get(slot) for slot in actors.find(actor))
            if self.overrides.ordered(actor, time_us) is None and all(one is None or not one.record for one in others):
                why = self.overrides.switched_off(EVERYTHING, time_us) or self.overrides.spares((actor,), time_us)
                yield taken_back(block_of(gone, config), why or gone, decided_us)

    def _goes_before(self, standing: Standing, order: Override) -> bool:
        """What stands was decided after the order, and is stronger: it is met again after a restart."""
        record = standing.record
        if record is None or record.status is BlockStatus.REVOKED or record.action.rank <= action_of(order).rank:
            return False
        # What is judged once more was decided long before the clock that it is dated by.
        return (record.decided_at if self._as_they_stand else record.event_time) >= order.since


def action_of(order: Override) -> Action:
    """What an operator's block asks for."""
    return Action.BLOCK if order.action is None else order.action


def taken_back(block: Block, override: Override, decided_us: int) -> Block:
    """The record that takes a block back; the same block and override give the same id."""
    return replace(
        block,
        id=stable_id("revoke", block.id, override.id),
        status=BlockStatus.REVOKED,
        decided_at=format_time(decided_us),
        reason=reason_of(override),
        public_reason=PUBLIC_REASON,
    )


def block_of(order: Override, config: str) -> Block:
    """An operator's block as enforcers are told it; ``config`` is the revision of whoever says it.

    Raises:
        ValueError: the override is none of an actor, or has no end.
    """
    if order.actor is None or order.until is None:
        raise ValueError("only an override of an actor with an end is a block")
    return Block(
        id=stable_id("block", order.id),
        incident=order.id,
        actor=order.actor,
        action=action_of(order),
        mode=BlockMode.ENFORCE,
        status=BlockStatus.ACTIVE,
        event_time=order.since,
        decided_at=order.since,
        until=order.until,
        detectors=[],
        reason=reason_of(order),
        public_reason=PUBLIC_REASON,
        exposure=Exposure(0, False),
        collateral=Collateral(0),
        config=config,
        model="none",
    )


def reason_of(override: Override) -> str:
    """Who says so, and why."""
    kind = override.kind.value.replace("_", " ")
    return f"{kind} by {override.owner}: {override.reason}"
