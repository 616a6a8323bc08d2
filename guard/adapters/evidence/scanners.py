"""The JSON of dependency scanners, each in its own shape: what was found, and what was looked at at all.

The shape tells which scanner wrote it. A report that fits none, or more than one, is unreadable.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from guard.adapters.evidence.severity import SEVERITIES, UNKNOWN, of_score, of_word
from guard.adapters.evidence.untrusted import Unreadable, list_of, load_json, shown, table_of, text_of

Table = dict[str, object]

FIX = (
    "submit what the scanner wrote as JSON: pip-audit -f json, npm audit --json, osv-scanner, trivy or grype"
)


@dataclass(frozen=True, slots=True)
class Advisory:
    """One vulnerability in one package; `ids` are all names it goes by, the one to show first."""

    ids: tuple[str, ...]
    severity: str
    package: str
    title: str = ""
    fix: str = ""


@dataclass(frozen=True, slots=True)
class Scan:
    """What a scanner saw. `nothing` says why it proves nothing that nothing was found ("" where it does prove it) and
    `remedy` what would; `unlooked` are the packages that it left out; `found_codes` are the exit codes other than 0
    that it ends with when it found something."""

    tool: str
    advisories: tuple[Advisory, ...]
    nothing: str = ""
    remedy: str = ""
    unlooked: tuple[str, ...] = ()
    found_codes: frozenset[int] = frozenset({1})


def scan_of(data: bytes, what: str) -> Scan:
    """Raises Unreadable for what is no report of a scanner, and for a scanner's report of its own failure."""
    report = load_json(data, what)
    if isinstance(report, list):  # pip-audit before 2.5 wrote the bare list
        report = {"dependencies": report}
    table = table_of(report, what)
    found = [name for name, (fits, _) in SCANNERS.items() if fits(table)]
    if len(found) == 1:
        return SCANNERS[found[0]][1](table)
    if not found and ("error" in table or "statusCode" in table):
        said = table_of(table["error"], "error") if isinstance(table.get("error"), dict) else {}
        words = text_of(table.get("message")) or text_of(said.get("summary")) or "it does not say why"
        raise Unreadable(f"{what} tells that the scanner failed: {shown(words)}", fix="let the scan succeed")
    why = f"it could be one of {' and of '.join(found)}" if found else "its shape is none of theirs"
    raise Unreadable(f"{what} is not the report of a scanner that is known here: {why}", fix=FIX)


def _advisory(
    ids: Sequence[object], severity: str, package: str, *, title: object = "", fix: str = ""
) -> Advisory:
    names = tuple(
        dict.fromkeys(shown(name, limit=80) for name in ids if isinstance(name, str) and name.strip())
    )
    words = shown(text_of(title))
    return Advisory(names or ("an advisory without a name",), severity, package, words, fix)


def _package(name: object, version: object) -> str:
    words = f"{text_of(name)} {text_of(version)}".strip()
    return shown(words, limit=120) or "a package without a name"


def _upgrade(package: object, versions: list[object]) -> str:
    named = [shown(text_of(version), limit=40) for version in versions if text_of(version)]
    return f"upgrade {shown(text_of(package), limit=80)} to {' or '.join(named[:3])}" if named else ""


def _pip_audit(report: Table) -> Scan:
    """https://github.com/pypa/pip-audit#usage: a dependency with a `skip_reason` was not looked at. It tells no
    severity."""
    advisories: list[Advisory] = []
    unlooked: list[str] = []
    looked = 0
    for item in list_of(report.get("dependencies"), "dependencies"):
        dependency = table_of(item, "a dependency")
        if "skip_reason" in dependency or dependency.get("vulns") is None:
            unlooked.append(shown(text_of(dependency.get("name")), limit=80) or "a package without a name")
            continue
        looked += 1
        package = _package(dependency.get("name"), dependency.get("version"))
        for one in list_of(dependency["vulns"], "vulns"):
            found = table_of(one, "a vulnerability")
            ids = [found.get("id"), *list_of(found.get("aliases"), "aliases")]
            fix = _upgrade(dependency.get("name"), list_of(found.get("fix_versions"), "fix_versions"))
            advisories.append(_advisory(ids, UNKNOWN, package, title=found.get("description"), fix=fix))
    skipped = f"it skipped all {len(unlooked)} dependencies" if unlooked else "the report has no dependencies"
    remedy = "run it where the index and its advisories can be reached"
    return Scan(
        "pip-audit", tuple(advisories), "" if looked else skipped, remedy, tuple(unlooked) if looked else ()
    )


