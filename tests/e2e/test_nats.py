"""Messages of a real NATS server: the daemon and the server are killed in turn, and none is lost or told twice."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from tests.e2e.broker_faults import FAULT_EVERY, TIMES, Sender, demand_all_told, kill_in_turn, settled, site_reading
from tests.e2e.support import aemonitor, wait_for
from tests.e2e.traffic import line
from tests.nats_server import STREAM, SUBJECT, NatsServer, connect, nats_server

CHUNK = 20


def sent(server: NatsServer) -> int:
    """Send some lines; the stream says itself which was the last that it has, whatever it answered before it died."""
    import nats.errors

    async def publish() -> int:
        async with await connect(server) as client:
            stream = client.jetstream(timeout=5)
            first = (await stream.stream_info(STREAM)).state.last_seq
            await asyncio.gather(
                *(stream.publish(SUBJECT, line(first + number, FAULT_EVERY)) for number in range(CHUNK))
            )
            return first + CHUNK

    try:
        return asyncio.run(publish())
    except nats.errors.Error as error:
        raise TimeoutError from error


@pytest.mark.parametrize("times", TIMES)
def test_no_message_is_lost_over_kills_of_daemon_and_server(tmp_path: Path, models: Path, times: int) -> None:
    with nats_server(tmp_path) as server:
        server.make_stream()
        source = f"{{nats: {{servers: ['{server.url}'], stream: {STREAM}, ack_wait_seconds: 1.0}}}}"
        site = site_reading(tmp_path / "site", models, source)
        try:
            kill_in_turn(site, server, Sender(lambda _: sent(server)), times)
            written = server.ask(lambda stream: stream.stream_info(STREAM)).state.last_seq
            wait_for(lambda: settled(site), "every message to be committed")
            assert site.stop(within_seconds=60) == 0
        finally:
            site.close()

        again = demand_all_told(site, written)
        aemonitor("verify", "-c", str(site.config))
        print(f"{written:,} messages, {times} kills of each: 0 lost, 0 told twice, {again} scored again")
