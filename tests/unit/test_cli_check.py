"""The command line: lazy commands, exit codes, and ``aemonitor check``."""

from __future__ import annotations

import importlib
import io
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import click
import jsonschema
import pytest

from monitor import __version__, plugins
from monitor.cli import COMMANDS, execute, options
from monitor.cli.exits import ExitCode, ended, exit_code
from monitor.core import errors
from monitor.core.yaml_text import read_yaml
from monitor.plugins import json_schema, load_config, load_config_text
from monitor.plugins.surroundings import doubts, surroundings

REPOSITORY = Path(__file__).resolve().parents[2]
EXAMPLE = REPOSITORY / "config" / "aemonitor.yaml"
SCHEMA = REPOSITORY / "config" / "aemonitor.schema.json"

GOOD = """\
state_dir: {state}
streams:
  web:
    source: {{file_tail: {{include: ['{logs}']}}}}
    parser: json_lines
    features: {{a: numeric}}
    sinks: [out]
sinks:
  out: {{jsonl: {{path: '{alerts}'}}}}
"""


@pytest.fixture
def good(tmp_path: Path) -> Path:
    (tmp_path / "a.log").write_text('{"a": 1}\n')
    file = tmp_path / "good.yaml"
    file.write_text(GOOD.format(state=tmp_path / "state", logs=tmp_path / "*.log", alerts=tmp_path / "alerts.jsonl"))
    return file


@pytest.fixture
def bad(tmp_path: Path) -> Path:
    file = tmp_path / "bad.yaml"
    file.write_text("device: gpu\nstreems: {}\n")
    return file


def command_module(name: str) -> click.Command:
    command: click.Command = importlib.import_module(f"monitor.cli.{name.replace('-', '_')}").command
    return command


@pytest.mark.parametrize("name", COMMANDS)
def test_the_table_of_commands_says_what_the_commands_say(name: str) -> None:
    command = command_module(name)

    assert (command.name, command.short_help) == (name, COMMANDS[name])


def test_help_lists_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert execute(["--help"]) == ExitCode.OK

    shown = capsys.readouterr().out
    assert all(f"  {name} " in shown and COMMANDS[name] in shown for name in COMMANDS)


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert execute(["--version"]) == ExitCode.OK
    assert capsys.readouterr().out == f"aemonitor {__version__}\n"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["chek"], "there is no command 'chek'; did you mean 'check'?"),
        (["check", "--nope"], "No such option"),
        ([], "Commands:"),
        (["check", "-c", "a.yaml", "b.yaml"], "give the configuration once: as CONFIG or with -c"),
    ],
)
def test_a_wrong_command_line_exits_with_2(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert execute(arguments) == ExitCode.USAGE

    printed = capsys.readouterr()
    assert message in printed.err
    assert printed.out == ""


def loaded_after(*arguments: str) -> set[str]:
    """The names of the modules a new process has loaded after one command line."""
    code = (
        "import sys; from monitor.cli import execute; sys.stdout = sys.stderr; "
        f"execute({list(arguments)!r}); print(*sys.modules, file=sys.__stdout__)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    return set(done.stdout.split())


def test_help_imports_no_command_and_nothing_heavy() -> None:
    loaded = loaded_after("--help")

    assert loaded.isdisjoint({f"monitor.cli.{name}" for name in COMMANDS})
    assert loaded.isdisjoint({"torch", "numpy", "pyarrow", "pydantic", "yaml", "rich", "starlette"})


@pytest.mark.parametrize("command", [("models", "list"), ("alerts", "list")])
def test_what_is_published_and_alerted_is_listed_without_the_network(command: tuple[str, str], good: Path) -> None:
    assert loaded_after(*command, "-c", str(good)).isdisjoint({"torch", "pyarrow", "pandas"})


def test_no_kind_of_plugin_needs_arrow_to_be_configured() -> None:
    loaded = loaded_after("check", "--print-schema")

    assert {"monitor.parsers.csv_rows", "monitor.encoders.vector"} <= loaded
    assert loaded.isdisjoint({"pyarrow", "pandas"})


def test_check_imports_only_the_plugins_that_are_used(good: Path) -> None:
    loaded = loaded_after("check", str(good))

    assert {"monitor.parsers.json_lines", "monitor.encoders.numeric"} <= loaded
    assert loaded.isdisjoint({"torch", "monitor.parsers.syslog", "monitor.encoders.text", "rich", "starlette"})
    assert loaded.isdisjoint({"pyarrow", "pandas"})
    assert "monitor.app" not in loaded


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (errors.AemonitorError("x"), 1),
        (errors.UsageError("x"), 2),
        (errors.DataError("x"), 65),
        (errors.BundleError("x"), 65),
        (errors.NoInputError("x"), 66),
        (errors.UnavailableError("x"), 69),
        (errors.CannotCreateError("x"), 73),
        (errors.TryLaterError("x"), 75),
        (errors.PermissionDeniedError("x"), 77),
        (errors.StateError("x"), 78),
        (errors.ConfigError("f", []), 78),
    ],
)
def test_every_expected_failure_has_its_exit_code(error: errors.AemonitorError, code: int) -> None:
    assert exit_code(error) == code


