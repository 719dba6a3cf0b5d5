"""Stands before a server that speaks no TLS, and speaks it for the server."""

from __future__ import annotations

import asyncio
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress


@contextmanager
def tls_front(port: int, context: ssl.SSLContext, server_port: int) -> Iterator[None]:
    """Whoever connects to ``port`` on this machine with TLS is connected to ``server_port``, meanwhile."""
    loop, ready, over = asyncio.new_event_loop(), threading.Event(), asyncio.Event()

    async def served(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, asyncio.CancelledError):
            to_read, to_write = await asyncio.open_connection("127.0.0.1", server_port)
            try:
                await asyncio.gather(_copied(reader, to_write), _copied(to_read, writer))
            finally:
                to_write.transport.abort()
        writer.transport.abort()

    async def run() -> None:
        server = await asyncio.start_server(served, "127.0.0.1", port, ssl=context)
        ready.set()
        await over.wait()
        server.close()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)
        await asyncio.sleep(0)  # what was aborted is closed in the next round

    thread = threading.Thread(target=lambda: loop.run_until_complete(run()), daemon=True)
    thread.start()
    assert ready.wait(60)
    try:
        yield
    finally:
        loop.call_soon_threadsafe(over.set)
        thread.join(60)
        loop.close()


async def _copied(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while data := await reader.read(1 << 16):
            writer.write(data)
            await writer.drain()
    writer.close()
