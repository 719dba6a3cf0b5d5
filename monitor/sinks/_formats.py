"""An alert in the words of others: pure functions from its JSON line to another one, the same for the same alert.

``native`` is the alert as it is (``aemonitor.alert/v1``). The others carry all of it that their readers can take.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import Any, Literal, NamedTuple
from urllib.parse import quote

import msgspec

Format = Literal["native", "ecs", "otel", "cloudevents"]
DESCRIPTION = (
    "How an alert is written: `native`, `ecs` (Elastic Common Schema), `otel` (OpenTelemetry logs, OTLP/JSON) or "
    "`cloudevents` (CloudEvents 1.0)."
)
"""Of the option ``format``, which several sinks have."""

ECS_VERSION = "8.11.0"
_SYSLOG_SEVERITIES = {"critical": 2, "warning": 4, "info": 6}
"""RFC 5424, table 2; also what ECS means by ``event.severity`` of a source that has syslog's."""
_NOTICE = 5
_OTEL_SEVERITIES = {"critical": 18, "warning": 13, "info": 9}
"""ERROR2, WARN and INFO: https://opentelemetry.io/docs/specs/otel/logs/data-model-appendix/, from syslog."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Writing(NamedTuple):
    """How alerts are written, and the media type of what comes out."""

    write: Callable[[bytes], bytes]
    media_type: str


def delivery_id(alert: Mapping[str, Any]) -> str:
    """What a receiver tells a repetition by: an alert, and the message that it is over, are two deliveries.

    >>> delivery_id({"id": "cf6c", "state": "resolved"})
    'cf6c-resolved'
    """
    return f"{alert['id']}-{alert['state']}"


def priority(severity: str, state: str) -> int:
    """The severity as syslog and the journal number it, small is bad; an end is a notice, whatever it is the end of.

    >>> priority("critical", "firing"), priority("critical", "resolved")
    (2, 5)
    """
    return _NOTICE if state == "resolved" else _SYSLOG_SEVERITIES.get(severity, _NOTICE)


def native(line: bytes) -> bytes:
    """The alert as it is."""
    return line


def ecs(line: bytes) -> bytes:
    """Elastic Common Schema; what it has no word for stands under ``aemonitor``.

    Field names: https://www.elastic.co/docs/reference/ecs/ecs-field-reference (base, ecs, event, host, log, observer).
    Values of records are text there: an index maps a field to one type, and the first document would choose it.
    """
    alert = msgspec.json.decode(line)
    episode = alert.get("episode") or {}
    told = {
        "@timestamp": alert["time"] or alert["detected_at"],
        "ecs": {"version": ECS_VERSION},
        "message": alert["summary"],
        "event": {
            "kind": "alert",
            "type": ["end" if alert["state"] == "resolved" else "start"],
            "action": f"anomaly-{alert['state']}",
            "id": delivery_id(alert),
            "created": alert["detected_at"],
            "start": episode.get("first"),
            "end": episode.get("last") if alert["state"] == "resolved" else None,
            "severity": _SYSLOG_SEVERITIES.get(alert["severity"]),
            "risk_score": alert["score"]["value"],
            "module": "aemonitor",
            "dataset": "aemonitor.alert",
            "original": alert["raw"],
        },
        "host": {"name": alert["host"]},
        "log": {"level": alert["severity"], "file": {"path": alert["source"]["path"]}},
        "observer": {"product": "aemonitor", "hostname": alert["host"]},
        "aemonitor": {**_without(alert, "raw", "summary", "host"), "fields": [_texts(f) for f in alert["fields"]]},
    }
    return msgspec.json.encode(_stripped(told))


def otel(line: bytes) -> bytes:
    """OpenTelemetry: one log record as an OTLP/JSON export request, which collectors take from files and over HTTP.

    Envelope and encoding: https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding; the record:
    https://opentelemetry.io/docs/specs/otel/logs/data-model/; ``log.*``, ``host.name`` and ``service.name``:
    https://opentelemetry.io/docs/specs/semconv/registry/attributes/.
    """
    alert = msgspec.json.decode(line)
    record = {
        "timeUnixNano": _nanoseconds(alert["time"] or alert["detected_at"]),
        "observedTimeUnixNano": _nanoseconds(alert["detected_at"]),
        "severityNumber": _OTEL_SEVERITIES.get(alert["severity"], 0),
        "severityText": alert["severity"],
        "eventName": f"aemonitor.alert.{alert['state']}",
        "body": _any_value(alert["summary"]),
        "attributes": _attributes(
            {
                "log.record.uid": delivery_id(alert),
                "log.record.original": alert["raw"],
                "log.file.path": alert["source"]["path"],
                **{f"aemonitor.{name}": value for name, value in _without(alert, "raw", "summary", "host").items()},
            }
        ),
    }
    scope = {"scope": {"name": "aemonitor"}, "logRecords": [record]}
    resource = {"attributes": _attributes({"service.name": "aemonitor", "host.name": alert["host"]})}
    return msgspec.json.encode({"resourceLogs": [{"resource": resource, "scopeLogs": [scope]}]})


def cloudevents(line: bytes) -> bytes:
    """CloudEvents 1.0 in JSON, structured mode; ``data`` is the alert as it is.

    Attributes: https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/spec.md; JSON: ``formats/json-format.md``.
    """
    alert = msgspec.json.decode(line)
    event = {
        "specversion": "1.0",
        "id": delivery_id(alert),
        "source": f"/aemonitor/{quote(alert['host'], safe='')}/{quote(alert['stream'], safe='')}",
        "type": f"aemonitor.alert.{alert['state']}",
        "time": alert["detected_at"],
        "datacontenttype": "application/json",
        "data": msgspec.Raw(line),
    }
    if alert["key"]:
        event["subject"] = alert["key"]
    return msgspec.json.encode(event)


FORMATS: Mapping[Format, Writing] = MappingProxyType(
    {
        "native": Writing(native, "application/json"),
        "ecs": Writing(ecs, "application/json"),
        "otel": Writing(otel, "application/json"),
        "cloudevents": Writing(cloudevents, "application/cloudevents+json"),
    }
)


def _without(alert: Mapping[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in alert.items() if name not in names}


def _texts(field: Mapping[str, Any]) -> dict[str, Any]:
    """A field's finding with the values it saw and expected as text."""
    shown = {name: _text(field[name]) for name in ("actual", "expected") if name in field}
    return {**field, **shown}


