"""OTLP as protobuf: batches of log records and spans; see `otlp.py`."""

from collections.abc import Iterator
from typing import Any

from google.protobuf.message import DecodeError  # type: ignore[import-untyped]  # its stubs are a package of their own
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from schemas.errors import RecordError
from streams.inputs.otlp import Told


def read(value: bytes) -> Iterator[Told]:
    """Log records and spans of a batch, in its order.

    Raises:
        RecordError: it is no batch.
    """
    logs = _logs(value)
    spans = None if logs else _spans(value)
    if logs:
        for log in logs:
            yield _told_log(log)
    elif spans:
        for span in spans:
            yield _told_span(span)
    else:
        raise RecordError("$", "is no batch of OTLP, or an empty one")


def _logs(value: bytes) -> list[LogRecord]:
    try:
        batch = ExportLogsServiceRequest.FromString(value)
    except DecodeError:
        return []
    found = [log for r in batch.resource_logs for scope in r.scope_logs for log in scope.log_records]
    # Read as logs, spans have neither time.
    return found if any(log.time_unix_nano or log.observed_time_unix_nano for log in found) else []


def _spans(value: bytes) -> list[Span]:
    try:
        batch = ExportTraceServiceRequest.FromString(value)
    except DecodeError:
        return []
    found = [span for r in batch.resource_spans for scope in r.scope_spans for span in scope.spans]
    return found if any(span.start_time_unix_nano for span in found) else []


def _told_log(log: LogRecord) -> Told:
    alone = ExportLogsServiceRequest()
    alone.resource_logs.add().scope_logs.add().log_records.append(log)
    body = _value(log.body)
    attributes = _attributes(log.attributes)
    if isinstance(body, dict):
        attributes = {**body, **attributes}
    line = body if isinstance(body, bytes) else body.encode() if isinstance(body, str) else None
    time_ns = log.time_unix_nano or log.observed_time_unix_nano
    return Told(attributes, time_ns, line, True, alone.SerializeToString())


def _told_span(span: Span) -> Told:
    alone = ExportTraceServiceRequest()
    alone.resource_spans.add().scope_spans.add().spans.append(span)
    served = span.kind == Span.SpanKind.SPAN_KIND_SERVER
    return Told(_attributes(span.attributes), span.start_time_unix_nano, None, served, alone.SerializeToString())


def _attributes(pairs: Any) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for pair in pairs:
        assert isinstance(pair, KeyValue)
        found[pair.key] = _value(pair.value)
    return found


def _value(value: AnyValue) -> Any:
    kind = value.WhichOneof("value")
    if kind is None:
        return None
    if kind == "array_value":
        return [_value(one) for one in value.array_value.values]
    if kind == "kvlist_value":
        return _attributes(value.kvlist_value.values)
    return getattr(value, kind)
