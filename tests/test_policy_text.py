"""A policy read, and everything that can be wrong with one: each with its key path, line and what was expected."""

from __future__ import annotations

import contextlib
import hashlib
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guard.core.durations import format_duration
from guard.core.errors import PolicyError
from guard.core.evidence import All, Document, Sarif, leaves
from guard.core.policy_text import LISTED, MAX_BYTES, MAX_DEPTH, parse_policy

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


def test_a_policy_carries_the_digest_of_its_very_bytes() -> None:
    text = (SMALL + GATE + DOCUMENT).encode()
    loaded = parse_policy(text, where="guard.toml at master")
    assert loaded.digest == f"sha256:{hashlib.sha256(text).hexdigest()}"
    assert loaded.where == "guard.toml at master"
    assert loaded.policy.branches["release/x"].permit_ttl == timedelta(minutes=15)
    assert loaded.policy.incidents.labels == ("SEV-1", "SEV-2")
    assert isinstance(loaded.policy.gates[0].evidence, Document)


def test_a_folder_may_be_written_with_a_slash_at_its_end() -> None:
    evidence = (
        parse_policy(gate('{ kind = "document", path = "doc/x/" }').encode(), where="g")
        .policy.gates[0]
        .evidence
    )
    assert isinstance(evidence, Document)
    assert evidence.path == "doc/x"


def test_nested_evidence_has_a_key_for_each_piece() -> None:
    text = gate(
        '{ all = [ { kind = "sarif", source = "sast" }, { any = [ { kind = "approvals" } ] },'
        ' { kind = "sarif", source = "dast", max_age = "24h" } ] }'
    )
    evidence = parse_policy(text.encode(), where="g").policy.gates[0].evidence
    assert isinstance(evidence, All)
    pieces = dict(leaves(evidence, prefix="x"))
    assert list(pieces) == ["x/0", "x/1/0", "x/2"]
    last = pieces["x/2"]
    assert isinstance(last, Sarif)
    assert last.max_age == timedelta(days=1)
    assert format_duration(timedelta(days=1)) == "1d"


TEXTS = [
    pytest.param(b"", "g:1: branches: missing; expected a table for each protected branch", id="empty"),
    pytest.param(b"version = 2\nx = 1\n", "g:1: version: got 2; expected 1, the version", id="other-version"),
    pytest.param(b"\nversion = 0\n", "g:2: version: got 0; expected 1", id="version-below"),
    pytest.param(b"version = true\n", "g:1: version: got true; expected 1", id="version-true-is-not-1"),
    pytest.param(b"version = 1.0\n", "g:1: version: got 1.0; expected 1", id="version-1.0-is-not-1"),
    pytest.param(b"version = '1'\n", "g:1: version: got '1'; expected 1", id="version-text"),
    pytest.param(b"a = 1\nb = \n", "g:2: column 5: Invalid value; expected TOML 1.0", id="syntax"),
    pytest.param(b"a = [1,\n2", "g:2: Unclosed array; expected TOML 1.0", id="syntax-at-the-end"),
    pytest.param(b"a = 1\n\na = 2\n", "Cannot overwrite a value; expected TOML 1.0", id="key-twice"),
    pytest.param(b"\xef\xbb\xbfversion = 1\n", "g:1: starts with a byte order mark; expected", id="bom"),
    pytest.param(b"a = 1\n# \xff\n", "g:2: byte 0xff is not UTF-8; expected UTF-8 text", id="not-utf-8"),
    pytest.param("a = 1\n".encode("utf-16"), "g:1: byte 0xff is not UTF-8", id="utf-16"),
    pytest.param(b"a = 1\n\n# \0\n", "g:3: holds a NUL character; expected text", id="nul"),
    pytest.param(b"a = '\x1b[31m'\n", "g:1: column 6: ", id="control-character"),
    pytest.param(b"#" * (MAX_BYTES + 1), f"expected at most {MAX_BYTES}", id="too-large"),
    pytest.param(b"a = " + b"[" * 100_000, f"nested more than {MAX_DEPTH} deep", id="deeper-than-the-stack"),
    pytest.param(
        b"a = " + b"[" * 40 + b"]" * 40,
        f"g: tables and arrays are nested more than {MAX_DEPTH} deep",
        id="deep",
    ),
    pytest.param(
        b"a = 1\n" + b"b." * 300_000 + b"c = 1\n", "g:2: a key of more than 32 parts", id="long-key"
    ),
    pytest.param(b"a = " + b"9" * 9000, "g:1: Exceeds the limit", id="huge-number"),
]


