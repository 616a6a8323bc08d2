"""GitHub's own description of its API, trimmed, and whether a request and its answer keep to it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import quote

from openapi_core import Config, OpenAPI
from openapi_core.datatypes import RequestParameters
from openapi_core.exceptions import OpenAPIError
from werkzeug.datastructures import Headers, ImmutableMultiDict

from tests.doubles.server import Answer, Request, exchange

HOST = "https://api.github.com"


HEADS_OF_DELETED_FORKS = ("pull-request-simple", "pull-request")
"""Where the description does not say that `head.repo` is null once the fork is deleted, as it is
(https://github.com/github/rest-api-description/issues/1811, and 161 before it)."""

CONCLUSIONS = ("check-run", "job")
"""Where `conclusion` is `nullable`, but its `enum` has no null, which then is none of its values
(https://spec.openapis.org/oas/v3.0.4.html#data-types); it is null while the run goes on, as is meant."""

NOTHING = {"type": "object", "nullable": True, "maxProperties": 0}


class ContractBroken(AssertionError):
    """A request or an answer is not what GitHub describes."""


@cache
def description() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(Path(__file__).with_name("contract.json").read_bytes())
    for schema in HEADS_OF_DELETED_FORKS:
        head = found["components"]["schemas"][schema]["properties"]["head"]["properties"]
        head["repo"] = {"anyOf": [head["repo"], NOTHING]}
    for name in CONCLUSIONS:
        found["components"]["schemas"][name]["properties"]["conclusion"]["enum"].append(None)
    return found


def example(name: str) -> Any:
    """GitHub's example of an answer. Not a copy: take care to change only what you have copied."""
    return description()["components"]["examples"][name]["value"]


@cache
def _openapi() -> OpenAPI:
    return OpenAPI.from_dict(description(), config=Config(spec_validator_cls=None))  # type: ignore[arg-type]


@dataclass(slots=True)
class _Asked:
    """A request as openapi-core wants it; the path's parameters stay encoded, so that none holds a slash."""

    host_url: str
    path: str
    method: str
    parameters: RequestParameters
    content_type: str
    body: bytes | None


@dataclass(slots=True)
class _Answered:
    status_code: int
    headers: Headers
    content_type: str
    data: bytes | None


def check(operation: str, values: Mapping[str, str], request: Request, answer: Answer) -> bool:
    """Raise ContractBroken where the request or the answer is not what GitHub describes.

    False when the answer's status is not described, so that only the request was checked.
    """
    key = (operation, *exchange(request, answer))
    if key not in _JUDGED:
        _JUDGED[key] = _check(operation, values, request, answer)
    return _JUDGED[key]


_JUDGED: dict[tuple[object, ...], bool] = {}
"""What kept to the description before, in this run."""


def _check(operation: str, values: Mapping[str, str], request: Request, answer: Answer) -> bool:
    template = operation.split(" ")[1]
    asked = _asked(template.format(**{name: quote(text, safe="") for name, text in values.items()}), request)
    described = description()["paths"][template][request.method.lower()]["responses"]
    data = answer.encoded() or None
    answered = _Answered(answer.status, Headers(answer.headers), "application/json", data)
    try:
        if answer.status < 400:
            _openapi().validate_request(asked)
        if str(answer.status) in described:
            _openapi().validate_response(asked, answered)
            return True
    except OpenAPIError as error:
        raise ContractBroken(f"{operation} {answer.status}: {_why(error)}") from None
    return False


def _why(error: BaseException) -> str:
    """The innermost reasons, without the whole answer that openapi-core would print."""
    inner: BaseException | None = error
    while inner is not None:
        found = getattr(inner, "schema_errors", None)
        if found:
            return "; ".join(
                f"{'.'.join(map(str, one.absolute_path))}: {one.message[:200]}" for one in list(found)[:5]
            )
        error, inner = inner, inner.__cause__ or inner.__context__
    return f"{type(error).__name__}: {str(error)[:300]}"


def _asked(path: str, request: Request) -> _Asked:
    query = ImmutableMultiDict([(name, value) for name, values in request.query.items() for value in values])
    return _Asked(
        HOST,
        path,
        request.method.lower(),
        RequestParameters(query=query, header=Headers(dict(request.headers))),
        request.headers.get("content-type", "application/json").partition(";")[0],
        request.body or None,
    )