def _text(value: Any) -> str | None:
    return value if value is None or isinstance(value, str) else msgspec.json.encode(value).decode()


def _stripped(value: dict[str, Any]) -> dict[str, Any]:
    """Without what is null: an absent field and a null one are the same to Elasticsearch."""
    inner = {name: _stripped(item) if isinstance(item, dict) else item for name, item in value.items()}
    return {name: item for name, item in inner.items() if item is not None}


def _nanoseconds(time: str) -> str:
    """RFC 3339 as nanoseconds since 1970; text, as 64-bit integers are in this encoding.

    >>> _nanoseconds("1970-01-01T00:00:01.500Z")
    '1500000000'
    """
    return str((datetime.fromisoformat(time) - _EPOCH) // timedelta(microseconds=1) * 1000)


def _attributes(values: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [{"key": name, "value": _any_value(value)} for name, value in values.items() if value is not None]


def _any_value(value: Any) -> dict[str, Any]:
    """A value of JSON as an ``AnyValue``.

    >>> _any_value({"n": 1, "up": True, "x": [0.5, "a"]})["kvlistValue"]["values"][0]
    {'key': 'n', 'value': {'intValue': '1'}}
    """
    match value:
        case bool():
            return {"boolValue": value}
        case int():
            return {"intValue": str(value)} if -(2**63) <= value < 2**63 else {"stringValue": str(value)}
        case float():
            return {"doubleValue": value}
        case dict():
            return {"kvlistValue": {"values": _attributes(value)}}
        case list():
            return {"arrayValue": {"values": [_any_value(item) for item in value]}}
        case _:
            return {} if value is None else {"stringValue": str(value)}
