"""The sink `nats` against a real server: each alert once in the stream, in order, also when it is sent again."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from pydantic import ValidationError

from monitor.core.delivery import RefusedError
from monitor.core.errors import UnavailableError
from monitor.sinks import nats
from tests.nats_server import NatsServer, connect, nats_server
from tests.support_files import alert

SUBJECT = "alerts.web"
ALERTS = [msgspec.json.encode(alert(number)) for number in range(5)]


@pytest.fixture
def server(tmp_path: Path) -> Iterator[NatsServer]:
    with nats_server(tmp_path, "max_payload: 65536") as running:
        running.ask(lambda stream: stream.add_stream(name="ALERTS", subjects=["alerts.>"], max_msgs=7, discard="new"))
        yield running


def opened(server: NatsServer, **options: Any) -> nats.Nats:
    return nats.Nats(nats.Config.model_validate({"servers": [server.url], "subject": SUBJECT, **options}))


def stored(server: NatsServer) -> list[bytes]:
    """What the stream has, in its order."""

    async def all_of_it(stream: Any) -> list[bytes]:
        last = (await stream.stream_info("ALERTS")).state.last_seq
        return [(await stream.get_msg("ALERTS", number)).data for number in range(1, last + 1)]

    return server.ask(all_of_it)


def test_alerts_are_stored_in_order_and_once_however_often_they_are_sent(server: NatsServer) -> None:
    sink = opened(server)

    assert sink.send(ALERTS) == 5
    assert sink.send(ALERTS) == 5
    assert stored(server) == ALERTS


def test_a_stream_that_is_full_takes_the_first_ones_and_is_asked_again(server: NatsServer) -> None:
    more = [msgspec.json.encode(alert(number)) for number in range(5, 10)]
    sink = opened(server)
    sink.send(ALERTS)

    assert sink.send(more) == 2
    with pytest.raises(UnavailableError, match="maximum messages exceeded"):
        sink.send(more[2:])


def test_without_jetstream_whoever_listens_gets_it(server: NatsServer) -> None:
    async def heard() -> list[bytes]:
        async with await connect(server) as client:
            subscription = await client.subscribe("told.web")
            await client.flush()
            sink = opened(server, subject="told.web", jetstream=False)
            assert await asyncio.to_thread(sink.send, ALERTS) == 5
            return [(await subscription.next_msg(30)).data for _ in ALERTS]

    assert asyncio.run(heard()) == ALERTS


def test_a_subject_of_no_stream_is_told(server: NatsServer) -> None:
    with pytest.raises(UnavailableError, match=r"no stream takes other.web; make one, or set `jetstream: false`"):
        opened(server, subject="other.web").send(ALERTS)


def test_an_alert_that_is_too_long_is_refused(server: NatsServer) -> None:
    long = msgspec.json.encode(msgspec.structs.replace(alert(7), raw="x" * 70_000))

    with pytest.raises(RefusedError, match="longer than the server takes"):
        opened(server).send([long])


def test_a_server_that_is_gone_is_told_and_reached_again(server: NatsServer) -> None:
    sink = opened(server)
    server.kill()
    with pytest.raises(UnavailableError, match=r"Connect call failed|Connection refused"):
        sink.send(ALERTS)

    server.start()
    assert sink.send(ALERTS) == 5


def test_of_two_servers_the_other_is_tried_next(server: NatsServer) -> None:
    sink = opened(server, servers=["nats://127.0.0.1:1", server.url])
    with pytest.raises(UnavailableError, match=r"nats://127.0.0.1:1"):
        sink.send(ALERTS)

    assert sink.send(ALERTS) == 5


@pytest.mark.parametrize("subject", ["", "a..b", "a.*", "a b"])
def test_a_subject_with_wildcards_is_refused(subject: str) -> None:
    with pytest.raises(ValidationError, match="expected a subject such as"):
        nats.Config(subject=subject)
