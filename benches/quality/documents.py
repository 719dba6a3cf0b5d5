"""Labelled sessions and texts as trials; for detectors of numbers they become counts."""

from __future__ import annotations

import gzip
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.csv as pv
from sklearn.feature_extraction.text import CountVectorizer

from monitor.core.arrays import F64

from .sets import Trial


def sessions(place: Path) -> Trial:
    """HDFS blocks: the list of events of each, as one JSON field holds it. Peers get how often each event occurred."""
    train, _ = _sessions(place / "logs" / "hdfs_sessions_train.jsonl.gz")
    test, truth = _sessions(place / "logs" / "hdfs_sessions_test.jsonl.gz")
    matrices = counted(train, test, analyzer=list)
    learned, judged = (pa.table({"events": events}) for events in (train, test))
    return Trial("hdfs", "hdfs sessions", learned, judged, np.array(truth), matrices)


def _sessions(path: Path) -> tuple[list[list[str]], list[bool]]:
    with gzip.open(path) as file:
        rows = [msgspec.json.decode(line) for line in file]
    return [row["events"] for row in rows], [bool(row["label"]) for row in rows]


def payloads(place: Path) -> Trial:
    """Values of HTTP parameters as one text field. Peers get the logarithm of how often each character occurred."""
    train, test = (pv.read_csv(place / "web" / f"payload_{part}.csv") for part in ("train", "test"))
    truth = test["label"].to_numpy() != "norm"
    benign = train.filter(pa.array(train["label"].to_numpy() == "norm"))
    texts = [[text or "" for text in table["payload"].to_pylist()] for table in (benign, test)]
    matrices = counted(texts[0], texts[1], analyzer="char", lowercase=False)
    logarithms = (np.log1p(matrices[0]), np.log1p(matrices[1]))
    learned, judged = (pa.table({"payload": column}) for column in texts)
    return Trial("web", "web payloads", learned, judged, truth, logarithms, options={"features": {"payload": "text"}})


def counted(train: Sequence[Any], test: Sequence[Any], **options: Any) -> tuple[F64, F64]:
    """How often each word that benign documents have occurs, [n, words], and how many others do, in the last column."""
    vectorizer = CountVectorizer(**options).fit(train)
    words = vectorizer.build_analyzer()

    def rows(documents: Sequence[Any]) -> F64:
        known = vectorizer.transform(documents).toarray().astype(np.float64)
        lengths = np.array([len(words(document)) for document in documents])
        return np.column_stack([known, lengths - known.sum(axis=1)])

    return rows(train), rows(test)
