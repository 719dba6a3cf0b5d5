"""Writes a drafted stream as a configuration that explains itself: the reason stands behind each line."""

from __future__ import annotations

import glob
import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from monitor.core.yaml_scalars import resolve
from monitor.training.draft_alert import draft_alert
from monitor.training.inference import Choice, Draft


def render(
    draft: Draft,
    stream: str,
    paths: Sequence[Path],
    *,
    start: str | None = None,
    encoding: str | None = None,
    state_dir: Path | None,
    listen: str | None,
) -> str:
    """The YAML text of a configuration with this one stream; without ``paths`` it reads standard input.

    ``start`` is what the first line of a record looks like where records have several, ``encoding`` that of the files
    where it is not UTF-8.
    """
    lines = [
        f"# Written by `aemonitor init` from {draft.records:,} sampled records. The reason stands behind each choice:",
        "# change what you know better. Next: aemonitor retrain -c THIS_FILE, then aemonitor run -c THIS_FILE.",
        *_commented(
            f"server: {{listen: {flow(listen)}}}" if listen else "server: {listen: 127.0.0.1:9464}",
            "metrics and health; `none` switches it off",
        ),
    ]
    if state_dir is not None:
        lines += _commented(f"state_dir: {flow(str(state_dir))}", "models, progress and alerts")
    lines += ["streams:", f"  {stream}:"]
    lines += [f"    {line}" for line in _stream(draft, paths, start, encoding)]
    alerts = str(state_dir / "alerts.jsonl") if state_dir is not None else "-"
    lines += [
        "sinks:",
        *_commented(f"  journal: {{jsonl: {{path: {flow(alerts)}}}}}", "alerts as JSON Lines; `-` is stdout"),
    ]
    return "\n".join(lines) + "\n"


def _stream(draft: Draft, paths: Sequence[Path], start: str | None, encoding: str | None) -> list[str]:
    include = flow([glob.escape(str(path)) for path in paths])
    lines = (
        _commented(f"source: {{file_tail: {{include: {include}}}}}", "globs are allowed")
        if paths
        else _commented("source: stdin", "or {file_tail: {include: [PATH]}}, to follow files")
    )
    lines += _input(start, encoding)
    parser = f"{{{draft.parser}: {flow(draft.parser_options)}}}" if draft.parser_options else draft.parser
    lines += _commented(f"parser: {parser}", draft.parser_reason)
    if draft.time is not None:
        lines += _commented(f"time: {{field: {flow(draft.time)}, timezone: UTC}}", draft.time_reason)
    if draft.key is not None:
        lines += _commented(f"key: {flow(draft.key)}", draft.key_reason)
    lines.append("features:")
    for choice in draft.features:
        lines += _commented(f"  {key_text(choice.name)}: {_encoding(choice)}", choice.reason)
    if draft.left_out:
        lines.append("# Left out (add a line above to use one):")
        lines += [f"#   {key_text(choice.name)}: {choice.reason}" for choice in draft.left_out]
    lines += _commented(
        "model: {hidden: auto, bottleneck: auto, epochs: 100}", "powers of two between input and bottleneck"
    )
    lines += _commented(
        "score: {method: blend}", "how rare the record or its worst field is; l1 is the plain error of the network"
    )
    series = any(choice.kind == "streaming" for choice in draft.features)
    alert, reason = draft_alert(draft.records, draft.times, series=series)
    lines += _commented(f"alert: {alert}", reason)
    lines.append("sinks: [journal]")
    return lines


def _input(start: str | None, encoding: str | None) -> list[str]:
    options: dict[str, Any] = {}
    reasons = []
    if encoding is not None:
        options["encoding"] = encoding
        reasons.append("the sample begins with its byte order mark")
    if start is not None:
        options["multiline"] = {"start": start}
        reasons.append("all other lines continue the record before them")
    return _commented(f"input: {flow(options)}", "; ".join(reasons)) if options else []


def _encoding(choice: Choice) -> str:
    return f"{{{choice.kind}: {flow(choice.options)}}}" if choice.options else str(choice.kind)


def _commented(text: str, comment: str) -> list[str]:
    return [f"{text}  # {comment}"]


PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_./-]*")


def flow(value: Any) -> str:
    """A value as YAML on one line. Text is quoted unless it is a plain word that reads back as itself.

    >>> flow("a: b"), flow(["x", 1]), flow("no"), flow("true"), flow({"columns": ["1e5", "${env:X}"]})
    ('"a: b"', '[x, 1]', 'no', '"true"', '{columns: ["1e5", "$${env:X}"]}')
    """
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key_text(key)}: {flow(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(flow, value)) + "]"
    if isinstance(value, str):
        # Only in a value is there a reference to an environment variable, which has to be told apart.
        return key_text(value.replace("${env:", "$${env:"))
    return json.dumps(value)


def key_text(text: str) -> str:
    """A text as a YAML key: JSON text is YAML text."""
    plain = PLAIN.fullmatch(text) and resolve(text) == text
    return text if plain else json.dumps(text, ensure_ascii=False)
