"""Files of the tree by which a scanner passes over what it finds: a proposal cannot bring its own."""

from __future__ import annotations

from collections.abc import Iterable

from guard.adapters.evidence.sources import EvidenceSources
from guard.adapters.evidence.untrusted import shown

NAMED = 10

FILES: dict[str, tuple[str, ...]] = {
    # a word of the tool's name, in small letters: the files, in any folder
    "trivy": (".trivyignore", ".trivyignore.yaml", ".trivyignore.yml", "trivy.yaml", "trivy.yml"),
    "grype": (".grype.yaml", ".grype.yml", ".grype/config.yaml"),
    "osv-scanner": ("osv-scanner.toml",),
    "npm audit": (".npmrc",),
    "bandit": (".bandit", "bandit.yaml", "bandit.yml", "bandit.toml"),
    "semgrep": (".semgrepignore", ".semgrep.yml", ".semgrep.yaml"),
    "codeql": (".github/codeql/codeql-config.yml", ".github/codeql/codeql-config.yaml"),
    "gitleaks": (".gitleaksignore", ".gitleaks.toml"),
    "checkov": (".checkov.yml", ".checkov.yaml"),
    "gosec": (".gosec.json", ".golangci.yml", ".golangci.yaml"),
}


def own_configuration(tools: Iterable[str], sources: EvidenceSources) -> str:
    """Which such files of these tools differ between upstream and the candidate, as a list to show; "" for none.
    Raises GitError."""
    names = {
        name for tool in tools for word, files in FILES.items() if word in tool.casefold() for name in files
    }
    changed = sources.git.changed(sources.upstream, sources.candidate.new) if names else ()
    own = sorted(path for path in changed if any(f"/{path}".endswith(f"/{name}") for name in names))
    return shown(", ".join(own[:NAMED]), limit=500)
