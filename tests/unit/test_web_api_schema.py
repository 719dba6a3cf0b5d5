"""Whatever is thrown at the API, it answers as it is described to, and never with a fault of its own."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from hypothesis import settings

from monitor.web import Server
from monitor.web.api.openapi import describe
from monitor.web.api.operations import OPERATIONS
from tests.support_files import alert
from tests.support_pages import Place, begun, hostile
from tests.support_web import SECRET

SCHEMA = schemathesis.openapi.from_dict(describe(OPERATIONS, "1"))


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    place = Place(tmp_path_factory.mktemp("api"))
    stream = place.telemetry.stream("web")
    stream.model(version="v1", sha256="ab", created=0.0, threshold=0.85, low=0.0, high=1.0)
    place.commit(begun(1), alert(2), hostile(3))
    with place.serving() as running:
        yield running
    place.ledger.close()


@SCHEMA.parametrize()  # pyright: ignore[reportUntypedFunctionDecorator] - it has no types
@settings(max_examples=40, deadline=None)
def test_every_request_is_answered_as_described(case: Any, server: Server) -> None:
    case.call_and_validate(base_url=server.url, auth=("scraper", SECRET))


def test_it_is_the_description_that_is_served(server: Server) -> None:
    assert set(SCHEMA.raw_schema["paths"]) == {operation.path for operation in OPERATIONS}
