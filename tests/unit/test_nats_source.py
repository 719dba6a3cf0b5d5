"""The source `nats` against a real server: numbers, acknowledgements, what comes again, and how it is reached."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import trustme
from pydantic import ValidationError

from monitor.core.accounting import Position
from monitor.core.errors import NoInputError
from monitor.sources import nats
from tests.nats_server import STREAM, SUBJECT, NatsServer, nats_server
from tests.received import Ledger, Received, killed

FIRST, SECOND = [b"%d" % number for number in range(10)], [b"%d" % number for number in range(10, 20)]


@pytest.fixture
def server(tmp_path: Path) -> Iterator[NatsServer]:
    with nats_server(tmp_path) as running:
        running.make_stream()
        yield running


def opened(server: NatsServer, ledger: Ledger | None = None, *, once: bool = False, **options: Any) -> Received:
    given: dict[str, Any] = {"servers": [server.url], "stream": STREAM, "ack_wait_seconds": 1.0, **options}
    return Received(nats, ledger, once=once, **given)


def consumer(server: NatsServer, name: str = "aemonitor") -> Any:
    return server.ask(lambda stream: stream.consumer_info(STREAM, name))


def test_messages_come_in_order_with_the_numbers_of_the_stream(server: NatsServer) -> None:
    server.publish(*FIRST)
    received = opened(server, once=True)
    received.until_exhausted()
    received.source.close()

    assert received.read == list(enumerate(FIRST, start=1))
    assert [place.offset for place in received.ledger.places.values()] == [11]
    assert received.events.connections == [(server.url, "")]


def test_nothing_is_acknowledged_before_it_is_committed(server: NatsServer) -> None:
    server.publish(*FIRST)
    received = opened(server)
    received.until_read(*FIRST, commit=False)
    assert consumer(server).ack_floor.stream_seq == 0

    received.turn()
    received.source.close()
    assert consumer(server).ack_floor.stream_seq == 0
    assert consumer(server).num_ack_pending == 10

    again = opened(server, received.ledger)
    again.until_read(*FIRST)
    again.source.close()
    assert consumer(server).ack_floor.stream_seq == 10
    assert consumer(server).num_ack_pending == 0


def test_what_takes_longer_than_the_broker_waits_is_kept_alive(server: NatsServer) -> None:
    server.publish(*FIRST)
    received = opened(server)
    received.until_read(*FIRST, commit=False)

    received.until(lambda: consumer(server).num_redelivered > 0 or received.events.behind_records == 10, "a look")
    server.publish(*SECOND)
    received.until_read(*SECOND, commit=False)
    received.source.close()

    assert received.payloads == [*FIRST, *SECOND]


def test_what_was_committed_and_not_acknowledged_does_not_come_again(server: NatsServer) -> None:
    server.publish(*FIRST)
    origin = killed("nats", 10, servers=[server.url], stream=STREAM, ack_wait_seconds=1.0)
    ledger = Ledger()
    ledger.commit(Position(origin, 6, b""))

    server.publish(*SECOND)
    again = opened(server, ledger)
    again.until_read(*FIRST[5:], *SECOND)
    again.until(lambda: consumer(server).num_ack_pending == 0, "all to be acknowledged")
    again.source.close()

    assert sorted(again.payloads, key=int) == [*FIRST[5:], *SECOND]


def test_another_daemon_gets_what_one_does_not_finish(server: NatsServer) -> None:
    server.publish(*FIRST)
    one = opened(server)
    one.until_read(*FIRST, commit=False)
    one.source.close()

    other = opened(server, once=True)
    other.until_exhausted()
    other.source.close()

    assert sorted(other.read) == sorted(one.read)  # in which order they are given back, the server decides
    assert {*other.origins} == {*one.origins}


def test_a_server_that_is_killed_is_reached_again_and_nothing_comes_twice(server: NatsServer) -> None:
    server.publish(*FIRST)
    received = opened(server)
    received.until_read(*FIRST)

    server.kill()
    received.until(lambda: len(received.events.connections) > 1, "the loss to be told")
    server.start()
    server.publish(*SECOND)
    received.until_read(*SECOND)
    received.source.close()

    assert received.payloads == [*FIRST, *SECOND]
    assert received.events.connections[-1] == (server.url, "")


def test_a_stream_that_was_made_anew_is_another_one(server: NatsServer) -> None:
    server.publish(*FIRST)
    received = opened(server)
    received.until_read(*FIRST)

    server.ask(lambda stream: stream.delete_stream(STREAM))
    server.make_stream()
    server.publish(*SECOND)
    received.until_read(*SECOND)
    received.source.close()

    assert received.read == [*enumerate(FIRST, start=1), *enumerate(SECOND, start=1)]
    assert len({file_id for file_id in received.ledger.places if "#" not in file_id}) == 2


def test_a_consumer_that_was_deleted_is_made_again_where_it_was(server: NatsServer) -> None:
    server.publish(*FIRST)
    received = opened(server)
    received.until_read(*FIRST)
    received.source.close()

    server.ask(lambda stream: stream.delete_consumer(STREAM, "aemonitor"))
    server.publish(*SECOND)
    again = opened(server, received.ledger, once=True)
    again.until_exhausted()
    again.source.close()

    assert again.payloads == SECOND


def test_a_new_consumer_may_begin_at_the_end_and_with_a_subject(server: NatsServer) -> None:
    server.publish(*FIRST)
    received = opened(server, start_at="end", subject=SUBJECT)
    received.until(lambda: bool(received.events.connections), "the connection")

    server.publish(*SECOND)
    received.until_read(*SECOND)
    received.source.close()

    assert received.payloads == SECOND
    assert consumer(server).config.filter_subject == SUBJECT


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"stream": "NONE"}, "there is no stream NONE"),
        ({"consumer": "pushed"}, "the consumer pushed of LOGS is no pull consumer"),
    ],
)
def test_what_cannot_be_read_is_told_and_tried_again(server: NatsServer, options: dict[str, Any], words: str) -> None:
    from nats.js.api import ConsumerConfig

    pushed = ConsumerConfig(durable_name="pushed", deliver_subject="x")
    server.ask(lambda stream: stream.add_consumer(STREAM, pushed))
    received = opened(server, **options)
    received.until(lambda: len(received.events.connections) > 1, "two attempts")
    received.source.close()

    assert all(words in why for _, why in received.events.connections)


def test_a_password_from_a_file_over_tls(tmp_path: Path) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    authority.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(tmp_path / "server.pem")
    (tmp_path / "password").write_text("sesame\n")
    (tmp_path / "wrong").write_text("open-sesame\n")
    settings = (
        f'tls {{ cert_file: "{tmp_path}/server.pem", key_file: "{tmp_path}/server.pem" }}\n'
        "authorization { user: anna, password: sesame }"
    )
    import ssl

    trusted = ssl.create_default_context(cafile=tmp_path / "ca.pem")
    with nats_server(tmp_path, settings, user="anna", password="sesame", tls=trusted) as server:
        server.make_stream()
        server.publish(*FIRST)
        options: dict[str, Any] = {"ca_file": str(tmp_path / "ca.pem"), "username": "anna"}
        received = opened(server, once=True, password_file=str(tmp_path / "password"), **options)
        received.until_exhausted()
        received.source.close()
        refused = opened(server, password_file=str(tmp_path / "wrong"), **options)
        refused.until(lambda: bool(refused.events.connections), "the refusal")
        refused.source.close()
        doubted = opened(server, username="anna", password_file=str(tmp_path / "password"))
        doubted.until(lambda: bool(doubted.events.connections), "the doubt")
        doubted.source.close()

    assert received.payloads == FIRST
    [(_, why), *_] = refused.events.connections
    assert "Authorization Violation" in why
    assert "sesame" not in str(refused.events.connections)
    assert "certificate verify failed" in str(doubted.events.connections)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"servers": ["nats://anna:sesame@127.0.0.1"]}, "use `username` and `password_file`"),
        ({"servers": ["http://127.0.0.1"]}, "expected an address such as nats://"),
        ({"username": "anna"}, "`username` and `password_file` go together"),
        ({"token_file": "t", "nkey_file": "n"}, "choose one"),
        ({"stream": "a.b"}, "a name has no dots"),
    ],
)
def test_options_that_cannot_work_are_refused(options: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        nats.Config.model_validate({"stream": STREAM, **options})


def test_a_file_that_is_not_there_stops_the_start(tmp_path: Path) -> None:
    with pytest.raises(NoInputError, match=r"no such file \(token_file\)"):
        Received(nats, stream=STREAM, token_file=str(tmp_path / "none"))
