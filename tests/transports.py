"""A bare repository over ssh and over smart HTTP, with Debian's sshd and `git http-backend`, on loopback ports."""

from __future__ import annotations

import base64
import os
import pwd
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.gitrepo import clean_environment

SSHD = shutil.which("sshd", path=f"{os.environ['PATH']}:/usr/sbin:/usr/local/sbin")


@contextmanager
def over_ssh(
    bare: Path, folder: Path, environment: Mapping[str, str]
) -> Iterator[tuple[str, dict[str, str]]]:
    """The repository's URL and what git needs to reach it. Skips with a reason where sshd cannot run."""
    if SSHD is None or shutil.which("ssh") is None:
        pytest.skip("sshd is not installed (Debian: openssh-server)")
    if os.geteuid() != 0:
        pytest.skip("sshd lets nobody in as another user unless it is root's")
    if Path("/etc/shadow").read_text().split("root:", 1)[1].startswith("!"):
        pytest.skip(
            "root's account is locked, and sshd without PAM lets no locked one in (usermod -p '*' root)"
        )
    Path("/run/sshd").mkdir(exist_ok=True)
    folder.mkdir(parents=True)
    for name in ("host", "user"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", folder / name], check=True)
    port, user = _free_port(), pwd.getpwuid(os.geteuid()).pw_name
    sets = " ".join(f'"{name}={value}"' for name, value in environment.items())
    (folder / "sshd_config").write_text(
        f"Port {port}\nListenAddress 127.0.0.1\nHostKey {folder}/host\nAuthorizedKeysFile {folder}/user.pub\n"
        f"PidFile none\nUsePAM no\nStrictModes no\nPermitRootLogin yes\nPasswordAuthentication no\n"
        + (f"SetEnv {sets}\n" if sets else "")
    )
    with (folder / "log").open("wb") as log:
        server = subprocess.Popen([SSHD, "-D", "-e", "-f", folder / "sshd_config"], stderr=log)
    try:
        _wait_for(port, server)
        command = (
            f"ssh -i {folder}/user -o StrictHostKeyChecking=no -o UserKnownHostsFile={folder}/known -o LogLevel=ERROR"
            " -F /dev/null -o BatchMode=yes"
        )
        yield f"ssh://{user}@127.0.0.1:{port}{bare}", {"GIT_SSH_COMMAND": command}
    finally:
        server.terminate()
        server.wait(timeout=10)


@contextmanager
def over_http(
    bare: Path, folder: Path, environment: Mapping[str, str], *, accounts: Mapping[str, str] | None = None
) -> Iterator[tuple[str, dict[str, str]]]:
    """The same over smart HTTP, by git's own CGI program behind a small server. `accounts`: who may come in, as
    `user:password` → the name that hooks see; without it everybody is let in as dev."""
    subprocess.run(["git", "-C", bare, "config", "http.receivepack", "true"], check=True)
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(bare.parent, environment, accounts))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/{bare.name}", {}
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _handler(
    root: Path, environment: Mapping[str, str], accounts: Mapping[str, str] | None
) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        """RFC 3875: the request as variables and standard input, the answer with a `Status:` line."""

        def do_GET(self) -> None:
            self._serve(b"")

        def do_POST(self) -> None:
            self._serve(self._body())

        def _body(self) -> bytes:
            if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
                return self.rfile.read(int(self.headers.get("Content-Length", 0)))
            body = b""
            while size := int(self.rfile.readline().split(b";")[0], 16):
                body += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
            return body

        def _who(self) -> str | None:
            """RFC 7617."""
            if accounts is None:
                return "dev"
            scheme, _, text = self.headers.get("Authorization", "").partition(" ")
            given = base64.b64decode(text).decode() if scheme == "Basic" else ""
            return accounts.get(given)

        def _serve(self, body: bytes) -> None:
            who = self._who()
            if who is None:
                self.send_response(401)
                self.send_header("WWW-Authenticate", 'Basic realm="git"')
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            path, _, query = self.path.partition("?")
            env = {
                **clean_environment(**environment),
                "GIT_PROJECT_ROOT": str(root), "GIT_HTTP_EXPORT_ALL": "1", "PATH_INFO": path, "QUERY_STRING": query,
                "REQUEST_METHOD": self.command, "CONTENT_TYPE": self.headers.get("Content-Type", ""),
                "CONTENT_LENGTH": str(len(body)), "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
                "GIT_PROTOCOL": self.headers.get("Git-Protocol", ""), "REMOTE_USER": who, "REMOTE_ADDR": "127.0.0.1",
            }  # fmt: skip
            done = subprocess.run(
                ["git", "http-backend"], input=body, env=env, capture_output=True, check=False
            )
            head, _, content = done.stdout.partition(b"\r\n\r\n")
            lines = [line.split(": ", 1) for line in head.decode("latin-1").split("\r\n")]
            status = next((value for name, value in lines if name == "Status"), "200 OK")
            self.send_response(int(status[:3]))
            for name, value in lines:
                if name != "Status":
                    self.send_header(name, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *args: object) -> None:
            pass

    return Handler


TRANSPORTS = {"ssh": over_ssh, "http": over_http}


def _free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


def _wait_for(port: int, server: subprocess.Popen[bytes]) -> None:
    for _ in range(500):
        if server.poll() is not None:
            pytest.skip("sshd does not start here")
        with socket.socket() as attempt:
            if attempt.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.02)
    raise AssertionError("sshd does not answer")
