"""What ``init`` finds in a sample: format, time, key and an encoding for each field, with the reason."""

from __future__ import annotations

import io
import json
import math
import random
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from monitor.app.init import draft_config, read_sample, stream_name, write_config
from monitor.core.errors import CannotCreateError, DataError, NoInputError
from monitor.plugins import load_config_text
from monitor.training.continuation import first_line
from monitor.training.inference import Draft, infer
from tests.framed import framed

chance = random.Random(3)


def kinds(draft: Draft) -> dict[str, str | None]:
    return {choice.name: choice.kind for choice in draft.features}


def reasons(draft: Draft) -> dict[str, str]:
    return {choice.name: choice.reason for choice in draft.left_out}


def json_sample(make: Callable[[int], dict[str, object]], count: int = 400) -> Draft:
    return infer(framed(*(json.dumps(make(i)) for i in range(count))))


def test_json_fields_get_encodings_by_their_values() -> None:
    draft = json_sample(
        lambda i: {
            "time": f"2026-01-01T00:{i // 60:02d}:{i % 60:02d}Z",
            "host": f"web-{i * i % 3}",
            "status": [200, 404, 500][i % 3],
            "bytes": chance.random() * 1000,
            "tls": i % 7 == 0,
            "client": f"10.0.{i % 50}.{i % 200}",
            "path": f"/item/{i % 90}",
            "message": f"user u{i % 77} did thing {chance.randrange(10**6)} at once",
            "level": "always",
            "nested": {"depth": i % 11},
        }
    )

    assert draft.parser == "json_lines"
    assert (draft.time, draft.key) == ("time", "client")
    assert kinds(draft) == {
        "host": "categorical", "status": "categorical", "bytes": "numeric", "tls": "boolean", "client": "ip",
        "path": "path", "message": "text", "level": "categorical", "nested.depth": "numeric",
    }  # fmt: skip


def test_lists_of_texts_are_counted_where_they_repeat() -> None:
    draft = json_sample(
        lambda i: {
            "steps": ["open", *["read"] * (i % 3), "close"],
            "lines": [f"took {i} ms", f"user {i * 7} left"],
            "tags": [f"{chance.getrandbits(64):x} {chance.getrandbits(64):x}".translate(LETTERS)],
            "time": [f"step {i % 5}"],
        }
    )

    options = {choice.name: choice.options for choice in draft.features}
    assert kinds(draft) == dict.fromkeys(("steps", "lines", "time"), "counts")
    assert options["steps"] == {"bigrams": True}
    assert options["lines"] == {"bigrams": True, "mask": True}
    assert "seldom repeat (400 distinct of 400)" in reasons(draft)["tags"]


LETTERS = str.maketrans("0123456789", "ghijklmnop")


def test_what_says_nothing_is_left_out_with_the_reason() -> None:
    draft = json_sample(
        lambda i: {
            "value": chance.random(),
            "seen": 1000 + i,
            "pid": chance.randrange(30_000),
            "trace": f"{chance.getrandbits(128):032x}",
            "never": None,
            "broken": math.nan,
            "ticket": f"T-{i:06d}",
            "token": f"{chance.getrandbits(96):x}".translate(LETTERS),
            "mode": "abc"[i % 3],
            "mode_again": "xyz"[i % 3],
        }
    )

    found = reasons(draft)
    assert kinds(draft).keys() | found.keys() == {
        "value",
        "seen",
        "pid",
        "trace",
        "never",
        "mode",
        "mode_again",
        "broken",
        "ticket",
        "token",
    }
    assert kinds(draft)["value"] == "numeric"
    assert "only ever grows" in found["seen"]
    assert "by its name" in found["pid"]
    assert "opaque" in found["trace"]
    assert "never occurs" in found["never"]
    assert found["broken"] == "not one finite number in the sample"
    assert found["ticket"].startswith("unique in nearly every record (400 distinct of 400), and alike but for numbers")
    assert found["token"].startswith("unique in nearly every record (400 distinct of 400), and its characters are as")
    (again,) = {"mode", "mode_again"} & found.keys()  # fields come in no promised order
    assert "says the same as mode" in found[again]


def test_what_people_type_is_learned_though_it_hardly_repeats() -> None:
    towns, streets = ("madrid", "toledo", "sevilla", "granada"), ("calle", "avenida", "plaza", "camino")
    draft = json_sample(
        lambda i: {"answer": f"{chance.choice(towns)},{chance.choice(streets)}:{i}{chance.choice(towns)}"}
    )

    (answer,) = draft.features
    assert answer.kind == "text"
    assert re.fullmatch(r"400 distinct of 400; a character foretells [5-9]\d% of the next one", answer.reason)


