"""A real SMTP server on the loopback that keeps what it gets, and answers as it is told."""

from __future__ import annotations

import email
import email.policy
import ssl
from collections.abc import Generator
from contextlib import contextmanager
from email.message import EmailMessage
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, Envelope, LoginPassword

from monitor.app.demo import free_port
from tests.e2e.support import wait_for

TAKEN = "250 OK"


class MailServer:
    """``answers`` are what it says to messages, the last one for ever; only ``user`` may send, if
    there is one, and only over TLS."""

    def __init__(
        self, *answers: str, port: int = 0, user: tuple[str, str] | None = None, tls: ssl.SSLContext | None = None
    ) -> None:
        self.answers = list(answers) or [TAKEN]
        self.mails: list[EmailMessage] = []
        self.refused: list[EmailMessage] = []
        self._user = user
        options: dict[str, Any] = {"tls_context": tls, "require_starttls": tls is not None}
        if user is not None:
            options |= {"authenticator": self._authenticate, "auth_required": True}
        self.port = port or free_port()
        self._controller = Controller(self, hostname="127.0.0.1", port=self.port, **options)
        self._controller.start()

    def wait_for(self, count: int) -> list[EmailMessage]:
        """The mails it took, once there are so many."""
        wait_for(lambda: len(self.mails) >= count, f"{count} mails")
        return self.mails

    def close(self) -> None:
        self._controller.stop()

    async def handle_DATA(self, _server: object, _session: object, envelope: Envelope) -> str:
        assert isinstance(envelope.content, bytes)
        mail = email.message_from_bytes(envelope.content, policy=email.policy.default)
        assert isinstance(mail, EmailMessage)
        answer = self.answers[min(len(self.mails) + len(self.refused), len(self.answers) - 1)]
        (self.mails if answer.startswith("2") else self.refused).append(mail)
        return answer

    def _authenticate(
        self, _server: object, _session: object, _envelope: object, _how: str, data: object
    ) -> AuthResult:
        assert isinstance(data, LoginPassword)
        name, password = self._user or ("", "")
        right = (data.login, data.password) == (name.encode(), password.encode())
        return AuthResult(success=right, handled=False)


@contextmanager
def mail_server(*answers: str, **options: Any) -> Generator[MailServer, None, None]:
    server = MailServer(*answers, **options)
    try:
        yield server
    finally:
        server.close()