@pytest.mark.parametrize(("text", "expected"), TEXTS)
def test_a_file_that_cannot_be_read(text: bytes, expected: str) -> None:
    assert expected in problems(text)[0]


WRONG = [
    pytest.param(
        SMALL + "[evidnce]\n",
        f"g:{LINES + 1}: evidnce: unknown key; did you mean 'evidence'? expected version, mode, project,",
        id="unknown-table",
    ),
    pytest.param(
        SMALL + 'requires = ["lineage"]\n',
        f"g:{LINES + 1}: branches.\"release/x\".requires: unknown key; did you mean 'require'? expected upstream,",
        id="unknown-key",
    ),
    pytest.param(
        SMALL.replace('"gitlab"', '"gitlub"'),
        "g:3: project.forge: got 'gitlub'; did you mean 'gitlab'? expected 'gitlab', 'github' or 'local'",
        id="unknown-word",
    ),
    pytest.param(
        SMALL.replace('"gpuaas/platform"', "[5]"),
        "g:4: project.repository: got an array; expected a string",
        id="wrong-type",
    ),
    pytest.param(
        SMALL.replace('upstream = "master"\n', ""),
        'g:9: branches."release/x".upstream: missing; expected the branch that every fix lands on first',
        id="missing-key",
    ),
    pytest.param(
        HEAD,
        'g:1: branches: missing; expected a table for each protected branch, [branches."release',
        id="no-branch",
    ),
    pytest.param(
        SMALL + 'permit_ttl = "2h"\n',
        f"g:{LINES + 1}: branches.\"release/x\".permit_ttl: got '2h'; expected at most '1h'",
        id="permit-too-long",
    ),
    pytest.param(
        SMALL + "permit_ttl = 15\n",
        "permit_ttl: expected a span like '15m', '24h' or '7d', got 15",
        id="span-without-unit",
    ),
    pytest.param(
        SMALL.replace('"release/x"', '"release x"'),
        "g:9: branches.\"release x\": got 'release x'; expected a branch name such as",
        id="branch-name",
    ),
    pytest.param(
        SMALL.replace('"master"', '"refs/heads/master"'),
        "upstream: expected a branch name such as 'release/platform-control', got 'refs/heads/master'",
        id="full-ref-name",
    ),
    pytest.param(
        SMALL + '[roles."Ops Team"]\nmembers = ["ann"]\n',
        f"g:{LINES + 1}: roles.\"Ops Team\": got 'Ops Team'; expected a lower-case word such as 'platform'",
        id="role-name",
    ),
    pytest.param(
        SMALL.replace('["@gpuaas/security-owners"]', "[]"),
        "g:8: roles.security.members: got an empty array; expected at least one entry",
        id="role-without-members",
    ),
    pytest.param(
        SMALL + 'promote = "/bin/sh"\n',
        "promote: got '/bin/sh'; expected a path from the root of the repository",
        id="absolute-path",
    ),
    pytest.param(
        SMALL + 'promote = "../bin/sh"\n',
        "promote: got '../bin/sh'; expected a path inside the repository",
        id="path-out",
    ),
    pytest.param(
        SMALL + GATE.replace('"security.threat-model"', '"Threat Model"') + DOCUMENT,
        "gates[0].id: got 'Threat Model'; expected lower-case words joined by dots",
        id="gate-id",
    ),
    pytest.param(
        SMALL + GATE + DOCUMENT + "mandatory = 'no'\n",
        f"g:{LINES + 6}: gates[0].mandatory: got 'no'; expected true or false",
        id="mandatory-is-no-text",
    ),
    pytest.param(
        SMALL + GATE + DOCUMENT + 'when = { changed = ["a"] }\n',
        f"g:{LINES + 1}: gates[0]: a mandatory gate takes no `when`; expected mandatory = false",
        id="condition-on-a-mandatory-gate",
    ),
    pytest.param(
        SMALL + GATE + DOCUMENT + "mandatory = false\nwhen = {}\n",
        f"g:{LINES + 7}: gates[0].when: no condition; expected at least one of changed,",
        id="empty-condition",
    ),
    pytest.param(
        gate('{ kind = "srif", source = "a" }'),
        f"g:{LINES + 5}: gates[0].evidence.kind: got 'srif'; did you mean 'sarif'? expected 'ci', 'sarif',",
        id="unknown-kind",
    ),
    pytest.param(gate('{ source = "a" }'), "gates[0].evidence: no kind; expected kind = 'ci',", id="no-kind"),
    pytest.param(
        gate("{ kind = 5 }"), "gates[0].evidence.kind: got 5; expected 'ci'", id="kind-of-a-wrong-type"
    ),
    pytest.param(
        gate('"doc/x.md"'), "gates[0].evidence: got 'doc/x.md'; expected a table such as", id="no-table"
    ),
    pytest.param(
        gate('{ all = [\n{ kind = "approvals" },\n{ kind = "sarif", source = "a", max_age = "1y" },\n] }'),
        f"g:{LINES + 7}: gates[0].evidence.all[1].max_age: expected a span like",
        id="line-in-a-nested-table",
    ),
    pytest.param(
        gate('{ any = [ { all = [ { kind = "script", source = "a" } ] } ] }'),
        "gates[0].evidence.any[0].all[0].script: missing; expected the script or command that must have run",
        id="no-internal-tags-in-paths",
    ),
    pytest.param(
        gate('{ kind = "script", source = "a", script = "b", fields = { "x y" = 1.5 } }'),
        'gates[0].evidence.fields."x y": got 1.5; expected a string, a whole number, true or false',
        id="field-value",
    ),
    pytest.param(
        gate('{ kind = "inventory", path = "a", minimum = 2.0 }'),
        "gates[0].evidence.minimum: got 2.0; expected a whole number",
        id="float-for-a-number",
    ),
    pytest.param(
        gate('{ kind = "inventory", path = "a", minimum = 0 }'),
        "minimum: got 0; expected at least 1",
        id="too-small",
    ),
    pytest.param(
        gate("{ all = [] }"),
        "evidence.all: got an empty array; expected at least one entry",
        id="all-of-nothing",
    ),
    pytest.param(
        gate('{ kind = "approvals", all = [ { kind = "approvals" } ] }'),
        "gates[0].evidence.kind: unknown key; expected all",
        id="kind-beside-all",
    ),
    pytest.param(
        gate('{ kind = "document", path = "\\u001b[31m\\u202e", titel = 1 }'),
        "gates[0].evidence.titel: unknown key",
        id="hostile-text",
    ),
    pytest.param(
        SMALL + '[project2."\\u001b[31m\\u202e"]\n',
        "project2: unknown key; did you mean 'project'?",
        id="hostile-key",
    ),
    pytest.param(SMALL + "gates = 2020-01-01\n".replace("gates", "x"), "x: unknown key", id="date"),
    pytest.param(
        "mode = 2020-01-01\n" + SMALL,
        "g:1: mode: got the date or time 2020-01-01; expected 'enforce'",
        id="date-value",
    ),
]