def test_few_unique_texts_tell_nothing() -> None:
    draft = json_sample(lambda i: {"load": i * i % 7, "answer": "abcdefghijklmnopqrstuvwxyz"[i % 20 :] * 2}, count=20)

    assert reasons(draft)["answer"].startswith("unique in nearly every record (20 distinct of 20)")


def test_fields_of_the_format_that_never_occur_are_left_out() -> None:
    line = '10.0.0.{} - - [01/Jan/2026:00:00:{:02d} +0000] "GET /item/{} HTTP/1.1" 200 {} "-" "curl/8"'
    draft = infer(framed(*(line.format(i % 9, i % 60, i % 7, 100 + i % 50) for i in range(300))))

    assert {name for name, reason in reasons(draft).items() if "never occurs" in reason} >= {"referer", "user", "ident"}


@pytest.mark.parametrize(
    ("line", "fields"),
    [
        ("2026-01-01 00:00:{:02d} status installed pkg-{:d}", {"message": "text"}),
        ("[Sun Dec 04 04:47:{:02d} 2005] [error] mod_jk child {:d} in error", {"message": "text"}),
        ("081109 2036{:02d} 148 INFO dfs.DataNode: block {:d} served", {"message": "text"}),
    ],
)
def test_text_with_a_time_before_it_is_read_with_a_pattern(line: str, fields: dict[str, str]) -> None:
    draft = infer(framed(*(line.format(i % 60, chance.randrange(10**6)) for i in range(300))))

    assert (draft.parser, draft.time) == ("regex", "time")
    assert {name: kind for name, kind in kinds(draft).items() if name in fields} == fields


def test_a_level_behind_the_time_is_a_field_of_its_own() -> None:
    levels = ("INFO", "WARN", "ERROR")
    draft = infer(framed(*(f"2026/01/01 00:00:{i % 60:02d} [{levels[i % 3]}] thing {i}" for i in range(300))))

    assert kinds(draft)["level"] == "categorical"


@pytest.mark.data
@pytest.mark.parametrize("name", ["OpenSSH_2k.log", "Linux_2k.log"])
def test_real_syslog_is_read_as_syslog(data_dir: Path, name: str) -> None:
    draft = infer(read_sample([str(data_dir / "logs" / name)]))

    assert (draft.parser, draft.time, draft.unparsed) == ("syslog", "time", 0)
    assert kinds(draft)["message"] == "text"
    assert "pid" in reasons(draft)


def test_the_header_of_a_csv_names_the_columns_and_is_no_record() -> None:
    rows = [f"{i % 24},{chance.random():.3f},{'ab'[i % 2]}" for i in range(300)]
    draft = infer(framed("hour,load,mode", *rows))

    assert draft.parser_options["columns"] == ["hour", "load", "mode"]
    assert (draft.records, draft.unparsed) == (300, 0)


def test_a_drafted_configuration_is_valid_and_says_why(tmp_path: Path) -> None:
    log = tmp_path / "no: strange #name.log"
    log.write_text(
        "".join(
            json.dumps({"on": i % 5, "1e5": i % 3, "${env:X}": "ab"[i % 2], "@version": "1"}) + "\n" for i in range(300)
        )
    )

    text, draft = draft_config([str(log)], stream=None, state_dir=tmp_path / "state", listen=None)

    config = load_config_text(text, "drafted")
    (stream,) = config.streams.values()
    assert set(stream.features) == {"1e5", "${env:X}", "on", "@version"} == {choice.name for choice in draft.features}
    assert stream.source.options.model_dump()["include"] == [str(log)]
    assert all("  # " in line for line in text.splitlines() if line.startswith("      "))


@pytest.mark.parametrize(
    ("samples", "name"),
    [(["/var/log/nginx/access.log"], "access"), (["-"], "stdin"), (["Ünïcode.log"], "n-code"), (["...x"], "log")],
)
def test_a_stream_is_named_after_its_file(samples: list[str], name: str) -> None:
    assert stream_name(samples) == name


def test_an_empty_sample_is_refused(tmp_path: Path) -> None:
    (tmp_path / "empty.log").touch()

    with pytest.raises(NoInputError, match="no line to learn from"):
        read_sample([str(tmp_path / "empty.log")])


def test_an_existing_configuration_is_kept_unless_forced(tmp_path: Path) -> None:
    path = tmp_path / "aemonitor.yaml"
    path.write_text("mine")
    with pytest.raises(CannotCreateError, match="exists; give another name with -o, or --force"):
        write_config("new", path, force=False)
    assert path.read_text() == "mine"

    write_config("new", path, force=True)

    assert path.read_text() == "new"


