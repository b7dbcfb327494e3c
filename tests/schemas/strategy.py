"""Hypothesis strategies for every record."""

from collections.abc import Mapping
from typing import Any

from hypothesis import strategies as st

from schemas.actor import Actor
from schemas.alert import Alert, AlertMode, AlertStatus, Members, Severity
from schemas.audit import Audit, AuditKind, Cause, Change, ChangeOf, DegradedReason
from schemas.block import Action, Block, BlockMode, BlockStatus, Collateral
from schemas.collector_day import CollectorDay, Decided, Surfaces
from schemas.config_revision import PublishedConfig
from schemas.dead_letter import DeadLetter
from schemas.event_time import format_time
from schemas.exposure import Exposure
from schemas.finding import Finding
from schemas.incident import Incident, IncidentStatus
from schemas.override import Override, OverrideKind
from schemas.request import RequestEvent
from schemas.sighting import Progress, SightingBatch

YEAR_9999_US = 253_370_764_800_000_000
"""First microsecond of the year 9999, the end of what is read as a time."""

times_us = st.integers(0, YEAR_9999_US - 1)
times = times_us.map(format_time)
texts = st.text(max_size=30)
counts = st.integers(0, 2**63 - 1)
ratios = st.floats(0, 1)
ids = st.text(min_size=1, max_size=40)
revisions = st.text("0123456789abcdef", min_size=1, max_size=64).map(lambda digits: "sha256:" + digits)
actors = st.builds(Actor, scope=texts, value=texts)
numbers = st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False, allow_infinity=False)
findings = st.builds(
    Finding, detector=texts, score=ratios, reason=texts, evidence=st.dictionaries(texts, numbers | texts, max_size=5)
)
exposures = st.builds(Exposure, profiles=counts, exact=st.booleans())
members = st.builds(Members, total=counts, sample=st.lists(actors, max_size=3))

_decided: Mapping[str, st.SearchStrategy[Any]] = {
    "id": ids,
    "actor": actors,
    "exposure": exposures,
    "config": revisions,
    "model": texts,
}
_judged: Mapping[str, st.SearchStrategy[Any]] = {
    "mode": st.sampled_from(AlertMode),
    "severity": st.sampled_from(Severity),
    "confidence": ratios,
    "members": members,
    "first_seen": times,
    "complete": st.booleans(),
    "findings": st.lists(findings, max_size=3),
    "controls": st.lists(texts, max_size=3),
}
alerts = st.builds(
    Alert,
    **_decided,
    **_judged,
    incident=ids,
    status=st.sampled_from(AlertStatus),
    event_time=times,
    decided_at=times,
    watermark=times,
)
blocks = st.builds(
    Block,
    **_decided,
    incident=ids,
    action=st.sampled_from(Action),
    mode=st.sampled_from(BlockMode),
    status=st.sampled_from(BlockStatus),
    event_time=times,
    decided_at=times,
    until=times,
    detectors=st.lists(texts, max_size=3),
    reason=texts,
    public_reason=texts,
    collateral=st.builds(Collateral, accounts=counts),
)
incidents = st.builds(
    Incident,
    **_decided,
    **_judged,
    status=st.sampled_from(IncidentStatus),
    opened=times,
    last_seen=times,
    closed=st.none() | times,
    exposure_before_block=st.none() | exposures,
    alerts=counts,
    blocks=st.lists(ids, max_size=3),
)
audits = st.builds(
    Audit,
    id=ids,
    kind=st.sampled_from(AuditKind),
    time=times,
    who=texts,
    causes=st.lists(st.builds(Cause, reason=st.sampled_from(DegradedReason), detail=texts), max_size=4),
    config=revisions,
    change=st.none()
    | st.builds(Change, of=st.sampled_from(ChangeOf), subject=texts, before=texts, after=texts, reason=texts),
    counted=st.none()
    | st.builds(
        CollectorDay,
        actor=st.just("account:crm-sync"),
        day=st.just("2026-11-24"),
        owner=texts,
        reason=texts,
        expires=st.just("2027-06-30"),
        quota=counts,
        requests=counts,
        profiles=counts,
        surfaces=st.builds(Surfaces, view=counts, search=counts, lookup=counts, list=counts, empty=counts),
        decided=st.lists(st.builds(Decided, id=ids, incident=ids, at=times, what=texts), max_size=2),
        missing=st.lists(texts, max_size=2),
    ),
)
published = st.builds(
    PublishedConfig,
    id=ids,
    revision=revisions,
    text=texts,
    in_force_from=times,
    pushed_at=times,
    who=texts,
    reason=texts,
)
overrides = st.builds(
    Override,
    id=ids,
    kind=st.sampled_from(OverrideKind),
    owner=texts,
    reason=texts,
    since=times,
    until=st.none() | times,
    actor=st.none() | actors,
    action=st.none() | st.sampled_from(Action),
    detector=st.none() | texts,
    config=st.none() | revisions,
)
dead_letters = st.builds(
    DeadLetter, topic=texts, partition=counts, offset=counts, exception=texts, message=texts, stage=texts
)
_watermarks = st.integers(-1, YEAR_9999_US)
_progress = st.builds(Progress, partition=counts, lo=counts, hi=counts, watermark_us=_watermarks)
sighting_batches = st.builds(
    SightingBatch,
    version=counts,
    others=st.lists(_progress, max_size=3),
    partition=counts,
    lo=counts,
    start=counts,
    hi=counts,
    watermark_us=_watermarks,
)

request_times = times | st.integers(0, 2**63 - 1) | st.floats(0, 2**62)
optional_texts = st.none() | texts
request_events = st.builds(
    RequestEvent,
    time=request_times,
    method=texts,
    path=texts,
    address=optional_texts,
    user=st.text(min_size=1, max_size=30),
    session=optional_texts,
    status=st.none() | st.integers(0, 999),
    route=optional_texts,
    query=optional_texts,
    server=optional_texts,
    request_id=optional_texts,
    user_agent=optional_texts,
    referer=optional_texts,
    asn=st.none() | st.integers(0, 2**32 - 1),
    country=optional_texts,
    ja4=optional_texts,
    ja3=optional_texts,
    peer=optional_texts,
    target=optional_texts,
    targets=st.none() | st.lists(texts, max_size=3),
    tier=optional_texts,
    created_at=st.none() | request_times,
)

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=8,
)
"""Anything that Python's json writes, NaN and numbers beyond 64 bits among it."""
