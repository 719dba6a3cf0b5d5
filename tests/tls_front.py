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
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()

    async def served(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            to_read, to_write = await asyncio.open_connection("127.0.0.1", server_port)
            await asyncio.gather(_copied(reader, to_write), _copied(to_read, writer))

    async def begin() -> asyncio.Server:
        return await asyncio.start_server(served, "127.0.0.1", port, ssl=context)

    async def end() -> None:
        for task in asyncio.all_tasks() - {asyncio.current_task()}:
            task.cancel()

    server = asyncio.run_coroutine_threadsafe(begin(), loop).result(10)
    try:
        yield
    finally:
        loop.call_soon_threadsafe(server.close)
        asyncio.run_coroutine_threadsafe(end(), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()


async def _copied(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while data := await reader.read(1 << 16):
            writer.write(data)
            await writer.drain()
    writer.close()
