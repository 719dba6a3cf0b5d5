"""From certificate files to a TLS context that has proved to work: it has shaken hands with itself before anyone else.

A context that cannot (a key of another certificate, suites that do not fit the key, a certificate that is not for
servers) is refused while the old one still serves.
"""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NoReturn

from monitor.web.web_config import CIPHER_SUITES, TlsConfig

File = Literal["cert_file", "key_file", "client_ca_file"]
NO_CHECK_TIME = 0x200000
"""X509_V_FLAG_NO_CHECK_TIME of OpenSSL: that a certificate has expired is warned of, and clients refuse it."""
HANDSHAKE_TURNS = 8
"""A handshake takes three turns of both sides at most."""
_VERSIONS = {"TLS12": ssl.TLSVersion.TLSv1_2, "TLS13": ssl.TLSVersion.TLSv1_3}
_VERIFY = {
    "NoClientCert": ssl.CERT_NONE,
    "VerifyClientCertIfGiven": ssl.CERT_OPTIONAL,
    "RequireAndVerifyClientCert": ssl.CERT_REQUIRED,
}


class TlsError(Exception):
    """A file cannot be used; ``key`` is the one of the configuration that names it."""

    def __init__(self, key: File, message: str) -> None:
        super().__init__(message)
        self.key = key


@dataclass(frozen=True, slots=True)
class Tls:
    """A context for new connections and the time in which its certificate is valid, in seconds since 1970."""

    context: ssl.SSLContext
    not_before: float
    not_after: float
    allowed_sans: frozenset[str] | None = None

    @property
    def asks_clients(self) -> bool:
        """Whether only holders of a client certificate come in."""
        return self.context.verify_mode is ssl.CERT_REQUIRED

    def admits(self, certificate: object) -> bool:
        """Whether a verified client certificate, as ``ssl`` decodes it, is one of those that may come in."""
        return self.allowed_sans is None or not self.allowed_sans.isdisjoint(_names(certificate))


def make_tls(config: TlsConfig) -> Tls:
    """Load, check and try the files.

    Raises:
        TlsError: one of them does not serve its purpose.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = _VERSIONS[config.min_version]
    context.maximum_version = _VERSIONS[config.max_version]
    context.options |= ssl.OP_NO_RENEGOTIATION
    if not config.prefer_server_cipher_suites:
        context.options &= ~ssl.OP_CIPHER_SERVER_PREFERENCE
    if config.cipher_suites:
        context.set_ciphers(":".join(CIPHER_SUITES[name] for name in config.cipher_suites))
    context.set_alpn_protocols(["http/1.1"])
    _load_certificate(context, config)
    not_before, not_after = _tried(context, config.cert_file)
    _load_client_ca(context, config)
    allowed = None if config.client_allowed_sans is None else frozenset(config.client_allowed_sans)
    return Tls(context, not_before, not_after, allowed)


def user_of(certificate: object) -> str | None:
    """How the holder of a client certificate is called: its common name, or the first other name in it."""
    subject = certificate.get("subject", ()) if isinstance(certificate, dict) else ()
    common = [value for part in subject for name, value in part if name == "commonName"]
    return next(iter([*common, *_names(certificate)]), None)


def in_words(error: ssl.SSLError) -> str:
    """What OpenSSL found, without the place in its source."""
    return getattr(error, "verify_message", None) or (error.reason or str(error)).replace("_", " ").lower()


def _names(certificate: object) -> list[str]:
    names = certificate.get("subjectAltName", ()) if isinstance(certificate, dict) else ()
    return [str(value) for _, value in names]


def _load_certificate(context: ssl.SSLContext, config: TlsConfig) -> None:
    if b"-----BEGIN CERTIFICATE-----" not in _content("cert_file", config.cert_file):
        raise TlsError(
            "cert_file", f"{config.cert_file} holds no certificate in PEM form (-----BEGIN CERTIFICATE-----)"
        )
    if b"PRIVATE KEY-----" not in _content("key_file", config.key_file):
        raise TlsError("key_file", f"{config.key_file} holds no private key in PEM form (-----BEGIN PRIVATE KEY-----)")

    def password() -> NoReturn:  # without it OpenSSL would ask on the terminal
        raise TlsError("key_file", f"{config.key_file} is encrypted; decrypt it: `openssl pkey -in ... -out ...`")

    try:
        context.load_cert_chain(config.cert_file, config.key_file, password)
    except ssl.SSLError as error:
        if error.reason == "KEY_VALUES_MISMATCH":
            raise TlsError("key_file", f"{config.key_file} is not the key of {config.cert_file}") from None
        raise TlsError("cert_file", f"{config.cert_file} and its key cannot be used: {in_words(error)}") from error


def _load_client_ca(context: ssl.SSLContext, config: TlsConfig) -> None:
    if config.client_ca_file is None:
        return
    _content("client_ca_file", config.client_ca_file)
    try:
        context.load_verify_locations(config.client_ca_file)
    except ssl.SSLError as error:
        message = f"{config.client_ca_file} holds no certificates in PEM form: {in_words(error)}"
        raise TlsError("client_ca_file", message) from error
    context.verify_mode = _VERIFY[config.client_auth_type]


def _content(key: File, path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise TlsError(key, f"{path}: {error.strerror or error}") from error


def _tried(server: ssl.SSLContext, certificate: Path) -> tuple[float, float]:
    """Shake hands with a client that trusts exactly this certificate; gives when it is valid."""
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.check_hostname = False
    client.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN | NO_CHECK_TIME
    try:
        client.load_verify_locations(certificate)
        seen = _shaken(server, client)
        return ssl.cert_time_to_seconds(str(seen["notBefore"])), ssl.cert_time_to_seconds(str(seen["notAfter"]))
    except ssl.SSLError as error:
        raise TlsError("cert_file", f"no client could use {certificate}: {in_words(error)}") from error


def _shaken(server: ssl.SSLContext, client: ssl.SSLContext) -> dict[str, object]:
    """The server's certificate, as the client sees it."""
    to_client, to_server = ssl.MemoryBIO(), ssl.MemoryBIO()
    ends = client.wrap_bio(to_client, to_server), server.wrap_bio(to_server, to_client, server_side=True)
    waiting = True
    for _ in range(HANDSHAKE_TURNS):
        waiting = False
        for end in ends:
            try:
                end.do_handshake()
            except ssl.SSLWantReadError:
                waiting = True
        if not waiting:
            break
    return dict(ends[0].getpeercert() or {})
