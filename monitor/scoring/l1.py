"""The contract score: weighted L1 reconstruction error, normalised by the benign range."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from monitor.core.arrays import F32, F64
from monitor.core.errors import DataError
from monitor.core.features import FeatureMatrix, Layout
from monitor.model.calibration import Calibration
from monitor.model.inference import SLICE_ROWS, Inference, field_errors
from monitor.model.network import Network
from monitor.scoring.scores import Attribution, ScoreBatch

if TYPE_CHECKING:
    import torch


class L1Scorer:
    """Scores encoded records. Keeps buffers, so one thread of the caller at a time; holds nothing between calls."""

    def __init__(
        self,
        module: Network,
        layout: Layout,
        calibration: Calibration,
        device: torch.device | None = None,
        slice_rows: int = SLICE_ROWS,
    ) -> None:
        if len(calibration.field_means) != len(layout.blocks):
            raise DataError(
                f"the calibration knows {len(calibration.field_means)} features, the layout {len(layout.blocks)}"
            )
        self.layout = layout
        self.calibration = calibration
        self._inference = Inference(module, layout, device, slice_rows)

    @property
    def lost_device(self) -> str:
        """Why a GPU that was to compute this is not used any more; empty while it is, and where none was."""
        return self._inference.guard.lost

    def score(self, matrix: FeatureMatrix) -> ScoreBatch:
        """Errors and scores of all rows; the same record gets the same bits whatever stands beside it.

        Raises:
            DataError: the matrix has another number of columns than the layout.
        """
        errors = self._inference.errors(matrix.values)
        scores = self.calibration.score(errors)
        return ScoreBatch(errors, scores, scores)

    def reconstruct(self, values: F32) -> F32:
        """Reconstruction [n, total] of some encoded rows [n, total]; novelty columns are 0."""
        return self._inference.reconstruct(values)

    def expected(self, values: F32) -> F32:
        """What each feature of some encoded rows [n, total] should be: the plain reconstruction, [n, total]."""
        return self.reconstruct(values)

    def blame(self, values: F32) -> F64:
        """How far each feature's error exceeds what benign records have, [n, features], >= 0."""
        errors = np.nan_to_num(self.field_errors(values, self.reconstruct(values)))
        excess: F64 = np.clip(errors - np.asarray(self.calibration.field_means), 0, None)
        return excess

    def attribute(self, values: F32) -> Attribution:
        """What is expected of some encoded rows [n, total], and which features are to blame for their errors."""
        return Attribution(self.expected(values), self.blame(values))

    def latent(self, values: F32) -> F32:
        """Hidden state [n, bottleneck] of some encoded rows [n, total]."""
        return self._inference.latent(values)

    def field_errors(self, values: F32, reconstruction: F32) -> F64:
        """Each feature's part of the error, [n, features]; the parts of a row add up to its error."""
        return field_errors(self.layout, values, reconstruction)


def squared_errors(layout: Layout, values: F32, reconstruction: F32) -> F64:
    """The sum of squared differences of each record over its network columns, [n]; >= 0, larger is more anomalous.

    Neither weighted nor normalised: what published examples rank by. Novelty columns, which have no reconstruction,
    do not count.

    Args:
        layout: which columns the network reads.
        values: encoded records, [n, total].
        reconstruction: the same shape.
    """
    differences = values[:, : layout.width].astype(np.float64) - reconstruction[:, : layout.width]
    errors: F64 = np.einsum("ij,ij->i", differences, differences)
    return errors