def _npm_audit(report: Table) -> Scan:
    """npm 7 and later (`auditReportVersion` 2): https://docs.npmjs.com/cli/commands/npm-audit; npm 6: `advisories`."""
    whole = table_of(report.get("metadata"), "metadata")
    advisories = _npm6(report) if "advisories" in report else _npm7(report)
    counts = table_of(whole.get("vulnerabilities"), "metadata.vulnerabilities")
    told = sum(value for key, value in counts.items() if key != "total" and type(value) is int and value > 0)
    if told and not advisories:
        raise Unreadable(f"npm audit counts {told} vulnerabilities, and its report names none")
    nothing = "" if _npm_dependencies(whole) else "it counts 0 dependencies"
    return Scan("npm audit", advisories, nothing, "run it beside a package-lock.json that lists dependencies")


def _npm_dependencies(metadata: Table) -> int:
    """How many packages were looked at besides the project itself: in a table (npm 7) or in several fields (npm 6)."""
    sorts = metadata.get("dependencies")
    if not isinstance(sorts, dict):
        return max(map(_count, (sorts, metadata.get("devDependencies"), metadata.get("totalDependencies"))))
    if "total" in sorts:
        return _count(sorts["total"])
    return sum(map(_count, sorts.values())) - 1  # the project is one of `prod`


def _count(value: object) -> int:
    return value if type(value) is int else 0


def _npm6(report: Table) -> tuple[Advisory, ...]:
    found = []
    for item in table_of(report.get("advisories"), "advisories").values():
        one = table_of(item, "an advisory")
        ids = [one.get("github_advisory_id"), *list_of(one.get("cves"), "cves"), _number(one.get("id"))]
        package = _package(one.get("module_name"), one.get("vulnerable_versions"))
        fix = _upgrade(one.get("module_name"), [one.get("patched_versions")])
        found.append(_advisory(ids, of_word(one.get("severity")), package, title=one.get("title"), fix=fix))
    return tuple(found)


def _npm7(report: Table) -> tuple[Advisory, ...]:
    """`via` holds the advisories of a package itself, and the names of packages that bring theirs along."""
    packages = table_of(report.get("vulnerabilities"), "vulnerabilities")
    found: list[Advisory] = []
    for name, item in packages.items():
        entry = table_of(item, "a vulnerable package")
        via = list_of(entry.get("via"), "via")
        own = [one for one in via if isinstance(one, dict)]
        fix = "npm audit fix" if entry.get("fixAvailable") else ""
        found += [_npm7_advisory(one, fix) for one in own]
        if not own and not any(isinstance(one, str) and one != name and one in packages for one in via):
            found.append(_advisory([name], of_word(entry.get("severity")), _package(name, ""), fix=fix))
    return tuple(found)


def _npm7_advisory(one: Table, fix: str) -> Advisory:
    url = text_of(one.get("url"))
    ids = [url.rpartition("/")[2] if "/GHSA-" in url else "", _number(one.get("source"))]
    package = _package(one.get("name"), one.get("range"))
    return _advisory(ids, of_word(one.get("severity")), package, title=one.get("title"), fix=fix)


def _rank(severity: str) -> int:
    """Unknown is the worst."""
    return SEVERITIES.index(severity) if severity in SEVERITIES else -1


def _number(value: object) -> str:
    return str(value) if type(value) is int and abs(value) < 10**18 else text_of(value)


def _osv_scanner(report: Table) -> Scan:
    """https://google.github.io/osv-scanner/output/: only `--all-packages` lists the packages without a finding, and
    without one of them an empty report is the same as one of an empty folder. Exit code 128 is "no packages"."""
    advisories: list[Advisory] = []
    looked = 0
    for item in list_of(report.get("results"), "results"):
        for one in list_of(table_of(item, "a result").get("packages"), "packages"):
            entry = table_of(one, "a package")
            looked += 1
            advisories += _osv_groups(entry)
    nothing = "" if looked else "its report names no package"
    return Scan(
        "osv-scanner", tuple(advisories), nothing, "run it with --all-packages, so that it shows what it saw"
    )


def _osv_groups(entry: Table) -> list[Advisory]:
    package = table_of(entry.get("package"), "a package's name")
    known = {
        text_of(table_of(one, "a vulnerability").get("id")): table_of(one, "a vulnerability")
        for one in list_of(entry.get("vulnerabilities"), "vulnerabilities")
    }
    name = _package(package.get("name"), package.get("version"))
    found, grouped = [], set[str]()
    for item in list_of(entry.get("groups"), "groups"):
        group = table_of(item, "a group")
        ids = list_of(group.get("ids"), "ids")
        grouped |= {text_of(key) for key in ids}
        mine = [known[text_of(key)] for key in ids if text_of(key) in known]
        score = group.get("max_severity")
        severity = of_score(score) if score else UNKNOWN
        told = [of_word(table_of(one.get("database_specific"), "x").get("severity")) for one in mine]
        if severity == UNKNOWN and told:
            severity = min(told, key=_rank)
        title = mine[0].get("summary") if mine else ""
        found.append(
            _advisory([*ids, *list_of(group.get("aliases"), "aliases")], severity, name, title=title)
        )
    alone = [one for key, one in known.items() if key not in grouped]
    return found + [
        _advisory(
            [one.get("id"), *list_of(one.get("aliases"), "aliases")],
            of_word(table_of(one.get("database_specific"), "database_specific").get("severity")),
            name,
            title=one.get("summary"),
        )
        for one in alone
    ]


