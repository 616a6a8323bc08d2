"""Pieces of policy files, and what is said of one that is wrong."""

from __future__ import annotations

import pytest

from guard.core.errors import PolicyError
from guard.core.policy_text import parse_policy

HEAD = """\
version = 1
[project]
forge = "gitlab"
repository = "gpuaas/platform"
[roles.platform]
members = ["@gpuaas/platform-owners"]
[roles.security]
members = ["@gpuaas/security-owners"]
"""
BRANCH = """\
[branches."release/x"]
upstream = "master"
require = ["lineage", "approvals", "incidents"]
"""
GATE = """\
[[gates]]
id = "security.threat-model"
group = "security"
title = "Threat model reviewed"
"""
DOCUMENT = 'evidence = { kind = "document", path = "doc/Threat_Model.md" }\n'
SMALL = HEAD + BRANCH
LINES = SMALL.count("\n")
"""The lines of the small policy, so that an added text's first line is the next one."""


def people_policy(forge: str, repository: str, branch: str, *, platform: str, security: str) -> str:
    """The rules that rest on commits and people alone, with one member (or group) for each role."""
    return f"""
version = 1
[project]
forge = "{forge}"
repository = "{repository}"
[branches."{branch}"]
upstream = "master"
require = ["lineage", "approvals", "incidents"]
[roles.platform]
members = ["{platform}"]
[roles.security]
members = ["{security}"]
"""


def problems(text: str | bytes) -> list[str]:
    data = text.encode() if isinstance(text, str) else text
    with pytest.raises(PolicyError) as caught:
        parse_policy(data, where="g")
    assert caught.value.code == "policy.invalid"
    assert caught.value.fix
    assert caught.value.problems
    return caught.value.message.splitlines()


def gate(evidence: str) -> str:
    return f"{SMALL}{GATE}evidence = {evidence}\n"
