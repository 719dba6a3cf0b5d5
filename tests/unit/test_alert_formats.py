"""An alert in other words says the same, the same each time, and its readers can take it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.core.alerts import Alert, EpisodeRef, FieldFinding, ModelRef, Score, SourceRef
from monitor.ledger.outbox import encoded
from monitor.sinks import jsonl
from monitor.sinks._formats import FORMATS, Format, cloudevents, delivery_id, ecs, otel

ODD = ["level", 900.5, True, None, [1, "x"], {"a": {"b": 2**70}}, -(2**63)]


def made(state: str = "firing", *, actual: Any = 900.5, key: str | None = "db 1", time: str | None = "t") -> bytes:
    """An alert in which everything is set."""
    return encoded(
        Alert(
            id="cf6c", fingerprint="f1", state=state, severity="critical", stream="web", key=key,
            time="2026-11-22T16:52:01.705Z" if time else None, detected_at="2026-11-22T16:52:02.000Z",
            source=SourceRef(path="/var/log/x.log", offset=17), count=3,
            episode=EpisodeRef("cf6c", "2026-11-22T16:52:01.705Z", "2026-11-22T16:53:00.000Z", 6.5),
            score=Score(l1=2.0, value=3.5, threshold=1.0),
            fields=(FieldFinding("level", actual, 36, "20 to 36", 1.0, "above everything benign"),),
            summary="web: level is 900", raw='{"level": 900}', model=ModelRef("v1", "ab"), host="mon-1",
        )
    )  # fmt: skip


def test_every_format_has_a_writer_and_every_writer_a_format() -> None:
    assert set(FORMATS) == set(get_args(Format))


@pytest.mark.parametrize("name", FORMATS)
def test_the_same_alert_is_written_the_same_and_on_one_line(name: Format) -> None:
    write = FORMATS[name].write

    assert write(made()) == write(made())
    assert b"\n" not in write(made())


def test_native_is_the_alert_itself() -> None:
    assert FORMATS["native"].write(made()) == made()


def test_a_firing_alert_in_ecs() -> None:
    event = msgspec.json.decode(ecs(made()))

    assert event["@timestamp"] == "2026-11-22T16:52:01.705Z"
    assert event["ecs"] == {"version": "8.11.0"}
    assert event["message"] == "web: level is 900"
    assert event["event"] == {
        "kind": "alert", "type": ["start"], "action": "anomaly-firing", "id": "cf6c-firing",
        "created": "2026-11-22T16:52:02.000Z", "start": "2026-11-22T16:52:01.705Z", "severity": 2, "risk_score": 3.5,
        "module": "aemonitor", "dataset": "aemonitor.alert", "original": '{"level": 900}',
    }  # fmt: skip
    assert event["log"] == {"level": "critical", "file": {"path": "/var/log/x.log"}}
    assert (event["host"], event["observer"]["hostname"]) == ({"name": "mon-1"}, "mon-1")
    assert event["aemonitor"]["key"] == "db 1"


def test_the_end_of_an_episode_in_ecs() -> None:
    event = msgspec.json.decode(ecs(made("resolved")))["event"]

    assert (event["type"], event["action"], event["end"]) == (["end"], "anomaly-resolved", "2026-11-22T16:53:00.000Z")


@pytest.mark.parametrize("actual", ODD)
def test_values_of_records_are_text_in_ecs_since_an_index_has_one_type_a_field(actual: Any) -> None:
    (field,) = msgspec.json.decode(ecs(made(actual=actual)))["aemonitor"]["fields"]

    assert field["actual"] == (
        actual if actual is None or isinstance(actual, str) else json.dumps(actual).replace(" ", "")
    )
    assert field["expected"] == "36"


def test_a_firing_alert_in_open_telemetry() -> None:
    (resource,) = msgspec.json.decode(otel(made()))["resourceLogs"]
    (record,) = resource["scopeLogs"][0]["logRecords"]
    attributes = {each["key"]: each["value"] for each in record["attributes"]}

    assert record["timeUnixNano"] == "1795366321705000000"
    assert record["observedTimeUnixNano"] == "1795366322000000000"
    assert (record["severityNumber"], record["severityText"]) == (18, "critical")
    assert record["body"] == {"stringValue": "web: level is 900"}
    assert record["eventName"] == "aemonitor.alert.firing"
    assert attributes["log.record.uid"] == {"stringValue": "cf6c-firing"}
    assert attributes["aemonitor.count"] == {"intValue": "3"}
    assert {"key": "host.name", "value": {"stringValue": "mon-1"}} in resource["resource"]["attributes"]


def any_values(value: Any) -> Iterator[dict[str, Any]]:
    """Every AnyValue below a piece of OTLP/JSON."""
    if isinstance(value, dict):
        if "key" in value and "value" in value:
            yield value["value"]
        yield from (found for each in value.values() for found in any_values(each))
    elif isinstance(value, list):
        yield from (found for each in value for found in any_values(each))


@pytest.mark.parametrize("actual", ODD)
def test_every_value_in_open_telemetry_is_of_a_type_it_knows(actual: Any) -> None:
    kinds = {"stringValue": str, "boolValue": bool, "intValue": str, "doubleValue": float, "arrayValue": dict,
             "kvlistValue": dict}  # fmt: skip

    for value in any_values(msgspec.json.decode(otel(made(actual=actual)))):
        ((kind, content),) = value.items()
        assert isinstance(content, kinds[kind])


def test_a_firing_alert_as_a_cloud_event() -> None:
    event = msgspec.json.decode(cloudevents(made()))

    assert event.pop("data") == msgspec.json.decode(made())
    assert event == {
        "specversion": "1.0", "id": "cf6c-firing", "source": "/aemonitor/mon-1/web", "type": "aemonitor.alert.firing",
        "time": "2026-11-22T16:52:02.000Z", "datacontenttype": "application/json", "subject": "db 1",
    }  # fmt: skip


def test_without_a_key_or_a_time_of_its_own_every_format_is_whole() -> None:
    line = made(key=None, time=None)

    assert "subject" not in msgspec.json.decode(cloudevents(line))
    assert msgspec.json.decode(ecs(line))["@timestamp"] == "2026-11-22T16:52:02.000Z"
    assert b'"timeUnixNano":"1795366322000000000"' in otel(line)


def test_an_alert_and_its_end_are_two_deliveries() -> None:
    first, second = (delivery_id(msgspec.json.decode(made(state))) for state in ("firing", "resolved"))

    assert first != second
    assert "." not in first  # what is signed is joined by dots


@given(
    text=st.text(), actual=st.recursive(st.none() | st.booleans() | st.integers() | st.text(), st.lists, max_leaves=5)
)
def test_whatever_stands_in_a_record_comes_through(text: str, actual: Any) -> None:
    line = made(actual=actual, key=text)

    for name in FORMATS:
        written = FORMATS[name].write(line)
        msgspec.json.decode(written)
        assert b"\n" not in written


def test_a_file_in_another_format_is_not_written_twice_after_a_crash(tmp_path: Path) -> None:
    path, alerts = tmp_path / "alerts.jsonl", [made("firing"), made("resolved")]
    for count in (1, 2):  # the sender repeats what it does not know to be delivered
        sink = jsonl.build(jsonl.Config(path=str(path), format="ecs"))
        assert sink.send(alerts[:count]) == count
        sink.close()

    assert path.read_bytes().splitlines() == [ecs(line) for line in alerts]


def test_standard_output_has_the_format_too(capfd: pytest.CaptureFixture[str]) -> None:
    assert jsonl.build(jsonl.Config(path="-", format="cloudevents")).send([made()]) == 1

    assert capfd.readouterr().out.encode() == cloudevents(made()) + b"\n"
