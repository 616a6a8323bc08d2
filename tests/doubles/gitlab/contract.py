"""GitLab's published description as a judge of every request and response of the double.

The description (contract.yaml) requires nothing, closes nothing and knows no null, so that three checks of our own
stand beside it: field names have to be among `properties`, query names among `parameters`, and what the adapter reads
has to be there.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from openapi_core import Config, OpenAPI
from openapi_core.testing import MockRequest, MockResponse

from tests.doubles.server import Answer, Request, exchange

FILE = Path(__file__).with_name("contract.yaml")

PAGING = frozenset({"page", "per_page"})
INCOMPLETE = {"getApiV4ProjectsIdIssues": PAGING}
"""Operations of which the transcription ended before these parameters (`x-parameters-incomplete`)."""

DEMANDED = {
    "getApiV4ProjectsIdMergeRequests": (
        "iid", "sha", "title", "target_branch", "author", "author.username", "web_url", "source_project_id",
        "target_project_id",
    ),
    "getApiV4ProjectsIdMergeRequestsMergeRequestIidApprovals": (
        "approved_by", "approved_by.user.username", "approved_by.approved_at",
    ),
    "getApiV4ProjectsIdMergeRequestsMergeRequestIidVersions": ("id", "head_commit_sha", "created_at"),
    "getApiV4ProjectsIdMergeRequestsNoteableIdNotes": ("id", "author.username", "body", "system", "created_at"),
    "postApiV4ProjectsIdMergeRequestsNoteableIdNotes": ("id", "author.username", "body"),
    "putApiV4ProjectsIdMergeRequestsNoteableIdNotesNoteId": ("id",),
    "getApiV4ProjectsIdRepositoryCommitsShaStatuses": (
        "id", "status", "name", "description", "target_url", "author.username",
    ),
    "getApiV4ProjectsIdProtectedBranches": (
        "name", "push_access_levels.access_level_description", "merge_access_levels.access_level_description",
        "push_access_levels.access_level", "allow_force_push",
    ),
    "getApiV4ProjectsIdPipelinesPipelineIdJobs": (
        "id", "name", "status", "allow_failure", "finished_at", "tag", "web_url",
    ),
    "getApiV4GroupsIdMembersAll": ("id", "username", "state", "expires_at"),
    "getApiV4ProjectsIdMembersAll": ("id", "username", "access_level"),
    "getApiV4Users": ("id",),
    "getApiV4ProjectsIdIssues": ("iid", "title", "web_url"),
}  # fmt: skip
"""What guard.adapters.gitlab reads of each answer; a name that may be null has to be there all the same."""


class Broken(AssertionError):
    """The client or the double does not keep GitLab's contract."""


class Contract:
    """The judge. `uncovered` collects the calls that the description does not have."""

    def __init__(self) -> None:
        self.spec, self._api = _described()
        self.uncovered: set[str] = set()

    def check(self, template: str, request: Request, response: Answer) -> None:
        """Raise Broken unless the request, and the answer where it is a success, are as described."""
        method = request.method.lower()
        operation = self.spec["paths"].get(template, {}).get(method)
        if operation is None:
            self.uncovered.add(f"{request.method} {template}")
            return
        key = (template, *exchange(request, response))
        if key in _KEPT:
            return
        try:
            self._check(operation, request, response)
        except Exception as error:
            why = f"{error}: {error.__cause__}" if error.__cause__ else str(error)
            raise Broken(f"{request.method} {request.path}: {why}") from error
        _KEPT.add(key)

    def _check(self, operation: Mapping[str, Any], request: Request, response: Answer) -> None:
        operation_id = operation["operationId"]
        known = {one["name"] for one in operation.get("parameters", ())} | INCOMPLETE.get(
            operation_id, frozenset()
        )
        unknown = set(request.query) - known
        if unknown:
            raise Broken(f"no such query parameters: {sorted(unknown)}")
        asked = _request(request)
        if response.status != 400:
            self._api.validate_request(asked)
        if request.body:
            schema = operation["requestBody"]["content"]["application/json"]["schema"]
            self._names(json.loads(request.body), schema, "body")
        if response.status < 300:
            self._check_answer(operation_id, operation, asked, response)

    def _check_answer(
        self, id: str, operation: Mapping[str, Any], asked: MockRequest, response: Answer
    ) -> None:
        value = json.loads(response.encoded())
        shown = _without_nulls(value)
        body = json.dumps(shown).encode()
        self._api.validate_response(
            asked, MockResponse(body, response.status, content_type="application/json")
        )
        described = operation["responses"][str(response.status)]["content"]["application/json"]["schema"]
        self._names(shown, described, "answer")
        for item in value if isinstance(value, list) else [value]:
            for path in DEMANDED.get(id, ()):
                _demand(item, path.split("."), path)

    def _names(self, value: object, schema: Mapping[str, Any], place: str) -> None:
        schema = self._resolved(schema)
        if isinstance(value, list):
            for item in value:
                self._names(item, schema.get("items", {}), place)
        elif isinstance(value, dict) and "properties" in schema:
            for name, item in value.items():
                if name not in schema["properties"]:
                    raise Broken(f"{place} has a field {name} that is not described")
                self._names(item, schema["properties"][name], f"{place}.{name}")

    def _resolved(self, schema: Mapping[str, Any]) -> Mapping[str, Any]:
        name = schema.get("$ref", "").rpartition("/")[2]
        return self.spec["components"]["schemas"][name] if name else schema


