"""Holds a stream's configuration against a sample of its data: what cannot work is told before anything is trained."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from monitor.app._sample import Reason, Sample, read_sample
from monitor.app._sample_fields import Level, Remark
from monitor.app.sample_items import Held, Item
from monitor.app.streams import chosen_streams
from monitor.core.config import Config, StreamConfig
from monitor.core.errors import Problem, UsageError
from monitor.core.yaml_text import dotted
from monitor.reporting.wording import percent
from monitor.training.inference import Choice, choose_parser

UNREADABLE = 0.5
"""With more of the records that do not parse than this share, the parser is not the one for such data."""

FEW_RECORDS = 100
"""Of fewer records, that a value is constant, unique or missing may be chance."""


@dataclass(frozen=True, slots=True)
class Checked:
    """A stream's configuration as a sample shows it. ``unused`` are fields no feature reads, as init would take them.

    ``whole`` is False when only the first records of the sample were looked at.
    """

    stream: str
    files: tuple[str, ...]
    records: int
    whole: bool
    items: tuple[Item, ...]
    reasons: tuple[Reason, ...]
    unused: tuple[Choice, ...]

    @property
    def errors(self) -> list[Problem]:
        """Why the configuration cannot work on such data."""
        return self._problems(Level.ERROR)

    @property
    def warnings(self) -> list[Problem]:
        """What is allowed but hardly meant."""
        return self._problems(Level.WARNING)

    def _problems(self, level: Level) -> list[Problem]:
        return [problem for item in self.items for problem in item.problems(level)]


def chosen_stream(config: Config, name: str | None) -> str:
    """The stream a sample is for.

    Raises:
        UsageError: there are several and none is named, or there is none of that name.
    """
    chosen = chosen_streams(config, [name] if name else [])
    if len(chosen) > 1:
        raise UsageError(f"say with --stream which stream the sample is for: {', '.join(chosen)}")
    return next(iter(chosen))


def check_sample(config: Config, name: str, files: Sequence[str]) -> Checked:
    """What a sample says of the stream ``name``.

    Raises:
        NoInputError: a file does not exist, or there is no record in the sample.
        PermissionDeniedError, DataError: a file cannot be read.
    """
    stream = config.streams[name]
    sample = read_sample(stream, config.limits, files)
    items, unused = [_records(name, stream, sample)], []
    if sample.records is not None:
        held = Held(name, stream, sample.records, sample.natural(stream))
        items, unused = [*items, *held.items()], held.unused()
    reasons = sorted(sample.reasons.values(), key=lambda reason: -reason.records)
    return Checked(name, sample.files, sample.read, sample.whole, tuple(items), tuple(reasons), tuple(unused))


def _records(name: str, stream: StreamConfig, sample: Sample) -> Item:
    """Whether the parser is the right one."""
    kind, share = stream.parser.kind, sample.unparsed / sample.read
    remarks = [Remark("parsed", Level.OK, f"{percent(1 - share)} of {sample.read:,} parse")]
    if share > UNREADABLE:
        better, _ = choose_parser(sample.text)
        cure = "change its options" if better == kind else f"`aemonitor init` would read such a sample as {better}"
        text = f"{percent(share)} do not parse as {kind}; {cure}"
        remarks = [Remark("unparsed", Level.ERROR, text)]
    elif sample.unparsed:
        remarks.append(Remark("unparsed", Level.WARNING, f"{sample.unparsed:,} do not parse as {kind}"))
    if sample.read < FEW_RECORDS:
        remarks.append(Remark("few", Level.WARNING, f"under {FEW_RECORDS} records say little of what is usual"))
    figures = {"records": sample.read, "unparsed": sample.unparsed}
    return Item("records", "", kind, dotted(("streams", name, "parser")), tuple(remarks), figures)
