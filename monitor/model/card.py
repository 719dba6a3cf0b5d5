"""``MODEL.md``: what a person wants to know of a model before trusting it, on one screen."""

from __future__ import annotations

from monitor.core.printable import printable
from monitor.model.manifest import Manifest

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
    return "\n".join(lines) + "\n"


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
