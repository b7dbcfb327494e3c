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
PositiveNumber = Annotated[float, msgspec.Meta(gt=0.0)]
NotNegative = Annotated[int, msgspec.Meta(ge=0, le=_MOST)]
ScopeLabel = Literal["account", "session", "ip", "net", "asn", "fingerprint", "fingerprint_asn", "combination"]
GROUPS_MAX: Final = 4
"""Each costs a sighting an event."""
COMBINED_MAX: Final = 3
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


class Group(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``[[groups]]``: what has all of these in common is a group, the actor ``combination:<name>:<part>@<part>``."""

    name: Annotated[str, msgspec.Meta(pattern="^[a-z][a-z0-9_]*$", max_length=32)]
    of: Annotated[
        tuple[Literal["net", "asn", "fingerprint", "country", "agent", "tier"], ...],
        msgspec.Meta(min_length=2, max_length=COMBINED_MAX),
    ]
    """Its parts; `agent` is the user agent, told by XXH64 of its text in 16 hexadecimal digits."""


class Allow(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``[[allow]]``: never blocked; findings are still made."""

    actor: Annotated[str, msgspec.Meta(pattern="^[a-z_]+:.+")]
    owner: Name
    reason: Name
    expires: date


class Bot(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``[[bots]]``: a verified robot; what it asks without an account is never judged."""

    name: Name
    ranges: Annotated[tuple[str, ...], msgspec.Meta(min_length=1)]
    """Its addresses, as its operator publishes them; of IPv6 none longer than /64."""
    listed: date
    """Of when the operator's list is."""
    owner: Name
    reason: Name
    expires: date
    """With the end of that day, UTC, the ranges are forgotten."""
    user_agent: Name | None = None
    """What its user agent contains, whatever the case of ASCII letters; any when absent."""


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


FilePath = Annotated[str, msgspec.Meta(max_length=4096)]
Protocol = Literal["plaintext", "ssl", "sasl_plaintext", "sasl_ssl"]


class SecuritySettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``[kafka.security]``: who Weir is to the broker, and how it knows the broker.

    Passwords are no settings: they stand in files of their own or in the environment, and are read when a connection is
    made (`streams/live/connection.py`).
    """

    protocol: Protocol = "plaintext"
    mechanism: Literal["SCRAM-SHA-256", "SCRAM-SHA-512", "PLAIN"] = "SCRAM-SHA-512"
    """Of the two protocols with SASL."""
    username: Annotated[str, msgspec.Meta(max_length=200)] = ""
    password_file: FilePath = ""
    """Its first line; in place of it the environment may have ``WEIR_KAFKA__SECURITY__PASSWORD``."""
    ca_file: FilePath = ""
    """PEM with who may sign the broker's certificate; empty takes those that the system trusts."""
    certificate_file: FilePath = ""
    """PEM with Weir's own certificate, for mutual TLS, and what links it to the broker's CA."""
    key_file: FilePath = ""
    """PEM with its key; empty where the certificate's file holds that too."""
    key_password_file: FilePath = ""
    """Of an encrypted key; in place of it the environment may have ``WEIR_KAFKA__SECURITY__KEY_PASSWORD``."""

    @property
    def sasl(self) -> bool:
        """Whether a name and a password are shown."""
        return self.protocol.startswith("sasl_")

    @property
    def tls(self) -> bool:
        """Whether the way to the broker is encrypted."""
        return self.protocol.endswith("ssl")


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
    security: SecuritySettings = SecuritySettings()


class ServeSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``[serve]``: blocks for enforcers, as CrowdSec's local API."""

    listen: Annotated[str, msgspec.Meta(pattern=r"^\S+:[0-9]{1,5}$", max_length=300)] = "127.0.0.1:8080"
    """Address and port; beyond loopback take a certificate, since keys would be readable on the way."""
    keys_file: FilePath = "bouncers.json"
    """Who may ask, as `weir bouncers` writes it; the same for every replica."""
    certificate_file: FilePath = ""
    """PEM with the certificate to show, and what links it to its CA; empty speaks plain HTTP."""
    key_file: FilePath = ""
    """PEM with its key, not encrypted; empty where the certificate's file holds it too."""
    stale_max_s: NotNegative = 300
    """While the broker cannot be asked, what was complete is served for so long, then 503 (wall clock)."""


class CheckpointSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``[checkpoint]``: how what assess remembers is kept."""

    interval_s: NotNegative = 15
    """Each partition's state is kept so often (wall clock); 0 keeps none, and whoever takes over rebuilds it all."""


class DeadLetterSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``[dead_letters]``: how much of a source may be unreadable before that is no matter of single records."""

    share_max: Annotated[float, msgspec.Meta(ge=0.0, le=1.0)] = 0.1
    """Share of any ``window_records`` consecutive records of a source partition that may become dead letters; more is
    a flood; 1 sets no limit."""
    window_records: Annotated[int, msgspec.Meta(ge=1, le=1_000_000)] = 10_000
    on_flood: Literal["pause", "stop"] = "pause"
    """``pause`` holds the source partition before the first record too many and says so again and again; ``stop`` ends
    the worker."""
    retry_s: Positive = 60
    """A held partition is tried again so often (wall clock)."""


class PolicySettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``[policy]``: what a finding leads to."""

    cooldown_s: Positive = 900
    """An incident is updated at most so often, or once a block where that is shorter, unless it becomes more severe."""
    incident_close_s: Positive = 14_400
    """An incident without a finding for so long is closed."""
    block_s: Positive = 3_600
    """How long a first block lasts; it is extended while findings go on."""
    block_growth: Annotated[float, msgspec.Meta(ge=1.0)] = 4.0
    """Who comes back after a block and goes on is blocked for so many times as long, and up to a tenth more."""
    block_max_s: Positive = 86_400
    """No block lasts longer, the tenth apart."""
    block_memory_s: Positive = 14 * 86_400
    """A block that ended so long ago is forgotten."""
    accounts_max: NotNegative = 2
    """A block on an address or group is refused when more accounts than this stand behind it (24 h)."""
    challenge_scopes: tuple[ScopeLabel, ...] = ("net", "asn")
    """Scopes that are challenged at most, never blocked."""
    challenge_at_alert: bool = True
    """In enforce mode what is enough for an alert and not for a block is answered with a challenge, where the ground is
    the sum of all detectors, a group or a search."""
    block_age_max_s: NotNegative = 900
    """A block is counted and not sent when its event is older than this as it is decided (wall clock), or when it has
    ended by then; 0 sends all."""
    lag_max_s: NotNegative = 60
    """A worker is degraded while it judges events that are older than this (wall clock); 0 sets no limit."""
    session_share: Annotated[float, msgspec.Meta(gt=0.5, le=1.0)] = 0.8
    """A session that carries this share of an account's evidence is blocked in its place, if there are others."""


class FusionSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``[fusion]``: what all detectors together say of one principal; evidence in natural logarithms."""

    budget: PositiveNumber = 1.0
    """Honest principals a day that the sum may alert on: the limits follow from the fitted tail of honest days."""
    block_budget: PositiveNumber = 0.02
    """Likewise blocked."""
    limit: Annotated[float, msgspec.Meta(ge=7.0)] = 19.3
    """Evidence that an alert needs while no tail is fitted: 1 in 10,000 honest simulated account-days."""
    block_limit: Annotated[float, msgspec.Meta(ge=7.0)] = 23.5
    """Likewise a block: 1 in 100,000."""
    floor: Annotated[float, msgspec.Meta(ge=7.0)] = 12.0
    """Evidence below which no fitted limit of an alert may fall."""
    block_floor: Annotated[float, msgspec.Meta(ge=7.0)] = 18.0
    """Likewise of a block: in a small crowd the tail of honest days is known too little to go lower."""
    until_fitted: Mode = Mode.SHADOW
    """How far the sum may go while no tail is fitted to the deployment's own people."""
    sightings_min: Positive = 3
    """A block needs so many sightings since the evidence began to rise."""


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


class MemorySettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``[memory]``: how much of whom each partition remembers."""

    idle_s: Annotated[int, msgspec.Meta(ge=86_400, le=_MOST)] = 14 * 86_400
    """An actor unseen for so long is forgotten; not before its block, cooldown and incident have ended."""
    members_idle_s: Annotated[int, msgspec.Meta(ge=86_400, le=_MOST)] = 2 * 86_400
    """Likewise what one visitor did within one group: a network, an ASN, a fingerprint."""
    actors_max: NotNegative = 2_000_000
    """Above so many the ones unseen longest are put to sleep, until a tenth is free; 0 sets no limit."""
    sleeping_max: NotNegative = 20_000_000
    """Above so many sleepers the ones unseen longest are evicted, until a tenth is free."""


DEFAULT_SURFACES: Final = (
    Surface(kind="view", method="GET", path="/people/{profile}"),
    Surface(kind="search", path="/search/people", query="q"),
    Surface(kind="lookup", path="/contacts/lookup/{profile}"),
    Surface(kind="list", path="/people/*/connections"),
)


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """All settings; the defaults hold without a file."""

    mode: ModeSettings = ModeSettings()
    detectors: dict[str, DetectorConfig] = msgspec.field(default_factory=dict)
    """One entry a detector that exists, each of the detector's own type."""
    surfaces: tuple[Surface, ...] = DEFAULT_SURFACES
    collectors: tuple[Collector, ...] = ()
    allow: tuple[Allow, ...] = ()
    bots: tuple[Bot, ...] = ()
    groups: Annotated[tuple[Group, ...], msgspec.Meta(max_length=GROUPS_MAX)] = ()
    input: InputSettings = InputSettings()
    kafka: KafkaSettings = KafkaSettings()
    serve: ServeSettings = ServeSettings()
    checkpoint: CheckpointSettings = CheckpointSettings()
    dead_letters: DeadLetterSettings = DeadLetterSettings()
    policy: PolicySettings = PolicySettings()
    fusion: FusionSettings = FusionSettings()
    model: ModelSettings = ModelSettings()
    memory: MemorySettings = MemorySettings()
