"""The configuration as the program uses it: complete, checked, frozen. How it is read stands in ``config_reading``."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal, Protocol, Self

from pydantic import (
    AfterValidator,
    ConfigDict,
    Field,
    PositiveInt,
    SerializeAsAny,
    StringConstraints,
    WithJsonSchema,
    model_validator,
)

from monitor.core.alert_config import AlertConfig
from monitor.core.input_config import InputConfig
from monitor.core.model_config import ModelConfig
from monitor.core.names import quoted
from monitor.core.redaction import SECRETS, checked
from monitor.core.reservoir_config import ReservoirConfig
from monitor.core.strict import StrictModel
from monitor.core.zones import zone

NAME_PATTERN = "^[a-z0-9][a-z0-9_-]{0,63}$"
"""Names of streams and sinks: they become file names, unit names and label values."""
_HOST = re.compile(r"[A-Za-z0-9._-]+")
_DEVICE = r"auto|cpu|cuda|cuda:[0-9]{1,3}"

MOST_AVERAGED = 100
"""Scores in one average: what is remembered of a key is as large, and what lasts shorter than that disappears."""


@dataclass(frozen=True, slots=True)
class Plugin:
    """A chosen kind with its checked options, an instance of the kind's own ``Config``."""

    kind: str
    options: SerializeAsAny[StrictModel]


@dataclass(frozen=True, slots=True)
class Feature:
    """One feature: how ``field`` is encoded. ``name`` is the feature's name, and the field's unless that is given."""

    name: str
    field: str
    kind: str
    options: SerializeAsAny[StrictModel]


class Catalog(Protocol):
    """What may be written where a plugin is expected. ``group`` is sources, parsers, encoders or sinks."""

    def kinds(self, group: str) -> tuple[str, ...]:
        """The kinds of a group, sorted."""
        ...

    def options_model(self, group: str, kind: str) -> type[StrictModel]:
        """The model of a kind's options; ``kind`` is one of ``kinds(group)``."""
        ...


def parse_listen(text: str) -> tuple[str, int] | None:
    """Host and port of ``HOST:PORT`` or ``[IPV6]:PORT``; an empty host is every interface; None for ``none``.

    >>> parse_listen("[::1]:9464"), parse_listen(":9464"), parse_listen("none")
    (('::1', 9464), ('', 9464), None)

    Raises:
        ValueError: it is none of these; the message is for the user.
    """
    if text == "none":
        return None
    host, colon, port = text.rpartition(":")
    if not colon or not re.fullmatch(r"[0-9]{1,5}", port) or int(port) > 65535:
        raise ValueError(f"expected HOST:PORT such as 127.0.0.1:9464, or none, got {quoted(text)}")
    if host.startswith("[") and host.endswith("]"):
        try:
            return str(ipaddress.IPv6Address(host[1:-1])), int(port)
        except ValueError:
            raise ValueError(f"{quoted(host[1:-1])} is not an IPv6 address") from None
    if host and not _HOST.fullmatch(host):
        raise ValueError(
            f"{quoted(host)} is not a host name or address; an IPv6 address stands in brackets: [::1]:9464"
        )
    return host, int(port)


def _listen(text: str) -> str:
    parse_listen(text)
    return text


def _device(name: str) -> str:
    if not re.fullmatch(_DEVICE, name):
        raise ValueError(f"expected auto, cpu, cuda or cuda:N, got {quoted(name)}")
    return name


def _distinct(names: list[str]) -> list[str]:
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ValueError(f"{quoted(twice[0])} is listed twice")
    return names


Name = Annotated[str, StringConstraints(pattern=NAME_PATTERN)]
FieldName = Annotated[str, Field(min_length=1)]


class ServerConfig(StrictModel):
    """The HTTP server: metrics, health, API and status page."""

    listen: Annotated[str, AfterValidator(_listen)] = Field(
        default="127.0.0.1:9464",
        description="Address and port as HOST:PORT; port 0 takes any free one; `none` switches the server off.",
    )
    web_config: Annotated[Path, Field(strict=False)] | None = Field(
        default=None,
        description="File with TLS, users, headers and rates, in the format of the Prometheus exporters; a relative "
        "path starts from the directory of this file. It is read again whenever it changes.",
    )
    host_names: list[str] = Field(
        default_factory=list[str],
        description="Names by which a proxy or tunnel on this machine asks for pages; a server on the loopback address "
        "without users answers to no others but localhost.",
    )

    @property
    def address(self) -> tuple[str, int] | None:
        """Host and port; None when the server is off. An empty host is every interface."""
        return parse_listen(self.listen)

    @property
    def is_local(self) -> bool:
        """Whether nobody but this machine reaches it, as far as the address tells."""
        if self.address is None:
            return True
        try:
            return ipaddress.ip_address(self.address[0]).is_loopback
        except ValueError:
            return self.address[0] == "localhost"

    def web_config_in(self, directory: Path) -> Path | None:
        """Where the web configuration is; ``directory`` is that of the configuration itself."""
        return self.web_config and directory / self.web_config


