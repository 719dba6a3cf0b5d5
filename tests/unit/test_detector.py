"""The library: scikit-learn's manners, the daemon's scores, and tables of any make."""

from __future__ import annotations

import copy
import json
import os
import pickle
import re
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

import monitor
from monitor import Detector
from monitor.app import _trained
from monitor.app._columns import FILE, Columns
from monitor.app._encodings import ParameterError
from monitor.app._tables import read_table
from monitor.app.offline import open_offline
from monitor.cli import execute
from monitor.core.errors import AemonitorError, BundleError, DataError, NoInputError, PermissionDeniedError
from monitor.core.model_config import ModelConfig
from monitor.model.publishing import publish
from monitor.model.versions import pointed_to

REPOSITORY = Path(__file__).resolve().parents[2]
ROWS = 300

Frame = Any
"""A pandas frame; pandas ships no types."""


def machines(rows: int = ROWS, seed: int = 0) -> Frame:
    """Benign records of machines: memory follows the processor."""
    rng = np.random.default_rng(seed)
    load = rng.uniform(0, 1, rows)
    return pd.DataFrame({
        "at": pd.date_range("2026-03-01", periods=rows, freq="min"),
        "cpu": 100 * load,
        "memory": 8 + 50 * load + rng.normal(0, 1, rows),
        "status": rng.choice([200, 304, 404], rows),
        "mode": rng.choice(["read", "write"], rows),
        "up": rng.random(rows) > 0.1,
    })  # fmt: skip


def quick(**parameters: Any) -> Detector:
    given: dict[str, Any] = {"epochs": 3, "members": 1, "device": "cpu", **parameters}
    return Detector(**given)


@pytest.fixture(scope="module")
def benign() -> Frame:
    return machines()


@pytest.fixture(scope="module")
def fitted(benign: Frame) -> Detector:
    return quick().fit(benign)


# scikit-learn's manners


CHECKED = [Detector(epochs=2, members=1, false_alarm_rate=0.1)]
"""Of 300 rows, which is what the checks have, a rate of 1 % need not make any an outlier, and they want some."""


@parametrize_with_checks(CHECKED)  # type: ignore[untyped-decorator]  # scikit-learn ships no types
def test_the_checks_of_scikit_learn_pass(estimator: Any, check: Callable[[Any], None]) -> None:
    check(estimator)


def test_parameters_are_the_model_options_with_the_defaults_of_the_configuration() -> None:
    options = ModelConfig().model_dump()
    seed = options.pop("seed")

    parameters = Detector().get_params()

    assert {name: parameters[name] for name in options} == options
    assert parameters["random_state"] == seed


def test_higher_is_more_anomalous_or_more_normal_as_documented(benign: Frame) -> None:
    detector = quick(threshold=1.5).fit(benign)
    rows = benign.head(3).copy()
    rows.loc[2, ["cpu", "mode"]] = [1e6, "erase"]

    scores = detector.anomaly_score(rows)

    assert scores[2] > 1.5 > scores[:2].max()
    assert detector.score_samples(rows).tolist() == (-scores).tolist()
    assert detector.decision_function(rows).tolist() == (1.5 - scores).tolist()
    assert detector.predict(rows).tolist() == [1, 1, -1]
    assert detector.offset_ == -1.5


def test_the_hidden_state_has_a_name_for_each_column(benign: Frame, fitted: Detector) -> None:
    latent = clone(fitted).set_params(bottleneck=2).set_output(transform="pandas").fit_transform(benign)

    assert list(latent.columns) == ["detector0", "detector1"]
    assert len(latent) == ROWS


def test_an_integer_seed_decides_everything_and_none_draws_from_numpys_state(benign: Frame) -> None:
    def scores(random_state: Any) -> list[float]:
        found: list[float] = quick(random_state=random_state).fit(benign).anomaly_score(benign.head()).tolist()
        return found

    assert scores(3) == scores(np.int64(3)) != scores(4)
    assert scores(np.random.RandomState(5)) == scores(np.random.RandomState(5))
    np.random.seed(6)  # noqa: NPY002 - the state that scikit-learn means by None
    first = scores(None)
    assert first != scores(None)
    np.random.seed(6)  # noqa: NPY002
    assert first == scores(None)


