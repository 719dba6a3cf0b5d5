"""Fields of a record that stand in the topic of its message and not in its payload."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

VALUE = "value"
"""What a payload is called that is no JSON object."""
PASSED_OVER = "_"
"""What a level is called that is no field."""


class TopicFields:
    """Adds them to a payload, as JSON.

    >>> TopicFields(["_", "site"], None).added("plant/north/temperature", b'{"celsius": 21}')
    b'{"celsius": 21,"site":"north"}'
    >>> TopicFields([], "topic").added("plant/north", b"21.5")
    b'{"value":21.5,"topic":"plant/north"}'
    """

    def __init__(self, levels: Sequence[str], whole: str | None) -> None:
        self._levels = levels
        self._whole = whole

    def added(self, topic: str, payload: bytes) -> bytes:
        """The payload with the fields behind its own, where those of the same name are overruled.

        What is no JSON object becomes the field ``value`` of one: a number, a text, or whatever JSON it is.
        """
        fields = self._of(topic)
        if not fields:
            return payload
        stripped = payload.strip()
        if not (stripped.startswith(b"{") and stripped.endswith(b"}")):
            return msgspec.json.encode({VALUE: _value(stripped), **fields})
        inner = stripped[1:-1].rstrip()
        return b"{" + inner + (b"," if inner else b"") + msgspec.json.encode(fields)[1:]

    def _of(self, topic: str) -> dict[str, str]:
        named = zip(self._levels, topic.split("/"), strict=False)
        fields = {name: level for name, level in named if name != PASSED_OVER}
        return {**fields, self._whole: topic} if self._whole is not None else fields


def _value(payload: bytes) -> object:
    try:
        return msgspec.Raw(payload) if payload and msgspec.json.decode(payload) is not None else None
    except msgspec.DecodeError:
        return payload.decode("utf-8", errors="replace")
