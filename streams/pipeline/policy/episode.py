"""An incident while it goes on: what is known of it, and the records that it becomes."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import msgspec

from schemas.actor import Actor
from schemas.alert import Alert, AlertMode, AlertStatus, Members, Severity
from schemas.block import Action, Block, BlockMode, BlockStatus, Collateral
from schemas.event_time import format_time
from schemas.exposure import Exposure
from schemas.finding import Finding
from schemas.identity import stable_id
from schemas.incident import Incident, IncidentStatus
from streams.pipeline.policy.confidence import probability


@dataclass(frozen=True, slots=True)
class Moment:
    """When and by what knowledge a decision is made."""

    event_us: int
    decided_us: int
    watermark_us: int
    complete: bool
    config: str
    model: str


class EpisodeState(msgspec.Struct, array_like=True):
    """An `Episode` as a checkpoint keeps it: all of its fields, but the actor's key in place of its slot."""

    key: int
    actor: Actor
    opened: Moment
    first_us: int
    base: int
    id: str
    last_us: int
    latest: Moment
    mode: AlertMode
    severity: Severity
    findings: dict[str, Finding]
    controls: set[str]
    members: Members
    exposure: Exposure
    before_block: Exposure | None
    complete: bool
    level: float
    alerts: int
    blocks: list[str]


@dataclass(slots=True)
class Episode:
    """One incident. Its id follows from the actor, the event that opened it and the config."""

    actor: Actor
    slot: int
    opened: Moment
    first_us: int
    base: int
    """Profiles disclosed to the actor before the episode began."""
    id: str = field(init=False)
    last_us: int = field(init=False)
    latest: Moment = field(init=False)
    """Of the last finding: by its knowledge the incident is closed."""
    mode: AlertMode = AlertMode.SHADOW
    severity: Severity = Severity.LOW
    findings: dict[str, Finding] = field(default_factory=dict)
    controls: set[str] = field(default_factory=set)
    members: Members = field(default_factory=lambda: Members(0, []))
    exposure: Exposure = field(default_factory=lambda: Exposure(0, True))
    before_block: Exposure | None = None
    complete: bool = True
    level: float = 0.0
    """The strongest evidence so far, as a share of what an alert needs."""
    alerts: int = 0
    blocks: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.id = stable_id("incident", self.actor.key, self.opened.event_us, self.opened.config)
        self.last_us, self.latest = self.opened.event_us, self.opened

    def state(self, key: int) -> EpisodeState:
        """What a checkpoint keeps of it; shares what changes with it."""
        return EpisodeState(key, *(getattr(self, name) for name in EpisodeState.__struct_fields__[1:]))

    @classmethod
    def of(cls, state: EpisodeState, slot: int) -> "Episode":
        """The episode as it was, of the actor in ``slot``."""
        episode = cls(state.actor, slot, state.opened, state.first_us, state.base)
        for name in EpisodeState.__struct_fields__[1:]:
            setattr(episode, name, getattr(state, name))
        return episode

    @property
    def confidence(self) -> float:
        """Probability that the actor scrapes, see `confidence.probability`."""
        return round(probability(self.level), 4)

    def strongest_first(self) -> list[Finding]:
        """Findings, one a detector."""
        return sorted(self.findings.values(), key=lambda finding: (-finding.score, finding.detector))

    def take(self, findings: Iterable[Finding], controls: Iterable[str], moment: Moment) -> None:
        """Add what was found at ``moment``; of each detector the strongest finding stays."""
        for finding in findings:
            known = self.findings.get(finding.detector)
            if known is None or finding.score >= known.score:
                self.findings[finding.detector] = finding
        self.controls.update(controls)
        self.last_us, self.latest = max(self.last_us, moment.event_us), moment
        self.complete &= moment.complete

    def alert(self, status: AlertStatus, moment: Moment) -> Alert:
        """The next message on the incident."""
        self.alerts += 1
        return Alert(
            id=stable_id("alert", self.id, self.alerts),
            incident=self.id,
            status=status,
            mode=self.mode,
            severity=self.severity,
            confidence=self.confidence,
            actor=self.actor,
            members=self.members,
            event_time=format_time(moment.event_us),
            decided_at=format_time(moment.decided_us),
            watermark=format_time(moment.watermark_us),
            first_seen=format_time(self.first_us),
            complete=moment.complete,
            findings=self.strongest_first(),
            exposure=self.exposure,
            controls=sorted(self.controls),
            config=moment.config,
            model=moment.model,
        )

    def block(
        self,
        actor: Actor,
        action: Action,
        mode: BlockMode,
        until_us: int,
        why: Mapping[str, str],
        public: str,
        accounts: int,
        moment: Moment,
    ) -> Block:
        """The instruction to enforcement on ``actor``, who may be narrower; ``why`` gives the reason by detector."""
        record = Block(
            id=stable_id("block", self.id, len(self.blocks) + 1),
            incident=self.id,
            actor=actor,
            action=action,
            mode=mode,
            status=BlockStatus.ACTIVE,
            event_time=format_time(moment.event_us),
            decided_at=format_time(moment.decided_us),
            until=format_time(until_us),
            detectors=sorted(why),
            reason="; ".join(dict.fromkeys(why[name] for name in sorted(why))),
            public_reason=public,
            exposure=self.exposure,
            collateral=Collateral(accounts),
            config=moment.config,
            model=moment.model,
        )
        self.blocks.append(record.id)
        if self.before_block is None and mode is BlockMode.ENFORCE and action is Action.BLOCK:
            self.before_block = self.exposure
        return record

    def incident(self, closed_us: int | None) -> Incident:
        """The whole of it as a record."""
        return Incident(
            id=self.id,
            status=IncidentStatus.OPEN if closed_us is None else IncidentStatus.CLOSED,
            mode=self.mode,
            severity=self.severity,
            confidence=self.confidence,
            actor=self.actor,
            members=self.members,
            first_seen=format_time(self.first_us),
            opened=format_time(self.opened.event_us),
            last_seen=format_time(self.last_us),
            closed=None if closed_us is None else format_time(closed_us),
            complete=self.complete,
            findings=self.strongest_first(),
            exposure=self.exposure,
            exposure_before_block=self.before_block,
            alerts=self.alerts,
            blocks=list(self.blocks),
            controls=sorted(self.controls),
            config=self.opened.config,
            model=self.opened.model,
        )
