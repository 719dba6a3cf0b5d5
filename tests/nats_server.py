"""A real NATS server with JetStream on the loopback: started, killed and started again on the same files and port."""

from __future__ import annotations

import asyncio
import socket
import subprocess
from collections.abc import Awaitable, Callable, Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from monitor.app.demo import free_port
from tests.e2e.support import need, wait_for

if TYPE_CHECKING:
    from nats.aio.client import Client
    from nats.js import JetStreamContext

STREAM = "LOGS"
SUBJECT = "logs.app"
Answer = TypeVar("Answer")


class NatsServer:
    """``settings`` is more of its configuration, ``proof`` what a client proves itself with."""

    def __init__(self, root: Path, settings: str = "", **proof: Any) -> None:
        self.port = free_port()
        self.url = f"nats://127.0.0.1:{self.port}"
        self.proof = proof
        self._root = root
        (root / "nats.conf").write_text(
            f'listen: "127.0.0.1:{self.port}"\njetstream {{ store_dir: "{root}/jetstream" }}\n{settings}\n'
        )
        self.process: subprocess.Popen[bytes] | None = None
        self.start()

    def start(self) -> None:
        with (self._root / "nats.log").open("ab") as log:
            program = [need("nats-server"), "-c", str(self._root / "nats.conf")]
            self.process = subprocess.Popen(program, stdout=log, stderr=log)
        wait_for(self._listens, "the NATS server")

    def kill(self) -> None:
        """Kill -9."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()

    def ask(self, question: Callable[[JetStreamContext], Awaitable[Answer]]) -> Answer:
        """What JetStream answers."""

        async def asked() -> Answer:
            async with await connect(self) as client:
                return await question(client.jetstream(timeout=30))

        return asyncio.run(asked())

    def make_stream(self) -> None:
        self.ask(lambda stream: stream.add_stream(name=STREAM, subjects=["logs.>"]))

    def publish(self, *payloads: bytes) -> None:
        """Each is in the stream when this returns."""

        async def published(stream: JetStreamContext) -> None:
            for payload in payloads:
                await stream.publish(SUBJECT, payload)

        self.ask(published)

    def _listens(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, (self._root / "nats.log").read_text()[-3000:]
        with suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1):
            return True
        return False


async def connect(server: NatsServer) -> Client:
    """A connection that is not made again by itself."""
    import nats

    async def ignore(_: Exception) -> None:
        """It is raised as well."""

    return await nats.connect(server.url, allow_reconnect=False, error_cb=ignore, **server.proof)


@contextmanager
def nats_server(root: Path, settings: str = "", **proof: Any) -> Generator[NatsServer, None, None]:
    server = NatsServer(root, settings, **proof)
    try:
        yield server
    finally:
        server.kill()
