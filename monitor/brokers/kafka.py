"""How Kafka is reached: the options of source and sink, and what librdkafka is told."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, Field, StringConstraints, model_validator

from monitor.core.errors import DataError
from monitor.core.opening import reading
from monitor.core.secrets import read_secret
from monitor.core.tls import TlsOptions

EXTRA = "kafka"
LIBRARY = "confluent_kafka"

QUIET = 2
"""Of the messages that librdkafka writes to standard error, only those of level "critical" and worse: what matters of
the others is told as events of the stream or of the sink."""

OWN = ("bootstrap.servers", "security.protocol", "sasl.mechanism", "sasl.mechanisms", "sasl.username", "sasl.password",
       "ssl.ca.location", "ssl.certificate.location", "ssl.key.location")  # fmt: skip
"""Settings of librdkafka that options of ours are made for."""

_SERVER = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+):[0-9]{1,5}")

Property = str | int | float | bool

Topic = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._-]{1,249}$")]
"""What brokers allow as a name of one topic."""


def _servers(servers: list[str]) -> list[str]:
    for server in servers:
        if not _SERVER.fullmatch(server):
            raise ValueError("expected HOST:PORT, such as kafka-1.example.net:9092")
    return servers


class KafkaOptions(TlsOptions):
    """How brokers are reached, and what proves to them who asks."""

    brokers: Annotated[list[str], Field(min_length=1), AfterValidator(_servers)] = Field(
        description="Some brokers of the cluster, as `HOST:PORT`; the others are learned from them."
    )
    tls: bool = Field(default=False, description="Whether connections are encrypted; `ca_file` says whom to trust.")
    username: str | None = Field(default=None, description="The user of SASL authentication.")
    password_file: str | None = Field(default=None, description="A file with this user's password.")
    mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = Field(
        default="SCRAM-SHA-512", description="How the user proves to be it. PLAIN sends the password: only with `tls`."
    )
    properties: dict[str, Property] = Field(
        default_factory=dict[str, Property],
        description="Further settings of librdkafka by their names, such as `client.rack`. Those that options are made "
        "for, and those that delivery depends on, are refused.",
    )

    @model_validator(mode="after")
    def _fit_together(self) -> Self:
        if (self.username is None) != (self.password_file is None):
            raise ValueError("`username` and `password_file` go together")
        if self.username is not None and self.mechanism == "PLAIN" and not self.tls:
            raise ValueError("`mechanism: PLAIN` shows the password to the network; set `tls: true`")
        if not self.tls and (self.ca_file or self.cert_file):
            raise ValueError("`ca_file` and `cert_file` need `tls: true`")
        self._refuse({*OWN, *self.reserved()})
        return self

    @classmethod
    def reserved(cls) -> tuple[str, ...]:
        """Settings that nobody may change, since what is promised rests on them."""
        return ()

    def _refuse(self, taken: set[str]) -> None:
        for name in self.properties:
            if name in taken:
                raise ValueError(
                    f"`properties` may not set {name}: an option is made for it, or delivery depends on it"
                )

    @property
    def place(self) -> str:
        """Where the brokers are, for messages."""
        return ",".join(self.brokers)


def settings(options: KafkaOptions, own: Mapping[str, Any]) -> dict[str, Any]:
    """What librdkafka is told; ``own`` is what source or sink need besides. The password is as the file has it now.

    Raises:
        NoInputError, PermissionDeniedError, DataError: a file that is named cannot be used.
    """
    told: dict[str, Any] = {"log_level": QUIET, **options.properties, **own}
    told["bootstrap.servers"] = options.place
    sasl = options.username is not None
    told["security.protocol"] = ("SASL_" if sasl else "") + ("SSL" if options.tls else "PLAINTEXT")
    if options.username is not None and options.password_file is not None:
        told["sasl.mechanism"] = options.mechanism
        told["sasl.username"] = options.username
        told["sasl.password"] = read_secret(options.password_file, "password_file")
    if options.tls:
        told |= _certificates(options)
    return told


def _certificates(options: KafkaOptions) -> dict[str, str]:
    key = options.key_file or options.cert_file
    named = {
        "ssl.ca.location": options.ca_file,
        "ssl.certificate.location": options.cert_file,
        "ssl.key.location": key,
    }
    for path in filter(None, named.values()):
        with reading(path), open(path, "rb") as file:  # noqa: PTH123 - only whether it is one
            if b"-----BEGIN" not in file.read(1 << 20):
                raise DataError(f"{path}: cannot be used for TLS: it holds no PEM")
    return {name: path for name, path in named.items() if path is not None}
