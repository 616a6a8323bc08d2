"""Everything that can be wrong in a policy that is TOML: each with its key path, line and what was expected."""

from __future__ import annotations

import pytest

from tests.policy_texts import BRANCH, DOCUMENT, GATE, HEAD, LINES, SMALL, gate, problems

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
        SMALL + '[[branches."release/x".lineage.exemptions]]\npath = ["docs/**"]\napproval = ["platform"]\n',
        f"g:{LINES + 2}: branches.\"release/x\".lineage.exemptions[0].path: unknown key; did you mean 'paths'?"
        " expected paths, markers or approval",
        id="key-of-an-exemption",
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
        SMALL + 'lineage = { alterations = ["release"] }\n',
        "branches.\"release/x\".lineage.alterations[0]: there is no role 'release'",
        id="role-of-alterations",
    ),
    pytest.param(
        SMALL + 'lineage = { exemptions = [{ paths = ["tox.ini"], approval = ["release"] }] }\n',
        "branches.\"release/x\".lineage.exemptions[0].approval[0]: there is no role 'release'",
        id="role-of-an-exemption",
    ),
    pytest.param(
        SMALL + 'lineage = { exemptions = [{ approval = ["platform"] }] }\n',
        'branches."release/x".lineage.exemptions[0]: it exempts nothing; expected paths or markers',
        id="exemption-of-nothing",
    ),
    pytest.param(
        SMALL + 'lineage = { exemptions = [{ paths = ["tox.ini"], approval = [] }] }\n',
        'branches."release/x".lineage.exemptions[0].approval: got an empty array',
        id="exemption-without-approval",
    ),
    pytest.param(
        SMALL + 'lineage = { trailers = ["Change Id"] }\n',
        "branches.\"release/x\".lineage.trailers[0]: got 'Change Id'; expected a trailer's key",
        id="trailer-with-a-space",
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
