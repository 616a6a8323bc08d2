"""`guard init`: write a policy with the complete catalogue of the release readiness page."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from urllib.parse import urlsplit

import click

from guard.core.errors import GuardError, PolicyError, UsageError
from guard.core.policy_text import parse_policy
from guard.render.safe import plain

BRANCH = "release/platform-control"
PROMOTE = "scripts/ci/platform_control_promote_release_branch.sh"

JOBS = 'jobs = ["contracts_validate", "contracts_breaking_change", "integration", "e2e"]'
CI = {
    "gitlab": f'{{ kind = "ci", {JOBS} }}',
    "github": f'{{ kind = "ci", {JOBS}, workflow = "ci.yml" }}',
    "local": '{ kind = "script", source = "ci", script = "scripts/ci/all.sh", max_age = "7d" }',
}
"""What the gate `delivery.ci` asks on each forge; without one the checks are run and their end is submitted."""

_SCP_LIKE = re.compile(r"^(?:[^/@:]+@)?(?P<host>[^/:@]+):(?P<path>(?!//).+)$")


@dataclass(frozen=True, slots=True)
class Origin:
    """What a remote's URL says: the forge's kind, "" where it cannot be told, and the repository's path there."""

    forge: str
    repository: str


@click.command()
@click.option(
    "--forge",
    type=click.Choice(["gitlab", "github", "local"]),
    help="Where the repository lives [default: told by the remote origin, else local].",
)
@click.option(
    "--repository",
    metavar="PATH",
    help="Its full path on the forge [default: told by the remote origin, else the folder's name].",
)
@click.option("--branch", default=BRANCH, show_default=True, help="The protected release branch.")
@click.option("--upstream", default="master", show_default=True, help="The branch every fix lands on first.")
@click.option(
    "--break-glass", is_flag=True, help="Let two owners pass one head in an emergency [default: nobody can]."
)
@click.option("--force", is_flag=True, help="Replace the file if it exists.")
@click.option(
    "--output", metavar="FILE", help="Where to write [default: guard.toml at the root of the repository]."
)
def init(
    *,
    forge: str | None,
    repository: str | None,
    branch: str,
    upstream: str,
    break_glass: bool,
    force: bool,
    output: str | None,
) -> None:
    """Write a commented policy with the complete catalogue: five groups, 28 gates, SEV-1 and SEV-2.

    It never replaces a file unless --force says so; `--output -` prints the policy instead.

    \b
    guard init
    guard init --forge gitlab --repository gpuaas/platform --branch release/1.4 --upstream main
    """
    root = _root(Path.cwd())
    origin = _origin(root)
    chosen = repository or origin.repository or root.name or "repository"
    text = filled_catalogue(
        forge=forge or origin.forge or "local",
        repository=chosen,
        branch=branch,
        upstream=upstream,
        break_glass=break_glass,
    )
    if output == "-":
        click.echo(text, nl=False)
        return
    file = Path(output) if output else root / "guard.toml"
    _write(file, text, force=force)
    click.echo(_next_steps(file, chosen, branch))


def catalogue_template() -> str:
    """The catalogue as it is shipped, with `{{…}}` where a repository's own names go."""
    return resources.files("guard").joinpath("catalogue.toml").read_text(encoding="utf-8")


def filled_catalogue(
    *, forge: str, repository: str, branch: str, upstream: str, break_glass: bool = False
) -> str:
    """The catalogue for one repository, known to be valid. Raises UsageError for a name that no policy can hold."""
    owner = repository.rpartition("/")[0].partition("/")[0]
    group = f"@{owner}/" if owner else "@"
    template = catalogue_template().replace('"{{ci}}"', CI[forge])
    promote = PROMOTE if branch == BRANCH else ""
    text = template if promote else _without_promote(template)
    text = text if break_glass else _without_break_glass(text)
    text = _fill(
        text,
        {
            "forge": forge,
            "repository": repository,
            "branch": branch,
            "upstream": upstream,
            "promote": promote,
            "platform_owners": f"{group}platform-owners",
            "security_owners": f"{group}security-owners",
            "submitters": f"{group}ci",
        },
    )
    try:
        parse_policy(text.encode(), where="guard.toml")
    except PolicyError as error:
        why = "; ".join(f"{problem.path}: {problem.message}" for problem in error.problems[:3])
        raise UsageError(
            f"no policy can be written with these names: {why}", fix="guard init --help"
        ) from None
    except UnicodeEncodeError:
        raise UsageError("no policy can be written with these names: one is not UTF-8 text") from None
    return text