def test_it_is_searched_inside_a_pipeline(benign: Frame) -> None:
    values = benign[["cpu", "memory"]].to_numpy()
    rows = np.concatenate([values, values[:50] * [1, -1]])
    labels = np.where(np.arange(len(rows)) < ROWS, 1, -1)

    search = GridSearchCV(
        make_pipeline(StandardScaler(), quick(epochs=20)),
        {"detector__bottleneck": [1, 2], "detector__learning_rate": np.array([0.01])},
        scoring="roc_auc",
        cv=[(np.arange(200), np.arange(200, len(rows)))],
    ).fit(rows, labels)

    assert search.best_score_ > 0.9


def test_what_is_not_fitted_says_so(benign: Frame) -> None:
    with pytest.raises(NotFittedError, match="not fitted yet"):
        Detector().reconstruct(benign)


def test_copies_and_pickles_score_alike(benign: Frame, fitted: Detector) -> None:
    scores = fitted.anomaly_score(benign).tolist()

    for copied in (copy.deepcopy(fitted), pickle.loads(pickle.dumps(fitted))):
        assert copied.anomaly_score(benign).tolist() == scores


def test_threads_share_one_detector(benign: Frame, fitted: Detector) -> None:
    parts = [benign.iloc[start : start + 7] for start in range(0, ROWS, 7)]

    with ThreadPoolExecutor(8) as pool:
        found = np.concatenate(list(pool.map(fitted.anomaly_score, parts)))

    assert found.tolist() == fitted.anomaly_score(benign).tolist()


# The daemon


def configuration(place: Path, detector: Detector, parser: Any, **stream: Any) -> Path:
    """A stream that is set up as the detector was."""
    same = {name: getattr(detector, name) for name in ModelConfig.model_fields if name != "seed"}
    file = place / "machines.yaml"
    written = {
        "state_dir": str(place / "state"),
        "device": "cpu",
        "streams": {
            "machines": {
                "source": "stdin",
                "parser": parser,
                "time": {"field": "at"},
                "features": detector.encodings_,
                "model": {**same, "seed": 1},
                "score": {"method": detector.method, "members": detector.members, "masking": detector.field_masking},
                **stream,
            }
        },
    }
    file.write_text(yaml.safe_dump(written, sort_keys=False))
    return file


