"""The command ``aemonitor``. A subcommand is a module of its own, imported only when it is invoked."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Sequence

import click

from monitor import __version__
from monitor.cli.exits import ended
from monitor.cli.options import config_option
from monitor.core.errors import UnavailableError
from monitor.core.names import did_you_mean, quoted

__all__ = ["COMMANDS", "config_option", "execute", "main"]

COMMANDS = {
    "init": "Write a configuration from a sample of benign records.",
    "check": "Check a configuration and list every problem.",
    "retrain": "Train on benign records and publish the model.",
    "run": "Score records as they come and raise alerts.",
    "score": "Score files offline with the published model.",
    "evaluate": "Measure a model on labelled records.",
    "cluster": "Group records by their latent vectors.",
    "explain": "Replay one record and show every field of it.",
    "alerts": "List, follow, show and label alerts.",
    "top": "Watch a running daemon in the terminal.",
    "models": "Show, compare, verify and roll back published models.",
    "state": "Show and repair what the ledger knows.",
    "verify": "Prove that every record read is accounted for.",
    "web-password": "Hash a password for the web configuration.",
    "systemd": "Install and remove the systemd units.",
    "data": "Make example data, convert images, plant corruptions.",
    "demo": "Make traffic, learn it, plant faults, alert; ends by itself.",
}
"""Every subcommand with its line in ``--help``, so that the help imports none of them."""


class LazyCommands(click.Group):
    """Finds the subcommand ``a-b`` as ``command`` in the module ``monitor.cli.a_b``."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        del ctx
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            ctx.fail(f"there is no command {quoted(cmd_name)}{did_you_mean(cmd_name, COMMANDS)}")
        name = f"{__name__}.{cmd_name.replace('-', '_')}"
        try:
            command: click.Command = importlib.import_module(name).command
        except ModuleNotFoundError as error:
            if error.name != name:
                raise
            raise UnavailableError(f"the command {cmd_name} is not part of this installation") from None
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        del ctx
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.command(
    "aemonitor", cls=LazyCommands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100}
)
@click.option("--debug", is_flag=True, help="Show where an unexpected error happened (also: AEMONITOR_DEBUG=1).")
@click.version_option(__version__, prog_name="aemonitor", message="%(prog)s %(version)s")
def aemonitor(*, debug: bool) -> None:
    """Learns what benign records look like and says, field by field, what is not.

    Data is printed on stdout, messages on stderr.
    """
    del debug


def execute(arguments: Sequence[str]) -> int:
    """Run one command line, without the program's name, and give its exit code."""
    debug = os.environ.get("AEMONITOR_DEBUG", "0") not in ("", "0") or "--debug" in _before_command(arguments)
    return ended(lambda: _invoke(list(arguments)), debug=debug)


def main() -> None:
    """The entry point."""
    # Before numpy is loaded: its products are small here, and threads that share one wait for each other by spinning.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    sys.exit(execute(sys.argv[1:]))


def _invoke(arguments: list[str]) -> None:
    """Not through click's own ``main``, which has its own idea of exit codes and of closed pipes."""
    if "_AEMONITOR_COMPLETE" in os.environ:  # a shell asks for completions; click answers and exits
        aemonitor.main(prog_name="aemonitor")
    with aemonitor.make_context("aemonitor", arguments) as context:
        aemonitor.invoke(context)


def _before_command(arguments: Sequence[str]) -> Sequence[str]:
    """The options of ``aemonitor`` itself; none of them takes a value."""
    first = next((i for i, argument in enumerate(arguments) if not argument.startswith("-")), len(arguments))
    return arguments[:first]
