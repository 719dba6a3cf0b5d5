"""Configuration: defaults, every problem at once, and what is said about each."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import FrozenInstanceError
from pathlib import Path
from typing import Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import Field, ValidationError, model_validator

from monitor.core.config import Config, Feature, Plugin, parse_listen
from monitor.core.config_reading import read_config
from monitor.core.errors import ConfigError, NoInputError, PermissionDeniedError, Problem
from monitor.core.model_config import ModelConfig
from monitor.core.strict import StrictModel
from monitor.core.yaml_text import read_yaml
from monitor.plugins import config_path, load_config, load_config_text, resolve_state_dir


class Nothing(StrictModel):
    """No options."""


class Tls(StrictModel):
    """Options inside options."""

    verify: bool = True
    version: Literal["1.2", "1.3"] = "1.3"


class Files(StrictModel):
    """Options with every kind of type a plugin may use."""

    include: tuple[str, ...] = Field(min_length=1)
    path: Path | None = None
    rate: float | None = Field(default=None, gt=0)
    retries: int = Field(default=3, ge=0, le=10)
    columns: int | list[str] = 0
    tls: Tls = Tls()

    @model_validator(mode="after")
    def _not_both(self) -> Files:
        if self.rate and self.columns:
            raise ValueError("give either rate or columns")
        return self


class FakePlugins:
    """A catalog of two kinds in every group."""

    def kinds(self, group: str) -> tuple[str, ...]:
        del group
        return ("files", "nothing")

    def options_model(self, group: str, kind: str) -> type[StrictModel]:
        del group
        return Files if kind == "files" else Nothing


def read(text: str, environ: Mapping[str, str] | None = None) -> Config:
    return read_config(read_yaml(text, environ or {}), FakePlugins(), "f.yaml")


def any_problems(text: str, environ: Mapping[str, str]) -> tuple[Problem, ...]:
    try:
        read(text, environ)
    except ConfigError as error:
        return error.problems
    return ()


def problems(text: str, environ: Mapping[str, str] | None = None) -> tuple[Problem, ...]:
    with pytest.raises(ConfigError) as caught:
        read(text, environ)
    return caught.value.problems


MINIMAL = """\
streams:
  web:
    source: nothing
    parser: nothing
    features:
      status: nothing
"""


def with_stream(lines: str) -> str:
    """The minimal configuration with more lines in its stream; they begin on line 7."""
    return MINIMAL + "".join(f"    {line}\n" for line in lines.splitlines())


def with_source(options: str) -> str:
    """The minimal configuration with the options of its source in braces; they begin at column 21 of line 3."""
    return MINIMAL.replace("source: nothing", f"source: {{files: {options}}}")


def test_defaults_fill_a_minimal_configuration() -> None:
    config = read(MINIMAL)

    stream = config.streams["web"]
    assert stream.source == Plugin("nothing", Nothing())
    assert stream.features == {"status": Feature("status", "status", "nothing", Nothing())}
    assert (stream.time, stream.key, stream.sinks) == (None, None, [])
    assert stream.model == ModelConfig()
    assert (stream.score.method, stream.alert.threshold) == ("blend", 1.0)
    assert (stream.score.average, stream.alert.budget_per_day) == ("auto", None)
    assert (config.server.address, config.device, config.state_dir) == (("127.0.0.1", 9464), "auto", None)
    assert config.limits.model_dump() == {
        "max_batch_records": 8192,
        "queue_bytes": 8_388_608,
        "max_record_bytes": 262_144,
        "gather_milliseconds": 25,
        "on_overload": "block",
        "sample_one_in": 10,
    }
    assert config.on_corrupt_state == "refuse"


def test_everything_written_arrives() -> None:
    config = read("""
server: {listen: "[::1]:0"}
state_dir: /var/lib/x
device: cuda:1
limits: {max_batch_records: 10, queue_bytes: 65536, max_record_bytes: 256}
streams:
  web-1_a:
    source: {files: {include: [a, b], path: /x, rate: 2, tls: {verify: false}}}
    parser: {nothing: }
    time: {field: ts, format: "%Y", timezone: Europe/Berlin}
    key: host
    features:
      plain: nothing
      'http.status': {files: {include: [x], field: status}}
      nothing: {nothing: {field: other}}
    model: {hidden: [4, 2, 4], bottleneck: 2, learning_rate: 1}
    alert: {threshold: 2}
    sinks: [ops]
