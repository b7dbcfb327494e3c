"""A record of each format, and the event that it is."""

import json
from datetime import UTC
from typing import Any, Final, NamedTuple

import msgspec
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from schemas.event_time import parse_time_us
from schemas.request import RequestEvent
from streams.inputs.proxies import trusted_of
from streams.inputs.reader import Reader
from streams.inputs.text import Site

SITE: Final = Site(UTC, trusted_of(["10.0.0.0/8"]))
MOST: Final = 8_000_000
AT: Final = "2026-11-23T13:49:05Z"
AT_S: Final = 1_795_441_745
AGENT: Final = "Mozilla/5.0 (X11; Linux x86_64)"
SEEN: Final[dict[str, Any]] = {
    "time": AT,
    "method": "GET",
    "path": "/people/7",
    "query": "tab=posts",
    "address": "203.0.113.9",
    "status": 200,
    "user_agent": AGENT,
}


class Sample(NamedTuple):
    """A record, the format that reads it, and the event, by its attributes; times are the same instant."""

    format: str
    value: bytes
    event: dict[str, Any]
    auto: str | None = None
    """Name under which `auto` reads it, where that is another one."""


def reader(name: str = "auto", site: Site = SITE) -> Reader:
    """A reader with 10.0.0.0/8 for proxies, and UTC for times without a zone."""
    return Reader(name, site, MOST)


def told(event: RequestEvent | None) -> dict[str, Any] | None:
    """The attributes of an event that are there, its time as microseconds."""
    if event is None:
        return None
    found = {name: value for name, value in msgspec.structs.asdict(event).items() if value is not None}
    return found | {"time": parse_time_us(event.time)}


def wanted(sample: Sample) -> dict[str, Any]:
    """What `told` says of the sample's event."""
    return {name: value for name, value in sample.event.items() if value is not None} | {
        "time": parse_time_us(sample.event["time"])
    }


def _line(text: str) -> bytes:
    return text.encode()


def _json(**keys: Any) -> bytes:
    return json.dumps(keys).encode()


CLF: Final = f'203.0.113.9 - - [23/Nov/2026:13:49:05 +0000] "GET /people/7?tab=posts HTTP/1.1" 200 12 "-" "{AGENT}"'
ENVOY_TEXT: Final = (
    f'[{AT}] "GET /people/7?tab=posts HTTP/1.1" 200 - 0 256 50 25 "203.0.113.9,10.0.0.7" "{AGENT}" "id-1" "example.com"'
    ' "tcp://10.0.2.1:80"'
)
ISTIO_TEXT: Final = (
    f'[{AT}] "GET /people/7?tab=posts HTTP/1.1" 200 - via_upstream - "-" 0 256 50 25 "203.0.113.9" "{AGENT}" "id-1"'
    ' "example.com" "10.0.2.1:80" inbound|80|| 127.0.0.6:1 10.0.2.1:80 10.0.0.7:40000 outbound default'
)
SERVED: Final = {"server": "example.com", "request_id": "id-1"}
BEHIND: Final = {"peer": "10.0.0.7"}


def _otlp_attributes() -> dict[str, str | int]:
    return {
        "http.request.method": "GET",
        "url.path": "/people/7",
        "url.query": "tab=posts",
        "http.response.status_code": 200,
        "client.address": "203.0.113.9",
        "user_agent.original": AGENT,
        "user.id": "u1",
    }


def _otlp_pairs() -> list[dict[str, Any]]:
    return [
        {"key": key, "value": {"stringValue": value} if isinstance(value, str) else {"intValue": str(value)}}
        for key, value in _otlp_attributes().items()
    ]


def otlp_logs(count: int = 1) -> bytes:
    """A batch of log records in protobuf, as the Collector's Kafka exporter writes it; the path tells them apart."""
    batch = ExportLogsServiceRequest()
    scope = batch.resource_logs.add().scope_logs.add()
    for number in range(count):
        log = scope.log_records.add(time_unix_nano=AT_S * 10**9)
        for key, value in (_otlp_attributes() | {"url.path": f"/people/{7 + number}"}).items():
            pair = log.attributes.add(key=key)
            if isinstance(value, int):
                pair.value.int_value = value
            else:
                pair.value.string_value = value
    packed: bytes = batch.SerializeToString()
    return packed


