"""Effective settings: every key of the configuration with its type, unit and default.

This module only says what the keys are. `streams/config.py` reads TOML and the environment into it and says where a
mistake stands. Times of a detector or a policy are event time.
"""

from datetime import date
from typing import Annotated, Final, Literal

import msgspec

from detectors.core.contract import DetectorConfig
from schemas.mode import Mode
from streams.notify.setting import NotifySettings
from streams.surfaces.setting import DEFAULT_SURFACES, Surface, SurfaceSetSettings

_MOST: Final = 10**12  # in microseconds still a number of 64 bits
Positive = Annotated[int, msgspec.Meta(ge=1, le=_MOST)]
PositiveNumber = Annotated[float, msgspec.Meta(gt=0.0)]
NotNegative = Annotated[int, msgspec.Meta(ge=0, le=_MOST)]
ScopeLabel = Literal["account", "session", "ip", "net", "asn", "fingerprint", "fingerprint_asn", "combination"]
GROUPS_MAX: Final = 4
"""Each costs a sighting an event."""
COMBINED_MAX: Final = 3
Name = Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
FilePath = Annotated[str, msgspec.Meta(max_length=4096)]


class ModeSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``[mode]``: how far detectors may go."""

    ceiling: Mode = Mode.ENFORCE
    """No detector goes above it."""
    default: Mode = Mode.SHADOW
    """Mode of a detector without a mode of its own."""
    enforce_share: Annotated[float, msgspec.Meta(ge=0.0, le=1.0)] = 1.0
    """Share of actors against whom anything is enforced, for a gradual start; of the others what would be is shown.

    Who belongs to it follows from the actor alone, and whoever does still does at any larger share.
    """


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
    owner: Name
    reason: Name
    expires: date
    """With the end of that day, UTC, the ranges are forgotten."""
    ranges: tuple[str, ...] = ()
    """Its addresses, as its operator publishes them; of IPv6 none longer than /64."""
    listed: date | None = None
    """Of when the operator's list is."""
    list_file: FilePath = ""
    """In place of these two: the list itself (JSON with `creationTime` and `prefixes`), read anew when it changes."""
    list_age_max_days: Positive = 30
    """An older list is told of every day; it still counts."""
    user_agent: Name | None = None
    """What its user agent contains, whatever the case of ASCII letters; any when absent."""


InputFormat = Literal[
    "auto", "canonical", "clf", "nginx", "apache", "haproxy", "envoy", "traefik", "caddy", "alb", "cloudfront",
    "cloudflare", "ocsf", "otlp",
]  # fmt: skip


class InputSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``[input]``: what is consumed and how its time is read."""

    topic: Name = "http.requests"
    format: InputFormat = "auto"
    """What records are; ``auto`` tells it of each by itself (`streams/inputs`)."""
    trusted_proxies: tuple[Name, ...] = ()
    """Ranges of addresses whose word on who asked them is taken (X-Forwarded-For), from the right."""
    zone: Annotated[str, msgspec.Meta(max_length=64)] = ""
    """Of times that name none, as HAProxy's: ``UTC``, ``+02:00`` or ``Europe/Berlin``; empty refuses such records."""
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
    unpacked_max_bytes: Positive = 8_000_000
    """Likewise one that is compressed and would be longer than this."""


Protocol = Literal["plaintext", "ssl", "sasl_plaintext", "sasl_ssl"]


class EnrichSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``[enrich]``: where addresses belong, if the record does not say so, by local files (.mmdb)."""

    asn_file: FilePath = ""
    """As MaxMind, DB-IP, IPinfo and IP2Location have it; empty knows only the ASNs that records name."""
    country_file: FilePath = ""
    """Likewise of countries."""
    asn_field: Annotated[str, msgspec.Meta(max_length=200)] = ""
    """Where a file of another layout has the ASN, ``network.asn``; empty looks where these vendors have it."""
    country_field: Annotated[str, msgspec.Meta(max_length=200)] = ""
    """Likewise the country, two letters."""


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


class MetricsSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``[metrics]``: where a worker or `weir serve` shows metrics and health."""

    listen: Annotated[str, msgspec.Meta(pattern=r"^(\S+:[0-9]{1,5})?$", max_length=300)] = ""
    """Address and port; empty shows nothing. Nobody is asked for a name there: keep it on loopback, or where Prometheus
    alone gets. Each process of a machine needs a port of its own (``WEIR_METRICS__LISTEN``)."""


class LogSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``[log]``: how a worker and `weir serve` write their logs."""

    format: Literal["auto", "console", "json"] = "auto"
    """``auto`` writes lines for people on a terminal and JSON elsewhere."""


class WatchSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``[watch]``: `weir watch`, on one machine and without Kafka."""

    state: Annotated[str, msgspec.Meta(min_length=1, max_length=4096)] = "weir-state"
    """Directory of what is known: a checkpoint every `checkpoint.interval_s`, what was learned, alerts and blocks."""


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


class ScopeMaxSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``[policy.scope_max_s]``: no block, throttle or challenge on an actor of a scope lasts longer, in seconds.

    The more people may stand behind an actor of the scope, and the sooner it passes to somebody else, the shorter.
    """

    account: Positive = 86_400
    session: Positive = 86_400
    ip: Positive = 14_400
    net: Positive = 3_600
    asn: Positive = 3_600
    fingerprint: Positive = 14_400
    fingerprint_asn: Positive = 14_400
    combination: Positive = 14_400


class PolicySettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``[policy]``: what a finding leads to."""

    cooldown_s: Positive = 900
    """An incident is updated at most so often, or twice a block where that is shorter, unless it gets more severe."""
    incident_close_s: Positive = 14_400
    """An incident without a finding for so long is closed."""
    block_s: Positive = 3_600
    """How long a first block lasts; it is extended while findings go on."""
    block_growth: Annotated[float, msgspec.Meta(ge=1.0)] = 4.0
    """Who comes back after a block and goes on is blocked for so many times as long, and up to a tenth more."""
    block_max_s: Positive = 86_400
    """No block lasts longer, the tenth apart."""
    scope_max_s: ScopeMaxSettings = ScopeMaxSettings()
    """Nor longer than this, by scope."""
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
    throttle_after_s: Positive = 900
    """A challenge that has stood for so long while findings go on becomes a throttle, unless it becomes a block."""
    blocks_per_minute_max: Positive = 300
    """A brake: above so many new blocks a minute, over all partitions, nothing new is enforced for `brake_s`."""
    blocked_share_max: Annotated[float, msgspec.Meta(gt=0.0, le=1.0)] = 0.05
    """Likewise above this share of a partition's active accounts (24 h) that are blocked, from 20 of them on; 1 sets no
    limit."""
    brake_s: Positive = 900
    """How long a brake holds from when it was last tripped: what would be enforced is shown and alerted on meanwhile,
    what stands goes on."""


class FusionSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``[fusion]``: what all detectors together say of one principal; evidence in natural logarithms."""

    budget: PositiveNumber = 1.0
    """Honest principals a day that the sum may alert on: the limits follow from the fitted tail of honest days."""
    block_budget: PositiveNumber = 0.02
    """Likewise blocked."""
    limit: Annotated[float, msgspec.Meta(ge=12.0)] = 19.3
    """Evidence that an alert needs while no tail is fitted: 1 in 10,000 honest simulated account-days, at 12 in 200."""
    block_limit: Annotated[float, msgspec.Meta(ge=14.0)] = 23.5
    """Likewise a block: 1 in 100,000; at 14 1 in 500."""
    floor: Annotated[float, msgspec.Meta(ge=10.0)] = 12.0
    """Evidence below which no fitted limit of an alert may fall."""
    block_floor: Annotated[float, msgspec.Meta(ge=14.0)] = 18.0
    """Likewise of a block: in a small crowd the tail of honest days is known too little to go lower."""
    until_fitted: Mode = Mode.SHADOW
    """How far the sum may go while no tail is fitted to the deployment's own people."""
    sightings_min: Positive = 3
    """A block needs so many sightings since the evidence began to rise."""


class ModelSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``[model]``: what is learned, by epoch of event time."""

    epoch_s: Annotated[int, msgspec.Meta(ge=60, le=7_200)] = 600
    """Who belongs to a group that was found is told to all partitions so often, and suspect one to two epochs later."""
    lessons_s: Annotated[int, msgspec.Meta(ge=60, le=7_200)] = 3_600
    """All else that is learned is told so often, with the end of an epoch: popularity, taste, rates, peaks."""
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


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """All settings; the defaults hold without a file."""

    mode: ModeSettings = ModeSettings()
    detectors: dict[str, DetectorConfig] = msgspec.field(default_factory=dict)
    """One entry a detector that exists, each of the detector's own type."""
    surfaces: tuple[Surface, ...] = DEFAULT_SURFACES
    """In a file without any those of its sets alone, if it names one."""
    surface_sets: SurfaceSetSettings = SurfaceSetSettings()
    collectors: tuple[Collector, ...] = ()
    allow: tuple[Allow, ...] = ()
    bots: tuple[Bot, ...] = ()
    groups: Annotated[tuple[Group, ...], msgspec.Meta(max_length=GROUPS_MAX)] = ()
    input: InputSettings = InputSettings()
    enrich: EnrichSettings = EnrichSettings()
    kafka: KafkaSettings = KafkaSettings()
    serve: ServeSettings = ServeSettings()
    notify: NotifySettings = NotifySettings()
    metrics: MetricsSettings = MetricsSettings()
    log: LogSettings = LogSettings()
    watch: WatchSettings = WatchSettings()
    checkpoint: CheckpointSettings = CheckpointSettings()
    dead_letters: DeadLetterSettings = DeadLetterSettings()
    policy: PolicySettings = PolicySettings()
    fusion: FusionSettings = FusionSettings()
    model: ModelSettings = ModelSettings()
    memory: MemorySettings = MemorySettings()