class LimitsConfig(StrictModel):
    """How much is held in memory at a time; the defaults suit a small machine."""

    max_batch_records: int = Field(
        default=8192, ge=1, le=1_000_000, description="Most records that are scored and committed together."
    )
    queue_bytes: int = Field(
        default=8 * 1024 * 1024, ge=65_536, description="Most bytes read but not yet scored, for all streams together."
    )
    max_record_bytes: int = Field(
        default=262_144,
        ge=256,
        description="Longest record in bytes; of a longer one the beginning is scored and the rest is counted.",
    )
    gather_milliseconds: int = Field(
        default=25,
        ge=0,
        le=1000,
        description="After reading only a little, wait so long before reading more, so that records that come singly "
        "share what a batch costs. The first after a silence does not wait. 0: every record is scored as it comes, at "
        "the price of processor time.",
    )
    on_overload: Literal["block", "sample"] = Field(
        default="block",
        description="When records come faster than they are scored: `block` reads later what the files still hold; "
        "`sample` passes records over while the queue is more than half full, and counts them.",
    )
    sample_one_in: int = Field(
        default=10, ge=2, le=1_000_000, description="Of so many records `sample` scores one, chosen by its place."
    )

    @model_validator(mode="after")
    def _a_record_fits_the_queue(self) -> Self:
        if self.queue_bytes < self.max_record_bytes:
            raise ValueError(
                f"queue_bytes ({self.queue_bytes}) must be at least max_record_bytes ({self.max_record_bytes})"
            )
        return self


class TimeConfig(StrictModel):
    """Where a record says when it happened."""

    field: FieldName = Field(description="The field that holds the event time.")
    format: FieldName | None = Field(
        default=None, description="The format in strptime notation; without it the common formats are recognised."
    )
    timezone: Annotated[str, AfterValidator(zone)] = Field(
        default="UTC", description="The time zone of times that name none, such as Europe/Berlin."
    )


class ScoreConfig(StrictModel):
    """How a record's error becomes its score."""

    method: Literal["l1", "field", "masked", "blend"] = Field(
        default="blend",
        description="`l1`: the summed absolute error of the network, 0 at the best and 1 at the worst benign record. "
        "`field`: how rare the worst field is, told by the same network; 1 at the calibrated limit. `masked`: where "
        "the `l1` score is among the highest tenth, each field is also judged with itself hidden from the network, "
        "which has to learn so: give `model.masking`. `blend`: how rare the record as a whole or its worst field is, "
        "told by a panel of networks, whitened errors and the nearest stored benign record. The `l1` score is always "
        "there, too.",
    )
    members: Annotated[int, Field(ge=1, le=16)] = Field(
        default=3, description="Networks on the panel of `blend`; they are computed as one."
    )
    masking: Annotated[float, Field(ge=0, lt=1, allow_inf_nan=False)] = Field(
        default=0.1,
        description="Share of the fields hidden from the panel of `blend` while it learns, so that it can tell each "
        "from the others: what alerts call expected.",
    )
    average: Annotated[int, Field(ge=1, le=MOST_AVERAGED)] | Literal["auto"] = Field(
        default="auto",
        description="A score is the mean of so many of its key's last ones; `auto` takes 5 where consecutive benign "
        "records resemble each other, otherwise 1. `l1` scores are exported as they are.",
    )


