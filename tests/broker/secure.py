"""Apache Kafka as a careful operator runs it: TLS, SCRAM, an authorizer that refuses what no rule allows.

One node with five listeners on loopback. Only the plain one knows no names, and its nobody is the super user who makes
users and rules, so that tests need no second way in.
"""

import contextlib
import json
import subprocess
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec
from kafka import KafkaAdminClient
from kafka.admin import (
    ACL,
    ACLFilter,
    ACLOperation,
    ACLPermissionType,
    ACLResourcePatternType,
    ResourcePattern,
    ResourcePatternFilter,
    ResourceType,
    UserScramCredentialUpsertion,
)

from deploy.kafka.cluster import Cluster, State, free_ports, new_id
from deploy.kafka.ready import HOST
from streams.live.access import Rule
from streams.settings import KafkaSettings, SecuritySettings

PASSWORD: Final = "correct horse battery staple"
"""Of every user, and of nothing outside the test."""
MECHANISMS: Final = ("SCRAM-SHA-256", "SCRAM-SHA-512", "PLAIN")
LISTENERS: Final = ("SASL_PLAINTEXT", "SASL_SSL", "SSL")


class Authority:
    """A certificate authority of one directory, by `openssl`."""

    def __init__(self, directory: Path, name: str = "test authority") -> None:
        directory.mkdir()
        self.directory, self.certificate = directory, directory / "ca.pem"
        self._key = directory / "ca.key"
        _openssl(
            "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
            "-subj", f"/CN={name}", "-keyout", self._key, "-out", self.certificate,
        )  # fmt: skip

    def issue(self, name: str, days: int = 2, password: str | None = None) -> tuple[Path, Path]:
        """A certificate for ``name`` and for loopback, and its key; of negative ``days`` it has expired."""
        certificate, key = self.directory / f"{name}.pem", self.directory / f"{name}.key"
        request, extensions = self.directory / f"{name}.csr", self.directory / "extensions"
        extensions.write_text(f"subjectAltName=IP:{HOST},DNS:localhost\n")
        lock = ["-nodes"] if password is None else ["-passout", f"pass:{password}"]
        _openssl(
            "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", *lock, "-subj", f"/CN={name}/O=weir",
            "-keyout", key, "-out", request,
        )  # fmt: skip
        _openssl(
            "x509", "-req", "-in", request, "-CA", self.certificate, "-CAkey", self._key, "-CAcreateserial",
            "-days", days, "-extfile", extensions, "-out", certificate,
        )  # fmt: skip
        return certificate, key


def _openssl(*arguments: object) -> None:
    subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True)


@dataclass(slots=True)
class SecureKafka:
    """A running node, its authority, and the addresses of its listeners by protocol."""

    cluster: Cluster
    addresses: Mapping[str, str]
    authority: Authority
    admin: KafkaAdminClient

    def add_user(self, name: str, mechanisms: Iterable[str] = MECHANISMS[:2]) -> None:
        """A user who may do nothing yet; the password is `PASSWORD`."""
        for mechanism in mechanisms:  # one a request: Kafka refuses a user twice in one, and the client says nothing
            self.admin.alter_user_scram_credentials([UserScramCredentialUpsertion(name, mechanism, PASSWORD)])

    def allow(self, user: str, rules: Iterable[Rule]) -> None:
        """Let a user do what rules say, and nothing else."""
        self.admin.create_acls([each for rule in rules for each in acls(user, rule)])

    def reached(self, protocol: str, **security: str) -> KafkaSettings:
        """How a client reaches it by one of the protocols, trusting its authority; see `SecuritySettings`."""
        trusted = {"ca_file": str(self.authority.certificate)} if protocol.endswith("ssl") else {}
        settings = msgspec.convert({"protocol": protocol, **trusted, **security}, SecuritySettings)
        return KafkaSettings(bootstrap=self.addresses[protocol.upper()], security=settings)

    def forbid(self, user: str, rule: Rule) -> None:
        """Take back one of the rules."""
        self.admin.delete_acls([as_filter(each) for each in acls(user, rule)])


def acls(user: str, rule: Rule) -> list[ACL]:
    """A rule as Kafka keeps it: one for each operation."""
    pattern = ACLResourcePatternType.PREFIXED if rule.prefixed else ACLResourcePatternType.LITERAL
    resource = ResourcePattern(ResourceType[rule.kind.upper()], rule.name, pattern)
    return [
        ACL(f"User:{user}", "*", ACLOperation[operation], ACLPermissionType.ALLOW, resource)
        for operation in rule.operations
    ]


def as_filter(acl: ACL) -> ACLFilter:
    """What finds exactly this one."""
    pattern = acl.resource_pattern
    resource = ResourcePatternFilter(pattern.resource_type, pattern.resource_name, pattern.pattern_type)
    return ACLFilter(acl.principal, acl.host, acl.operation, acl.permission_type, resource)


@contextlib.contextmanager
def running_secure_kafka(directory: Path) -> Iterator[SecureKafka]:
    """A node of our own, its certificates in the same directory."""
    authority = Authority(directory / "authority")
    ports = dict(zip(LISTENERS, free_ports(len(LISTENERS)), strict=True))
    plain, controller = free_ports(2)
    home = directory / "kafka"
    home.mkdir()
    (home / "cluster.json").write_text(json.dumps(vars(State(new_id(), [plain], [controller]))))
    settings = secure_settings(authority, {"PLAINTEXT": plain, **ports}, controller)
    with Cluster(home, settings=settings) as cluster:
        addresses = {name: f"{HOST}:{port}" for name, port in {"PLAINTEXT": plain, **ports}.items()}
        with contextlib.closing(KafkaAdminClient(bootstrap_servers=addresses["PLAINTEXT"])) as admin:
            yield SecureKafka(cluster, addresses, authority, admin)


def secure_settings(authority: Authority, ports: Mapping[str, int], controller: int) -> dict[str, str]:
    """Lines for `server.properties`."""
    certificate, key = authority.issue("broker")
    store = authority.directory / "broker.store.pem"
    store.write_text(key.read_text() + certificate.read_text())
    listeners = ",".join(f"{name}://{HOST}:{port}" for name, port in ports.items())
    names = [*ports, "CONTROLLER"]
    scram = "org.apache.kafka.common.security.scram.ScramLoginModule required;"
    plain = f'org.apache.kafka.common.security.plain.PlainLoginModule required user_plain="{PASSWORD}";'
    logins = {
        f"listener.name.{listener}.{mechanism.lower()}.sasl.jaas.config": plain if mechanism == "PLAIN" else scram
        for listener in ("sasl_plaintext", "sasl_ssl")
        for mechanism in MECHANISMS
    }
    return {
        "listeners": f"{listeners},CONTROLLER://{HOST}:{controller}",
        "advertised.listeners": listeners,
        "listener.security.protocol.map": ",".join(f"{n}:{'PLAINTEXT' if n == 'CONTROLLER' else n}" for n in names),
        "inter.broker.listener.name": "PLAINTEXT",
        "sasl.enabled.mechanisms": ",".join(MECHANISMS),
        **logins,
        "ssl.keystore.type": "PEM",
        "ssl.keystore.location": str(store),
        "ssl.truststore.type": "PEM",
        "ssl.truststore.location": str(authority.certificate),
        "listener.name.ssl.ssl.client.auth": "required",
        "ssl.principal.mapping.rules": r"RULE:^.*CN=([^,]+).*$/$1/,DEFAULT",
        "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
        "super.users": "User:ANONYMOUS",
    }