def _trivy(report: Table) -> Scan:
    """https://trivy.dev/latest/docs/configuration/reporting/#json: a result of a class of packages shows that there
    were some; secrets and misconfigurations, where they were asked for, have severities too."""
    advisories: list[Advisory] = []
    looked = 0
    for item in list_of(report.get("Results"), "Results"):
        result = table_of(item, "a result")
        shown_packages = result.get("Packages") or result.get("Vulnerabilities")
        looked += result.get("Class") in {"os-pkgs", "lang-pkgs"} or bool(shown_packages)
        for one in list_of(result.get("Vulnerabilities"), "Vulnerabilities"):
            found = table_of(one, "a vulnerability")
            advisories.append(
                _advisory(
                    [found.get("VulnerabilityID"), *list_of(found.get("VendorIDs"), "VendorIDs")],
                    of_word(found.get("Severity")),
                    _package(found.get("PkgName"), found.get("InstalledVersion")),
                    title=found.get("Title"),
                    fix=_upgrade(found.get("PkgName"), [found.get("FixedVersion")]),
                )
            )
        advisories += _trivy_others(result)
    nothing = "" if looked else "its results name no packages"
    return Scan(
        "trivy", tuple(advisories), nothing, "let it scan for vulnerabilities where there is a lock file"
    )


def _trivy_others(result: Table) -> list[Advisory]:
    where = _package(result.get("Target"), "")
    secrets = [table_of(one, "a secret") for one in list_of(result.get("Secrets"), "Secrets")]
    wrong = [
        table_of(one, "a misconfiguration")
        for one in list_of(result.get("Misconfigurations"), "Misconfigurations")
    ]
    failed = [one for one in wrong if one.get("Status") not in {"PASS", "EXCEPTION"}]
    return [
        _advisory(
            [one.get("RuleID") or one.get("ID")], of_word(one.get("Severity")), where, title=one.get("Title")
        )
        for one in (*secrets, *failed)
    ]


def _grype(report: Table) -> Scan:
    """https://github.com/anchore/grype#output-formats: the descriptor tells which database was used."""
    advisories = []
    for item in list_of(report.get("matches"), "matches"):
        match = table_of(item, "a match")
        found = table_of(match.get("vulnerability"), "a vulnerability")
        artifact = table_of(match.get("artifact"), "an artifact")
        related = list_of(match.get("relatedVulnerabilities"), "relatedVulnerabilities")
        ids = [found.get("id"), *(table_of(one, "a related vulnerability").get("id") for one in related)]
        package = _package(artifact.get("name"), artifact.get("version"))
        fix = _upgrade(
            artifact.get("name"), list_of(table_of(found.get("fix"), "a fix").get("versions"), "versions")
        )
        advisories.append(
            _advisory(ids, of_word(found.get("severity")), package, title=found.get("description"), fix=fix)
        )
    remedy = "give it a source with packages, and let it load its database"
    return Scan("grype", tuple(advisories), _grype_nothing(report), remedy, found_codes=frozenset({1, 2}))


def _grype_nothing(report: Table) -> str:
    source = table_of(report.get("source"), "source")
    if not text_of(source.get("type")) or source.get("target") in (None, "", {}):
        return "it names no source"
    database = table_of(table_of(report.get("descriptor"), "descriptor").get("db"), "the descriptor's db")
    status = table_of(database.get("status"), "the database's status") or database
    if not status or not text_of(status.get("built")):
        return "it names no vulnerability database"
    if status.get("error") or status.get("valid") is False:
        return "its vulnerability database was not usable"
    return ""


Fits = Callable[[Table], bool]

SCANNERS: dict[str, tuple[Fits, Callable[[Table], Scan]]] = {
    "pip-audit": (lambda table: "dependencies" in table, _pip_audit),
    "npm audit": (lambda table: "auditReportVersion" in table or "advisories" in table, _npm_audit),
    "osv-scanner": (lambda table: "results" in table, _osv_scanner),
    "trivy": (lambda table: "SchemaVersion" in table or "Results" in table, _trivy),
    "grype": (lambda table: "matches" in table, _grype),
}
"""Each scanner by the key that only its reports have."""
