"""Effective settings: every key of the configuration with its type, unit and default.

This module only says what the keys are. `streams/config.py` reads TOML and the environment into it and says where a
mistake stands. Times of a detector or a policy are event time.
"""

from datetime import date
from typing import Annotated, Final, Literal

import msgspec

from detectors.core.contract import DetectorConfig
from schemas.mode import Mode

_MOST: Final = 10**12  # in microseconds still a number of 64 bits
Positive = Annotated[int, msgspec.Meta(ge=1, le=_MOST)]
NotNegative = Annotated[int, msgspec.Meta(ge=0, le=_MOST)]
ScopeLabel = Literal["account", "session", "ip", "net", "asn", "fingerprint"]
Name = Annotated[str, msgspec.Meta(min_length=1, max_length=200)]


class ModeSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``[mode]``: how far detectors may go."""

    ceiling: Mode = Mode.ENFORCE
    """No detector goes above it."""
    default: Mode = Mode.SHADOW
    """Mode of a detector without a mode of its own."""


class Surface(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``[[surfaces]]``: requests that disclose profiles."""

    kind: Literal["view", "search", "lookup", "list"]
    path: Annotated[str, msgspec.Meta(pattern="^/")]
    """``{profile}`` is the profile's id, ``*`` one segment, ``**`` the rest; matched against path and route."""
    method: str | None = None
    """Any when absent."""
    query: str | None = None
    """The parameter that is searched for."""


class Collector(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``[[collectors]]``: an authorised collector; above its quota it is an ordinary case."""

    actor: Annotated[str, msgspec.Meta(pattern="^[a-z_]+:.+")]
    profiles_per_day: Positive
    owner: Name
    reason: Name
    expires: date


class Allow(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``[[allow]]``: never blocked; findings are still made."""

    actor: Annotated[str, msgspec.Meta(pattern="^[a-z_]+:.+")]
    owner: Name
    reason: Name
    expires: date


class InputSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``[input]``: what is consumed and how its time is read."""

    topic: Name = "http.requests"
    format: Literal["canonical"] = "canonical"
    allowed_lateness_ms: NotNegative = 500
    """How long a sighting waits for earlier ones; later ones are judged at once and counted as late."""
    idle_after_ms: Positive = 2000
    """A source partition without new records for so long stops holding the watermark (wall clock)."""
    time_skew_max_s: NotNegative = 86_400
    """An event whose time is farther from its record's time than this is a dead letter; 0 takes any time."""
    time_ahead_max_s: NotNegative = 300
    """Likewise one that is farther ahead: a clock that runs ahead would drag the watermark with it."""
    record_max_bytes: Positive = 1_000_000
    """A longer record is a dead letter."""


class KafkaSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``[kafka]``: the broker and how it is read."""

    bootstrap: Name = "localhost:9092"
    application: Name = "weir"
    """Consumer group, and prefix of Faust's own topics."""
    prefix: Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9._-]*$", max_length=100)] = ""
    """Stands before the names of Weir's own topics, where several share a broker."""
    partitions: Positive = 48
    """Of the topics that `weir topics create` makes; each can keep one worker busy."""
    replication: Positive = 1
    batch_records: Positive = 10_000
    batch_bytes: Positive = 8_000_000
    fetch_wait_ms: Positive = 30
    session_timeout_ms: Positive = 45_000
    model_wait_ms: NotNegative = 120_000
    """How long sightings wait for the model of their epoch before an older one serves (wall clock).

    More than the session time-out, lest one dead worker makes the others judge by what is out of date.
    """


class PolicySettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``[policy]``: what a finding leads to."""

    cooldown_s: Positive = 900
    """An incident is updated at most so often, or once a block where that is shorter, unless it becomes more severe."""
    incident_close_s: Positive = 14_400
    """An incident without a finding for so long is closed."""
    block_s: Positive = 3_600
    """How long a block lasts; it is extended while findings go on."""
    accounts_max: NotNegative = 2
    """A block on an address or group is refused when more accounts than this stand behind it (24 h)."""
    challenge_scopes: tuple[ScopeLabel, ...] = ("net", "asn")
    """Scopes that are challenged at most, never blocked."""


class ModelSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``[model]``: what is learned, by epoch of event time."""

    epoch_s: Annotated[int, msgspec.Meta(ge=60, le=7_200)] = 3_600
    members: NotNegative = 0
    """Profiles in the member base; 0 estimates them from the ids seen."""
    popularity_half_life_s: Positive = 14 * 86_400
    taste_half_life: Positive = 15_000
    """First contacts after which honest taste has forgotten half."""
    learning_s: NotNegative = 86_400
    """How long the model learns before it speaks: until then no profile counts as unusual."""
    contacts_per_day_max: Positive = 40
    """One principal teaches the model at most so many first contacts a day."""
    profiles_max: Positive = 4_000_000
    """Profiles whose popularity is remembered; the least popular are forgotten first."""


DEFAULT_SURFACES: Final = (
    Surface(kind="view", method="GET", path="/people/{profile}"),
    Surface(kind="search", path="/search/people", query="q"),
)


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """All settings; the defaults hold without a file."""

    mode: ModeSettings = ModeSettings()
    detectors: dict[str, DetectorConfig] = msgspec.field(default_factory=dict)
    """One entry a detector that exists, each of the detector's own type."""
    surfaces: tuple[Surface, ...] = DEFAULT_SURFACES
    collectors: tuple[Collector, ...] = ()
    allow: tuple[Allow, ...] = ()
    input: InputSettings = InputSettings()
    kafka: KafkaSettings = KafkaSettings()
    policy: PolicySettings = PolicySettings()
    model: ModelSettings = ModelSettings()
