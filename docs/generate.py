"""Writes the reference pages from the code itself, or with --check says which of them are out of date.

Also checks that every relative link of the documentation leads to a file.
"""

from __future__ import annotations

import importlib
import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from monitor import plugins
from monitor.cli import COMMANDS
from monitor.core.config import (
    AlertConfig,
    Config,
    LimitsConfig,
    ScoreConfig,
    ServerConfig,
    StreamConfig,
    TimeConfig,
)
from monitor.core.model_config import ModelConfig
from monitor.telemetry import describe_metrics

ROOT = Path(__file__).resolve().parent.parent
REFERENCE = ROOT / "docs" / "reference"
SECTIONS: tuple[tuple[str, type[BaseModel]], ...] = (
    ("(root)", Config), ("server", ServerConfig), ("limits", LimitsConfig), ("streams.NAME", StreamConfig),
    ("streams.NAME.time", TimeConfig), ("streams.NAME.model", ModelConfig),
    ("streams.NAME.score", ScoreConfig), ("streams.NAME.alert", AlertConfig),
)  # fmt: skip
HEADER = "<!-- Made by docs/generate.py from the code; change the descriptions there. -->\n\n"


def rows(model: type[BaseModel]) -> Iterator[str]:
    """One table row an option."""
    for name, info in model.model_fields.items():
        yield f"| `{name}` | {default(info)} | {info.description or ''} |"


def default(info: FieldInfo) -> str:
    """The default as it would be written, or that there is none."""
    if info.is_required():
        return "required"
    value: Any = info.get_default(call_default_factory=True)
    if isinstance(value, BaseModel):
        return "see below"
    if isinstance(value, tuple):
        value = list(value)
    return f"`{json.dumps(value, default=str)}`" if value is not None else "none"


def options_table(model: type[BaseModel]) -> str:
    """The options of one section."""
    table = list(rows(model))
    if not table:
        return "No options.\n"
    return "\n".join(["| option | default | what it does |", "|---|---|---|", *table]) + "\n"


def options_page() -> str:
    """Every section of the configuration file that is not a plugin's."""
    parts = [f"## {name}\n\n{(model.__doc__ or '').strip()}\n\n{options_table(model)}" for name, model in SECTIONS]
    return (
        HEADER
        + "# Configuration\n\nThe options of each source, parser, encoder and sink: [plugins](plugins.md).\n\n"
        + "\n".join(parts)
    )


def plugins_page() -> str:
    """Every plugin with its options and an example."""
    parts = [HEADER + "# Plugins\n"]
    for group in plugins.GROUPS:
        parts.append(f"## {group}\n")
        for kind in plugins.kinds(group):
            module = plugins.module(group, kind)
            parts.append(f"### {kind}\n\n{plugins.summary(group, kind)}\n\n{options_table(module.Config)}")
            if module.EXAMPLE.strip():
                parts.append(f"```yaml\n{module.EXAMPLE.strip()}\n```\n")
    return "\n".join(parts)


def command(name: str) -> click.Command:
    """A command of the program, by its name."""
    found: click.Command = importlib.import_module(f"monitor.cli.{name.replace('-', '_')}").command
    return found


def commands_page() -> str:
    """The help text of every command."""
    parts = [HEADER + "# Commands\n"]
    for name in COMMANDS:
        parts += [f"## {path}\n\n```text\n{text}\n```\n" for path, text in helps(f"aemonitor {name}", command(name))]
    return "\n".join(parts)


def helps(path: str, command: click.Command) -> Iterator[tuple[str, str]]:
    """The help of a command and of the commands below it."""
    with click.Context(command, info_name=path, terminal_width=100, max_content_width=100) as context:
        yield path, command.get_help(context).strip()
        if isinstance(command, click.Group):
            for name in command.list_commands(context):
                below = command.get_command(context, name)
                assert below is not None
                yield from helps(f"{path} {name}", below)


PAGES = {
    REFERENCE / "options.md": options_page,
    REFERENCE / "plugins.md": plugins_page,
    REFERENCE / "commands.md": commands_page,
    REFERENCE / "metrics.md": describe_metrics,
    ROOT / "config" / "aemonitor.schema.json": lambda: json.dumps(plugins.json_schema(), indent=2) + "\n",
}


def broken_links() -> list[str]:
    """Relative links of the documentation that lead nowhere."""
    broken: list[str] = []
    for page in [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]:
        targets = re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", page.read_text())
        missing = [t for t in targets if "://" not in t and not (page.parent / t).exists()]
        broken += [f"{page.relative_to(ROOT)}: {target}" for target in missing]
    return broken


def main() -> None:
    """Write the pages, or with --check compare them."""
    check = "--check" in sys.argv[1:]
    stale: list[str] = []
    for path, make in PAGES.items():
        text = make()
        if path.exists() and path.read_text() == text:
            continue
        stale.append(str(path.relative_to(ROOT)))
        if not check:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
    broken = broken_links()
    for item in broken:
        print(f"broken link: {item}")
    for item in stale:
        print(f"{'out of date' if check else 'written'}: {item}")
    if broken or (check and stale):
        sys.exit("documentation is out of date: run `.venv/bin/python docs/generate.py`" if stale else 1)


if __name__ == "__main__":
    main()