@pytest.mark.parametrize("method", ["l1", "field", "masked", "blend"])
def test_scores_and_reasons_are_those_of_the_daemon(
    method: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    benign = machines().sample(frac=1, random_state=1)  # not in the order of time
    benign.loc[benign.index[::9], "memory"] = np.nan
    faulty = benign.head(50).copy()
    faulty.loc[faulty.index[5], ["cpu", "mode"]] = [1e6, "erase"]
    for name, table in (("benign.csv", benign), ("faulty.csv", faulty)):
        table.to_csv(tmp_path / name, index=False, header=False)
    detector = quick(method=method, masking=0.1).fit(benign)
    config = configuration(tmp_path, detector, {"csv_rows": {"columns": list(benign.columns)}})

    assert execute(["retrain", "-c", str(config), "--input", str(tmp_path / "benign.csv")]) == 0
    capsys.readouterr()
    assert execute(["score", "-c", str(config), "--format", "jsonl", str(tmp_path / "faulty.csv")]) == 0
    scores = [json.loads(line)["score"] for line in capsys.readouterr().out.splitlines()]

    assert scores == detector.anomaly_score(faulty).tolist()
    offline = open_offline(config, None)
    (batch,) = offline.batches([tmp_path / "faulty.csv"], lambda *_: None)
    (alert,) = offline.pipeline.explain(batch.scored, np.array([5]))
    assert alert.fields == detector.explain(faulty.iloc[[5]])[0]


def test_a_network_that_never_learned_without_a_field_cannot_score_so(benign: Frame) -> None:
    with pytest.raises(ParameterError, match=r"set model\.masking, to 0\.1 say, or choose score\.method: field"):
        quick(method="masked").fit(benign)


def test_the_daemon_uses_a_model_that_a_detector_saved(tmp_path: Path, benign: Frame, fitted: Detector) -> None:
    file = tmp_path / "machines.csv"
    benign.to_csv(file, index=False, header=False)
    config = configuration(tmp_path, fitted, {"csv_rows": {"columns": list(benign.columns)}})

    saved = fitted.save(tmp_path / "state" / "models" / "machines")

    offline = open_offline(config, None)
    (batch,) = offline.batches([file], lambda *_: None)
    assert offline.pipeline.bundle.path == saved
    assert batch.scored.scores.scores.tolist() == fitted.anomaly_score(benign).tolist()


def test_a_saved_detector_is_the_same_when_it_is_loaded(tmp_path: Path, benign: Frame, fitted: Detector) -> None:
    saved = fitted.save(tmp_path / "machines")

    for place in (tmp_path / "machines", str(saved)):
        loaded = Detector.load(place, device="cpu")
        assert loaded.anomaly_score(benign).tolist() == fitted.anomaly_score(benign).tolist()
        assert loaded.feature_names_in_.tolist() == list(benign.columns)
        assert (loaded.time_, loaded.encodings_) == ("at", fitted.encodings_)
    assert clone(loaded).fit(benign).anomaly_score(benign).tolist() == fitted.anomaly_score(benign).tolist()


def test_a_threshold_that_was_changed_is_saved(tmp_path: Path, fitted: Detector) -> None:
    stricter = copy.deepcopy(fitted)
    stricter.offset_ = -0.5

    stricter.save(tmp_path / "machines")

    assert Detector.load(tmp_path / "machines").offset_ == -0.5


def test_an_array_has_no_names_after_loading_either(tmp_path: Path) -> None:
    values = machines()[["cpu", "memory"]].to_numpy()
    detector = quick().fit(values)
    detector.save(tmp_path / "array")

    loaded = Detector.load(tmp_path / "array")

    assert loaded.anomaly_score(values).tolist() == detector.anomaly_score(values).tolist()
    assert not hasattr(loaded, "feature_names_in_")


def test_an_array_in_the_order_of_time_is_compared_with_its_own_past(tmp_path: Path) -> None:
    chance = np.random.default_rng(0)
    values = np.column_stack([chance.normal(size=(ROWS, 2)).cumsum(axis=0), chance.normal(size=ROWS)])
    detector = quick().fit(values)
    publish(tmp_path, detector.model_.contents, now=0.0)
    detector.save(tmp_path / "array")

    saved, published = (Detector.load(tmp_path / name) for name in ("array", "detector"))  # no time is needed

    assert detector.encodings_ == {"x0": "streaming", "x1": "streaming", "x2": "numeric"}
    scores = detector.anomaly_score(values).tolist()
    assert saved.anomaly_score(values).tolist() == scores
    assert published.anomaly_score(pd.DataFrame(values, columns=["x0", "x1", "x2"])).tolist() == scores


def test_a_model_of_the_daemon_is_loaded_with_the_columns_it_reads(tmp_path: Path, benign: Frame) -> None:
    detector = quick(time="at", features={"cpu": "numeric", "gap": "interarrival"}).fit(benign)
    publish(tmp_path, detector.model_.contents, now=0.0)  # as retrain does, without the file that save adds

    with pytest.raises(ParameterError, match=r"read the event time.*load\(\.\.\., time=COLUMN\)"):
        Detector.load(tmp_path / "detector")
    loaded = Detector.load(tmp_path / "detector", time="at")

    assert loaded.feature_names_in_.tolist() == ["cpu", "at"]
    rows = benign[["cpu", "at"]]
    assert loaded.anomaly_score(rows).tolist() == detector.anomaly_score(benign).tolist()


def test_there_must_be_a_model_to_load(tmp_path: Path, fitted: Detector) -> None:
    with pytest.raises(NoInputError, match=r"nothing: there is no model; name a directory that Detector\.save"):
        Detector.load(tmp_path / "nothing")
    with pytest.raises(BundleError, match="current: missing"):
        Detector.load(tmp_path)
    with pytest.raises(DataError, match="a name has letters"):
        fitted.save(tmp_path / "no name")


@pytest.mark.parametrize(
    ("written", "message"),
    [
        (b"[]", "does not describe columns"),
        (b'{"format":2,"count":1,"names":null,"time":null,"key":null}', "format 2 is not 1"),
        (b'{"count":1,"names":["a"],"time":"at","key":null}', "reads the column 'at', which is not among its"),
        (b'{"count":1,"names":["at"],"time":"at","key":null}', "reads the column 'cpu'"),
    ],
)
def test_a_bundle_with_other_columns_is_refused(tmp_path: Path, fitted: Detector, written: bytes, message: str) -> None:
    publish(tmp_path, fitted.model_.contents, now=0.0, attachments={FILE: written})

    with pytest.raises(BundleError, match=re.escape(pointed_to(tmp_path / "detector")) + f".*{message}"):
        Detector.load(tmp_path / "detector")


def test_columns_of_an_array_are_numbered() -> None:
    assert Columns(count=2, names=None, time=None, key=None).all() == ("x0", "x1")


# What goes in


def test_files_and_tables_of_other_makes_score_as_the_data_frame(
    tmp_path: Path, benign: Frame, fitted: Detector
) -> None:
    table = pa.Table.from_pandas(benign, preserve_index=False)
    pq.write_table(table, tmp_path / "machines.parquet")
    benign.to_csv(tmp_path / "machines.csv", index=False)
    whole = pa.chunked_array([table.to_struct_array().combine_chunks()])
    capsule = type("Other", (), {"__arrow_c_stream__": whole.__arrow_c_stream__})()
    views = table.set_column(4, "mode", table["mode"].cast(pa.string_view()))
    coded = benign.astype({"mode": "category", "status": "category"})

    for data in (table, str(tmp_path / "machines.parquet"), tmp_path / "machines.csv", capsule, views, coded):
        assert fitted.anomaly_score(data).tolist() == fitted.anomaly_score(benign).tolist()


def test_a_detector_learns_the_same_from_a_file(tmp_path: Path, benign: Frame, fitted: Detector) -> None:
    benign.to_csv(tmp_path / "machines.csv", index=False)

    detector = quick().fit(tmp_path / "machines.csv")

    assert detector.encodings_ == fitted.encodings_
    assert detector.anomaly_score(benign).tolist() == fitted.anomaly_score(benign).tolist()


def test_columns_are_encoded_as_init_would_and_the_rest_has_a_reason() -> None:
    rows = 40
    table = machines(rows).assign(
        counter=range(rows),
        again=lambda t: t["up"],
        empty=None,
        entries=[[1.0, 2.0]] * rows,
        pairs=[{"a": 1}] * rows,
        later=pd.date_range("2026-03-01", periods=rows, tz="Europe/Berlin"),
        mixed=[1, "one"] * (rows // 2),
        took=pd.to_timedelta(np.random.default_rng(0).uniform(0, 9, rows), unit="s"),
    )

    detector = quick().fit(table)

    assert detector.encodings_ == {
        "cpu": "numeric", "memory": "numeric", "status": "categorical", "mode": "categorical", "up": "boolean",
        "entries": {"vector": {"length": 2}}, "mixed": "categorical", "took": "numeric",
    }  # fmt: skip
    assert detector.time_ == "at"
    reasons = "; ".join(f"{name}: {reason}" for name, reason in detector.left_out_.items())
    for told in ("counter: only ever grows", "again: says the same as up", "empty: never occurs",
                 "pairs: values of type struct<a: int64> cannot be encoded", "later: a second time",
                 "at: the event time; hours and weekdays need"):  # fmt: skip
        assert told in reasons


def test_every_column_of_numbers_in_an_array_counts() -> None:
    counter = np.arange(40.0)

    detector = quick().fit(np.column_stack([counter, counter]))

    assert detector.encodings_ == {"x0": "numeric", "x1": "numeric"}


def test_arrays_of_objects_may_mix_numbers_and_text() -> None:
    rng = np.random.default_rng(0)
    rows = np.full((40, 3), None, dtype=object)
    rows[:, 0], rows[:, 1], rows[::2, 2] = rng.normal(size=40), rng.choice(["a", "b"], 40), 1.5

    detector = quick().fit(rows)

    assert detector.encodings_ == {"x0": "numeric", "x1": "categorical", "x2": "numeric"}
    odd = np.array([["high", "a", 1.5], [0.1, "c", 1.5]], dtype=object)
    named = [findings[0].name for findings in detector.explain(odd)]
    assert named == ["x0", "x1"]
    assert "not a number" in detector.explain(odd)[0][0].reason


@pytest.mark.parametrize("nothing", [np.nan, None, pd.NA])
def test_whatever_stands_for_nothing_is_missing(nothing: Any, benign: Frame, fitted: Detector) -> None:
    row = benign.head(1).astype({"memory": object, "mode": object})
    row.loc[0, ["memory", "mode"]] = nothing

    reasons = {finding.name: finding.reason for finding in fitted.explain(row)[0]}

    assert "missing" in reasons["memory"]
    assert "missing" in reasons["mode"]


def test_nan_is_missing_in_tables_that_know_null_too(benign: Frame, fitted: Detector) -> None:
    columns = benign.head(2).to_dict("list")

    nan = pa.table({**columns, "memory": [float("nan"), 9.0]})

    reasons = {finding.name: finding.reason for finding in fitted.explain(nan)[0]}

    assert "missing" in reasons["memory"]


def test_extremes_are_anomalous_and_finite(fitted: Detector, benign: Frame) -> None:
    rows = benign.head(4).assign(cpu=[np.inf, -np.inf, 1e308, -1e308])

    scores = fitted.anomaly_score(rows)

    assert np.isfinite(scores).all()
    assert (fitted.predict(rows) == -1).all()


def test_a_whole_number_is_the_same_text_as_an_integer_and_as_a_float(fitted: Detector, benign: Frame) -> None:
    floats = benign.astype({"status": float})

    assert fitted.anomaly_score(floats).tolist() == fitted.anomaly_score(benign).tolist()


def test_features_are_written_as_in_the_configuration(benign: Frame) -> None:
    features = {
        "cpu": {"numeric": {"divide_by": 100.0}},
        "code": {"categorical": {"field": "status"}},
        "both": {"vector": {"columns": ["cpu", "memory"]}},
    }

    detector = quick(features=features).fit(benign)

    assert detector.encodings_ == features
    assert detector.left_out_ == {}


def test_rows_of_a_key_are_followed_within_one_call_and_forgotten_after_it() -> None:
    table = pd.DataFrame({"at": np.arange(40.0) * 10 + 1.7e9, "host": ["a", "b"] * 20})
    detector = quick(features={"gap": "interarrival"}, time="at", key="host").fit(table)

    first, again = detector.anomaly_score(table), detector.anomaly_score(table)

    assert first.tolist() == again.tolist()
    late = table.assign(at=table["at"] + np.where(np.arange(40) >= 38, 3600.0, 0.0))
    assert detector.predict(late).tolist() == [1] * 38 + [-1] * 2


def test_long_tables_are_scored_in_parts(benign: Frame, fitted: Detector, monkeypatch: pytest.MonkeyPatch) -> None:
    def results() -> tuple[Any, ...]:
        made = (fitted.anomaly_score(benign), fitted.transform(benign), fitted.reconstruct(benign))
        return (*(np.asarray(each).tolist() for each in made), fitted.explain(benign))

    whole = results()
    monkeypatch.setattr(_trained, "SLICE_ROWS", 128)

    assert results() == whole


def test_the_hour_is_learned_from_two_weeks() -> None:
    rows = 10_100
    table = pd.DataFrame({"at": pd.date_range("2026-03-01", periods=rows, freq="2min"), "n": np.arange(rows) % 7.0})

    detector = quick(epochs=1).fit(table)

    assert detector.encodings_ == {"n": "numeric", "at": "time"}
    alone = quick(epochs=1, time="at", features={"at": "time"}).fit(table)
    assert alone.explain(table.head(1))[0][0].actual.startswith("2026-03-01 00:00:00")


# What comes out


def test_reconstructions_are_in_original_units_and_shape(benign: Frame) -> None:
    named = benign[["cpu", "memory", "status", "mode", "up"]].set_index(benign["at"])
    detector = quick(epochs=60).fit(named)

    frame = detector.reconstruct(named)

    assert list(frame.columns) == list(named.columns)
    assert frame.index.equals(named.index)
    assert np.abs(frame["cpu"] - named["cpu"]).mean() < 15
    assert set(frame["status"]) <= {200, 304, 404}
    assert set(frame["mode"]) <= {"read", "write"}
    assert detector.reconstruct(pa.Table.from_pandas(named, preserve_index=False)).column_names == list(named.columns)


def test_an_array_is_reconstructed_as_an_array() -> None:
    values = machines()[["cpu", "memory"]].to_numpy()
    mixed = np.column_stack([values.astype(object), [f"/path/{i}" for i in range(ROWS)]])

    numbers = quick().fit(values).reconstruct(values)
    some = quick(features={"x0": "numeric", "x2": "path"}).fit(mixed).reconstruct(mixed)

    assert (numbers.shape, numbers.dtype) == (values.shape, np.float64)
    assert np.isfinite(numbers).all()
    assert some.shape == mixed.shape
    assert pd.isna(some[:, 1:]).all()


# What is refused


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"epochs": 0}, "^epochs: expected a number above 0, got the number 0$"),
        ({"hidden": (4, 0)}, r"^hidden\[1\]: expected a number of at least 1"),
        ({"activation": "tan"}, "^activation: .*did you mean 'tanh'"),
        ({"random_state": -1}, "^random_state: expected a number of at least 0"),
        ({"threshold": 0.0}, "^threshold: expected a number above 0"),
        ({"device": "gpu"}, "^device: expected auto, cpu, cuda or cuda:N"),
        ({"features": {"cpu": {"numeric": {"scal": 1}}}}, "^features.cpu.numeric.scal: unknown key 'scal'"),
        ({"features": {"cpuu": "numeric"}}, "^features.cpuu: there is no column 'cpuu' in X; did you mean 'cpu'"),
        ({"features": ["cpu"]}, "^features: expected a mapping"),
        ({"time": "when"}, "^time: there is no column 'when' in X"),
        ({"key": "host"}, "^key: there is no column 'host' in X"),
        ({"key": 3}, "^key: there is no column '3' in X"),
    ],
)
def test_a_wrong_parameter_is_named(parameters: dict[str, Any], message: str, benign: Frame) -> None:
    with pytest.raises(ParameterError, match=message) as caught:
        quick(**parameters).fit(benign)

    assert isinstance(caught.value, ValueError)
    assert isinstance(caught.value, AemonitorError)