def otlp_spans(kind: int = 2) -> bytes:
    """A batch with one span in protobuf; kind 2 is a server's."""
    batch = ExportTraceServiceRequest()
    span = (
        batch.resource_spans.add()
        .scope_spans.add()
        .spans.add(
            trace_id=b"t" * 16, span_id=b"s" * 8, name="GET /people/{id}", kind=kind, start_time_unix_nano=AT_S * 10**9
        )
    )
    for key, value in _otlp_attributes().items():
        pair = span.attributes.add(key=key)
        if isinstance(value, int):
            pair.value.int_value = value
        else:
            pair.value.string_value = value
    packed: bytes = batch.SerializeToString()
    return packed


def otlp_json(kind: int = 2) -> bytes:
    """The same as JSON."""
    span = {"kind": kind, "startTimeUnixNano": str(AT_S * 10**9), "attributes": _otlp_pairs()}
    return _json(resourceSpans=[{"scopeSpans": [{"spans": [span]}]}])


def otlp_json_logs(body: str | None = None) -> bytes:
    """A log record as JSON, with attributes, or with a line for its body."""
    log: dict[str, Any] = {"timeUnixNano": str(AT_S * 10**9)}
    log |= {"attributes": _otlp_pairs()} if body is None else {"body": {"stringValue": body}}
    return _json(resourceLogs=[{"scopeLogs": [{"logRecords": [log]}]}])


ALB: Final = (
    "https 2026-11-23T13:49:05.000000Z app/lb/1 203.0.113.9:44740 10.0.0.1:80 0.086 0.048 0.037 200 200 0 57"
    f' "GET https://example.com:443/people/7?tab=posts HTTP/2.0" "{AGENT}" ECDHE TLSv1.2 arn:aws:1 "id-1" "example.com"'
    ' "arn:aws:2" 1 2026-11-23T13:49:04.000000Z "forward" "-" "-" "10.0.0.1:80" "200" "-" "-"'
)
CLOUDFRONT: Final = (
    "2026-11-23\t13:49:05\tTXL50\t57\t203.0.113.9\tGET\td1.cloudfront.net\t/people/7\t200\t-\t"
    + AGENT.replace(" ", "%20")
    + "\ttab=posts\t-\tHit\tid-1\texample.com\thttps\t23\t0.001\t-\tTLSv1.3\tX\tHit\tHTTP/2.0\t-\t-\t1\t0.1\tHit"
    + "\t-" * 4
)
HAPROXY: Final = (
    "203.0.113.9:39598 [23/Nov/2026:13:49:05.000] fe~ be/s1 0/0/1/2/3 200 73 - - ---- 1/1/0/0/0 0/0"
    f' {{{AGENT}}} "GET /people/7?tab=posts HTTP/1.1"'
)
HAPROXY_PROXIED: Final = HAPROXY.replace("203.0.113.9:", "10.0.0.7:").replace("86_64)}", "86_64)|203.0.113.9}")
PROXIED: Final = CLF.replace("203.0.113.9", "10.0.0.7")
NAMED: Final = {**SEEN, "address": None, "session": "host.example"}
OTHERS: Final = {**SEEN, "user": "u1"}