@pytest.mark.parametrize(("text", "expected"), WRONG)
def test_what_one_table_says_wrongly(text: str, expected: str) -> None:
    found = problems(text)
    assert len(found) == 1
    assert expected in found[0]
    assert found[0].isprintable()


READY = BRANCH.replace('"lineage", "approvals", "incidents"', '"readiness"')

BROKEN = [
    pytest.param(
        SMALL + GATE + DOCUMENT + GATE + DOCUMENT,
        f"g:{LINES + 7}: gates[1].id: 'security.threat-model' is the id of gates[0] on line {LINES + 2} already;",
        id="gate-id-twice",
    ),
    pytest.param(
        gate('{ all = [ { kind = "signoff", role = "securty" } ] }'),
        "gates[0].evidence.all[0].role: there is no role 'securty'; did you mean 'security'? expected 'platform' or",
        id="role-of-a-sign-off",
    ),
    pytest.param(
        gate('{ kind = "adrs", path = "a", role = "architects" }'),
        "gates[0].evidence.role: there is no role 'architects'; expected 'platform' or 'security'",
        id="role-of-the-adrs",
    ),
    pytest.param(
        SMALL + '[approvals]\nroles = ["platform", "legal"]\n',
        f"g:{LINES + 2}: approvals.roles[1]: there is no role 'legal'; expected 'platform' or 'security'",
        id="role-of-the-approvals",
    ),
    pytest.param(
        SMALL + '[incidents]\nclose = ["oncall"]\n',
        f"g:{LINES + 2}: incidents.close[0]: there is no role 'oncall'",
        id="role-that-closes-incidents",
    ),
    pytest.param(
        SMALL + 'lineage = { adaptations = ["release"] }\n',
        "branches.\"release/x\".lineage.adaptations[0]: there is no role 'release'",
        id="role-of-adaptations",
    ),
    pytest.param(
        SMALL.replace("[roles.platform]", "[roles.ops]").replace('"approvals", "incidents"', '"approvals"'),
        "approvals.roles[0]: there is no role 'platform' (which approvals.roles names by default); expected 'ops' or",
        id="role-named-by-default",
    ),
    pytest.param(
        SMALL.replace('"master"', '"release/x"'),
        "g:10: branches.\"release/x\".upstream: 'release/x' is the branch itself; expected",
        id="its-own-upstream",
    ),
    pytest.param(
        SMALL + '[branches."Release/X"]\nupstream = "master"\nrequire = ["lineage"]\n',
        f"g:{LINES + 1}: branches.\"Release/X\": differs from 'release/x' on line 9 only in upper and lower case",
        id="branches-that-differ-in-case",
    ),
    pytest.param(
        HEAD + READY + GATE + DOCUMENT,
        "gates: no gate in 'architecture', 'data', 'reliability' and 'delivery'; expected at least one in each",
        id="empty-groups",
    ),
    pytest.param(
        HEAD + READY,
        "g:11: branches.\"release/x\".require: no gate in 'architecture', 'security', 'data', 'reliability' and",
        id="no-gates",
    ),
]