def test_tables_that_cannot_be_learned_are_refused(benign: Frame) -> None:
    twice = pd.concat([benign[["cpu"]], benign[["cpu"]]], axis=1)
    unique = pd.DataFrame({"name": [f"n{i}" for i in range(40)]})

    with pytest.raises(ValueError, match=r"5 sample\(s\) and 6 feature\(s\) while a minimum of 10 sample"):
        quick().fit(benign.head(5))
    with pytest.raises(DataError, match="two columns are named 'cpu'; rename one"):
        quick().fit(twice)
    with pytest.raises(DataError, match=r"no column can be learned \(name: unique in nearly every record.*features="):
        quick().fit(unique)
    with pytest.raises(ValueError, match="Expected a 2-dimensional container"):
        quick().fit(benign["cpu"])
    with pytest.raises(ValueError, match="Expected 2D array, got 1D array"):
        quick().fit(pa.array([1.0, 2.0]))
    with pytest.raises(DataError, match="column 'pair': struct<a: int64> cannot be read as text; choose another"):
        quick(features={"pair": "text"}).fit(benign.assign(pair=[{"a": 1}] * ROWS))


def test_other_columns_than_those_learned_are_refused(benign: Frame, fitted: Detector) -> None:
    with pytest.raises(ValueError, match=r"feature names should match those that were passed during fit"):
        fitted.predict(benign.drop(columns="up"))
    with pytest.raises(ValueError, match="0 sample"):
        fitted.predict(benign.head(0))


