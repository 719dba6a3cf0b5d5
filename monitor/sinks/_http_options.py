"""The options of sinks that speak HTTP: how receivers are reached, and what proves to them who sends."""

from __future__ import annotations

import base64
import re
from typing import Annotated, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, model_validator

from monitor.core.errors import DataError
from monitor.core.secrets import read_secret
from monitor.core.tls import TlsOptions

_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")


def _url(text: str) -> str:
    parts = urlsplit(text)
    if parts.scheme not in ("http", "https") or not parts.hostname or re.search(r"[\s\x00-\x1f\x7f]", text):
        raise ValueError("expected a URL such as https://example.net/hook")
    if parts.username is not None or parts.password is not None:
        raise ValueError("a URL with a password in it ends up in logs; use `username` and `password_file`")
    _ = parts.port  # ValueError: it is not a number
    return text


def _proxy(text: str) -> str:
    if not text.startswith("http://"):
        raise ValueError("expected a proxy such as http://proxy.example.net:3128; what goes through may well be https")
    return _url(text)


def _headers(headers: dict[str, str]) -> dict[str, str]:
    for name, value in headers.items():
        if not _HEADER_NAME.fullmatch(name):
            raise ValueError("a header's name is made of letters, digits and dashes")
        if re.search(r"[^\t\x20-\x7e]", value):
            raise ValueError(f"the value of the header {name} has characters that no header may have")
    return headers


Url = Annotated[str, AfterValidator(_url)]

Proxy = Annotated[str, AfterValidator(_proxy)]


class HttpOptions(TlsOptions):
    """How receivers are reached and what proves to them who sends. Secrets are read from files, for each request."""

    timeout_seconds: float = Field(
        default=15.0, gt=0, le=300, description="How long a receiver may take for its answer before it is asked again."
    )
    headers: Annotated[dict[str, str], AfterValidator(_headers)] = Field(
        default_factory=dict[str, str], description="Headers added to each request."
    )
    token_file: str | None = Field(default=None, description="A file with the token for `Authorization: Bearer`.")
    username: str | None = Field(default=None, description="The user of HTTP basic authentication.")
    password_file: str | None = Field(default=None, description="A file with this user's password.")
    proxy: Proxy | None = Field(
        default=None, description="A proxy (`http://...`) to go through; those in the environment are not used."
    )

    @model_validator(mode="after")
    def _fit_together(self) -> Self:
        if (self.username is None) != (self.password_file is None):
            raise ValueError("`username` and `password_file` go together")
        if self.username is not None and self.token_file is not None:
            raise ValueError("`token_file` and `username` both make the header Authorization; choose one")
        return self

    def secrets(self) -> dict[str, str]:
        """The headers that prove who sends, as the files stand now; what ``read_secret`` raises."""
        if self.token_file is not None:
            return {"Authorization": f"Bearer {_one_line(self.token_file, 'token_file')}"}
        if self.username is not None and self.password_file is not None:
            password = _one_line(self.password_file, "password_file")
            return {"Authorization": f"Basic {base64.b64encode(f'{self.username}:{password}'.encode()).decode()}"}
        return {}


def _one_line(path: str, option: str) -> str:
    secret = read_secret(path, option)
    if not secret.isprintable() or not secret.isascii():
        raise DataError(f"{path}: {option} names a file with more than one line, or characters that no header may have")
    return secret
