"""Everything the default score learns: the lens and the panel from training records, the rest from calibration ones."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from monitor.core.arrays import F32, F64, I64
from monitor.core.features import Layout
from monitor.scoring.code_book import SIZE, CodeBook
from monitor.scoring.evidence import Evidence
from monitor.scoring.lens import Lens
from monitor.scoring.panel import padded, panel_widths
from monitor.training.lens_fitting import fit_lens
from monitor.training.panel_fitting import drawn, fit_panel

RIDGE = 1e-3
"""Added to the variances before whitening, as a share of their mean: directions without variance must not explode."""

PIECE = 4096
"""Records compared with the book at a time."""

SHRINKAGE = 0.3
"""The covariance is drawn towards equal variances, the more the fewer records there are for its columns: by this share
where columns are far more than records (after Ledoit and Wolf 2004, with a fixed weight)."""

PICTURE = 128
"""From so many columns on, those of a feature are compared in one unit: in its own, a pixel that is hardly ever lit
would glare. The words of a text are fewer, and a rare one shall."""

FLOOR = 0.02
"""The mean difference from the nearest stored record counts as at least this share of a column's deviation."""


def draft_evidence(
    train: F32,
    layout: Layout,
    members: int,
    masking: float,
    seed: int,
    on_step: Callable[[int, int, float], None],
) -> Evidence:
    """Learn what training records [n, width], n > 0, can teach; ``settled`` adds what only held-out ones can.

    Args:
        train: network columns.
        layout: which columns belong to which feature.
        members: autoencoders of the panel.
        masking: share of features hidden in training.
        seed: of weights, order, masking and code book.
        on_step: called with the number of the step, of all steps, and the loss.

    Raises:
        DataError: training diverged.
    """
    of_column: I64 = np.repeat(np.arange(len(layout.blocks)), [b.stop - b.start for b in layout.blocks])
    lens = fit_lens(train, of_column)
    z = lens.apply(torch.from_numpy(train))
    hidden, weights = _ownership(lens, of_column, len(layout.blocks))
    generator = torch.Generator().manual_seed(seed)
    panel = drawn(panel_widths(lens.seen, len(hidden)), members, generator)
    fit_panel(panel, z, hidden, weights.sum(1) * lens.seen / len(hidden), masking, generator, on_step)
    return Evidence(lens, panel, _book(z, hidden, generator), torch.eye(lens.seen), weights, hidden)


def settled(draft: Evidence, held_out: Tensor) -> Evidence:
    """The evidence with whitening and units from network columns [n, width], n > 0, that training never saw."""
    z = draft.lens.apply(held_out)
    return replace(draft, book=_measured(draft.book, z, draft.hidden), whitening=_whitening(draft.residuals(z)))


def _ownership(lens: Lens, of_column: I64, features: int) -> tuple[Tensor, Tensor]:
    """1 in the columns of each feature, [features, seen], and its columns' weights, [seen, padded features]."""
    owners = torch.from_numpy(lens.owners(of_column))
    hidden = (owners[None] == torch.arange(features)[:, None]).float()
    weights = torch.zeros(hidden.shape[1], padded(features))
    weights[:, :features] = (hidden / hidden.sum(1, keepdim=True).clamp(min=1)).t()
    return hidden, weights


def _book(z: Tensor, hidden: Tensor, generator: torch.Generator) -> CodeBook:
    """A random sample of ``z`` [n, seen], compared in units of its deviation."""
    deviation = _in_common(z.std(0, unbiased=False), hidden)
    search = torch.where(deviation > 0, 1 / deviation.clamp(min=1e-6), 0.0)
    return CodeBook.of(z[torch.randperm(len(z), generator=generator)[:SIZE]], search, search)


def _measured(book: CodeBook, z: Tensor, hidden: Tensor) -> CodeBook:
    """The same book, its units the mean differences that held-out records ``z`` have from it."""
    differences = torch.cat([book.differences(piece) for piece in torch.split(z, PIECE)]).mean(0)
    return replace(book, unit=book.search / (_in_common(differences, hidden) + FLOOR))


def _in_common(units: Tensor, hidden: Tensor) -> Tensor:
    """The same unit [seen] for all columns of a feature of very many: pixels, which are of one kind."""
    sizes = hidden.sum(1)
    common = (hidden @ units.square() / sizes.clamp(min=1)).sqrt()
    wide = (sizes >= PICTURE).float() @ hidden > 0
    return torch.where(wide, common @ hidden, units)


def _whitening(residuals: Tensor) -> Tensor:
    """The matrix [seen, seen] that makes residuals [n, seen] uncorrelated and of variance 1."""
    centred: F64 = (residuals - residuals.mean(0)).double().numpy()
    covariance = centred.T @ centred / len(centred)
    shrunk = SHRINKAGE * len(covariance) / (len(covariance) + len(centred))
    mean = float(np.trace(covariance)) / len(covariance)
    covariance = (1 - shrunk) * covariance
    ridge = (RIDGE + shrunk) * mean + 1e-9
    values, vectors = np.linalg.eigh(covariance + ridge * np.eye(len(covariance)))
    return torch.from_numpy((vectors / np.sqrt(values)).astype(np.float32))
