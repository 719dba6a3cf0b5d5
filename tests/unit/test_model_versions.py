"""Going back and forth between versions, and what is different between them, on bundles that nobody trained."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from monitor.cli import execute
from monitor.model.publishing import publish
from monitor.model.trials import Gate, Planted, Trials
from monitor.model.versions import current_version
from tests.support_models import contents

TEXT = """
server: {{listen: none}}
state_dir: {state}
streams:
  web: &stream
    source: stdin
    parser: json_lines
    features: {{f0: numeric}}
"""


class Registry:
    """A configuration and three versions of a model."""

    def __init__(self, root: Path) -> None:
        self.models, self.config = root / "models", root / "c.yaml"
        self.config.write_text(TEXT.format(state=root).replace(" &stream", ""))
        trials = Trials((Gate("faults", True, "all"),), (Planted("f0", "x10", 10, 9), Planted("f0", "swap", 10, 5)))
        self.versions = [
            publish(self.models, contents(seed=1), now=1e9),
            publish(self.models, contents(seed=1, threshold=2.0, trials=trials), now=2e9),
            publish(self.models, contents(seed=1, threshold=2.0), now=3e9),
        ]

    def run(self, *arguments: str) -> int:
        return execute(["models", arguments[0], "-c", str(self.config), *arguments[1:]])

    @property
    def current(self) -> str | None:
        return current_version(self.models, "web")


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    return Registry(tmp_path)


def test_rolling_back_goes_one_version_further_each_time(registry: Registry, capfd: pytest.CaptureFixture[str]) -> None:
    first, second, third = registry.versions

    assert registry.run("rollback") == 0
    assert registry.current == second
    assert registry.run("rollback", "--json") == 0
    assert registry.current == first
    assert registry.run("rollback") == 66

    told = capfd.readouterr()
    assert told.out.splitlines()[0] == f"stream web: {second} is in use now, before it was {third}"
    assert json.loads(told.out.splitlines()[1]) == {"stream": "web", "version": first, "before": second}
    assert f"stream web has no version before {first}; see `aemonitor models list`" in told.err


def test_a_version_is_promoted_by_name(registry: Registry) -> None:
    assert registry.run("promote", registry.versions[0]) == 0
    assert registry.current == registry.versions[0]


def test_what_is_damaged_or_unknown_is_not_put_in_use(registry: Registry, capfd: pytest.CaptureFixture[str]) -> None:
    weights = registry.models / "web" / registry.versions[1] / "weights.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1])

    assert registry.run("rollback") == 65
    assert registry.run("promote", "nope") == 65

    told = capfd.readouterr().err
    assert "weights.safetensors: truncated" in told
    assert "there is no version 'nope'; see `aemonitor models list`" in told
    assert registry.current == registry.versions[2]


def test_without_a_model_there_is_nothing_to_go_back_to(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    registry = Registry(tmp_path)
    registry.config.write_text(registry.config.read_text().replace("  web:", "  other:"))

    assert registry.run("rollback") == 66
    assert "stream other has no version before the first" in capfd.readouterr().err


def test_differences_are_told_place_by_place(registry: Registry, capfd: pytest.CaptureFixture[str]) -> None:
    first, second, third = registry.versions

    assert registry.run("diff", first, second) == 0
    assert capfd.readouterr().out.splitlines() == [
        "threshold: 1.0 -> 2.0",
        "recall.f0: - -> 0.7",
        "gate.faults: - -> passed",
    ]
    assert registry.run("diff", second, third, "--json") == 0
    assert json.loads(capfd.readouterr().out)[0] == {"place": "recall.f0", "old": 0.7, "new": None}


def test_the_configuration_and_what_was_learned_are_compared(
    registry: Registry, capfd: pytest.CaptureFixture[str]
) -> None:
    made = contents(seed=2, width=9)
    wide = publish(
        registry.models, replace(made, features=[{"name": "f\x1b", "kind": "numeric", "state": {"x": 1}}]), now=4e9
    )

    assert registry.run("diff", registry.versions[0], wide) == 0

    told = capfd.readouterr().out
    assert 'feature.f\\x1b: - -> {"name": "f\\u001b", "kind": "numeric"}' in told
    assert "columns.f2: [1, 1] -> [3, 1]" in told
    assert "weights bytes: " in told


def test_equal_versions_have_no_difference(registry: Registry, capfd: pytest.CaptureFixture[str]) -> None:
    assert registry.run("diff", registry.versions[0], registry.versions[0]) == 0
    assert capfd.readouterr() == ("", "nothing is different\n")


def test_a_version_that_is_not_there_is_named(registry: Registry, capfd: pytest.CaptureFixture[str]) -> None:
    assert registry.run("diff", "nope", registry.versions[0]) == 66
    assert "stream web has no published model nope" in capfd.readouterr().err


def test_a_directory_is_verified_wherever_it_stands(registry: Registry, tmp_path: Path) -> None:
    place = registry.models / "web" / registry.versions[0]
    (place / "MODEL.md").write_text("other")

    assert execute(["models", "verify", "--directory", str(place)]) == 65
