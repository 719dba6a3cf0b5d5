"""The HTTP server of the plan in force: a changed plan gets everything it needs, or nothing changes."""

from __future__ import annotations

from monitor.runtime.plan import ServerPlan
from monitor.telemetry import Telemetry
from monitor.web import AppBuilder, Health, Server, WebFile, build_app


class Serving:
    """Owns the server. A change is ``prepare``d, which may be refused, and then takes place with ``change_over``.

    ``build`` makes the application that is served. Nothing is served before the first plan.
    """

    def __init__(self, telemetry: Telemetry, health: Health, build: AppBuilder = build_app) -> None:
        self._telemetry = telemetry
        self.health = health
        self._build = build
        self._plan: ServerPlan | None = None
        self._server: Server | None = None
        self._next: tuple[ServerPlan | None, Server | None, WebFile | None] = (None, None, None)

    @property
    def url(self) -> str | None:
        """Where the server is; None when it is off."""
        return self._server.url if self._server else None

    def refresh(self) -> None:
        """Take up what has changed in the web configuration and its certificates."""
        if self._server:
            self._server.refresh()

    def prepare(self, plan: ServerPlan | None) -> None:
        """Get ready to serve by this plan.

        Raises:
            AemonitorError: its address or web configuration cannot be used; the server stays as it is.
        """
        self.discard()
        if plan is None or self._plan is None or plan.listen != self._plan.listen:
            self._next = (plan, self._made(plan), None)
        elif plan != self._plan:
            self._next = (plan, self._server, WebFile(plan.web_config, self._telemetry))

    def discard(self) -> None:
        """Forget what was prepared."""
        prepared = self._next[1]
        if prepared is not None and prepared is not self._server:
            prepared.stop()
        self._next = (self._plan, self._server, None)

    def change_over(self) -> None:
        """Serve by the plan that was prepared last."""
        old = self._server
        self._plan, self._server, web = self._next
        if self._server is not old:
            if self._server:
                self._server.start()
            if old:
                old.stop()
        elif self._server and self._plan and web:
            self._server.adopt(web, self._plan.host_names)
        self._next = (self._plan, self._server, None)

    def stop(self) -> None:
        """Give the address back; may be called twice."""
        self.discard()
        if self._server:
            self._server.stop()

    def _made(self, plan: ServerPlan | None) -> Server | None:
        if plan is None:
            return None
        return Server(
            plan.listen,
            self._telemetry,
            self.health,
            web_config=plan.web_config,
            host_names=plan.host_names,
            build=self._build,
        )
