"""A stack trace arrives in the message as a whole, whichever parser reads it."""

from __future__ import annotations

import json

import pytest

from monitor.core.input_config import InputConfig, MultilineConfig
from monitor.core.protocols import Parser
from monitor.core.records import Chunk, Field, FieldType, Origin
from monitor.core.rows import joined_lines
from monitor.ingest.framing import Framer
from monitor.parsers import json_lines, raw_text, regex, syslog

MESSAGE = Field("message", FieldType.TEXT)
TRACE = "failed\njava.io.IOException: gone\n\tat shop.Pool.take(Pool.java:7)"


@pytest.mark.parametrize(
    ("parser", "start", "text"),
    [
        (raw_text.build(raw_text.Config(), [MESSAGE]), "^failed", TRACE),
        (syslog.build(syslog.Config(), [MESSAGE]), "^Nov", f"Nov 22 03:00:05 host shop[7]: {TRACE}"),
        (regex.build(regex.Config(pattern=r"^(?P<level>\w+) (?P<message>.*)$"), [MESSAGE]), "^ERR", f"ERROR {TRACE}"),
        (
            json_lines.build(json_lines.Config(), [MESSAGE]),
            r"^\{",
            json.dumps({"n": [1, {"a": 2}], "message": TRACE}, indent=2),
        ),
    ],
)
@pytest.mark.parametrize("ending", ["\n", "\r\n"])
def test_the_message_is_the_whole_trace(parser: Parser, start: str, text: str, ending: str) -> None:
    data = f"{text}\n".replace("\n", ending).encode() * 3
    form = InputConfig(multiline=MultilineConfig(start=start))

    raw = joined_lines(Framer(form=form).push(Chunk(Origin("f", 0, "x"), 0, data, final=True)))

    batch = parser.parse(raw)
    assert batch.column("message", FieldType.TEXT).to_pylist() == [TRACE] * 3
    assert batch.ok.all()
