"""From a sample to a configuration that works without editing."""

from __future__ import annotations

import codecs
import io
import os
from collections.abc import Sequence
from pathlib import Path

from monitor.core.errors import CannotCreateError, DataError, NoInputError
from monitor.core.input_config import InputConfig, MultilineConfig
from monitor.core.records import RawBatch
from monitor.ingest.framing import Framer
from monitor.ingest.reading import STDIN, read_files, read_stream
from monitor.plugins import load_config_text
from monitor.training.continuation import first_line
from monitor.training.draft_yaml import render
from monitor.training.inference import Draft, infer

SAMPLE_RECORDS = 50_000
"""Enough to see rare values, little enough to answer within seconds."""
COMPRESSED = (".gz", ".bz2", ".xz", ".zst")


def draft_config(
    samples: Sequence[str], *, stream: str | None, state_dir: Path | None, listen: str | None
) -> tuple[str, Draft]:
    """The text of a configuration for the sampled files, and what was found.

    The text is validated as a user's would be before it is returned.

    Raises:
        NoInputError: a file is missing or the sample is empty.
        DataError: standard input is UTF-16, or nothing can be learned from the sample.
    """
    lines = read_sample(samples)
    encoding = marked_encoding(lines)
    if encoding is not None:
        if STDIN in samples:
            raise DataError(f"standard input is {encoding.upper()}, which init reads from files only: give it the file")
        lines = read_sample(samples, encoding)
    start = first_line(lines)
    draft = infer(lines if start is None else grouped(lines, start))
    paths = [Path(sample).absolute() for sample in samples if sample != "-" and not sample.endswith(COMPRESSED)]
    name = stream or stream_name(samples)
    text = render(draft, name, paths, start=start, encoding=encoding, state_dir=state_dir, listen=listen)
    load_config_text(text, "the drafted configuration")
    return text, draft


def read_sample(samples: Sequence[str], encoding: str = "utf-8") -> RawBatch:
    """The first records of the samples as one batch.

    Raises:
        NoInputError: there is no line at all.
    """
    from monitor.core.rows import joined_lines

    taken: list[RawBatch] = []
    records = 0
    for raw in read_files(samples, lambda: Framer(form=InputConfig(encoding=encoding))):
        taken.append(raw)
        records += len(raw)
        if records >= SAMPLE_RECORDS:
            break
    if not records:
        raise NoInputError(f"{', '.join(samples)}: no line to learn from")
    return joined_lines(taken)


def marked_encoding(lines: RawBatch) -> str | None:
    """The encoding that the byte order mark of a sample tells; None where there is none, or it is that of UTF-8."""
    return "utf-16" if lines.origin.head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) else None


def grouped(lines: RawBatch, start: str) -> RawBatch:
    """The lines of a sample as records that begin with those that match."""
    from monitor.core.rows import joined_lines

    form = InputConfig(multiline=MultilineConfig(start=start))
    return joined_lines(list(read_stream(io.BytesIO(lines.data), lines.origin.path, Framer(form=form))))


def stream_name(samples: Sequence[str]) -> str:
    """A stream name made of the first file's name: letters, digits, `-` and `_`.

    >>> stream_name(["/var/log/nginx/access.log"]), stream_name(["-"])
    ('access', 'stdin')
    """
    if samples[0] == "-":
        return "stdin"
    stem = Path(samples[0]).name.split(".")[0].lower()
    return "".join(c if c.isascii() and (c.isalnum() or c in "-_") else "-" for c in stem).strip("-_") or "log"


def write_config(text: str, path: Path, *, force: bool) -> None:
    """Write the configuration; an existing file is kept unless ``force``.

    Raises:
        CannotCreateError: the file exists, or its directory cannot be written.
    """
    mode = os.O_WRONLY | os.O_CREAT | (os.O_TRUNC if force else os.O_EXCL)
    try:
        with os.fdopen(os.open(path, mode, 0o644), "w") as out:
            out.write(text)
    except FileExistsError:
        raise CannotCreateError(f"{path} exists; give another name with -o, or --force to replace it") from None
    except OSError as error:
        raise CannotCreateError(f"{path}: {error.strerror}") from None
