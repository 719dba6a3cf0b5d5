"""What a web configuration may say: TLS, users, headers, rates; the format of the Prometheus exporters, read strictly.

https://github.com/prometheus/exporter-toolkit/blob/master/docs/web-configuration.md is where it comes from. What cannot
be had here is refused rather than passed over: a file that promises protection either gives it or does not load.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from monitor.core.names import did_you_mean, quoted
from monitor.core.strict import StrictModel

CIPHER_SUITES = {
    f"TLS_ECDHE_{key}_WITH_{name}": f"ECDHE-{key}-{openssl}"
    for key in ("ECDSA", "RSA")
    for name, openssl in (
        ("AES_128_GCM_SHA256", "AES128-GCM-SHA256"),
        ("AES_256_GCM_SHA384", "AES256-GCM-SHA384"),
        ("CHACHA20_POLY1305_SHA256", "CHACHA20-POLY1305"),
    )
}
"""Suites of TLS 1.2 that are not known to be weak, by their registered names and as OpenSSL calls them."""
DEAREST_COST = 14
"""A bcrypt hash of this cost takes about a second; each step doubles it, and requests end after ten."""
HEADERS = (
    "Content-Security-Policy",
    "Strict-Transport-Security",
    "X-Content-Type-Options",
    "X-Frame-Options",
    "X-XSS-Protection",
)
_HASH = re.compile(r"\$2[aby]\$([0-9]{2})\$[./A-Za-z0-9]{53}")
_DURATION = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,9})?)(ms|s|m)|0")
_SECONDS = {"ms": 1e-3, "s": 1.0, "m": 60.0}


def cost(password_hash: str) -> int:
    """The cost of a bcrypt hash: checking a password takes time in proportion to two to that power."""
    return int(password_hash[4:6])


def parse_duration(text: str) -> float:
    """Seconds of ``0``, ``20ms``, ``1.5s`` or ``1m``.

    >>> parse_duration("20ms"), parse_duration("0")
    (0.02, 0.0)

    Raises:
        ValueError: it is none of these; the message is for the user.
    """
    found = _DURATION.fullmatch(text)
    if not found:
        raise ValueError("expected a time such as 20ms, 1s or 0")
    return float(found[1]) * _SECONDS[found[2]] if found[1] else 0.0


def _bcrypt_hash(value: Any) -> str:
    """The value itself stays out of every message: it may be the password."""
    if not isinstance(value, str) or not (found := _HASH.fullmatch(value)):
        raise ValueError("expected a bcrypt hash, as `aemonitor web-password` and `htpasswd -nB` print it")
    if not 4 <= int(found[1]) <= DEAREST_COST:
        raise ValueError(f"the hash's cost {int(found[1])} is not 4 to {DEAREST_COST}: checking it would take too long")
    return value


def user_name(name: str) -> str:
    """The name itself.

    Raises:
        ValueError: basic authentication cannot carry it; the message is for the user.
    """
    if not name or ":" in name or not name.isprintable():
        raise ValueError("a user's name is printable, not empty and without a colon")
    return name


def _users(users: dict[str, str]) -> dict[str, str]:
    for name in users:
        user_name(name)
    return users


def _suite(name: str) -> str:
    if name not in CIPHER_SUITES:
        raise ValueError(
            f"there is no suite {quoted(name)} of TLS 1.2 among the strong ones{did_you_mean(name, CIPHER_SUITES)}"
        )
    return name


def _duration(value: Any) -> str:
    """YAML has ``0`` as a number, which needs no unit."""
    text = "0" if value == 0 else str(value)
    parse_duration(text)
    return text


def _header_value(text: str) -> str:
    if not text.isascii() or not text.isprintable():
        raise ValueError("a header's value is one line of ASCII characters")
    return text


def _http1(http2: bool) -> bool:
    if http2:
        raise ValueError("HTTP/2 is not spoken here; write false or leave it out")
    return http2


FilePath = Annotated[Path, Field(strict=False)]


class TlsConfig(StrictModel):
    """Encryption, and who may connect at all."""

    cert_file: FilePath = Field(description="The certificate in PEM form, followed by those between it and the root.")
    key_file: FilePath = Field(description="Its private key in PEM form, not encrypted.")
    client_auth_type: Literal["NoClientCert", "VerifyClientCertIfGiven", "RequireAndVerifyClientCert"] = Field(
        default="NoClientCert", description="Whether clients show a certificate; it is always verified."
    )
    client_ca_file: FilePath | None = Field(default=None, description="Who signs the certificates of clients.")
    client_allowed_sans: Annotated[list[str], Field(min_length=1)] | None = Field(
        default=None, description="Clients whose certificate names one of these (DNS, IP, e-mail, URI), no others."
    )
    min_version: Literal["TLS12", "TLS13"] = Field(default="TLS12", description="The oldest version of TLS.")
    max_version: Literal["TLS12", "TLS13"] = Field(default="TLS13", description="The newest version of TLS.")
    cipher_suites: Annotated[list[Annotated[str, AfterValidator(_suite)]], Field(min_length=1)] | None = Field(
        default=None, description="The suites of TLS 1.2, best first; without it, every strong one."
    )
    prefer_server_cipher_suites: bool = Field(default=True, description="Whose order of suites decides.")

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if self.max_version < self.min_version:
            raise ValueError("max_version is older than min_version: nobody could connect")
        if self.client_auth_type != "NoClientCert" and self.client_ca_file is None:
            raise ValueError(
                f"client_auth_type: {self.client_auth_type} needs client_ca_file, which says who signs them"
            )
        if self.client_auth_type == "NoClientCert" and self.client_ca_file is not None:
            raise ValueError(
                "client_ca_file has no effect without client_auth_type: RequireAndVerifyClientCert (or "
                "VerifyClientCertIfGiven)"
            )
        if self.client_allowed_sans is not None and self.client_auth_type != "RequireAndVerifyClientCert":
            raise ValueError("client_allowed_sans needs client_auth_type: RequireAndVerifyClientCert")
        return self


class HttpConfig(StrictModel):
    """What is said along with every answer."""

    http2: Annotated[bool, AfterValidator(_http1)] = Field(default=False, description="Must be false.")
    headers: dict[str, Annotated[str, AfterValidator(_header_value)]] = Field(
        default_factory=dict[str, str], description=f"Sent instead of the usual ones: {', '.join(HEADERS)}."
    )


class RateConfig(StrictModel):
    """How often one address may ask: a bucket of ``burst`` requests that gets a new one every ``interval``."""

    interval: Annotated[str, BeforeValidator(_duration)] = Field(
        default="10ms", description="Time between two requests in the long run, such as 20ms or 1s; 0: no limit."
    )
    burst: int = Field(default=1000, ge=1, le=1_000_000, description="Requests that may come at once.")


class WebConfig(StrictModel):
    """The whole file. An empty one is allowed and protects nothing."""

    tls_server_config: TlsConfig | None = Field(default=None, description="Without it, plain HTTP.")
    http_server_config: HttpConfig = Field(default_factory=HttpConfig, description="Headers.")
    basic_auth_users: Annotated[dict[str, Annotated[str, BeforeValidator(_bcrypt_hash)]], AfterValidator(_users)] = (
        Field(default_factory=dict[str, str], description="Name to bcrypt hash; without users anyone may ask.")
    )
    rate_limit: RateConfig = Field(default_factory=RateConfig, description="How often one address may ask.")