def test_no_row_of_a_named_pipe_is_lost(tmp_path: Path) -> None:
    pipe, text = tmp_path / "pipe", "n\n" + "".join(f"{n}\n" for n in range(5000))
    os.mkfifo(pipe)
    writer = threading.Thread(target=pipe.write_text, args=(text,), daemon=True)
    writer.start()

    table = read_table(pipe)

    writer.join()
    assert table.column("n").to_pylist() == list(range(5000))


def test_files_that_cannot_be_read_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "broken.csv").write_text("a,b\n1\n1,2,3\n")
    (tmp_path / "broken.parquet").write_bytes(b"PAR1 and no more")

    with pytest.raises(NoInputError, match=r"absent\.csv: there is no such file"):
        quick().fit(tmp_path / "absent.csv")
    with pytest.raises(NoInputError, match="is a directory; name a file"):
        quick().fit(tmp_path)
    for name in ("broken.csv", "broken.parquet"):
        with pytest.raises(DataError, match=f"{name}: not a Parquet file, nor a CSV file with a header line"):
            quick().fit(str(tmp_path / name))

    def refuse(path: Path, *_: Any) -> Any:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(PermissionDeniedError, match="this user may not read it"):
        quick().fit(tmp_path / "broken.csv")


# The package


def python(code: str) -> str:
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=100)
    return run.stdout.strip()


