"""One line of the log for each decision that was sent, without anything of the person it is about.

The incident's id leads to the alert, which says all. Whoever needs the actor at once sets the level to `debug`.
"""

from collections.abc import Iterable

import structlog

from schemas.alert import Alert
from schemas.block import Block
from streams.live.tally import behind, kinds
from streams.pipeline.policy.decide import Decision

log = structlog.get_logger(__name__)


def tell(decisions: Iterable[Decision]) -> None:
    """Say what was sent: at ``info`` what it is, at ``debug`` whom it is about."""
    for decision in decisions:
        if not isinstance(decision, Alert | Block):
            continue  # a lift only takes away a record of what has been told
        kind, status, action, mode = kinds(decision)
        log.info(
            "decision",
            kind=kind,
            status=status,
            incident=decision.incident,
            scope=decision.actor.scope,
            mode=mode,
            detectors=",".join(behind(decision)),
            profiles=decision.exposure.profiles,
            **_own(decision, action),
        )
        log.debug("its actor", incident=decision.incident, actor=decision.actor.key)


def _own(decision: Alert | Block, action: str) -> dict[str, object]:
    if isinstance(decision, Alert):
        return {"severity": decision.severity.value, "members": decision.members.total}
    return {"action": action, "until": decision.until, "accounts": decision.collateral.accounts}