def course(count: int = 400) -> list[float]:
    """Numbers each of which lies near the one before."""
    level, numbers = 0.0, list[float]()
    for _ in range(count):
        level = 0.9 * level + chance.gauss(0, 1)
        numbers.append(level)
    return numbers


def test_a_number_that_follows_its_own_past_is_compared_with_it() -> None:
    load, noise = course(), course()
    chance.shuffle(noise)

    draft = json_sample(lambda i: {"load": load[i], "noise": noise[i]})

    assert kinds(draft) == {"load": "streaming", "noise": "numeric"}
    (reason,) = (choice.reason for choice in draft.features if choice.name == "load")
    assert re.fullmatch(r"numbers from -\S+ to \S+; follows its own recent past: r = 0\.[89]\d", reason)


def test_a_number_follows_the_past_of_its_key() -> None:
    devices = {name: course(100) for name in "abcd"}
    draft = json_sample(lambda i: {"device": "abcd"[i % 4], "load": devices["abcd"[i % 4]][i // 4]})

    assert (draft.key, kinds(draft)["load"]) == ("device", "streaming")


@pytest.mark.parametrize(("backwards", "kind"), [(False, "streaming"), (True, "numeric")])
def test_the_past_counts_only_where_records_are_in_the_order_of_time(backwards: bool, kind: str) -> None:
    load = course()
    draft = json_sample(lambda i: {"time": 1.7e9 + 60.0 * (-i if backwards else i), "load": load[i]})

    assert (draft.time, kinds(draft)["load"]) == ("time", kind)


def test_a_few_records_say_nothing_of_the_past() -> None:
    assert kinds(json_sample(lambda i: {"load": i + chance.random()}, count=50))["load"] == "numeric"


def test_records_of_several_lines_are_seen_where_first_lines_begin_with_a_time(tmp_path: Path) -> None:
    trace = "\njava.io.IOException: gone\n\tat shop.Pool.take(Pool.java:7)\n\tat shop.Run.run(Run.java:9)"
    lines = [
        f"2026-01-01 00:{i // 60:02d}:{i % 60:02d} {['INFO', 'WARN'][i % 2]} order {i * 7919} put{trace * (i % 9 == 4)}"
        for i in range(400)
    ]
    log = tmp_path / "shop.log"
    log.write_text("\n".join(lines) + "\n")

    text, draft = draft_config([str(log)], stream=None, state_dir=None, listen=None)

    (stream,) = load_config_text(text, "test").streams.values()
    assert stream.input.multiline is not None
    assert (draft.records, draft.unparsed, draft.time) == (400, 0, "time")
    assert "message" in kinds(draft)


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-be"])
def test_the_encoding_of_a_windows_log_is_told_by_its_byte_order_mark(tmp_path: Path, encoding: str) -> None:
    lines = "".join(json.dumps({"level": ["INFO", "WARN"][i % 2], "ms": i * 7919 % 311}) + "\r\n" for i in range(400))
    log = tmp_path / "shop.log"
    log.write_bytes(("" if encoding == "utf-16" else "\ufeff").encode(encoding) + lines.encode(encoding))

    text, draft = draft_config([str(log)], stream=None, state_dir=None, listen=None)

    (stream,) = load_config_text(text, "test").streams.values()
    assert (stream.input.encoding, draft.parser, draft.records, draft.unparsed) == ("utf-16", "json_lines", 400, 0)


def test_standard_input_in_utf_16_is_refused_with_the_cure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO('{"a": 1}\n'.encode("utf-16"))))

    with pytest.raises(DataError, match="give it the file"):
        draft_config(["-"], stream=None, state_dir=None, listen=None)


def test_of_standard_input_nothing_is_said_of_globs(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = "".join(json.dumps({"ms": i % 7}) + "\n" for i in range(300))
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(lines.encode())))

    text, _ = draft_config(["-"], stream=None, state_dir=None, listen=None)

    assert "source: stdin  # or {file_tail: " in text
    assert "globs" not in text


@pytest.mark.parametrize(
    "lines",
    [
        [f"2026-01-01 00:00:{i % 60:02d} INFO order {i} stored" for i in range(99)],
        ["{", *('  "a": 1,' for _ in range(50)), "}"] * 9,
        [
            f"2026-01-01 00:00:{i % 60:02d} order {i} stored" if i % 3 else f"order {i} of another log"
            for i in range(99)
        ],
    ],
)
def test_each_line_is_a_record_where_nothing_shows_clearly_that_it_is_not(lines: list[str]) -> None:
    assert first_line(framed(*lines)) is None
