"""What is served at which path. Nothing but feedback on an alert changes anything: every other route is GET."""

from __future__ import annotations

from collections.abc import Sequence

from starlette.applications import Starlette
from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from monitor.core.clock import Clock, SystemClock
from monitor.core.errors import AemonitorError
from monitor.core.printable import printable
from monitor.telemetry import Telemetry
from monitor.web.api.endpoints import PREFIX, api_routes, problem
from monitor.web.desk import Desk, EmptyDesk
from monitor.web.health import Health
from monitor.web.pages.endpoints import Pages
from monitor.web.requests import Readers
from monitor.web.scrapes import Scrapes
from monitor.web.site import Site

SECURITY_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "X-Frame-Options": "DENY",
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; "
        "form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
    ),
}
REASON_CHARACTERS = 500


def build_app(
    telemetry: Telemetry,
    health: Health,
    *,
    desk: Desk | None = None,
    clock: Clock | None = None,
    version: str = "",
    guards: Sequence[Middleware] = (),
) -> Starlette:
    """The application. Handlers that may wait do so beside the event loop; a scrape never waits for them.

    ``guards`` stand before every route, the first one outermost: who is refused there reaches no handler. They may set
    ``request.user`` (``starlette.authentication``); without one that does nobody can give feedback.
    """
    site, readers = Site(telemetry, health, desk or EmptyDesk(), clock or SystemClock(), version), Readers()
    app = Starlette(
        routes=[*_plain_routes(telemetry, health), *Pages(site, readers).routes(), *api_routes(site, readers)],
        middleware=[Middleware(SecurityHeaders), *guards],
        exception_handlers={HTTPException: _refusal, AemonitorError: _unavailable},
    )
    app.router.redirect_slashes = False  # an unknown path is a 404, not a guess
    return app


def _plain_routes(telemetry: Telemetry, health: Health) -> Sequence[Route]:
    """What programs ask for every few seconds: quick, so that it runs in the event loop itself."""
    scrapes = Scrapes(telemetry.scrape)

    async def metrics(request: Request) -> Response:
        body, content_type = await scrapes.get(request.headers.get("accept", ""))
        return Response(body, headers={"Content-Type": content_type})

    async def healthy(_: Request) -> Response:
        return _verdict("healthy", health.stale())

    async def ready(_: Request) -> Response:
        return _verdict("ready", health.missing())

    routes = {"/metrics": metrics, "/-/healthy": healthy, "/-/ready": ready}
    return [Route(path, handler, methods=["GET"]) for path, handler in routes.items()]


def _refusal(request: Request, error: Exception) -> Response:
    """Why a request is not carried out: for programs as a problem, for people as a line."""
    status, detail, headers = 500, "", None
    if isinstance(error, HTTPException):
        status, detail, headers = error.status_code, error.detail, dict(error.headers or {})
    if request.url.path.startswith(PREFIX):
        return problem(status, detail, headers)
    return PlainTextResponse(printable(detail, REASON_CHARACTERS) + "\n", status, headers)


def _unavailable(request: Request, error: Exception) -> Response:
    """The state directory cannot be used now."""
    return _refusal(request, HTTPException(503, str(error), {"Retry-After": "5"}))


def _verdict(word: str, reasons: Sequence[str]) -> Response:
    """200 and the word, or 503 and the reasons, one a line."""
    if not reasons:
        return PlainTextResponse(f"{word}\n")
    lines = "".join(printable(reason, REASON_CHARACTERS) + "\n" for reason in reasons)
    return PlainTextResponse(lines, status_code=503)


class SecurityHeaders:
    """Adds headers to every response, errors included, that keep browsers from guessing, framing and fetching."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in SECURITY_HEADERS.items():
                    headers.setdefault(name, value)  # a response or the web configuration may know better
            await send(message)

        await self._app(scope, receive, send_with_headers)