_KEPT: set[tuple[object, ...]] = set()
"""What kept to the description before, in this run."""


@cache
def _described() -> tuple[dict[str, Any], OpenAPI]:
    """The description and its reader, made once: nobody changes them."""
    spec = _patched()
    return spec, OpenAPI.from_dict(spec, config=Config(spec_validator_cls=None))  # type: ignore[arg-type]


def _request(request: Request) -> MockRequest:
    query = {name: values if len(values) > 1 else values[0] for name, values in request.query.items()}
    headers = dict(request.headers)
    if "authorization" not in headers:
        headers["PRIVATE-TOKEN"] = headers.pop("private-token", "")
    return MockRequest(
        "http://127.0.0.1", request.method.lower(), request.path, args=query, headers=headers, data=request.body
    )  # fmt: skip


def _demand(value: object, names: list[str], path: str) -> None:
    """Every object on the way has the name; a null ends the way."""
    if not names or value is None:
        return
    if isinstance(value, list):
        for item in value:
            _demand(item, names, path)
        return
    if not isinstance(value, dict) or names[0] not in value:
        raise Broken(f"the answer lacks {path}, which the adapter reads")
    _demand(value[names[0]], names[1:], path)


def _without_nulls(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _without_nulls(item) for name, item in value.items() if item is not None}
    return [_without_nulls(item) for item in value] if isinstance(value, list) else value


def _patched() -> dict[str, Any]:
    """The description with its known mismatches mended, as its own `x-known-mismatches` lists them."""
    spec: dict[str, Any] = json.loads(_loaded())
    mismatches = spec["x-known-mismatches"]
    schemas = spec["components"]["schemas"]
    for kind, operation in _operations(spec):
        answers = operation["responses"]
        if operation["operationId"] in mismatches["operation-returns-array"]:
            content = answers["200"]["content"]["application/json"]
            content["schema"] = {"type": "array", "items": content["schema"]}
        if kind == "post" and "200" in answers:
            answers.setdefault("201", answers["200"])
    for field in mismatches["property-is-array"]:
        schema, name = field.split(".")
        properties = schemas[schema]["properties"]
        properties[name] = {"type": "array", "items": properties[name]}
    for field in mismatches["property-is-integer"]:
        schema, name = field.split(".")
        schemas[schema]["properties"][name] = {"type": "integer"}
    return spec


def _operations(spec: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for item in spec["paths"].values():
        for kind, operation in item.items():
            if kind in ("get", "post", "put", "patch", "delete"):
                yield kind, operation


@cache
def _loaded() -> str:
    """Parsed once for the whole run; YAML is slow. Dates and the like stay text."""
    return json.dumps(yaml.load(FILE.read_bytes(), Loader=yaml.CSafeLoader), default=str)
