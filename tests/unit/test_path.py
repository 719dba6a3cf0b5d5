"""The path encoder knows benign paths and queries, and injected characters give themselves away."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import quote

import numpy as np
import pytest

from monitor.core.novelty import never
from monitor.core.protocols import FittedEncoder
from monitor.encoders import path, text
from monitor.encoders.path import Config
from tests.text_encoding import NAME, encode, finding, surprise, total
from tests.text_encoding import fit as fit_encoder

FILES = ("/index.html", "/static/app.js", "/static/site.css", "/img/logo.png", "/about.html")
BENIGN = [
    url
    for i in range(100)
    for url in (
        FILES[i % 5],
        f"/api/v1/users/{i}/orders?page={i % 9}&sort=name",
        f"/search?q={('red', 'blue', 'green')[i % 3]}+shoes&id=550e8400-e29b-41d4-a716-44665544{i:04}",
    )
]


def fit(values: Sequence[str | None], **options: int) -> FittedEncoder:
    return fit_encoder(path.build(Config(**options), NAME), values)


@pytest.fixture(scope="module")
def web() -> FittedEncoder:
    return fit(BENIGN)


@pytest.mark.parametrize("url", ["/api/v1/users/12345/orders?page=77&sort=name", "/static/app.js", "/about.html"])
def test_benign_paths_with_other_numbers_are_no_surprise(web: FittedEncoder, url: str) -> None:
    assert total(web, url) < 0.5


@pytest.mark.parametrize(
    "url",
    [
        "/search?q=red+shoes'--&id=1",
        "/search?q=<script>alert(1)</script>&id=1",
        "/static/../../etc/passwd",
        "/static/%2e%2e%2fapp.js",
        "/search?q=red;cat+shoes&id=1",
        "/index.html\x00.png",
        "/api/v1/users/1/orders?page=1&sort=(select+1)",
        "/wp-admin/setup.php",
        "http://evil.example/index.html",
        "/search?q=réd+shoes&id=1",
    ],
)
def test_attacks_weigh_as_much_as_benign_data_allow(web: FittedEncoder, url: str) -> None:
    assert total(web, url) >= never(len(BENIGN)) - 1e-5


def test_neighbours_never_seen_are_surprising_though_each_character_is_known() -> None:
    encoder = fit([f"/{a}/{b}.{c}" for a in "abcdef" for b in "ghijkl" for c in ("x", "y")])

    assert "unseen neighbours" in surprise(encoder, "/a/..x")
    assert "unseen neighbours" not in surprise(encoder, "/a/g.y")


def test_neighbours_at_either_edge_of_a_text_count() -> None:
    encoder = fit(["a=1;b=2", "c=3;d=4"] * 20)

    assert "unseen neighbours" in surprise(encoder, ";a=1")
    assert "unseen neighbours" in surprise(encoder, "a=1;")


def test_more_of_a_kind_than_ever_is_counted(web: FittedEncoder) -> None:
    found = surprise(web, "/api/v1/users/1/orders?page=1&sort=name" + "&page=1" * 20)

    assert {"ampersands beyond", "equals signs beyond", "length beyond"} <= set(found)
    assert "quotes beyond" not in found


@pytest.mark.parametrize(
    ("url", "column"),
    [
        ("/index.html", "extension .html"),
        ("/static/app.js?v=1.css", "extension .js"),
        ("/static/app.js#x.png", "extension .js"),
        ("/api/v1/users/1/orders?page=1&sort=name", "no extension"),
        ("/a.js/b", "no extension"),
        ("/archive.averylongname", "no extension"),
    ],
)
def test_the_extension_is_a_category(web: FittedEncoder, url: str, column: str) -> None:
    columns, _ = encode(web, url)

    on = {name for name, value in zip(web.columns, columns[0], strict=True) if "extension" in name and value > 0.5}
    assert on == {column}


def test_an_unseen_extension_is_a_surprise(web: FittedEncoder) -> None:
    encoder = fit([*BENIGN, "/a php"])

    assert surprise(encoder, "/index.php")["unseen extension"] > 0.0
    assert finding(web, "/index.php").reason in {
        "a word never seen in 300 benign records",
        "an extension as in none in 300 benign records",
    }


def test_depth_and_kinds_of_characters_are_columns(web: FittedEncoder) -> None:
    columns, _ = encode(web, "/index.html", "/api/v1/users/1/orders?page=1&sort=name")
    at = {name: i for i, name in enumerate(web.columns)}

    assert columns[0, at["slashes"]] == -1.0
    assert columns[1, at["slashes"]] == 1.0
    assert "quotes" not in at  # none in benign data: nothing to reproduce


def test_an_escaped_payload_is_the_payload() -> None:
    encoder = fit([f"/find?q={a}%20{b}%27s" for a in ("red", "blue") for b in ("ann", "ben") for _ in range(20)])

    columns, novelty = encode(encoder, *(f"/find?q=red{x}%27or%27{x}ann%27s" for x in (" ", "%20", "%2520")))
    counted = [i for i, name in enumerate(encoder.columns) if name in {"length", "percent signs"}]
    once, twice = encoder.novelty.index("unseen neighbours"), encoder.novelty.index("unseen escape")

    assert np.ptp(np.delete(columns, counted, axis=1), axis=0).max() == 0.0
    assert (novelty[:2, once] >= never(80) - 1e-5).all()
    assert (novelty[:, twice] > 0.0).tolist() == [False, False, True]


def test_benign_escapes_are_no_surprise_and_others_are() -> None:
    encoder = fit([f"/find?q={a}%20{b}%2C" for a in ("red", "blue") for b in ("shoe", "sock") for _ in range(20)])

    assert surprise(encoder, "/find?q=blue%20shoe%2c") == {}
    assert surprise(encoder, "/find?q=%72ed%20shoe%2C")["unseen escape"] == pytest.approx(never(80))
    assert finding(encoder, "/find?q=%72ed%20shoe%2C").reason == "a percent-escape as in none in 80 benign records"


@pytest.mark.parametrize("url", ["/a%", "/a%4", "/a%zz", "%", "%%%", "/a%%32%35", "%00", "%c3%28", "%2525252525"])
def test_broken_escapes_are_encoded_all_the_same(web: FittedEncoder, url: str) -> None:
    columns, novelty = encode(web, url)

    assert np.isfinite(columns).all()
    assert novelty.sum() >= never(len(BENIGN)) - 1e-5


def test_a_missing_path_is_no_path_without_extension() -> None:
    encoder = fit([None, "/a.js", "/b.js"])

    assert surprise(encoder, None) == {}
    assert encode(encoder, None)[0][0].tolist()[-1] == 1.0


def test_a_finding_names_the_offence(web: FittedEncoder) -> None:
    anything = fit([f"/{a}{b}{c}/" for a in "abcdef" for b in "ghijkl" for c in "mnopqr"])

    assert finding(web, "/static/..../app.js").reason == "characters side by side as in none in 300 benign records"
    assert finding(web, "/index.html\0").reason == "an invisible character as in none in 300 benign records"
    assert finding(anything, "/agm" * 60 + "/").reason == "length: 241, at most 5 in 216 benign records"


@pytest.mark.data
@pytest.mark.parametrize("query", ["", "/shop?q="])
def test_injected_payloads_stand_out_from_benign_ones(data_dir: Path, query: str) -> None:
    train, test = (load(data_dir / "web" / f"payload_{part}.csv") for part in ("train", "test"))
    kind, escaped = (path, quote) if query else (text, str)
    benign = [f"{query}{escaped(payload)}" for payload, attack in train if attack == "norm"]
    encoder = fit_encoder(kind.build(kind.Config(), NAME), benign)

    assert not encode(encoder, *benign)[1].any()
    novelty = encode(encoder, *(f"{query}{escaped(payload)}" for payload, _ in test))[1].sum(axis=1)

    attacks = np.array([attack for _, attack in test])
    for attack in ("sqli", "xss", "cmdi", "path-traversal"):
        told_apart = np.isin(attacks, ("norm", attack))
        assert auroc(novelty[told_apart], attacks[told_apart] == attack) > 0.9995


def load(file: Path) -> list[tuple[str, str]]:
    with file.open(newline="", encoding="utf-8") as lines:
        return [(row["payload"], row["attack_type"]) for row in csv.DictReader(lines)]


def auroc(
    scores: np.ndarray[tuple[int], np.dtype[np.float32]], positive: np.ndarray[tuple[int], np.dtype[np.bool_]]
) -> float:
    """The chance that a positive has a higher score than a negative, a tie counting half."""
    negative = np.sort(scores[~positive])
    below = np.searchsorted(negative, scores[positive], side="left") + np.searchsorted(
        negative, scores[positive], "right"
    )
    return float(below.mean() / 2 / len(negative))
