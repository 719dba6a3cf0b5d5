"""The monitor as a library: scikit-learn's manners, and the daemon's own encoders, model, calibration and bundle."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Self

import msgspec
import numpy as np
import pyarrow as pa
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, OutlierMixin, TransformerMixin
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted, validate_data

from monitor.app import _encodings, _tables
from monitor.app._columns import FILE, Columns, columns_of
from monitor.app._encodings import STREAM, Encodings, ParameterError
from monitor.app._tables import Table
from monitor.app._trained import TrainedModel
from monitor.app.compose import restore_features
from monitor.core.alert_config import AlertConfig
from monitor.core.alerts import FieldFinding
from monitor.core.arrays import F64, I64
from monitor.core.clock import SystemClock
from monitor.core.config import ScoreConfig
from monitor.core.errors import NoInputError
from monitor.core.model_config import ModelConfig
from monitor.core.records import RecordBatch
from monitor.model.bundle import BundleContents, verify
from monitor.model.device import choose_device
from monitor.model.publishing import publish
from monitor.model.versions import VERSION, pointed_to
from monitor.training.recipe import Judging, train
from monitor.training.splits import MIN_RECORDS


# scikit-learn ships no types, so its classes are Any to the type checkers.
class Detector(ClassNamePrefixFeaturesOutMixin, TransformerMixin, OutlierMixin, BaseEstimator):  # type: ignore[misc]
    """Learns benign rows with an autoencoder and tells anomalous ones, with the reason for each.

    **Directions.** ``anomaly_score`` is the score of the command line: 0 = best benign, 1 = worst benign, *higher is
    more anomalous*. ``score_samples`` and ``decision_function`` follow scikit-learn: *higher is more normal*.

    ``X`` is a numpy array or list of lists, a pandas or polars data frame, a pyarrow table, or the path of a Parquet or
    CSV file. NaN and None are missing values, which are a state of their own. Rows are taken in the order of time:
    the oldest 70 % train, the newest 20 % set the benign range. Rows without any order should be shuffled before.

    Any number of threads may use one fitted detector; their calls wait for each other. Give each its own copy
    (``copy.deepcopy``) where that matters.

    Args:
        features: encoding by column, as in the YAML file: ``{"bytes": {"numeric": {"scale": "log"}}, "path": "path"}``;
            columns that are not named are not used. None infers them by the rules of ``aemonitor init`` (all columns
            of an array without names are ``numeric``); ``encodings_`` and ``left_out_`` say what came of it.
        time: the column of the event time. None with inferred features takes the first column of times.
        key: the column that names a row's entity, such as a host, for features that remember the row before.
        method: ``blend`` scores by how rare a row is among benign ones, as a whole or in its worst column; ``field`` by
            its worst column, told by one network; ``masked`` likewise, and looks twice at what stands out (set
            ``masking``); ``l1`` is the plain L1 error of the network. See docs/score.md.
        members: networks on the panel of ``blend``.
        field_masking: share of the columns hidden from the panel while it learns.
        false_alarm_rate: share of benign rows that may have a score above 1 (not of ``l1``).
        threshold: rows with an ``anomaly_score`` above this are anomalous.
        device: where the network is computed: auto, cpu, cuda or cuda:N.
        random_state: the seed; 1 is what the command line uses. None draws one from numpy's random state.
        network, hidden, bottleneck, activation, output_activation, init, loss, noise, masking, trim, optimizer,
            learning_rate, weight_decay, batch_size, epochs, patience, split, novelty: the ``model:`` section of the
            YAML file.

    Attributes:
        encodings_: the encoding of each feature, ready for the ``features:`` section of a YAML file.
        left_out_: columns and features that are not used, with the reason.
        calibration_: the benign range: ``low``, ``high``, ``count``, and ``state`` ("few" under 100 rows).
        history_: what training did, epoch by epoch. ``n_iter_``: how many epochs.
        time_, key_: the columns of event time and entity; None where there is none.
        offset_: -threshold; may be changed after ``fit``.
        n_features_in_, feature_names_in_: the columns of ``X``; the names only if all of them are text.
    """

    encodings_: dict[str, Any]
    left_out_: dict[str, str]
    offset_: float
    n_features_in_: int
    feature_names_in_: Any

    def __init__(  # noqa: PLR0913 - scikit-learn wants every parameter by name
        self,
        *,
        features: Mapping[str, Any] | None = None,
        time: str | None = None,
        key: str | None = None,
        network: str = "dense",
        hidden: Any = "auto",
        bottleneck: Any = "auto",
        activation: str = "tanh",
        output_activation: str = "none",
        init: str = "glorot_uniform",
        loss: str = "mse",
        noise: float = 0.0,
        masking: float = 0.0,
        trim: float = 0.0,
        optimizer: str = "adam",
        learning_rate: float = 0.01,
        weight_decay: float = 0.0,
        batch_size: int = 256,
        epochs: int = 100,
        patience: int = 10,
        split: str = "time",
        novelty: bool = True,
        method: str = "blend",
        members: int = 3,
        field_masking: float = 0.1,
        false_alarm_rate: float = 0.01,
        threshold: float = 1.0,
        device: str = "auto",
        random_state: Any = 1,
    ) -> None:
        self.features = features
        self.time = time
        self.key = key
        self.network = network
        self.hidden = hidden
        self.bottleneck = bottleneck
        self.activation = activation
        self.output_activation = output_activation
        self.init = init
        self.loss = loss
        self.noise = noise
        self.masking = masking
        self.trim = trim
        self.optimizer = optimizer
        self.learning_rate = learning_rate
        self.weight_decay = weight_decay
        self.batch_size = batch_size
        self.epochs = epochs
        self.patience = patience
        self.split = split
        self.novelty = novelty
        self.method = method
        self.members = members
        self.field_masking = field_masking
        self.false_alarm_rate = false_alarm_rate
        self.threshold = threshold
        self.device = device
        self.random_state = random_state

    def fit(self, X: Any, y: Any = None) -> Self:  # noqa: ARG002, N803 - scikit-learn's names
        """Learn benign rows, at least ten; a few hundred make the benign range worth something. ``y`` is ignored.

        Raises:
            ParameterError: a parameter is wrong, or names a column that is not there.
            ValueError: ``X`` is no table, or has too few rows.
            DataError: nothing can be learned from it, or training diverged.
        """
        table = self._table(X, reset=True, least=MIN_RECORDS)
        encodings = self._encodings(table)
        plan = _encodings.plan(self._sections(), self.device, encodings, self.key)
        _encodings.check_columns(table, plan, encodings.time, self.key)
        records = table.records(plan.fields, encodings.time, self.key)
        device, _ = choose_device(plan.config.device)
        stream = plan.stream
        trained = train(
            STREAM, records, plan.encoders, stream.model, Judging(stream.score, stream.alert), device, lambda _: None
        )
        self._adopt(trained.in_use, plan.config.device, encodings.time, self.key)
        self.left_out_ = {**encodings.left_out, **self.left_out_}
        return self

    def anomaly_score(self, X: Any) -> F64:  # noqa: N803
        """The score of the daemon, [n]: 0 = best benign, 1 = worst benign, **higher is more anomalous**."""
        return self._fitted.scores(self._records(X))

    def score_samples(self, X: Any) -> F64:  # noqa: N803
        """``-anomaly_score(X)``, [n]: **higher is more normal**, as scikit-learn has it."""
        return -self.anomaly_score(X)

    def decision_function(self, X: Any) -> F64:  # noqa: N803
        """``threshold - anomaly_score(X)``, [n]: **negative is anomalous**."""
        return self.score_samples(X) - self.offset_

    def predict(self, X: Any) -> I64:  # noqa: N803
        """1 for normal rows and -1 for anomalous ones, [n]."""
        return np.where(self.decision_function(X) >= 0, 1, -1)

    def transform(self, X: Any) -> F64:  # noqa: N803
        """The hidden state of each row, [n, bottleneck]."""
        return self._fitted.latent(self._records(X)).astype(np.float64)

    def reconstruct(self, X: Any) -> Any:  # noqa: N803
        """What the model makes of each row, in original units: what it expects, without noise.

        An array gives an array of the same shape, NaN or None in columns that cannot be undone (hashed text, say). A
        data frame gives a data frame, and everything else a pyarrow table, without those columns.
        """
        fitted, table = self._fitted, self._as_fitted(self._table(X))
        decoded = fitted.reconstruct(self._records_of(table))
        columns = {field.name: table.alike(field.name, column) for field, column in decoded.items()}
        if not _tables.is_frame(_tables.opened(X)):
            return _tables.matrix(columns, list(table.columns), len(table))
        result = pa.table({name: columns[name] for name in table.columns if name in columns})
        return result.to_pandas().set_index(X.index) if _tables.is_pandas(X) else result

    def explain(self, X: Any) -> list[tuple[FieldFinding, ...]]:  # noqa: N803
        """For each row the fields to blame, at most five, the worst first: what an alert says of them.

        Each has ``name``, ``actual``, ``expected``, ``benign_range``, ``contribution`` (its share of the blame, 0 to 1)
        and ``reason``. A normal row has its largest deviations named, too. Meant for the few rows one asks about.
        """
        fitted, table = self._fitted, self._as_fitted(self._table(X))
        fields = [name for name in fitted.features.sources.values() if name in table.columns]
        return fitted.explain(self._records_of(table), table.rows(fields))

    def save(self, path: str | Path) -> Path:
        """Publish the model as ``aemonitor retrain`` does: ``path`` is the stream's directory, its name the stream.

        ``save("/var/lib/aemonitor/models/web")`` makes it the model of the stream ``web``, if that has the features of
        ``encodings_``. A version is added and becomes the current one; the newest five are kept.

        Returns:
            The directory of the new version.

        Raises:
            CannotCreateError, PermissionDeniedError: it cannot be written.
            DataError: the name cannot be one of a stream.
        """
        contents, place = self._fitted.contents, Path(os.path.abspath(path))  # noqa: PTH100 - resolve follows links
        contents = replace(contents, stream=place.name, threshold=-self.offset_)
        files = {FILE: msgspec.json.encode(self._columns())}
        return place / publish(place.parent, contents, now=SystemClock().now(), attachments=files)

    @classmethod
    def load(cls, path: str | Path, *, device: str = "auto", time: str | None = None, key: str | None = None) -> Self:
        """A model that was saved or that the daemon published, after all checks that the daemon makes; no pickle.

        Args:
            path: a stream's directory, which means its current model, or a version's.
            device: where to compute.
            time: the column of the event time; needed for a model of the daemon whose features read it.
            key: the column of the entity, likewise.

        Raises:
            NoInputError: there is no such directory.
            BundleError: it holds no model, or a damaged one.
            ParameterError: the model needs ``time``.
        """
        place = Path(os.path.abspath(path))  # noqa: PTH100 - resolve follows links, and a bundle must not be one
        if not place.is_dir():
            raise NoInputError(
                f"{place}: there is no model; name a directory that Detector.save or `aemonitor retrain` wrote, "
                "such as /var/lib/aemonitor/models/web"
            )
        bundle = verify(place if VERSION.fullmatch(place.name) else place / pointed_to(place))
        features = restore_features(bundle.contents)
        columns = columns_of(bundle, features, time, key)
        if features.needs_time and columns.time is None:
            raise ParameterError(
                f"{bundle.path}: features of this model read the event time, and it does not say which column holds "
                "it: give Detector.load(..., time=COLUMN), and key=COLUMN if the stream has a key"
            )
        model = bundle.contents.config.model_dump()
        parameters: dict[str, Any] = {
            "features": _encodings.written(bundle.contents.features),
            "time": columns.time,
            "key": columns.key,
            "threshold": bundle.contents.threshold,
            **_judged(bundle.contents),
            "device": device,
            "random_state": model.pop("seed"),
            **model,
        }
        detector = cls(**parameters)
        detector._adopt(bundle.contents, device, columns.time, columns.key)
        detector.n_features_in_ = columns.count
        if columns.names is not None:
            detector.feature_names_in_ = np.array(columns.names, dtype=object)
        return detector

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.input_tags.string = True
        return tags

    @property
    def _n_features_out(self) -> int:
        return self._fitted.latent_width

    @property
    def _fitted(self) -> TrainedModel:
        check_is_fitted(self, "model_")
        return self.model_

    def _sections(self) -> dict[str, dict[str, Any]]:
        """The sections ``model:``, ``score:`` and ``alert:`` of a stream."""
        score = {"method": self.method, "members": self.members, "masking": self.field_masking}
        alert = {"threshold": self.threshold, "false_alarm_rate": self.false_alarm_rate}
        return {"model": self._options(), "score": score, "alert": alert}

    def _options(self) -> dict[str, Any]:
        """The ``model:`` section."""
        options = {name: getattr(self, name) for name in ModelConfig.model_fields if name != "seed"}
        fixed = isinstance(self.random_state, int | np.integer)
        seed = self.random_state if fixed else check_random_state(self.random_state).randint(2**31 - 1)
        return {**options, "seed": seed}

    def _encodings(self, table: Table) -> Encodings:
        if self.features is not None:
            return Encodings(self.features, {}, self.time)
        for name, column in (("time", self.time), ("key", self.key)):
            _encodings.check_column(table, name, column)
        return _encodings.inferred(table, self.time, self.key)

    def _adopt(self, contents: BundleContents, device: str, time: str | None, key: str | None) -> None:
        """Become the detector that has this model."""
        self.model_ = TrainedModel(contents, device)
        self.time_, self.key_ = time, key
        self.encodings_ = _encodings.written(contents.features)
        self.left_out_ = dict(self.model_.features.left_out)
        self.calibration_ = contents.calibration
        self.history_ = contents.history
        self.n_iter_ = len(contents.history.epochs)
        self.offset_ = -contents.threshold

    def _table(self, X: Any, *, reset: bool = False, least: int = 1) -> Table:  # noqa: N803
        """``X`` as typed columns, after scikit-learn's own checks of its shape and of the names of its columns."""
        data = _tables.opened(X)
        if not _tables.is_frame(data):
            return _tables.of_matrix(
                validate_data(self, data, reset=reset, dtype=None, ensure_all_finite=False, ensure_min_samples=least)
            )
        table = _tables.of_frame(data)
        validate_data(self, data, reset=reset, skip_check_array=True)
        if len(table) < least or not table.columns:
            raise ValueError(
                f"Found array with {len(table)} sample(s) and {len(table.columns)} feature(s) while a minimum of "
                f"{least} sample(s) and 1 feature is required by Detector."
            )
        return table

    def _records(self, X: Any) -> RecordBatch:  # noqa: N803
        check_is_fitted(self, "model_")
        return self._records_of(self._as_fitted(self._table(X)))

    def _as_fitted(self, table: Table) -> Table:
        """Where only one of the two tables has names, columns go by their place; scikit-learn has warned of it."""
        if {field.name for field in self.model_.features.fields} <= table.columns.keys():
            return table
        known = getattr(self, "feature_names_in_", None)
        names = [f"x{place}" for place in range(self.n_features_in_)] if known is None else known.tolist()
        return replace(table, columns=dict(zip(names, table.columns.values(), strict=True)))

    def _records_of(self, table: Table) -> RecordBatch:
        return table.records(self.model_.features.fields, self.time_, self.key_)

    def _columns(self) -> Columns:
        names = getattr(self, "feature_names_in_", None)
        known = None if names is None else tuple(names.tolist())
        return Columns(count=self.n_features_in_, names=known, time=self.time_, key=self.key_)


def _judged(contents: BundleContents) -> dict[str, Any]:
    """The parameters of score and alert that a model was made with."""
    score = ScoreConfig.model_validate(contents.sections.get("score", {}))
    alert = AlertConfig.model_validate(contents.sections.get("alert", {}))
    return {
        "method": score.method,
        "members": score.members,
        "field_masking": score.masking,
        "false_alarm_rate": alert.false_alarm_rate,
    }