def _fill(text: str, values: Mapping[str, str]) -> str:
    """Put each value, quoted as TOML wants it, where its `"{{name}}"` stands."""
    return re.sub(r'"\{\{(\w+)\}\}"', lambda match: json.dumps(values[match[1]], ensure_ascii=False), text)


def _without_promote(text: str) -> str:
    """The promote script of the catalogue is that of its own branch; another branch has the guard's own move."""
    return text.replace(
        'promote = "{{promote}}"',
        '# promote = "scripts/ci/promote.sh"    # the script that moves the branch; without one the guard does',
    )


def _without_break_glass(text: str) -> str:
    """The table stays to be read, and says nothing."""
    head, table, rest = text.partition("[break_glass]\n")
    lines, _, rest = rest.partition("\n\n")
    return head + "".join(f"# {line}\n" for line in (table + lines).splitlines()) + "\n" + rest


def _root(folder: Path) -> Path:
    """The root of the work tree around the folder: the first one up that has a `.git`, else the folder itself."""
    return next((place for place in (folder, *folder.parents) if (place / ".git").exists()), folder)


def _origin(root: Path) -> Origin:
    from guard.wiring import origin_url

    url = origin_url(root)
    return parse_origin(url) if url else Origin("", "")


def parse_origin(url: str) -> Origin:
    """The repository's path out of a remote's URL; nothing else of it, which may hold credentials, is used.

    `git@gitlab.example.com:gpuaas/platform.git` → gitlab, `gpuaas/platform`; a path on this machine → local and the
    last part of it. A host that names neither forge leaves it open.
    """
    scp = _SCP_LIKE.match(url)
    if "://" not in url and scp:
        return Origin(_forge_of(scp["host"]), _repository(scp["path"]))
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
    except ValueError:
        return Origin("", "")
    if parts.scheme in {"", "file"}:
        return Origin("local", _repository(parts.path).rpartition("/")[2])
    return Origin(_forge_of(host), _repository(parts.path))


def _forge_of(host: str) -> str:
    labels = host.lower().split(".")
    return next((forge for forge in ("gitlab", "github") if any(forge in label for label in labels)), "")


def _repository(path: str) -> str:
    """The path without the slashes around it and without `.git`; "" for one that is not printable text."""
    path = path.strip().strip("/").removesuffix(".git").strip("/")
    return path if path.isprintable() and len(path) <= 200 else ""


def _write(file: Path, text: str, *, force: bool) -> None:
    try:
        with file.open("w" if force else "x", encoding="utf-8", newline="\n") as stream:
            stream.write(text)
    except FileExistsError:
        raise UsageError(
            f"{plain(str(file))} exists, and is left as it is",
            fix="guard init --force replaces it, --output writes elsewhere",
            code="init.exists",
        ) from None
    except (FileNotFoundError, IsADirectoryError, NotADirectoryError, ValueError) as error:
        raise UsageError(f"{plain(str(file))} cannot be written: {error}") from None
    except OSError as error:
        raise GuardError(
            f"{plain(str(file))} cannot be written: {error.strerror}", code="init.failed"
        ) from None


def _next_steps(file: Path, repository: str, branch: str) -> str:
    return f"""\
wrote {plain(str(file))}: 28 gates in 5 groups for {plain(branch)} of {plain(repository)}

Next:
  1. Put your own people under [roles.platform], [roles.security] and [evidence] submitters.
  2. Walk through the gates: paths, scripts, tests and jobs are those of the release readiness page.
  3. Check it:  guard policy validate
  4. Land it on the upstream and on {plain(branch)}: a policy counts only where it stands on the branch it protects.
  5. See where you stand:  guard check --target {plain(branch)} --head HEAD"""
