"""``[notify]``: who is told of alerts. Apart from the other settings, which only name it."""

import re
from typing import Annotated, Final, Literal

import msgspec

from schemas.alert import AlertMode, Severity

Format = Literal["ocsf", "ecs"]
FORMATS: Final[tuple[Format, ...]] = ("ocsf", "ecs")
Path = Annotated[str, msgspec.Meta(max_length=4096)]
LABEL: Final = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")
"""A name that Alertmanager takes."""
URL: Final = re.compile(r"https?://(\[[0-9a-fA-F:.]+\]|[^\s/?#@:\[\]]+)(:[1-9][0-9]{0,4})?([/?][!-~]*)?")
"""No name and password, and no more than a program sends: what is not ASCII must be percent-encoded."""
OWN_LABELS: Final = frozenset({"alertname", "detector", "severity", "mode", "scope", "incident", "reason", "subject"})


class Receiver(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``[[notify.receivers]]``: one who is told."""

    name: Annotated[str, msgspec.Meta(pattern="^[a-z][a-z0-9_-]*$", max_length=60)]
    """Of its own; under it the broker keeps how far it has been told."""
    kind: Literal["alertmanager", "webhook"]
    urls: Annotated[tuple[Annotated[str, msgspec.Meta(max_length=2000)], ...], msgspec.Meta(max_length=10)] = ()
    """Of Alertmanager the base URL of every replica; of a webhook where to post."""
    url_file: Path = ""
    """In place of ``urls``: a file whose first line is the URL, where that is itself a secret."""
    secret_file: Path = ""
    """Its first line signs what a webhook is sent."""
    authorization_file: Path = ""
    """Its first line is sent as the header ``Authorization``."""
    ca_file: Path = ""
    """PEM with who may sign the receiver's certificate; empty takes those that the system trusts."""
    certificate_file: Path = ""
    """PEM with a certificate to show, for mutual TLS, and what links it to the receiver's CA."""
    key_file: Path = ""
    """PEM with its key, not encrypted; empty where the certificate's file holds it too."""
    timeout_s: Annotated[float, msgspec.Meta(ge=0.1, le=300.0)] = 10.0
    """How long one answer may take."""
    severity_min: Severity = Severity.LOW
    """Incidents below it are not told."""
    mode_min: AlertMode = AlertMode.SHADOW
    """Nor those below this mode: ``alert`` leaves out what detectors in shadow find."""


class NotifySettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``[notify]``: alerts to people and to other programs, by `weir notify`."""

    receivers: tuple[Receiver, ...] = ()
    formats: tuple[Format, ...] = ()
    """Alerts are written once more in these formats, to ``weir.alerts.<format>.v1``."""
    resend_s: Annotated[int, msgspec.Meta(ge=1, le=3_600)] = 60
    """Alertmanager hears so often of what goes on (wall clock); four times as long after the last word it ends."""
    incidents_max: Annotated[int, msgspec.Meta(ge=0, le=1_000)] = 5
    """Of one kind so many open incidents are alerts of their own; all others of that kind are one alert together."""
    labels: dict[str, str] = {}
    """Put on every alert: the cluster, the team."""

    def topics(self) -> tuple[Format, ...]:
        """The formats, each once, in a fixed order."""
        return tuple(each for each in FORMATS if each in self.formats)


def check(notify: NotifySettings) -> None:
    """Refuse what could not work.

    Raises:
        msgspec.ValidationError: with the path of the mistake.
    """
    for name in notify.labels:
        _require(LABEL.fullmatch(name) is not None, "no name of a label", f"labels.{name}")
        _require(name not in OWN_LABELS, "Weir itself gives this label", f"labels.{name}")
    names = [receiver.name for receiver in notify.receivers]
    for number, receiver in enumerate(notify.receivers):
        place = f"receivers[{number}]"
        _require(receiver.name not in FORMATS, "this is the name of a format", f"{place}.name")
        _require(receiver.name not in names[:number], f"two receivers are called {receiver.name!r}", f"{place}.name")
        _check_receiver(receiver, place)


def _check_receiver(receiver: Receiver, place: str) -> None:
    _require(bool(receiver.urls) != bool(receiver.url_file), "needs either urls or url_file", f"{place}.urls")
    webhook = receiver.kind == "webhook"
    _require(webhook or not receiver.secret_file, "only a webhook is signed", f"{place}.secret_file")
    _require(not receiver.key_file or bool(receiver.certificate_file), "needs certificate_file", f"{place}.key_file")
    _require(len(set(receiver.urls)) == len(receiver.urls), "names a URL twice", f"{place}.urls")
    for number, url in enumerate(receiver.urls):
        reason = refusal(url) or ("Alertmanager's base URL has no ?query" if not webhook and "?" in url else "")
        _require(not reason, reason, f"{place}.urls[{number}]")


def refusal(url: str) -> str:
    """What is wrong with a URL, without a word of it; empty when nothing is."""
    if re.match(r"https?://[^/?#]*@", url):
        return "a name and password stand in no URL: put them into authorization_file"
    if "#" in url or not URL.fullmatch(url):
        return "this is not http://host[:port]/... or https://..."
    return ""


def _require(condition: bool, reason: str, path: str) -> None:
    if not condition:
        raise msgspec.ValidationError(f"{reason} - at `$.notify.{path}`")