INTERNAL = """\
aemonitor: internal error: ZeroDivisionError: division by zero
aemonitor: this is a bug; `aemonitor --debug ...` or AEMONITOR_DEBUG=1 shows where it happened
"""


def raising(error: BaseException) -> Callable[[], None]:
    def command() -> None:
        raise error

    return command


@pytest.mark.parametrize(
    ("error", "code", "message"),
    [
        (errors.TryLaterError("too little\nwait\x1b[2J"), 75, "aemonitor: too little\naemonitor: wait\\x1b[2J\n"),
        (
            errors.ConfigError("f.yaml", [errors.Problem("bad", "a.b", 3, 4), errors.Problem("worse", "c")]),
            78,
            "f.yaml:3:4: a.b: bad\nf.yaml: c: worse\naemonitor: 2 problems in f.yaml\n",
        ),
        (KeyboardInterrupt(), 130, ""),
        (SystemExit(3), 3, ""),
        (SystemExit(None), 0, ""),
        (click.exceptions.Exit(5), 5, ""),
        (FileNotFoundError(2, "No such file or directory", "/x"), 1, "aemonitor: No such file or directory: /x\n"),
        (PermissionError(13, "Permission denied", "/x"), 77, "aemonitor: Permission denied: /x\n"),
        (
            ZeroDivisionError("division by zero"),
            70,
            INTERNAL,
        ),
    ],
)  # fmt: skip
def test_whatever_ends_a_command_is_an_exit_code_and_a_message(
    error: BaseException, code: int, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert ended(raising(error), debug=False) == code
    assert capsys.readouterr() == ("", message)


def test_debug_shows_where_it_happened(capsys: pytest.CaptureFixture[str]) -> None:
    ended(raising(ZeroDivisionError("x")), debug=True)

    assert "Traceback (most recent call last)" in capsys.readouterr().err


@pytest.mark.parametrize(("arguments", "environ"), [(["--debug"], "0"), ([], "1")])
def test_debug_is_an_option_and_a_variable(
    arguments: list[str], environ: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("AEMONITOR_DEBUG", environ)
    monkeypatch.setitem(COMMANDS, "exits", "A module that is no command.")

    assert execute([*arguments, "exits"]) == ExitCode.INTERNAL
    assert "AttributeError: module 'monitor.cli.exits' has no attribute 'command'" in capsys.readouterr().err


def test_a_command_that_is_not_installed_is_unavailable(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(COMMANDS, "fly-away", "Nothing.")

    assert execute(["fly-away"]) == ExitCode.UNAVAILABLE
    assert "the command fly-away is not part of this installation" in capsys.readouterr().err


def checked_into(output: int, config: Path, unbuffered: str = "") -> tuple[int, str]:
    """Exit code and messages of a check that prints into a file descriptor."""
    line = [sys.executable, "-m", "monitor", "check", "--json", str(config)]
    environ = {**os.environ, "PYTHONUNBUFFERED": unbuffered}
    done = subprocess.run(line, stdout=output, stderr=subprocess.PIPE, text=True, timeout=60, check=False, env=environ)
    return done.returncode, done.stderr


def test_a_reader_that_has_gone_is_no_error(good: Path) -> None:
    read_end, write_end = os.pipe()
    os.close(read_end)

    ended_with = checked_into(write_end, good)
    os.close(write_end)

    assert ended_with == (ExitCode.PIPE_CLOSED, "")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_an_output_without_room_is_named(good: Path, unbuffered: str) -> None:
    with Path("/dev/full").open("w") as full:
        ended_with = checked_into(full.fileno(), good, unbuffered)

    assert ended_with == (ExitCode.CANNOT_CREATE, "aemonitor: standard output: no space left on device\n")


def test_a_good_configuration_is_ok(good: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert execute(["check", str(good)]) == ExitCode.OK
    assert capsys.readouterr() == (f"{good}: ok: 1 stream (web)\n", "")


def test_every_problem_is_printed_and_the_exit_code_is_78(bad: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert execute(["check", str(bad)]) == ExitCode.CONFIG

    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.splitlines() == [
        f"{bad}: streams: the required key 'streams' is missing",
        f"{bad}:1:9: device: expected auto, cpu, cuda or cuda:N, got 'gpu'",
        f"{bad}:2:1: streems: unknown key 'streems'; did you mean 'streams'?",
        f"aemonitor: 3 problems in {bad}",
    ]


def test_problems_as_json(bad: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert execute(["check", "--json", str(bad)]) == ExitCode.CONFIG

    report = json.loads(capsys.readouterr().out)
    assert (report["file"], report["ok"], report["streams"], len(report["problems"])) == (str(bad), False, [], 3)
    assert report["problems"][1] == {
        "message": "expected auto, cpu, cuda or cuda:N, got 'gpu'",
        "key_path": "device",
        "line": 1,
        "column": 9,
    }


def test_a_good_configuration_as_json(good: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert execute(["check", "--json", "-c", str(good)]) == ExitCode.OK

    report = json.loads(capsys.readouterr().out)
    assert report == {"file": str(good), "ok": True, "streams": ["web"], "problems": [], "warnings": []}


def test_the_environment_names_the_configuration(
    good: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("AEMONITOR_CONFIG", str(good))

    assert execute(["check"]) == ExitCode.OK
    assert capsys.readouterr().out.startswith(f"{good}: ok")


def test_a_configuration_comes_from_standard_input(
    good: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(good.read_bytes() + b"x: 1\n")))

    assert execute(["check", "-"]) == ExitCode.CONFIG
    assert "<stdin>:10:1: x: unknown key 'x'" in capsys.readouterr().err


def test_an_absent_configuration_exits_with_66(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert execute(["check", str(tmp_path / "absent")]) == ExitCode.NO_INPUT
    assert "there is no configuration at" in capsys.readouterr().err


def test_files_that_are_not_there_are_warnings(good: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (good.parent / "a.log").unlink()

    assert execute(["check", str(good)]) == ExitCode.OK

    pattern = good.parent / "*.log"
    expected = f"warning: {good}: streams.web.source: no file matches {pattern}; it is read when it appears\n"
    assert capsys.readouterr().err == expected


def test_files_that_are_left_out_do_not_count(good: Path) -> None:
    text = good.read_text().replace("*.log']", "*.log'], exclude: ['a.*']")

    (found,) = surroundings(load_config_text(text, "f", {}), {})

    assert found.message.startswith("no file matches")


def test_directories_and_named_pipes_that_nothing_is_read_of_are_said_with_the_cure(good: Path) -> None:
    os.mkfifo(good.parent / "pipe")
    text = good.read_text()

    (directory,) = surroundings(load_config_text(text.replace("/*.log", ""), "f", {}), {})
    (pipe,) = surroundings(load_config_text(text.replace("*.log", "pi*"), "f", {}), {})

    assert directory.message.endswith(f"name the files in it, such as {good.parent}/*.log")
    assert pipe.message.startswith(f"{good.parent}/pi* matches no plain file, so nothing is read: ")
    assert "run --stdin" in pipe.message


def test_offline_looks_at_no_file(good: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (good.parent / "a.log").unlink()

    assert execute(["check", "--offline", str(good)]) == ExitCode.OK
    assert capsys.readouterr().err == ""


def test_sinks_that_nobody_uses_and_streams_that_tell_nobody_are_warnings(good: Path) -> None:
    text = good.read_text().replace("[out]", "[]")

    found = doubts(load_config_text(text, "f", {}))

    assert [(p.key_path, p.message[:38]) for p in found] == [
        ("streams.web", "the stream has no sinks: its alerts are"[:38]),
        ("sinks.out", "no stream sends alerts to this sink"),
    ]


@pytest.mark.parametrize(
    "encoding",
    ["time", "interarrival", "{streaming: {since: true}}", "{counts: {window: session, gap: 60}}"],
)
def test_a_feature_of_the_event_time_needs_one(good: Path, encoding: str) -> None:
    text = good.read_text().replace("{a: numeric}", f"{{a: numeric, hour: {encoding}}}")

    (found,) = doubts(load_config_text(text, "f", {}))

    assert found.key_path == "streams.web.features.hour"
    assert found.message == "the feature is made of the event time, but the stream has no `time`"
    assert doubts(load_config_text(text.replace("    sinks:", "    time: {field: t}\n    sinks:"), "f", {})) == []


def test_a_place_below_a_file_cannot_be_made(good: Path) -> None:
    file = good.parent / "a.log"
    text = good.read_text().replace(str(good.parent / "state"), str(file / "state"))

    (found,) = surroundings(load_config_text(text, "f", {}), {})

    assert found == errors.Problem(f"{file}/state cannot be made: {file} is not a directory", "state_dir")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read and write everything")
def test_what_the_user_may_not_touch_is_said_with_the_cure(good: Path) -> None:
    (good.parent / "a.log").chmod(0)
    (good.parent / "state").mkdir(mode=0o500)

    found = surroundings(load_config(good, {}), {})

    assert [p.key_path for p in found] == ["streams.web.source", "state_dir"]
    assert "may not read" in found[0].message
    assert "setfacl" in found[0].message
    assert "give it to that user with `chown`" in found[1].message


def test_the_schema_is_what_check_prints(capsys: pytest.CaptureFixture[str]) -> None:
    assert execute(["check", "--print-schema"]) == ExitCode.OK
    assert json.loads(capsys.readouterr().out) == json_schema()


def test_the_committed_schema_is_current() -> None:
    assert json.loads(SCHEMA.read_text()) == json_schema(), (
        "run: aemonitor check --print-schema > config/aemonitor.schema.json"
    )


def test_the_schema_is_a_valid_schema_with_every_plugin() -> None:
    schema = json_schema()

    jsonschema.Draft202012Validator.check_schema(schema)
    kinds = {f"{group}.{kind}" for group in plugins.GROUPS for kind in plugins.kinds(group)}
    assert kinds <= schema["$defs"].keys()
    assert all("description" in schema["$defs"][kind] for kind in kinds)


def undescribed() -> list[str]:
    """Options without a description, anywhere in the schema."""
    schema = json_schema()
    sections = {"": schema, **schema["$defs"]}
    return [
        f"{name}.{key}"
        for name, section in sections.items()
        for key, option in section.get("properties", {}).items()
        if "description" not in option
    ]


def test_every_option_is_described() -> None:
    assert undescribed() == []


def test_the_example_fits_the_schema_and_the_program() -> None:
    document = read_yaml(EXAMPLE.read_text(), {}).value

    jsonschema.Draft202012Validator(json_schema()).validate(document)
    assert list(load_config(EXAMPLE, {}).streams) == ["web"]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("parser: access_log", "parser: access_logs"),
        ("status: categorical", "status: {categorical: {max_value: 3}}"),
        ("scale: log", "scale: logg"),
        ("sinks: [journal]", "sinks: journal"),
        ("    key: remote_addr", "    kee: remote_addr"),
        ("  web:", "  Web:"),
    ],
)
def test_what_the_program_refuses_the_schema_refuses(old: str, new: str) -> None:
    text = EXAMPLE.read_text().replace(old, new)
    assert text != EXAMPLE.read_text()

    with pytest.raises(errors.ConfigError):
        load_config_text(text, "f", {})
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.Draft202012Validator(json_schema()).validate(read_yaml(text, {}).value)


def test_the_config_option_says_where_it_looks() -> None:
    @click.command()
    @options.config_option
    def command(config: Path) -> None:
        del config

    with click.Context(command) as context:
        shown = " ".join(command.get_help(context).split())
    assert "$AEMONITOR_CONFIG, then /etc/aemonitor/aemonitor.yaml" in shown
