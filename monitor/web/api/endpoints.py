"""The JSON API: requests are checked against the types of their operation, refusals are problems (RFC 9457)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from http import HTTPStatus

import msgspec
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from monitor.core.errors import AemonitorError, NoInputError
from monitor.core.printable import printable
from monitor.web.api.answers import Problem
from monitor.web.api.openapi import PROBLEM_TYPE, describe
from monitor.web.api.operations import OPERATIONS, Call, Operation
from monitor.web.forgery import demand_speaker
from monitor.web.requests import Readers, body_of, user_of
from monitor.web.site import Site

PREFIX = "/api/"


def api_routes(site: Site, readers: Readers) -> Sequence[Route]:
    """A route for each operation, and one for their description."""
    document = msgspec.json.encode(describe(OPERATIONS, site.version))

    async def openapi(_: Request) -> Response:
        return Response(document, media_type="application/json")

    routes = [
        Route(operation.path, _endpoint(operation, site, readers), methods=[operation.method])
        for operation in OPERATIONS
    ]
    return [Route("/api/v1/openapi.json", openapi, methods=["GET"]), *routes]


def problem(status: int, detail: str, headers: dict[str, str] | None = None) -> Response:
    """A refusal."""
    said = Problem(HTTPStatus(status).phrase, status, printable(detail, 500))
    return Response(msgspec.json.encode(said), status, headers, media_type=PROBLEM_TYPE)


def _endpoint(operation: Operation, site: Site, readers: Readers) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        if operation.said:
            demand_speaker(request)
        call = Call(site, _asked(operation, request), await _said(operation, request), user_of(request))
        return await readers.run(partial(_answer, operation, call))

    return endpoint


def _answer(operation: Operation, call: Call) -> Response:
    try:
        return Response(msgspec.json.encode(operation.act(call)), media_type="application/json")
    except NoInputError as error:
        return problem(404, str(error))
    except AemonitorError as error:
        return problem(503, str(error), {"Retry-After": "5"})


def _asked(operation: Operation, request: Request) -> msgspec.Struct:
    given = [*request.path_params.items(), *request.query_params.multi_items()]
    twice = [name for name, count in Counter(name for name, _ in given).items() if count > 1]
    if twice:
        raise HTTPException(400, f"{twice[0]} is given twice")
    try:
        return msgspec.convert(dict(given), operation.asked, strict=False)
    except msgspec.ValidationError as error:
        raise HTTPException(400, str(error)) from None


async def _said(operation: Operation, request: Request) -> msgspec.Struct | None:
    if operation.said is None:
        return None
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        raise HTTPException(415, "the body has to be application/json")
    try:
        return msgspec.json.decode(await body_of(request), type=operation.said)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise HTTPException(400, str(error)) from None
