"""A command gets each alert as its own process, ends in time whatever it does, and its exit status is heard."""

from __future__ import annotations

import os
import signal
import stat
import threading
from pathlib import Path
from typing import Any

import msgspec
import pytest
from pydantic import ValidationError

from monitor.core.clock import SystemClock
from monitor.core.delivery import RefusedError
from monitor.core.errors import NoInputError, PermissionDeniedError, UnavailableError
from monitor.sinks import command
from tests.e2e.support import wait_for
from tests.support_files import alert

FIRING = msgspec.json.encode(alert(1))
RESOLVED = msgspec.json.encode(alert(1, state="resolved"))


def opened(*argv: str, **options: Any) -> command.Command:
    return command.Command(command.Config.model_validate({"argv": list(argv), **options}), SystemClock())


def script(tmp_path: Path, text: str, **options: Any) -> command.Command:
    """A sink whose command is this shell script; it finds its directory in ``$D``."""
    path = tmp_path / "page"
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return opened(str(path), environment={"D": str(tmp_path)}, **options)


def is_running(pid: int) -> bool:
    """A zombie that nobody has waited for is not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


# -- what it gets ----------------------------------------------------------------------------------------------


def test_each_alert_is_a_process_with_the_alert_on_standard_input(tmp_path: Path) -> None:
    sink = script(tmp_path, 'cat >> "$D/in"; echo $$ >> "$D/pids"')

    taken = sink.send([FIRING, RESOLVED])
    sink.send([RESOLVED])

    assert taken == 1
    assert (tmp_path / "in").read_bytes().splitlines() == [FIRING, RESOLVED]
    assert len(set((tmp_path / "pids").read_text().split())) == 2


def test_a_format_is_what_it_reads(tmp_path: Path) -> None:
    script(tmp_path, 'cat > "$D/in"', format="cloudevents").send([FIRING])

    assert msgspec.json.decode((tmp_path / "in").read_bytes())["specversion"] == "1.0"


def test_the_environment_says_what_alert_it_is_and_nothing_of_ours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_SECRET", "sesame")
    script(tmp_path, 'env -0 > "$D/env"; pwd > "$D/pwd"').send([FIRING])

    told = dict(line.split("=", 1) for line in (tmp_path / "env").read_text().split("\0") if line)
    assert {name: told.get(f"AEMONITOR_{name}") for name in ("ID", "STATE", "SEVERITY", "STREAM", "SUMMARY")} == {
        "ID": f"{1:032x}",
        "STATE": "firing",
        "SEVERITY": "warning",
        "STREAM": "web",
        "SUMMARY": "alert 1",
    }
    assert told["PATH"] == command.PATH
    assert {name for name in told if not name.startswith("AEMONITOR_")} <= {"PATH", "D", "PWD", "SHLVL", "_"}
    assert (tmp_path / "pwd").read_text() == "/\n"


def test_what_a_record_says_is_no_command_and_no_nul_ends_it(tmp_path: Path) -> None:
    evil = "x\0; touch /tmp/no\n$(touch no)\x1b[2J" + "y" * 1_000_000
    line = msgspec.json.encode(msgspec.structs.replace(alert(1), summary=evil, key=evil))

    sink = opened("/bin/sh", "-c", 'printf %s "$AEMONITOR_SUMMARY" > "$D/told"', environment={"D": str(tmp_path)})
    sink.send([line])

    told = (tmp_path / "told").read_text()
    assert told.startswith(r"x\x00; touch /tmp/no\n$(touch no)\x1b[2J")
    assert len(told) == 1000


def test_arguments_are_handed_on_as_they_are(tmp_path: Path) -> None:
    path = tmp_path / "page"
    path.write_text(f'#!/bin/sh\nprintf "%s\\n" "$@" > {tmp_path}/args\n')
    path.chmod(0o755)

    opened(str(path), "a b", "$HOME;*", "").send([FIRING])

    assert (tmp_path / "args").read_text() == "a b\n$HOME;*\n\n"


def test_nothing_is_started_for_nothing(tmp_path: Path) -> None:
    assert script(tmp_path, 'touch "$D/started"').send([]) == 0
    assert not (tmp_path / "started").exists()


# -- how it ends -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("echo first >&2; echo 'no route to pager' >&2; exit 3", r"page: ended with exit status 3: no route to pager$"),
        ("exit 1", r"page: ended with exit status 1$"),
        ("printf 'evil\\033[2J\\200' >&2; exit 1", r"status 1: evil\\x1b\[2J�$"),
        ("echo gone >&2; kill -SEGV $$", r"page: was killed by signal 11: gone$"),
        ("head -c 9999 /dev/zero | tr '\\0' x >&2; exit 2", r"status 2: x{199}…$"),
    ],
)
def test_any_other_end_is_told_with_the_last_line(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(UnavailableError, match=words) as caught:
        script(tmp_path, text).send([FIRING])

    assert type(caught.value) is UnavailableError


def test_exit_status_65_refuses_this_alert(tmp_path: Path) -> None:
    with pytest.raises(RefusedError, match="exit status 65: no such team"):
        script(tmp_path, "echo no such team >&2; exit 65").send([FIRING])


def test_a_failure_and_then_a_success(tmp_path: Path) -> None:
    sink = script(tmp_path, 'test -e "$D/ready"')
    with pytest.raises(UnavailableError, match="exit status 1"):
        sink.send([FIRING])

    (tmp_path / "ready").touch()

    assert sink.send([FIRING]) == 1


def test_who_hangs_is_killed_with_all_it_started(tmp_path: Path) -> None:
    text = 'sh -c \'sleep 1000 & echo $! > "$D/grandchild"; wait\' & echo $! > "$D/child"; echo waiting >&2; wait'

    with pytest.raises(UnavailableError, match=r"did not end within 0.5 seconds and was killed: waiting"):
        script(tmp_path, text, timeout_seconds=0.5).send([FIRING])

    pids = [int((tmp_path / name).read_text()) for name in ("child", "grandchild")]
    wait_for(lambda: not any(map(is_running, pids)), "the end of both")


def test_who_ignores_signals_is_killed_too(tmp_path: Path) -> None:
    with pytest.raises(UnavailableError, match="was killed"):
        script(tmp_path, "trap '' TERM INT HUP; sleep 1000", timeout_seconds=0.3).send([FIRING])


def test_what_it_leaves_behind_is_ended_and_holds_up_nothing(tmp_path: Path) -> None:
    assert script(tmp_path, 'sleep 1000 & echo $! > "$D/left"').send([FIRING]) == 1

    wait_for(lambda: not is_running(int((tmp_path / "left").read_text())), "the end of what was left")


def test_who_escapes_into_another_session_with_its_pipes_holds_up_nothing(tmp_path: Path) -> None:
    text = """setsid sh -c 'echo $$ > "$D/new"; mv "$D/new" "$D/away"; exec sleep 1000' & """
    sink = script(tmp_path, text + 'until [ -e "$D/away" ]; do :; done')

    taken = sink.send([FIRING])

    os.kill(int((tmp_path / "away").read_text()), signal.SIGKILL)
    assert taken == 1


@pytest.mark.parametrize("stream", ["1", "2"])
def test_who_writes_without_end_fills_no_memory(tmp_path: Path, stream: str) -> None:
    with pytest.raises(UnavailableError, match="was killed"):
        script(tmp_path, f"exec yes >&{stream}", timeout_seconds=0.5).send([FIRING])


def test_who_writes_much_and_ends_well_took_it(tmp_path: Path) -> None:
    text = "head -c 20000000 /dev/zero; head -c 20000000 /dev/zero >&2; cat > /dev/null"

    assert script(tmp_path, text).send([FIRING]) == 1


def test_who_does_not_read_its_input_may_take_it_all_the_same(tmp_path: Path) -> None:
    line = msgspec.json.encode(msgspec.structs.replace(alert(1), raw="x" * 1_000_000))

    assert script(tmp_path, "exec 0<&-; exit 0").send([line]) == 1
    assert script(tmp_path, 'wc -c > "$D/count"').send([line]) == 1
    assert int((tmp_path / "count").read_text()) == len(line) + 1


def test_no_descriptor_and_no_process_is_left(tmp_path: Path) -> None:
    sink = script(tmp_path, "exit 0")
    sink.send([FIRING])
    before = descriptors()

    for _ in range(5):
        sink.send([FIRING])
    sink.close()

    assert descriptors() == before


def test_it_runs_in_a_thread_that_is_not_the_main_one(tmp_path: Path) -> None:
    taken: list[int] = []
    thread = threading.Thread(target=lambda: taken.append(script(tmp_path, "exit 0").send([FIRING])))

    thread.start()
    thread.join(30)

    assert taken == [1]


# -- what is refused before the first alert --------------------------------------------------------------------


def test_a_program_that_is_not_there_is_refused_at_once(tmp_path: Path) -> None:
    with pytest.raises(NoInputError, match=r"/no/such/page: there is no such program; install it or change `argv`"):
        opened("/no/such/page")
    with pytest.raises(NoInputError, match=r"no-such-page: there is no such program"):
        opened("no-such-page")
    with pytest.raises(NoInputError, match=r"bin/page: argv must begin with an absolute path, or with a name"):
        opened("bin/page")
    with pytest.raises(NoInputError, match="there is no such program"):
        opened(str(tmp_path))


def test_a_program_that_may_not_be_executed_is_refused_at_once(tmp_path: Path) -> None:
    path = tmp_path / "page"
    path.write_text("#!/bin/sh\n")
    path.chmod(stat.S_IRUSR)

    with pytest.raises(PermissionDeniedError, match=r"page: this user may not execute it; chmod a\+x"):
        opened(str(path))


def test_a_name_is_looked_for_in_the_path_that_it_gets(tmp_path: Path) -> None:
    script(tmp_path, 'touch "$D/ran"')
    environment = {"PATH": f"{tmp_path}:{command.PATH}", "D": str(tmp_path)}

    opened("page", environment=environment).send([FIRING])

    assert (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"#!/no/such/interpreter\n", "page: cannot be started: No such file or directory"),
        (b"\x7fELFnonsense", "page: cannot be started: Exec format error"),
    ],
)
def test_a_program_that_cannot_be_started_is_told(tmp_path: Path, content: bytes, words: str) -> None:
    path = tmp_path / "page"
    path.write_bytes(content)
    path.chmod(0o755)

    with pytest.raises(UnavailableError, match=words):
        opened(str(path)).send([FIRING])


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"argv": []}, "at least 1 item"),
        ({"argv": [""]}, "expected a program and its arguments"),
        ({"argv": ["/bin/true", "a\0b"]}, "expected a program and its arguments"),
        ({"argv": "/bin/true --now"}, "valid list"),
        ({"argv": ["/bin/true"], "environment": {"AEMONITOR_ID": "x"}}, "does not begin with AEMONITOR_"),
        ({"argv": ["/bin/true"], "environment": {"A=B": "x"}}, "expected the name of a variable"),
        ({"argv": ["/bin/true"], "environment": {"A": "x\0y"}}, "expected the name of a variable"),
        ({"argv": ["/bin/true"], "timeout_seconds": 3600.0}, "less than or equal to 60"),
    ],
)
def test_options_that_cannot_work_are_refused(options: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        command.Config.model_validate(options)