def test_importing_the_package_imports_nothing_heavy() -> None:
    heavy = python("import monitor, sys; print(sorted({'torch', 'sklearn', 'pyarrow', 'pandas'} & set(sys.modules)))")

    assert heavy == "[]"
    with pytest.raises(AttributeError, match="module 'monitor' has no attribute 'Detectro'"):
        monitor.Detectro  # type: ignore[attr-defined]  # noqa: B018


def test_without_scikit_learn_the_import_says_what_to_install() -> None:
    said = python("""
import sys
from importlib.machinery import PathFinder
class Without(PathFinder):
    @classmethod
    def find_spec(cls, name, path=None, target=None):
        return None if name == "sklearn" else PathFinder.find_spec(name, path, target)
sys.meta_path = [Without if finder is PathFinder else finder for finder in sys.meta_path]
try:
    from monitor import Detector
except Exception as error:
    print(type(error).__name__, error)
""")

    assert said == (
        "UnavailableError this needs sklearn, which is not installed; run: pip install 'aemonitor[analysis]'"
    )


def test_the_examples_of_the_guide_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    blocks = re.findall(
        r"^```python\n(.*?)^```", (REPOSITORY / "docs/howto/library.md").read_text(), re.MULTILINE | re.DOTALL
    )
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}

    for block in blocks:
        exec(compile(block, "library.md", "exec"), names)  # our own page

    said = capsys.readouterr().out
    assert said.startswith("[ 1 -1]\n")
    assert "mode: erase, expected" in said
    assert "[ True  True]" in said
    assert names["search"].best_score_ > 0.9