SAMPLES: Final = [
    Sample("clf", _line(CLF), SEEN),
    Sample("nginx", _line(CLF), SEEN, "clf"),
    Sample("nginx", _line(f'{CLF} "203.0.113.9"'), {**SEEN, "peer": "203.0.113.9"}, "clf"),
    Sample("nginx", _line(f'{PROXIED} "6.6.6.6, 203.0.113.9"'), {**SEEN, **BEHIND}, "clf"),
    Sample(
        "nginx",
        _json(
            time_iso8601="2026-11-23T13:49:05+00:00",
            remote_addr="10.0.0.7",
            request="GET /people/7?tab=posts HTTP/1.1",
            status="200",
            http_user_agent=AGENT,
            http_referer="",
            http_host="example.com:443",
            http_x_forwarded_for="203.0.113.9",
            request_id="id-1",
        ),
        {**SEEN, **SERVED, **BEHIND},
    ),
    Sample(
        "nginx",
        _json(
            msec="1795441745.000",
            remote_addr="203.0.113.9",
            request_method="GET",
            uri="/people/7",
            args="tab=posts",
            status=200,
            http_user_agent=AGENT,
            remote_user="u1",
        ),
        OTHERS,
    ),
    Sample("apache", _line(CLF.replace("- -", "- u1")), OTHERS, "clf"),
    Sample("apache", _line(CLF.removesuffix(f' "-" "{AGENT}"')), {**SEEN, "user_agent": None}, "clf"),
    Sample("apache", _line(f"example.com:443 {CLF}"), {**SEEN, "server": "example.com"}, "clf"),
    Sample("apache", _line(CLF.replace("203.0.113.9", "host.example")), NAMED, "clf"),
    Sample("haproxy", _line(HAPROXY), SEEN),
    Sample("haproxy", _line(HAPROXY_PROXIED), {**SEEN, **BEHIND}),
    Sample("envoy", _line(ENVOY_TEXT), {**SEEN, **SERVED, **BEHIND}),
    Sample("envoy", _line(ISTIO_TEXT), {**SEEN, **SERVED, **BEHIND}),
    Sample(
        "envoy",
        _json(**{
            "start_time": AT, "method": "GET", "x-envoy-origin-path": "/people/7?tab=posts", "response_code": "200",
            "downstream_remote_address": "10.0.0.7:4", "x-forwarded-for": "203.0.113.9", "user-agent": AGENT,
            ":authority": "example.com", "x-request-id": "id-1", "protocol": "HTTP/2",
        }),
        {**SEEN, **SERVED, **BEHIND},
    ),
    Sample(
        "envoy",
        _json(
            start_time=AT, method="GET", path="/people/7?tab=posts", response_code=200, user_agent=AGENT,
            downstream_remote_address="203.0.113.9:4", x_forwarded_for=None, authority="example.com", request_id="id-1",
        ),
        {**SEEN, **SERVED},
    ),
    Sample("traefik", _line(f'{CLF} 244 "root@docker" "http://172.17.0.3:80" 42ms'), SEEN),
    Sample(
        "traefik",
        _json(**{
            "ClientHost": "203.0.113.9", "RequestMethod": "GET", "RequestPath": "/people/7?tab=posts",
            "DownstreamStatus": 200, "StartUTC": AT, "RequestHost": "example.com", "request_User-Agent": AGENT,
            "request_X-Request-Id": "id-1", "ClientUsername": "-", "entryPointName": "web",
        }),
        {**SEEN, **SERVED},
    ),
    Sample(
        "caddy",
        _json(
            level="info", ts=float(AT_S), logger="http.log.access", msg="handled request", status=200, user_id="u1",
            request={
                "remote_ip": "203.0.113.9", "client_ip": "203.0.113.9", "method": "GET", "uri": "/people/7?tab=posts",
                "host": "example.com", "headers": {"User-Agent": [AGENT], "X-Request-Id": ["id-1"]},
            },
        ),
        {**OTHERS, **SERVED},
    ),
    Sample("alb", _line(ALB), {**SEEN, **SERVED}),
    Sample("cloudfront", _line(CLOUDFRONT), {**SEEN, **SERVED}),
    Sample(
        "cloudfront",
        _json(**{
            "date": "2026-11-23", "time": "13:49:05", "c-ip": "203.0.113.9", "cs-method": "GET",
            "cs-uri-stem": "/people/7", "cs-uri-query": "tab=posts", "sc-status": "200", "c-country": "DE",
            "cs(User-Agent)": AGENT.replace(" ", "%20"), "x-host-header": "example.com", "x-edge-request-id": "id-1",
        }),
        {**SEEN, **SERVED, "country": "DE"},
    ),
    Sample(
        "cloudflare",
        _json(
            EdgeStartTimestamp=AT_S * 10**9, ClientIP="203.0.113.9", ClientASN=64500, ClientCountry="de",
            ClientRequestMethod="GET", ClientRequestURI="/people/7?tab=posts", ClientRequestHost="example.com",
            ClientRequestUserAgent=AGENT, EdgeResponseStatus=200, RayID="id-1", JA4="t13d", JA3Hash="",
        ),
        {**SEEN, **SERVED, "asn": 64500, "country": "DE", "ja4": "t13d"},
    ),
    Sample(
        "ocsf",
        _json(
            class_uid=4002, category_uid=4, activity_id=3, time=AT_S * 1000,
            http_request={"url": {"path": "/people/7", "query_string": "tab=posts", "hostname": "example.com"},
                          "user_agent": AGENT, "uid": "id-1"},
            http_response={"code": 200}, src_endpoint={"ip": "203.0.113.9", "autonomous_system": {"number": 64500}},
            actor={"user": {"uid": "u1"}, "session": {"uid": "s1"}}, ja4_fingerprint_list=[{"value": "t13d"}],
        ),
        {**OTHERS, **SERVED, "asn": 64500, "session": "s1", "ja4": "t13d"},
    ),
    Sample("otlp", otlp_json(), OTHERS),
    Sample("otlp", otlp_json_logs(), OTHERS),
    Sample("otlp", otlp_spans(), OTHERS),
    Sample("otlp", otlp_logs(), OTHERS),
    Sample(
        "canonical",
        _json(**{
            "@timestamp": AT, "http.request.method": "GET", "url.path": "/people/7", "url.query": "tab=posts",
            "client.address": "203.0.113.9", "http.response.status_code": 200, "user_agent.original": AGENT,
        }),
        SEEN,
    ),
    Sample(
        "canonical",
        _json(**{
            "@timestamp": AT, "http": {"request": {"method": "GET"}, "response": {"status_code": 200}},
            "url": {"path": "/people/7", "query": "tab=posts"}, "client": {"address": "203.0.113.9"},
            "user_agent": {"original": AGENT}, "message": "what was served",
        }),
        SEEN,
    ),
]  # fmt: skip
"""At least one of every format; of some one a spelling."""