@pytest.mark.parametrize(("text", "expected"), BROKEN)
def test_what_only_several_tables_show(text: str, expected: str) -> None:
    found = problems(text)
    assert len(found) == 1
    assert expected in found[0]


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(SMALL, id="rules-without-gates"),
        pytest.param(
            HEAD.partition("[roles")[0] + BRANCH.replace(', "approvals", "incidents"', ""), id="no-roles"
        ),
        pytest.param(gate('{ all = [ { kind = "approvals" } ] }'), id="approval-cited"),
        pytest.param(
            SMALL + GATE + DOCUMENT + "mandatory = false\nwhen = { environment = 'staging' }\n",
            id="conditional",
        ),
    ],
)
def test_what_is_valid(text: str) -> None:
    assert parse_policy(text.encode(), where="g").policy.version == 1


def test_all_problems_come_at_once_in_the_order_of_the_file() -> None:
    text = (
        SMALL.replace("gitlab", "gitlub").replace('"master"', '"release/x"') + GATE + "evidence = 1\nx = 2\n"
    )
    found = problems(text)
    assert [line.split(":")[1] for line in found] == ["3", "10", f"{LINES + 5}", f"{LINES + 6}"]


def test_the_problems_are_there_as_data_too() -> None:
    with pytest.raises(PolicyError) as caught:
        parse_policy((SMALL + "mod = 1\n").encode(), where="g")
    (problem,) = caught.value.problems
    assert (problem.path, problem.line) == ('branches."release/x".mod', LINES + 1)
    assert problem.message.startswith("unknown key")
    assert caught.value.brief == caught.value.message


def test_a_thousand_problems_are_counted_not_listed() -> None:
    text = SMALL + "".join(f"x{number} = 1\n" for number in range(1000))
    found = problems(text)
    assert len(found) == LISTED + 1
    assert found[-1] == f"g: and {1000 - LISTED} more"
    with pytest.raises(PolicyError) as caught:
        parse_policy(text.encode(), where="g")
    assert caught.value.brief.endswith(" (and 999 more)")


WORDS = [
    "version = 1\n",
    "[[gates]]\n",
    "gates",
    "evidence",
    "kind",
    "all",
    "roles",
    "true",
    "evidence = { all = [ 1 ] }\n",
]
PIECES = st.sampled_from([HEAD, BRANCH, GATE, DOCUMENT, *WORDS, *"[]{}\"'=.,1é\n\0"])


@settings(deadline=None, max_examples=300)
@given(
    st.one_of(
        st.binary(max_size=300), st.lists(PIECES, max_size=30).map(lambda parts: "".join(parts).encode())
    )
)
def test_no_text_makes_it_crash(text: bytes) -> None:
    with contextlib.suppress(PolicyError):
        parse_policy(text, where="g")


TABLES = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=5), st.just("sarif")),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(st.sampled_from(["kind", "all", "any", "fields", "source", "x"]), inner, max_size=3),
    ),
    max_leaves=8,
)


def _toml(value: object) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f'"{key}" = {_toml(child)}' for key, child in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_toml, value)) + "]"
    if isinstance(value, str):
        return '"' + "".join(f"\\U{ord(c):08X}" for c in value if not 0xD800 <= ord(c) <= 0xDFFF) + '"'
    return "2020-01-01" if value is None else str(value).lower()


@settings(deadline=None, max_examples=300)
@given(TABLES)
def test_no_evidence_makes_it_crash_and_every_problem_has_a_line(value: object) -> None:
    """The internal tags never show: each path that is named stands in the file, or its table does."""
    text = gate(_toml(value))
    try:
        parse_policy(text.encode(), where="g")
    except PolicyError as error:
        for problem in error.problems:
            assert problem.line == LINES + 5
            assert problem.path.startswith("gates[0].evidence")
            assert problem.path.count("all") + problem.path.count("any") <= _toml(value).count('"a')