sinks:
  ops: nothing
""")

    stream = config.streams["web-1_a"]
    assert stream.source == Plugin("files", Files(include=("a", "b"), path=Path("/x"), rate=2.0, tls=Tls(verify=False)))
    assert stream.parser == Plugin("nothing", Nothing())
    assert stream.time is not None
    assert (stream.time.field, stream.time.format, stream.time.timezone) == ("ts", "%Y", "Europe/Berlin")
    assert [(f.name, f.field, f.kind) for f in stream.features.values()] == [
        ("plain", "plain", "nothing"),
        ("http.status", "status", "files"),
        ("nothing", "other", "nothing"),
    ]
    assert stream.features["http.status"].options == Files(include=("x",))
    assert (stream.key, stream.sinks, stream.alert.threshold) == ("host", ["ops"], 2.0)
    assert (stream.model.hidden, stream.model.learning_rate) == ([4, 2, 4], 1.0)
    assert (config.server.address, config.state_dir, config.device) == (("::1", 0), Path("/var/lib/x"), "cuda:1")
    assert config.limits.max_record_bytes == 256


def test_a_configuration_cannot_be_changed() -> None:
    config = read(MINIMAL)

    with pytest.raises(ValidationError, match="frozen"):
        config.device = "cpu"
    with pytest.raises(FrozenInstanceError):
        config.streams["web"].source.kind = "x"  # type: ignore[misc]


def test_plugin_options_are_part_of_a_dump() -> None:
    dump = read(with_source("{include: [a]}")).model_dump(mode="json")

    assert dump["streams"]["web"]["source"]["options"]["include"] == ["a"]


@pytest.mark.parametrize("section", ["server:", "limits:", "sinks:", "device:", "state_dir:"])
def test_an_empty_section_counts_as_left_out(section: str) -> None:
    assert read(f"{section}\n{MINIMAL}") == read(MINIMAL)


def test_every_problem_is_found_at_once_and_sorted_by_line() -> None:
    found = problems("""\
streams:
  Web:
    source: {files: {inclde: [x], retries: '5'}}
    parser: nothin
    features: {a: {files: {include: x}}, b: nope}
    model: {hiden: 3, hidden: 4.5}
    alert:
      threshold: ${env:N}
    sinks: [jornal]
  b:
device: gpu
sinks: {journal: nothing}
devise: cpu
state_dir: 5
state_dir: 6
""")

    assert [f"{p.line}:{p.column} {p.key_path}: {p.message}" for p in found] == [
        "2:3 streams.Web: a name is 1 to 64 lower-case letters, digits, `-` and `_`, and starts with a letter or digit",
        "3:14 streams.Web.source.files.include: the required key 'include' is missing",
        "3:22 streams.Web.source.files.inclde: unknown key 'inclde'; did you mean 'include'?",
        "3:44 streams.Web.source.files.retries: expected a whole number, got the text '5'; leave out the quotes",
        "4:13 streams.Web.parser: unknown parser 'nothin'; did you mean 'nothing'?",
        "5:37 streams.Web.features.a.files.include: expected a list, got the text 'x'; put it in brackets: [...]",
        "5:45 streams.Web.features.b: unknown encoding 'nope'; known are 'files', 'nothing'",
        "6:13 streams.Web.model.hiden: unknown key 'hiden'; did you mean 'hidden'?",
        "6:31 streams.Web.model.hidden: expected 'auto' or a list, got the number 4.5",
        "8:18 streams.Web.alert.threshold: the environment variable N is not set; set it or write ${env:N:-default}",
        "9:13 streams.Web.sinks[0]: there is no sink 'jornal'; did you mean 'journal'?",
        "10:3 streams.b.features: the required key 'features' is missing",
        "10:3 streams.b.parser: the required key 'parser' is missing",
        "10:3 streams.b.source: the required key 'source' is missing",
        "11:9 device: expected auto, cpu, cuda or cuda:N, got 'gpu'",
        "13:1 devise: unknown key 'devise'; did you mean 'device'?",
        "14:12 state_dir: expected a path, got the number 5",
        "15:1 state_dir: duplicate key 'state_dir'; it is already on line 14",
    ]


def test_the_error_names_file_line_and_column() -> None:
    with pytest.raises(ConfigError, match=r"^f\.yaml:7:10: device: expected auto, cpu, cuda or cuda:N, got 'gpu'$"):
        read(MINIMAL + "device:  gpu\n")


@pytest.mark.parametrize(
    ("options", "key_path", "message"),
    [
        ("{include: [a], retries: yes}", "retries", "expected a whole number, got the text 'yes'"),
        ("{include: [a], retries: true}", "retries", "expected a whole number, got true"),
        ("{include: [a], retries: 1.5}", "retries", "expected a whole number, got the number 1.5"),
        ("{include: [a], retries: 11}", "retries", "expected a number of at most 10, got the number 11"),
        ("{include: [a], retries: -1}", "retries", "expected a number of at least 0, got the number -1"),
        ("{include: [a], retries: }", "retries", "expected a whole number, got nothing"),
        ("{include: [a], retries: [1]}", "retries", "expected a whole number, got a list"),
        ("{include: [a], rate: 0}", "rate", "expected a number above 0, got the number 0"),
        ("{include: [a], path: 1}", "path", "expected text, got the number 1; quote it"),
        ("{include: [1]}", "include[0]", "expected text, got the number 1; quote it if it is meant as text"),
        ("{include: []}", "include", "expected at least one entry, got an empty list"),
        ("{include: {a: b}}", "include", "expected a list, got a mapping"),
        ("{include: [a], columns: x}", "columns", "expected a whole number or a list, got the text 'x'"),
        ("{include: [a], columns: [x, 2]}", "columns[1]", "expected text, got the number 2; quote it"),
        ("{include: [a], tls: {verify: yes}}", "tls.verify", "expected true or false, got the text 'yes'; write true"),
        (
            "{include: [a], tls: {version: '1.4'}}",
            "tls.version",
            "expected '1.2' or '1.3', got the text '1.4'; did you",
        ),
        ("{include: [a], tls: {verfy: true}}", "tls.verfy", "unknown key 'verfy'; did you mean 'verify'?"),
        ("{include: [a], tls: no}", "tls", "expected a mapping (`key: value`), got the text 'no'"),
        ("{include: [a], rate: 1, columns: 1}", "", "give either rate or columns"),
        ("[a]", "", "expected the options of 'files' as a mapping (`key: value`), got a list"),
        ("0", "", "expected the options of 'files' as a mapping (`key: value`), got the number 0"),
    ],
)
def test_wrong_options_are_told_in_plain_words(options: str, key_path: str, message: str) -> None:
    (problem,) = problems(with_source(options))

    assert problem.message.startswith(message)
    assert problem.key_path == ".".join(filter(None, ("streams.web.source.files", key_path)))
    assert problem.line == 3
    assert problem.column >= 21


@pytest.mark.parametrize(
    ("lines", "key_path", "message"),
    [
        ("key: ''", "key", "expected text that is not empty, got an empty text"),
        ("key: 5", "key", "expected text, got the number 5; quote it if it is meant as text"),
        ("time: ts", "time", "expected a mapping (`key: value`), got the text 'ts'"),
        ("time: {field: ''}", "time.field", "expected text that is not empty, got an empty text"),
        ("time: {}", "time.field", "the required key 'field' is missing"),
        ("time: {field: t, timezone: Europe/Berln}", "time.timezone",
         "there is no time zone 'Europe/Berln'; did you mean 'Europe/Berlin'?"),
        ("time: {field: t, timezone: Europe}", "time.timezone", "there is no time zone 'Europe'"),
        ("time: {field: t, timezone: ../../etc/passwd}", "time.timezone", "there is no time zone '../../etc/passwd'"),
        ("time: {field: t, timezone: Zzzzzzzz}", "time.timezone", "there is no time zone 'Zzzzzzzz'; names are like"),
        ("alert: {threshold: 0}", "alert.threshold", "expected a number above 0, got the number 0"),
        ("alert: {threshold: .inf}", "alert.threshold", "expected a finite number, got the number inf"),
        ("alert: {threshold: .nan}", "alert.threshold", "expected a "),
        ("score: {method: l2}", "score.method", "expected 'l1'"),
        ("alert: {budget: 5}", "alert.budget", "expected text, got the number 5"),
        ("alert: {budget: 5/year}", "alert.budget",
         "expected a number of alerts as in 5/day, 2/hour or 1/week, got '5/year'"),
        ("alert: {budget: 0/day}", "alert.budget", "expected a number of alerts as in 5/day"),
        ("score: {average: 0}", "score.average", "expected "),
        ("score: {average: atuo}", "score.average", "expected "),
        ("model: {activation: tan}", "model.activation",
         "expected 'tanh', 'relu', 'gelu', 'sigmoid' or 'none', got the text 'tan'; did you mean 'tanh'?"),
        ("model: {hidden: [4, x]}", "model.hidden[1]", "expected a whole number, got the text 'x'"),
        ("model: {hidden: outo}", "model.hidden", "expected 'auto' or a list, got the text 'outo'; did you mean"),
        ("sinks: [a]", "sinks[0]", "there is no sink 'a'; the section `sinks` defines none"),
        ("sinks: a", "sinks", "expected a list, got the text 'a'; put it in brackets: [...]"),
        ("nonsense: 1", "nonsense", "unknown key 'nonsense'; known are 'alert', 'features'"),
    ],
)  # fmt: skip
def test_wrong_values_in_a_stream_are_told_in_plain_words(lines: str, key_path: str, message: str) -> None:
    (problem,) = problems(with_stream(lines))

    assert problem.message.startswith(message)
    assert problem.key_path == f"streams.web.{key_path}"
    assert problem.line == 7


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ("{nothing: {}, files: {}}", "expected one kind of source with its options inside it, `nothing: {...}`, got"),
        ("{kind: files, include: [a]}", "expected one kind of source with its options inside it, `KIND: {...}`, got"),
        ("{}", "expected a kind of source, one of 'files', 'nothing', got an empty mapping"),
        ("[files]", "expected a kind of source, one of 'files', 'nothing', got a list"),
        ("5", "expected a kind of source, one of 'files', 'nothing', got the number 5"),
        ("''", "unknown source ''; known are 'files', 'nothing'"),
        ("Files", "unknown source 'Files'; did you mean 'files'?"),
        ("{fils: {x: 1}}", "unknown source 'fils'; did you mean 'files'?"),
        ("files", "the required key 'include' is missing"),
    ],
)  # fmt: skip
def test_a_plugin_is_a_kind_with_options(written: str, message: str) -> None:
    (problem,) = problems(MINIMAL.replace("source: nothing", f"source: {written}"))

    assert problem.message.startswith(message)
    assert problem.key_path.startswith("streams.web.source")
    assert problem.line == 3


def test_the_field_of_a_feature_must_be_a_name() -> None:
    (problem,) = problems(MINIMAL.replace("status: nothing", "status: {nothing: {field: 5}}"))

    assert problem == Problem(
        "expected the name of a field, got the number 5", "streams.web.features.status.nothing.field", 6, 33
    )


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", Problem("the required key 'streams' is missing", "streams", 0, 0)),
        ("device: cpu\nstreams:\n", Problem("the required key 'streams' is missing", "streams", 2, 1)),
        ("streams: {}\n", Problem("expected at least one entry, got an empty mapping", "streams", 1, 10)),
        ("streams: [a]\n", Problem("expected a mapping (`key: value`), got a list", "streams", 1, 10)),
        ("streams: {a: 5}\n", Problem("expected a mapping (`key: value`), got the number 5", "streams.a", 1, 14)),
        ("- a\n", Problem("a configuration is a mapping (`key: value`)", "", 1, 1)),
        ("just text\n", Problem("a configuration is a mapping (`key: value`)", "", 1, 1)),
        ("a: [\n", Problem("a value or a closing bracket is missing here", "", 2, 1)),
    ],
)
def test_a_configuration_without_streams_is_refused(text: str, problem: Problem) -> None:
    assert problems(text) == (problem,)


def test_a_stream_without_features_is_refused() -> None:
    (problem,) = problems(MINIMAL.replace("features:\n      status: nothing", "features: {}"))

    assert (problem.message, problem.line) == ("expected at least one entry, got an empty mapping", 5)


@pytest.mark.parametrize("name", ["-a", "a b", "ä", "A", "a/b", "..", "x" * 65, "''", "'a\\n'"])
def test_names_of_streams_and_sinks_are_plain(name: str) -> None:
    found = problems(f"{MINIMAL.replace('web', name)}sinks:\n  {name}: nothing\n")

    assert [(p.line, p.message[:19]) for p in found] == [(2, "a name is 1 to 64 l"), (8, "a name is 1 to 64 l")]


@pytest.mark.parametrize(
    ("listen", "address"),
    [("none", None), (":9464", ("", 9464)), ("[::]:1", ("::", 1)), ("metrics.example:0", ("metrics.example", 0))],
)
def test_an_address_to_listen_on(listen: str, address: tuple[str, int] | None) -> None:
    assert parse_listen(listen) == address


@pytest.mark.parametrize(
    ("listen", "message"),
    [
        ("9464", "expected text, got the number 9464; quote it if it is meant as text"),
        ("localhost", "expected HOST:PORT such as 127.0.0.1:9464, or none, got 'localhost'"),
        ("'localhost:'", "expected HOST:PORT such as 127.0.0.1:9464, or none, got 'localhost:'"),
        ("localhost:65536", "expected HOST:PORT"),
        ("localhost:http", "expected HOST:PORT"),
        ("localhost:٣", "expected HOST:PORT"),
        ("'::1:9464'", "'::1' is not a host name or address; an IPv6 address stands in brackets: [::1]:9464"),
        ("'[::z]:1'", "'::z' is not an IPv6 address"),
        ("http://localhost:1", "'http://localhost' is not a host name or address"),
    ],
)
def test_what_is_no_address_is_refused(listen: str, message: str) -> None:
    (problem,) = problems(f"server:\n  listen: {listen}\n{MINIMAL}")

    assert problem.message.startswith(message)
    assert (problem.key_path, problem.line, problem.column) == ("server.listen", 2, 11)


def test_a_record_must_fit_the_queue() -> None:
    (problem,) = problems(f"limits: {{queue_bytes: 65536}}\n{MINIMAL}")

    assert problem.message == "queue_bytes (65536) must be at least max_record_bytes (262144)"


def test_masked_scores_need_a_network_that_learned_without_a_field() -> None:
    (problem,) = problems(with_stream("score: {method: masked}"))
    config = read(with_stream("score: {method: masked}\nmodel: {masking: 0.1}"))

    assert problem.message.startswith("score.method: masked judges a field by what the network makes of it unseen")
    assert problem.message.endswith("set model.masking, to 0.1 say, or choose score.method: field")
    assert problem.key_path == "streams.web"
    assert config.streams["web"].score.method == "masked"


def test_a_budget_needs_records_that_nothing_was_learned_from() -> None:
    (problem,) = problems(with_stream("alert: {budget: 5/day}\nmodel: {split: none}"))

    assert problem.message.startswith("alert.budget: with model.split: none every record is learned")
    assert problem.key_path == "streams.web"


@pytest.mark.parametrize("other", ["threshold: 2", "false_alarm_rate: 0.1"])
def test_a_budget_is_the_only_rule(other: str) -> None:
    (problem,) = problems(with_stream(f"alert: {{budget: 5/day, {other}}}"))

    assert problem.message == f"budget and {other.split(':', maxsplit=1)[0]} both set the limit; give one of them"


@pytest.mark.parametrize(("written", "per_day"), [("5/day", 5.0), ("1.5 / hour", 36.0), ("1/week", 1 / 7)])
def test_a_budget_is_told_by_the_hour_the_day_or_the_week(written: str, per_day: float) -> None:
    config = read(with_stream(f"alert: {{budget: {written}}}"))

    assert config.streams["web"].alert.budget_per_day == per_day


def test_a_sink_is_listed_once() -> None:
    (problem,) = problems(with_stream("sinks: [a, a]") + "sinks: {a: nothing}\n")

    assert (problem.message, problem.key_path) == ("'a' is listed twice", "streams.web.sinks")


def test_numbers_may_come_from_the_environment() -> None:
    config = read(with_stream("alert:\n  threshold: ${env:LIMIT}"), {"LIMIT": "2.5"})

    assert config.streams["web"].alert.threshold == 2.5


def test_a_value_from_the_environment_is_not_shown() -> None:
    (problem,) = problems(with_stream("alert:\n  threshold: ${env:TOKEN}"), {"TOKEN": "hunter2"})

    assert problem.message == "expected a number, got a text from '${env:TOKEN}'"


def test_a_value_that_could_not_be_read_has_one_problem() -> None:
    text = MINIMAL.replace("source: nothing", "source: ${env:NOPE}") + "device: !!int 5\n"

    assert [problem.key_path for problem in problems(text)] == ["streams.web.source", "device"]


def test_control_characters_never_reach_the_terminal() -> None:
    found = problems(MINIMAL + '"\\e[31m": 1\ndevice: "\\e[2J"\n')
    known = "'backend', 'device', 'helpers', 'limits', 'on_corrupt_state', 'server', 'sinks', 'state_dir', 'streams'"

    assert [p.message for p in found] == [
        r"unknown key '\x1b[31m'; known are " + known,
        r"expected auto, cpu, cuda or cuda:N, got '\x1b[2J'",
    ]
    assert all(problem.located("f").isprintable() for problem in found)


words = st.sampled_from(
    ["streams", "web", "source", "features", "files", "nothing", "include", "field", "sinks", "tls", "x"]
)
scalars = st.sampled_from(["~", "1", "-.5", "true", "x", "''", "nothing", "files", "${env:A}", "${env:B}"])
nested = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3).map(lambda items: f"[{', '.join(items)}]")
    | st.dictionaries(words, inner, max_size=3).map(lambda d: f"{{{', '.join(f'{k}: {v}' for k, v in d.items())}}}"),
    max_leaves=12,
)  # fmt: skip


@settings(max_examples=200, deadline=None)
@given(
    nested,
    st.sampled_from(["streams: {w: %s}", "streams: {w: {source: %s}}", "streams: {w: {features: %s}}", "sinks: %s"]),
)
def test_whatever_is_written_is_a_configuration_or_located_problems(value: str, place: str) -> None:
    text = (place % value).replace("${env:A}", '"${env:A}"').replace("${env:B}", '"${env:B}"')

    found = any_problems(text, {"A": "1"})

    assert all(problem.message and "Input" not in problem.message for problem in found)
    assert not found or all(problem.line for problem in found if "streams" not in problem.message)


def test_a_file_that_is_not_there_is_said_with_the_cure(tmp_path: Path) -> None:
    with pytest.raises(NoInputError, match=r"there is no configuration at .*absent\.yaml; name one with -c"):
        load_config(tmp_path / "absent.yaml")


def test_the_configuration_that_init_left_here_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("aemonitor.yaml").touch()

    with pytest.raises(NoInputError, match=r"with -c or AEMONITOR_CONFIG \(aemonitor\.yaml is in this directory\), or"):
        load_config(tmp_path / "absent.yaml")


def test_a_directory_is_no_configuration(tmp_path: Path) -> None:
    with pytest.raises(NoInputError, match="cannot be read: Is a directory"):
        load_config(tmp_path)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_must_not_be_read_is_said_with_the_cure(tmp_path: Path) -> None:
    file = tmp_path / "a.yaml"
    file.touch(mode=0)

    with pytest.raises(PermissionDeniedError, match="must not be read by this user; run as the service's user"):
        load_config(file)


def test_a_file_that_is_not_utf_8_is_located(tmp_path: Path) -> None:
    file = tmp_path / "a.yaml"
    file.write_bytes("device: cpu\nkey: ü".encode() + b"\xff")

    with pytest.raises(ConfigError, match=r"a\.yaml:2:7: the file is not UTF-8 text here"):
        load_config(file)


def test_a_huge_file_is_no_configuration(tmp_path: Path) -> None:
    file = tmp_path / "a.yaml"
    file.write_bytes(b"#" * (4 * 1024 * 1024 + 1))

    with pytest.raises(ConfigError, match="larger than 4,194,304 bytes; this is not a configuration"):
        load_config(file)


def test_real_plugins_are_found_by_name() -> None:
    with pytest.raises(ConfigError, match=r"unknown parser 'json-lines'; did you mean 'json_lines'\?"):
        load_config_text("streams: {a: {parser: json-lines}}", "f.yaml", {})


def test_the_state_directory_of_the_file_beats_the_environment() -> None:
    environ = {"STATE_DIRECTORY": "/run/a:/run/b"}

    assert resolve_state_dir(read(f"state_dir: /x\n{MINIMAL}"), environ) == Path("/x")
    assert resolve_state_dir(read(MINIMAL), environ) == Path("/run/a")
    assert resolve_state_dir(read(MINIMAL), {"STATE_DIRECTORY": ""}) == Path("/var/lib/aemonitor")


def test_the_option_beats_the_environment() -> None:
    environ = {"AEMONITOR_CONFIG": "/e.yaml"}

    assert config_path("o.yaml", environ) == Path("o.yaml")
    assert config_path(None, environ) == Path("/e.yaml")
    assert config_path(None, {"AEMONITOR_CONFIG": ""}) == Path("/etc/aemonitor/aemonitor.yaml")
