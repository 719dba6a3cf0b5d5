"""``MODEL.md``: what a person wants to know of a model before trusting it, on one screen."""

from __future__ import annotations

from datetime import UTC, datetime

from monitor.core.printable import printable
from monitor.model.manifest import DataSummary, Manifest
from monitor.model.trials import Gate, Planted, by_field

STATES = {
    "ok": "",
    "few": " Fewer than 100 calibration records: the limit is uncertain, retrain when there is more data.",
    "flat": " All benign errors are equal: anything that differs at all alerts.",
}


def card(manifest: Manifest) -> str:
    """The card as Markdown."""
    calibration, data = manifest.calibration, manifest.data
    layers = "-".join(map(str, manifest.widths)) or "none (every feature is constant)"
    made_by = f"aemonitor {manifest.versions.get('aemonitor', '?')}, torch {manifest.versions.get('torch', '?')}"
    calibrated = (
        f"the same {data.calibration:,} records (split: none)"
        if manifest.model.get("split") == "none"
        else f"{data.calibration:,} later records it never saw"
    )
    errors = f"errors {calibration.low:.4g} to {calibration.high:.4g}"
    explained = manifest.history.explained
    learned = (
        [] if explained is None else [f"- Reproduces {max(0.0, explained):.1%} of the variation of those records."]
    )
    lines = [
        f"# Model of stream {manifest.stream}",
        "",
        f"Made {manifest.created} by {made_by}, seed {manifest.seed}.",
        "",
        f"- Learned from {data.train:,} benign records; {data.early_stop:,} more told it when to stop.",
        *_window(data),
        f"- Calibrated with {calibrated}: {errors}.{STATES[calibration.state]}",
        *learned,
        f"- Scored by {_method(manifest)}.",
        f"- Alerts above a score of {manifest.threshold:g}{_expectation(manifest)}.",
        f"- Layers: {layers}. Weights of epoch {manifest.history.best_epoch} of {len(manifest.history.epochs)}.",
        "",
        "| feature | network columns | novelty columns | mean benign error |",
        "|---|---|---|---|",
    ]
    means = zip(manifest.layout, calibration.field_means, strict=True)
    lines += [f"| {_cell(name)} | {wide} | {novel} | {mean:.4g} |" for (name, wide, novel), mean in means]
    return "\n".join([*lines, *_gates(manifest.trials.gates), *_planted(manifest.trials.planted)]) + "\n"


def _window(data: DataSummary) -> list[str]:
    """From when to when the records are; nothing where they have no event time."""
    if data.first_time is None or data.last_time is None:
        return []
    return [f"- Its records are from {moment(data.first_time)} to {moment(data.last_time)}."]


def moment(seconds: float) -> str:
    """A time for a person; one beyond the calendar stays a number."""
    try:
        return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    except (OverflowError, ValueError, OSError):
        return f"{seconds:.6g} s"


def _gates(gates: tuple[Gate, ...]) -> list[str]:
    """What it had to show before it was published."""
    if not gates:
        return []
    rows = [f"| {gate.name} | {'passed' if gate.passed else '**failed**'} | {_cell(gate.words)} |" for gate in gates]
    return ["", "| gate | result | what was seen |", "|---|---|---|", *rows]


def _planted(planted: tuple[Planted, ...]) -> list[str]:
    """Which faults it finds, field by field."""
    if not planted:
        return []
    faults = list(dict.fromkeys(row.fault for row in planted))
    cells = {(row.field, row.fault): f"{row.found / row.records:.0%}" for row in planted}
    heads = ["field", *faults, "all"]
    rows = [
        [_cell(field), *(cells.get((field, fault), "-") for fault in faults), f"{found / records:.0%}"]
        for field, (records, found) in by_field(planted).items()
    ]
    return [
        "",
        "Of faults planted in held-out records, found:",
        "",
        *(f"| {' | '.join(row)} |" for row in (heads, ["---"] * len(heads), *rows)),
    ]


def _method(manifest: Manifest) -> str:
    score = manifest.score
    if score is None:
        return "l1, the summed error of the network: 1 is the worst of those records"
    averaged = f", the mean of a key's last {score.average}" if score.average > 1 else ""
    rare = "a record or its worst field" if score.method == "blend" else "its worst field"
    return f"{score.method}, how rare {rare} is{averaged}: 1 is the limit found with those records"


def _expectation(manifest: Manifest) -> str:
    """What the limit promises, of all records and of a day, as far as it is known."""
    limit = manifest.limit
    if limit is None:
        return ""
    return f": {limit.text()}" + (f" ({limit.share_text()})" if limit.daily else "")


def _cell(text: str) -> str:
    """A field name cannot break the table or smuggle in markup."""
    return printable(text).replace("\\", "\\\\").replace("|", "\\|").replace("<", "&lt;").replace("`", "\\`")
