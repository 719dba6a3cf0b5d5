"""What the how-to pages of the sinks say to write can be written so."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from monitor.plugins import load_config_text
from tests.conftest import REPOSITORY
from tests.e2e.support import need

PAGES = ("sinks", "webhook", "alertmanager")
STREAM = (
    "streams: {web: {source: {file_tail: {include: [/x.log]}}, parser: json_lines, features: {a: numeric}, "
    "sinks: [%s]}}\n"
)


def blocks() -> Iterator[str]:
    for page in PAGES:
        text = (REPOSITORY / "docs" / "howto" / f"{page}.md").read_text()
        yield from re.findall(r"^```yaml\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("block", [block for block in blocks() if block.startswith("sinks:")])
def test_every_example_of_a_sink_is_a_configuration(block: str) -> None:
    names = list(yaml.safe_load(block)["sinks"])

    config = load_config_text(STREAM % ", ".join(names) + block, "example", {})

    assert list(config.sinks) == names


def test_the_rules_for_alertmanager_are_rules(tmp_path: Path) -> None:
    (rules,) = [block for block in blocks() if block.startswith("# alertmanager.yml")]
    config = tmp_path / "alertmanager.yml"
    config.write_text(f"{rules}route: {{receiver: nobody}}\nreceivers: [{{name: nobody}}]\n")

    checked = subprocess.run([need("amtool"), "check-config", str(config)], check=True, capture_output=True, text=True)

    assert "1 inhibit rules" in checked.stdout


def test_sinks_that_are_commented_out_in_the_example_are_a_configuration() -> None:
    text = (REPOSITORY / "config" / "aemonitor.yaml").read_text()
    head, tail = text.split("\nsinks:\n")
    shown = re.sub(
        r"^(\s*)# (?=\s*(ops|am|people|webhook|alertmanager|apprise|url|urls|secret_file|urls_file|format): ?)",
        r"\1",
        tail,
        flags=re.MULTILINE,
    )

    config = load_config_text(f"{head}\nsinks:\n{shown}", "example", {})

    assert {sink.kind for sink in config.sinks.values()} == {"jsonl", "webhook", "alertmanager", "apprise"}


def test_a_password_in_a_url_is_refused_without_being_shown() -> None:
    sink = "sinks: {ops: {webhook: {url: 'https://ops:sesame@example.net/'}}}"

    with pytest.raises(Exception, match="use `username` and `password_file`") as caught:
        load_config_text(STREAM % "ops" + sink, "example", {})

    assert "sesame" not in str(caught.value)


def test_nobody_loads_an_http_client_who_does_not_send(tmp_path: Path) -> None:
    code = (
        "import sys; from monitor.sinks import alertmanager, webhook\n"
        "for one in (webhook.build(webhook.Config(url='https://127.0.0.1/')),\n"
        "            alertmanager.build(alertmanager.Config(urls=['http://127.0.0.1']))): one.close()\n"
        "sys.exit('urllib3' in sys.modules)"
    )

    subprocess.run([sys.executable, "-c", code], check=True, cwd=tmp_path)
