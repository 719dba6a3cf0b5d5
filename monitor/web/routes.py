"""What is served at which path. Nothing here changes anything: every route is GET."""

from __future__ import annotations

from collections.abc import Sequence

from starlette.applications import Starlette
from starlette.datastructures import MutableHeaders
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from monitor.core.printable import printable
from monitor.telemetry import Telemetry
from monitor.web.health import Health
from monitor.web.page import status_page

SECURITY_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
    ),
}
REASON_CHARACTERS = 500


def build_app(telemetry: Telemetry, health: Health) -> Starlette:
    """The application. Handlers are quick and never wait, so they run in the event loop itself."""

    async def metrics(request: Request) -> Response:
        body, content_type = telemetry.scrape(request.headers.get("accept", ""))
        return Response(body, headers={"Content-Type": content_type})

    async def healthy(_: Request) -> Response:
        return _verdict("healthy", health.stale())

    async def ready(_: Request) -> Response:
        return _verdict("ready", health.missing())

    async def status(_: Request) -> Response:
        return HTMLResponse(status_page(telemetry.overview(), [*health.stale(), *health.missing()]))

    routes = {"/": status, "/metrics": metrics, "/-/healthy": healthy, "/-/ready": ready}
    app = Starlette(
        routes=[Route(path, handler, methods=["GET"]) for path, handler in routes.items()],
        middleware=[Middleware(SecurityHeaders)],
    )
    app.router.redirect_slashes = False  # an unknown path is a 404, not a guess
    return app


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
                MutableHeaders(scope=message).update(SECURITY_HEADERS)
            await send(message)

        await self._app(scope, receive, send_with_headers)
