"""The options of TLS, for all that speaks it: who is trusted, and what proves who asks."""

from __future__ import annotations

import ssl
from typing import Self

from pydantic import Field, model_validator

from monitor.core.errors import DataError
from monitor.core.opening import reading
from monitor.core.strict import StrictModel


class TlsOptions(StrictModel):
    """Whom to trust, and what proves who asks."""

    ca_file: str | None = Field(
        default=None,
        description="Certificates (PEM) of those who may vouch for the other side, instead of the system's.",
    )
    cert_file: str | None = Field(
        default=None,
        description="A certificate (PEM) that proves to the other side who asks; may hold its key as well.",
    )
    key_file: str | None = Field(default=None, description="The key of this certificate, where it stands by itself.")

    @model_validator(mode="after")
    def _key_has_a_certificate(self) -> Self:
        if self.key_file is not None and self.cert_file is None:
            raise ValueError("`key_file` needs `cert_file`")
        return self


def tls_context(options: TlsOptions) -> ssl.SSLContext:
    """What decides whom to trust, and what proves who asks.

    Raises:
        NoInputError, PermissionDeniedError, DataError: a file that is named is not there or holds no certificate.
    """
    for path in (options.ca_file, options.cert_file, options.key_file):
        if path is not None:
            with reading(path), open(path, "rb"):  # noqa: PTH123 - only whether it can be opened
                pass
    try:
        context = ssl.create_default_context(cafile=options.ca_file)
        if options.cert_file is not None:
            # A key with a passphrase is refused: asking for it would block a daemon for ever.
            context.load_cert_chain(options.cert_file, options.key_file, password="")
    except (ssl.SSLError, ValueError) as error:
        files = ", ".join(p for p in (options.ca_file, options.cert_file, options.key_file) if p is not None)
        raise DataError(f"{files}: cannot be used for TLS: {getattr(error, 'reason', None) or error}") from error
    return context
