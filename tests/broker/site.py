"""One Weir on a secured Kafka, whose roles have a user or a certificate each."""

import contextlib
from dataclasses import dataclass
from pathlib import Path

import msgspec
import pytest
from kafka import KafkaProducer
from msgspec.structs import replace

from streams.live.connection import for_kafka_python
from streams.settings import KafkaSettings, Settings
from tests.broker.installation import PARTITIONS, Installation, Worker
from tests.broker.secure import SecureKafka
from tests.requests import START_S, views


@dataclass(frozen=True, slots=True)
class Site:
    """A secured Kafka with the topics of one Weir, a user for each role, and the files they log in with."""

    kafka: SecureKafka
    installation: Installation
    files: Path
    settings: Settings

    def as_role(self, role: str) -> KafkaSettings:
        """How a role reaches it: assess by a certificate, the others by a password."""
        if role == "assess":
            certificate, key = (
                self.kafka.authority.directory / "assess.pem",
                self.kafka.authority.directory / "assess.key",
            )
            return self.named(self.kafka.reached("ssl", certificate_file=str(certificate), key_file=str(key)))
        return self.named(self.kafka.reached("sasl_ssl", username=role, password_file=str(self.files / "password")))

    def named(self, kafka: KafkaSettings) -> KafkaSettings:
        """The same way in, with the names of this installation."""
        return replace(self.settings.kafka, bootstrap=kafka.bootstrap, security=kafka.security)

    def settings_of(self, role: str) -> Settings:
        """Settings with which a role runs."""
        return replace(self.settings, kafka=self.as_role(role))


def environment(kafka: KafkaSettings) -> dict[str, str]:
    """What a process needs to reach a broker in the same way."""
    security = msgspec.to_builtins(kafka.security)
    found = {f"WEIR_KAFKA__SECURITY__{key.upper()}": str(value) for key, value in security.items()}
    return found | {"WEIR_KAFKA__BOOTSTRAP": kafka.bootstrap}


def start(site: Site, stage: str, monkeypatch: pytest.MonkeyPatch) -> Worker:
    """A worker of one stage that comes in as its role."""
    with monkeypatch.context() as patch:
        for name, value in environment(site.as_role(stage)).items():
            patch.setenv(name, value)
        return site.installation.start("--stages", stage)


def ship(site: Site, prefix: str) -> None:
    """A few views, into every partition."""
    with contextlib.closing(KafkaProducer(**for_kafka_python(site.as_role("shipper")))) as shipper:
        for partition in range(PARTITIONS):
            for event in views(START_S + 600, 5, prefix=f"{prefix}-{partition}-", ip="203.0.113.9"):
                shipper.send(site.settings.input.topic, event, partition=partition)
        shipper.flush()