# Labelled data


def test_page_blocks_are_told_apart_by_benign_training_alone(data_dir: Path) -> None:
    data = np.load(data_dir / "tabular" / "27_PageBlocks.npz")
    normal = np.random.default_rng(0).permutation(np.flatnonzero(data["y"] == 0))
    half = len(normal) // 2
    test = np.concatenate([normal[half:], np.flatnonzero(data["y"] == 1)])

    detector = Detector(epochs=40, device="cpu").fit(data["X"][normal[:half]])

    assert roc_auc_score(data["y"][test], detector.anomaly_score(data["X"][test])) > 0.94
    assert (detector.predict(data["X"][normal[half:]]) == 1).mean() > 0.99


@pytest.mark.filterwarnings("ignore:X (does not have|has feature names)")
def test_columns_go_by_their_place_where_only_one_table_has_names(benign: Frame) -> None:
    numbers = benign.select_dtypes("number")
    on_frame, on_array = quick().fit(numbers), quick().fit(numbers.to_numpy())

    expected = on_frame.anomaly_score(numbers).tolist()

    assert on_frame.anomaly_score(numbers.to_numpy()).tolist() == expected
    assert on_array.anomaly_score(numbers).tolist() == on_array.anomaly_score(numbers.to_numpy()).tolist()
    assert len(on_array.explain(numbers.head(2))) == len(on_frame.explain(numbers.to_numpy()[:2])) == 2


def test_a_column_without_a_name_is_named_by_its_place(tmp_path: Path) -> None:
    path = tmp_path / "with-index.csv"
    path.write_text(",cpu\n" + "".join(f"{row},{row % 7}\n" for row in range(20)))

    with pytest.raises(DataError, match=r"column 1 has no name; name or drop it .*to_csv\(index=False\)"):
        quick().fit(path)