class StreamConfig(StrictModel):
    """One stream: where its records come from, how they are read, what is learned and who is told."""

    source: Annotated[Plugin, WithJsonSchema({"plugins": "sources"})] = Field(description="Where bytes are read from.")
    parser: Annotated[Plugin, WithJsonSchema({"plugins": "parsers"})] = Field(
        description="How a record becomes fields."
    )
    input: InputConfig = Field(default_factory=InputConfig, description="How bytes become records.")
    time: TimeConfig | None = Field(default=None, description="The event time; without it the time of reading counts.")
    key: FieldName | None = Field(
        default=None, description="The field that names the entity of a record: a host, a device, a session."
    )
    features: Annotated[dict[FieldName, Annotated[Feature, WithJsonSchema({"plugins": "encoders"})]],
                        Field(min_length=1)] = Field(
        description="Feature to encoding. A feature reads the field of its own name unless its options have `field`."
    )  # fmt: skip
    model: ModelConfig = Field(default_factory=ModelConfig, description="The network and its training.")
    score: ScoreConfig = Field(default_factory=ScoreConfig, description="How the score is computed.")
    alert: AlertConfig = Field(default_factory=AlertConfig, description="When an alert is raised.")
    keep_models: PositiveInt = Field(
        default=5, description="Published models that are kept, the newest; the one in use always is."
    )
    reservoir: ReservoirConfig = Field(
        default_factory=ReservoirConfig, description="The benign records that are kept to learn from."
    )
    redact: Annotated[list[str], AfterValidator(checked)] = Field(
        default_factory=lambda: [SECRETS],
        description="Patterns (RE2) of what is replaced by `[redacted]` in texts before they are learned, scored, kept "
        "or sent; what the first group of one matched stays. `secrets` stands for those of the program: passwords, "
        "tokens and keys by their names and forms. `[]` leaves everything as it is.",
    )
    sinks: Annotated[list[str], AfterValidator(_distinct)] = Field(
        default_factory=list[str], description="Names of the sinks that are sent this stream's alerts."
    )

    @model_validator(mode="after")
    def _budget_by_held_out_records(self) -> Self:
        if self.alert.budget is not None and self.model.split == "none":
            raise ValueError(
                "alert.budget: with model.split: none every record is learned, so none can tell the rate; "
                "use split: time, or give a threshold"
            )
        return self

    @model_validator(mode="after")
    def _masked_as_learned(self) -> Self:
        if self.score.method == "masked" and not self.model.masking:
            raise ValueError(
                "score.method: masked judges a field by what the network makes of it unseen, which it has to learn; "
                "set model.masking, to 0.1 say, or choose score.method: field"
            )
        return self


class Config(StrictModel):
    """Everything the program is told by its configuration file."""

    model_config = ConfigDict(title="aemonitor configuration")

    server: ServerConfig = Field(default_factory=ServerConfig, description="The HTTP server.")
    state_dir: Annotated[Path, Field(strict=False)] | None = Field(
        default=None,
        description="Directory of ledger and models; by default $STATE_DIRECTORY, then /var/lib/aemonitor.",
    )
    on_corrupt_state: Literal["refuse", "beginning", "end"] = Field(
        default="refuse",
        description="When the ledger is damaged: `refuse` to start (exit 78), or keep it aside and read all files from "
        "their `beginning` (records are scored again) or from their `end` (what was not read is passed over).",
    )
    device: Annotated[str, AfterValidator(_device)] = Field(
        default="auto",
        json_schema_extra={"pattern": f"^({_DEVICE})$"},
        description="Where the network is computed: auto, cpu, cuda or cuda:N; `auto` takes a GPU when there is one.",
    )
    backend: Literal["torch", "numpy"] = Field(
        default="torch",
        description="What computes the scores. `numpy` takes less than half of the memory and of the time to start, on "
        "the CPU and for `model.network: dense` only; its scores are those of torch to about 1e-5. Training always "
        "takes torch.",
    )
    limits: LimitsConfig = Field(default_factory=LimitsConfig, description="Sizes of batches, records and queues.")
    helpers: int = Field(
        default=0,
        ge=0,
        le=64,
        description="Further processes that read and score for the daemon where one core is not enough; each takes the "
        "memory of a daemon. Order and accounting stay those of one process.",
    )
    streams: Annotated[dict[Name, StreamConfig], Field(min_length=1)] = Field(description="The streams, by name.")
    sinks: dict[Name, Annotated[Plugin, WithJsonSchema({"plugins": "sinks"})]] = Field(
        default_factory=dict[str, Plugin], description="Where alerts are sent, by name."
    )

    @model_validator(mode="after")
    def _numpy_can_compute_it(self) -> Self:
        if self.backend == "torch":
            return self
        if self.device.startswith("cuda"):
            raise ValueError(
                f"device: {self.device} is a GPU, on which backend: numpy cannot compute; set backend: torch, or leave "
                "device out"
            )
        for name, stream in self.streams.items():
            if stream.model.network != "dense":
                raise ValueError(
                    f"streams.{name}.model.network: {stream.model.network} is computed by torch alone; set backend: "
                    "torch, or network: dense"
                )
        return self