ENVELOPES: Final = {
    "vector": lambda line: _json(message=line, timestamp=AT, host="web-1", file="/var/log/x", source_type="file"),
    "fluent bit": lambda line: _json(**{"@timestamp": 1.5, "log": line}),
    "logstash": lambda line: _json(**{"@timestamp": AT, "@version": "1", "message": line, "event": {"original": line}}),
    "filebeat": lambda line: _json(**{
        "@timestamp": AT, "@metadata": {"beat": "filebeat"}, "message": line,
        "log": {"file": {"path": "/x"}, "offset": 7},
    }),
    "docker": lambda line: _json(log=line + "\n", stream="stdout", time=AT),
    "journald": lambda line: _json(MESSAGE=line, _PID="1"),
    "kubernetes": lambda line: f"2026-11-23T13:49:05.1+01:00 stdout F {line}".encode(),
    "syslog of 2001": lambda line: f"<134>Nov 23 13:48:25 web-1 server[26339]: {line}".encode(),
    "syslog without a host": lambda line: f"<134>Nov  3 13:48:25 server[26339]: {line}".encode(),
    "syslog of 2009": lambda line: (
        f'<165>1 2026-11-23T13:49:05.003Z web-1 server 8710 - [a@1 k="v \\"]"][b] {line}'.encode()
    ),
    "syslog in a file": lambda line: f"2026-11-23T13:49:05.003+00:00 web-1 server[1]: {line}".encode(),
    "syslog's message": lambda line: f" {line}\n".encode(),
    "vector around syslog": lambda line: _json(message=f"<134>Nov 23 13:48:25 web-1 server: {line}"),
}  # fmt: skip
"""What shippers put around a line, by the shipper."""
