"""What `guard install` compiled for the hooks: which branches are protected, and the keys that sign permits."""

from __future__ import annotations

from hooks.say import Stop
from hooks.values import TYPE_CHECKING, NamedTuple, read_json

if TYPE_CHECKING:
    from typing import Any

FORMAT = 1


class Branch(NamedTuple):
    """A protected branch as its own policy describes it. `observe` means: warn, and let it pass."""

    ref: str
    repository: str
    upstream: str
    observe: bool
    read_first: tuple[str, ...]

    @property
    def name(self) -> str:
        return self.ref.removeprefix("refs/heads/")


class Config(NamedTuple):
    """The compiled file. `keys` are public JWKs by `kid`; `packages` the folders that hold `cryptography`;
    `sources` the blobs that were read as policies, by remote-tracking ref; `database` a server's ledger in
    PostgreSQL, "" for the file in the same folder;
    `verify` who says whether a permit is good: "" that ledger, "offline" the public keys alone, or the URL of the
    guard's service, which is also asked about merges in a forge's web interface when `web_merges` is "ask"."""

    branches: dict[str, Branch]
    remote: str
    urls: tuple[str, ...]
    keys: dict[str, dict[str, object]]
    packages: tuple[str, ...]
    sources: dict[str, str]
    python: str
    database: str
    verify: str
    web_merges: str

    def tracking(self, ref: str) -> str:
        """The remote-tracking ref of a branch of the guarded remote."""
        return f"refs/remotes/{self.remote}/{ref.removeprefix('refs/heads/')}"


def read_config(folder: str) -> Config:
    """Read `hooks.json`. Raises Stop, because without it nobody can say what is allowed."""
    file = f"{folder}/hooks.json"
    try:
        table: Any = read_json(file)
        if table["format"] != FORMAT:
            raise ValueError(f"it has format {table['format']}, this version reads {FORMAT}")
        return Config(
            branches={ref: _branch(ref, entry) for ref, entry in table["branches"].items()},
            remote=str(table["remote"]),
            urls=tuple(map(str, table["urls"])),
            keys={str(key["kid"]): dict(key) for key in table["keys"]},
            packages=tuple(map(str, table["packages"])),
            sources={str(ref): str(blob) for ref, blob in table.get("sources", {}).items()},
            python=str(table["python"]),
            database=str(table.get("database", "")),
            verify=str(table.get("verify", "")),
            web_merges=str(table.get("web_merges", "refuse")),
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise Stop("hooks.config", f"{file} cannot be used: {error}", 'run "guard install" again') from None


def _branch(ref: str, entry: dict[str, object]) -> Branch:
    documents = entry["read_first"]
    if not isinstance(documents, list):
        raise ValueError(f"read_first of {ref} is no list")
    return Branch(
        ref=ref,
        repository=str(entry["repository"]),
        upstream=str(entry["upstream"]),
        observe=entry["mode"] == "observe",
        read_first=tuple(map(str, documents)),
    )
