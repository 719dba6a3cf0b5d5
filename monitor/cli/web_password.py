"""``aemonitor web-password``: the line of a web configuration for a user, without the password in it."""

from __future__ import annotations

import json
import sys

import click

from monitor.core.errors import UsageError

COST = 12
"""Some 0.2 s for whoever checks one password, years for whoever tries them all."""
SHORTEST = 8
"""Characters; a shorter one is guessed."""


@click.command("web-password", short_help="Hash a password for the web configuration.")
@click.argument("user")
@click.option("--cost", type=click.IntRange(10, 14), default=COST, show_default=True, help="One more doubles the work.")
def command(user: str, *, cost: int) -> None:
    """Ask for a password and print what goes below `basic_auth_users` of the web configuration for USER.

    The password is asked for twice on a terminal, or else is the first line of standard input.
    """
    import bcrypt

    from monitor.web.passwords import BCRYPT_BYTES
    from monitor.web.web_config import user_name

    try:
        user_name(user)
    except ValueError as error:
        raise UsageError(str(error)) from None
    password = _password().encode()
    if len(password) > BCRYPT_BYTES:
        raise UsageError(f"the password has more than {BCRYPT_BYTES} bytes; bcrypt would pass over the rest")
    click.echo(f"  {json.dumps(user, ensure_ascii=False)}: {bcrypt.hashpw(password, bcrypt.gensalt(cost)).decode()}")


def _password() -> str:
    if sys.stdin.isatty():
        password = str(click.prompt("Password", hide_input=True, confirmation_prompt=True, err=True))
    else:
        password = sys.stdin.readline().rstrip("\r\n")
    if len(password) < SHORTEST:
        raise UsageError(f"a password has at least {SHORTEST} characters")
    return password
