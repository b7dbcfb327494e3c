"""Request events as the contract has them: flat OpenTelemetry names, or nested ECS."""

from schemas.request import RequestEvent, decode_request
from streams.inputs.text import Site


def parse(value: bytes, site: Site) -> RequestEvent:  # noqa: ARG001 - a record says all of itself
    """The event of a record.

    Raises:
        RecordError: it is none.
    """
    return decode_request(value)
