"""What happens at the HTTP server: who is refused, and how its web configuration and certificate stand."""

from __future__ import annotations

import math

from monitor.telemetry.events import Events
from monitor.telemetry.names import REFUSAL_REASONS, RELOAD_RESULTS
from monitor.telemetry.store import Store


class WebTelemetry:
    """One method each. Every method may be called from any thread."""

    def __init__(self, store: Store, events: Events) -> None:
        self._store = store
        self._events = events
        with store.lock:
            for result in RELOAD_RESULTS:
                store.add(0, "web_config_reloads_total", result)
            for reason in REFUSAL_REASONS:
                store.add(0, "http_refusals_total", reason)
        self.in_force(None)

    def config_reloaded(self, *, ok: bool, reason: str = "") -> None:
        """A changed web configuration or certificate is in use, or was refused for ``reason`` and the old one stays."""
        with self._store.lock:
            self._store.add(1, "web_config_reloads_total", RELOAD_RESULTS[0] if ok else RELOAD_RESULTS[1])
            self._store.set(int(ok), "web_config_last_reload_successful")
        if ok:
            self._events.info("web_config_reloaded")
        else:
            self._events.error("web_config_refused", message=reason)

    def in_force(self, not_after: float | None) -> None:
        """What the files say is in use; their certificate is valid until then (seconds since 1970), if there is one."""
        with self._store.lock:
            self._store.set(1, "web_config_last_reload_successful")
            self._store.set(math.inf if not_after is None else not_after, "web_certificate_expiry_timestamp_seconds")

    def handshake_failed(self, reason: str) -> None:
        """A client did not get as far as a request; ``reason`` is in the words of the TLS library."""
        self.refused("handshake")
        self._events.info("tls_handshake_failed", reason=reason)

    def refused(self, reason: str) -> None:
        """A client was not served; ``reason`` is one of ``REFUSAL_REASONS``. What it sent is not logged."""
        with self._store.lock:
            self._store.add(1, "http_refusals_total", reason)
