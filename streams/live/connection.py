"""The one place that says how a broker is reached: addresses, encryption, who Weir is to it.

Everything that opens a connection takes its arguments from here, so that credentials are forgotten in none of them.
Secrets are read when a connection is made and are in no setting, text or log: a file that has changed serves the next
connection.
"""

import logging
import os
import ssl
from dataclasses import dataclass, field
from ipaddress import ip_address
from pathlib import Path
from typing import Any, Final

from schemas.errors import ConfigError, TransportError
from streams.config import variable_of
from streams.settings import KafkaSettings, SecuritySettings

SECTION: Final = "kafka.security"

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Login:
    """A name and its password."""

    mechanism: str
    username: str
    password: str = field(repr=False)


def for_aiokafka(kafka: KafkaSettings) -> dict[str, Any]:
    """Arguments for a consumer or producer of aiokafka.

    Raises:
        ConfigError: a file cannot be read or is not what it should be; names key, file and reason.
    """
    return {"bootstrap_servers": kafka.bootstrap.split(","), **_arguments(kafka)}


def for_kafka_python(kafka: KafkaSettings) -> dict[str, Any]:
    """Arguments for a consumer, producer or admin client of kafka-python.

    Raises:
        ConfigError: see `for_aiokafka`.
    """
    return {"bootstrap_servers": kafka.bootstrap, **_arguments(kafka)}


def _arguments(kafka: KafkaSettings) -> dict[str, Any]:
    # Both libraries happen to use the same names.
    arguments: dict[str, Any] = {"security_protocol": kafka.security.protocol.upper(), "ssl_context": tls(kafka)}
    found = login(kafka)
    if found is not None:
        arguments |= {
            "sasl_mechanism": found.mechanism,
            "sasl_plain_username": found.username,
            "sasl_plain_password": found.password,
        }
    return arguments


def login(kafka: KafkaSettings) -> Login | None:
    """Name and password; None for a protocol without SASL.

    Raises:
        ConfigError: there is no password, or it would go over a network as it is.
    """
    security = kafka.security
    if not security.sasl:
        return None
    if security.mechanism == "PLAIN" and not security.tls and not local(kafka.bootstrap):
        reason = f"PLAIN would send the password over the network to {kafka.bootstrap} as it is; take sasl_ssl or SCRAM"
        raise ConfigError(f"{SECTION}.mechanism", None, reason)
    password = _secret("password", security.password_file)
    if password is None:
        variable = variable_of(f"{SECTION}.password")
        raise ConfigError(f"{SECTION}.password_file", None, f"no password: name its file here or set {variable}")
    return Login(security.mechanism, security.username, password)


def tls(kafka: KafkaSettings) -> ssl.SSLContext | None:
    """What is trusted and shown when the connection is encrypted; None where it is not.

    The broker's name must stand in its certificate. TLS 1.2 is the oldest version spoken.

    Raises:
        ConfigError: a file cannot be read, is no PEM, or a key does not fit its certificate or password.
    """
    security = kafka.security
    if not security.tls:
        return None
    ca = _readable("ca_file", security.ca_file)
    try:
        context = ssl.create_default_context(cafile=ca)
    except ssl.SSLError as error:
        raise _refused("ca_file", security.ca_file, "this is no PEM with certificates") from error
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if security.certificate_file:
        _show(context, security)
    return context


def _show(context: ssl.SSLContext, security: SecuritySettings) -> None:
    """Have Weir show its own certificate."""
    certificate = _readable("certificate_file", security.certificate_file) or ""
    key = _readable("key_file", security.key_file)
    password = _secret("key_password", security.key_password_file)
    key_name, key_place = ("key_file", key) if key else ("certificate_file", certificate)

    def unlock() -> str:
        # Without a function OpenSSL would ask at the terminal, and a service would wait there for ever.
        if password is None:
            variable = variable_of(f"{SECTION}.key_password")
            reason = f"the key is encrypted: name the file of its password in key_password_file, or set {variable}"
            raise _refused(key_name, key_place, reason)
        return password

    try:
        context.load_cert_chain(certificate, key, unlock)
    except ssl.SSLError as error:
        if error.reason == "KEY_VALUES_MISMATCH":
            reason = "the key is not that of the certificate"
        elif password is not None:
            reason = "no PEM with a key, or its password is wrong"
        else:
            reason = f"no PEM with a key, or no certificate in {certificate}"
        raise _refused(key_name, key_place, reason) from error


def _secret(name: str, file: str) -> str | None:
    """A password from its file, else from the environment; None when neither has one."""
    if not file:
        return os.environ.get(variable_of(f"{SECTION}.{name}")) or None
    key = f"{name}_file"
    _readable(key, file)
    try:
        lines = Path(file).read_text(encoding="utf-8").splitlines()
    except UnicodeDecodeError:
        lines = []
    if not lines or not lines[0]:
        raise _refused(key, file, "its first line holds no password")
    return lines[0]


def _readable(key: str, file: str) -> str | None:
    """The file's name, once it is known to open; None for no file. OpenSSL does not say which file is missing."""
    if not file:
        return None
    try:
        Path(file).open("rb").close()
    except OSError as error:
        raise _refused(key, file, error.strerror or type(error).__name__) from error
    return file


def _refused(key: str, file: str | None, reason: str) -> ConfigError:
    return ConfigError(f"{SECTION}.{key}", None, f"{file}: {reason}")


def local(bootstrap: str) -> bool:
    """Whether every address is on loopback, so that what is sent leaves no machine."""
    return all(_is_loopback(address.rpartition(":")[0].strip("[]")) for address in bootstrap.split(","))


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def failure(kafka: KafkaSettings, error: Exception) -> TransportError:
    """What went wrong with the broker, in one line that names it."""
    return TransportError(f"kafka {kafka.bootstrap}: {error}")


def warn_if_open(kafka: KafkaSettings) -> None:
    """Say in the log when request events, which are personal data, would cross a network readable by others."""
    if not kafka.security.tls and not local(kafka.bootstrap):
        how = "encrypted" if kafka.security.sasl else "encrypted, and the broker is not told who asks"
        log.warning("kafka %s: nothing is %s (%s.protocol)", kafka.bootstrap, how, SECTION)
