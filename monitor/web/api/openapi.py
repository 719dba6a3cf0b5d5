"""The description of the API (OpenAPI 3.1), made from the table that the routes are made from."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from http import HTTPStatus
from typing import Any

import msgspec

from monitor.web.api.answers import Problem
from monitor.web.api.operations import Operation

PROBLEM_TYPE = "application/problem+json"
REFUSALS = (HTTPStatus.BAD_REQUEST, HTTPStatus.UNAUTHORIZED, HTTPStatus.NOT_FOUND, HTTPStatus.SERVICE_UNAVAILABLE)
BODY_REFUSALS = (HTTPStatus.FORBIDDEN, HTTPStatus.REQUEST_ENTITY_TOO_LARGE, HTTPStatus.UNSUPPORTED_MEDIA_TYPE)


def describe(operations: Sequence[Operation], version: str) -> dict[str, Any]:
    """The document; ``version`` is that of the program."""
    types = {each for op in operations for each in (op.answer, op.said) if each} | {Problem}
    _, schemas = msgspec.json.schema_components(
        sorted(types, key=lambda each: each.__name__), ref_template="#/components/schemas/{name}"
    )
    paths: dict[str, dict[str, Any]] = {}
    for operation in operations:
        paths.setdefault(operation.path, {})[operation.method.lower()] = _operation(operation)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "aemonitor",
            "version": version,
            "summary": "Streams, scores and alerts of a running monitor, and what people say of them.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": {"basic": {"type": "http", "scheme": "basic"}},
        },
    }


def _operation(operation: Operation) -> dict[str, Any]:
    described: dict[str, Any] = {
        "operationId": operation.name,
        "summary": operation.summary,
        "parameters": list(_parameters(operation)),
        "responses": {"200": _content("The answer.", operation.answer, "application/json"), **_refusals(operation)},
        "security": [{"basic": []}] if operation.said else [{}, {"basic": []}],
    }
    if operation.said:
        described["requestBody"] = {"required": True, **_content(None, operation.said, "application/json")}
    return described


def _parameters(operation: Operation) -> Iterator[dict[str, Any]]:
    in_path = re.findall(r"{(\w+)}", operation.path)
    (found,), components = msgspec.json.schema_components([operation.asked])
    schema = components[found["$ref"].rpartition("/")[2]]
    for name, described in schema["properties"].items():
        place = "path" if name in in_path else "query"
        yield {"name": name, "in": place, "required": name in schema.get("required", ()), "schema": described}


def _refusals(operation: Operation) -> dict[str, Any]:
    statuses = (*REFUSALS, *(BODY_REFUSALS if operation.said else ()))
    return {str(status.value): _content(status.phrase + ".", Problem, PROBLEM_TYPE) for status in sorted(statuses)}


def _content(description: str | None, type_: type, media_type: str) -> dict[str, Any]:
    content = {"content": {media_type: {"schema": {"$ref": f"#/components/schemas/{type_.__name__}"}}}}
    return content if description is None else {"description": description, **content}
