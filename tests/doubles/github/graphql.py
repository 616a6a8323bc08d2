"""The two GraphQL queries that the double answers: who the guard is, and who made commits.

The queries are in GitHub's published schema (npm @octokit/graphql-schema); the double answers what they name.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from tests.doubles.github import shapes
from tests.doubles.github.state import GitHubState

Json = dict[str, Any]
OBJECT = re.compile(r'(\w+): object\(oid: "([0-9a-f]+)"\)')


def answer_graphql(state: GitHubState, body: Mapping[str, Any]) -> Json:
    query, variables = body["query"], body.get("variables") or {}
    if "viewer" in query:
        return {"data": {"viewer": {"login": state.me.login}}}
    if f"{variables['owner']}/{variables['name']}".lower() != state.full_name.lower():
        error = {"type": "NOT_FOUND", "message": "Could not resolve to a Repository"}
        return {"data": {"repository": None}, "errors": [error]}
    return {
        "data": {"repository": {alias: shapes.people(state, oid) for alias, oid in OBJECT.findall(query)}}
    }
