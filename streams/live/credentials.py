"""The same credentials in Faust's own words."""

from faust.auth import SASLCredentials, SSLCredentials
from faust.types.auth import CredentialsT

from streams.live.connection import login, tls
from streams.settings import KafkaSettings


def credentials(kafka: KafkaSettings) -> CredentialsT | None:
    """Value of ``broker_credentials`` of a Faust app, for its consumer and its producer; None for protocol plaintext.

    Raises:
        ConfigError: see `connection.for_aiokafka`.
    """
    context, found = tls(kafka), login(kafka)
    if found is not None:
        return SASLCredentials(
            username=found.username, password=found.password, mechanism=found.mechanism, ssl_context=context
        )
    return SSLCredentials(context) if context is not None else None
