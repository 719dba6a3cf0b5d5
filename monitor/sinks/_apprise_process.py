"""Hands one message to one receiver by Apprise; a program of its own, so that nothing it does reaches the daemon.

``python -m monitor.sinks._apprise_process`` reads a ``Task`` as JSON on its standard input. Exit status 0: the receiver
took it. 65: the URL is none. Any other: not taken. The last line on standard error says why, without the URL's parts.
"""

from __future__ import annotations

import logging
import re
import sys
from urllib.parse import unquote

import msgspec

from monitor.sinks._apprise_told import Told

NO_URL_STATUS = 65
"""EX_DATAERR of sysexits.h."""
FAILED_STATUS = 69
SECRET_CHARACTERS = 4
"""What is shorter is no secret, and stands in every second word."""
REMOVED = "…"
SAID_NO = re.compile(r"\((4|5)\d\d, b|error=4\d\d")
"""An answer of SMTP or HTTP that may be about what the message says."""
CREDENTIALS = re.compile(r"\(53\d, b|error=40[1357]|error=4(08|29)")
"""One that is not: who sends, whether there is such a place, and when it may be asked again."""
DETAIL = re.compile(r"\[Errno -?\d+\] [\w ]+|\[SSL: \w+\][\w :]*|\(\d\d\d, b.*|timed out")
"""What is understandable of the errors that Apprise does not show by itself, which are full of its URL."""


class Task(msgspec.Struct, frozen=True):
    """A receiver, and what to tell it; without a message only the URL is looked at."""

    url: str
    message: Told | None


class Reasons(logging.Handler):
    """Keeps what Apprise says, for the last line."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.said: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        text = record.getMessage()
        if record.levelno >= logging.WARNING:
            self.said.append(text)
        elif found := DETAIL.search(text):
            self.said.append(found[0])

    def take(self) -> str:
        """All of it in one line; then begin anew."""
        text, self.said = "; ".join(dict.fromkeys(self.said)), []
        return " ".join(text.split())


def without(url: str, text: str) -> str:
    """The text with every part of the URL removed but its scheme.

    >>> without("tgram://12345:sesame%21/chat", "POST /bot12345:sesame!/x to tgram for chat: [Errno 1] no")
    'POST /bot…:…/x to tgram for …: [Errno 1] no'
    """
    scheme, separator, rest = url.partition("://")
    parts = {url, rest, *re.split(r"[/?&=:@#,;]+", rest)}
    secret = {form for part in parts for form in (part, unquote(part)) if len(form) >= SECRET_CHARACTERS}
    for part in sorted(secret - {scheme if separator else ""}, key=len, reverse=True):
        text = text.replace(part, REMOVED)
    return text


def perform(task: Task, reasons: Reasons) -> int:
    """The exit status; ``reasons`` has why."""
    import apprise

    asset = apprise.AppriseAsset(
        app_id="aemonitor", app_desc="aemonitor", storage_mode=apprise.PersistentStoreMode.MEMORY
    )
    service = apprise.Apprise.instantiate(task.url, asset=asset)
    if service is None:
        return NO_URL_STATUS
    if task.message is None or _told(service, task.message.title, task.message.body, task.message.kind):
        return 0
    why = reasons.take()
    if SAID_NO.search(why) and not CREDENTIALS.search(why):
        if _told(service, task.message.brief_title, task.message.brief, task.message.kind):
            return 0
        why = reasons.take() or why
    reasons.said = [why]
    return FAILED_STATUS


def _told(service: object, title: str, body: str, kind: str) -> bool:
    from apprise import NotifyBase, NotifyFormat, NotifyType

    assert isinstance(service, NotifyBase)  # noqa: S101 - for the type checkers: it is what Apprise makes of a URL
    told = service.notify(title=title, body=body, notify_type=NotifyType(kind), body_format=NotifyFormat.TEXT)
    return bool(told)


def main() -> int:
    """Do what standard input says."""
    task = msgspec.json.decode(sys.stdin.buffer.read(), type=Task)
    reasons = Reasons()
    logging.basicConfig(level=logging.DEBUG, handlers=[reasons])
    try:
        status = perform(task, reasons)
    except Exception as error:  # noqa: BLE001 - a plugin of Apprise that crashes is a receiver that failed
        reasons.said.append(f"Apprise crashed: {type(error).__name__}: {error}")
        status = FAILED_STATUS
    sys.stderr.write(without(task.url, reasons.take() or "Apprise does not say why") + "\n")
    return status


if __name__ == "__main__":
    sys.exit(main())
