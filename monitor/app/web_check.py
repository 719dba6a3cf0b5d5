"""What a correct web configuration would still trip over: certificates that run out, keys that others may read."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path

from monitor.core.config import Config
from monitor.core.errors import Problem
from monitor.plugins.surroundings import ANYONE, exposed
from monitor.web import WebSettings, load_web_settings
from monitor.web.web_config import cost

SOON_SECONDS = 14 * 86_400
"""A certificate is mostly renewed a month before its end: with two weeks left nobody has."""
LOW_COST = 10
"""Below, a stolen hash is searched too quickly; 10 takes some 50 ms."""


def web_problems(config: Config, directory: Path, environ: Mapping[str, str]) -> list[Problem]:
    """What is to be warned of, for the current user, now.

    Raises:
        ConfigError: the web configuration is wrong, or a file that it names.
        NoInputError, PermissionDeniedError: it cannot be read.
    """
    path = config.server.web_config_in(directory)
    if path is None:
        return []
    settings = load_web_settings(path, environ)
    exposed = () if config.server.is_local else _exposed(settings)
    found = [*exposed, *_certificate(settings, time.time()), *_files(settings), *_hashes(settings)]
    return [Problem(text, "server.web_config") for text in found]


def _exposed(settings: WebSettings) -> Iterator[str]:
    if not settings.users and not (settings.tls and settings.tls.asks_clients):
        yield ANYONE
    elif not settings.tls:
        yield "passwords cross the network in clear; set tls_server_config, too"


def _certificate(settings: WebSettings, now: float) -> Iterator[str]:
    if not settings.tls:
        return
    not_before, not_after = settings.tls.not_before, settings.tls.not_after
    if now < not_before:
        yield f"the certificate is not valid before {_date(not_before)}: clients refuse it until then"
    if not_after <= now:
        yield f"the certificate expired on {_date(not_after)}: clients refuse it"
    elif not_after - now < min(SOON_SECONDS, (not_after - not_before) / 3):
        yield f"the certificate expires on {_date(not_after)}; renew it, it is taken up without a restart"


def _date(seconds: float) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M} UTC"


def _files(settings: WebSettings) -> Iterator[str]:
    """Secrets that somebody but root and one user may read."""
    secret = [*([settings.key_file] if settings.key_file else []), *(settings.files[:1] if settings.users else ())]
    yield from filter(None, map(exposed, secret))


def _hashes(settings: WebSettings) -> Iterator[str]:
    costs = {name: cost(hashed) for name, hashed in settings.users.items()}
    if costs and min(costs.values()) < LOW_COST:
        yield f"the password of {min(costs, key=lambda name: costs[name])} has a hash of cost below {LOW_COST}"
    if len(set(costs.values())) > 1:
        yield "the hashes differ in cost: the time of an answer tells which names exist"
