"""A service that is silent, broken, or not the one that is trusted: what cannot be decided is refused, in time."""

from __future__ import annotations

import json
import socket
import ssl
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from tests.gitrepo import Repo
from tests.hook_world import BRANCH, REF, World, build, guard

GITLAB = {"GL_ID": "user-7", "GL_PROTOCOL": "ssh", "GL_REPOSITORY": "project-1", "GL_USERNAME": "ann"}


def push(
    world: World, *words: str, tokens: tuple[str, ...] = (), server: Mapping[str, str] | None = None
) -> tuple[bool, str]:
    """Push past the client's hooks; a push to a folder hands its environment to the server's hooks."""
    options = [word for token in tokens for word in ("-o", f"guard-permit={token}")]
    dev = Repo(world.dev.path, env={**world.dev.env, **(server or {})})
    done = dev.run("push", "--no-verify", *options, "origin", *words)
    return done.returncode == 0, done.stderr.decode()


class TestSilence:
    """Nobody answers, or not as the guard does: it is not decided, and so refused; other refs notice nothing."""

    def refused(self, world: World, url: str) -> str:
        assert guard("install", "--server", world.bare.path, "--ask", url) == 0
        start = time.monotonic()
        token = world.issue(world.permit())
        taken, said = push(
            world, f"{world.new}:{REF}", tokens=(token,), server={"GITHUB_REPO_NAME": "demo/platform"}
        )
        assert not taken
        assert "permit.unverifiable: " in said, said
        assert time.monotonic() - start < 5, (
            "all hooks of a push to GitHub Enterprise Server have five seconds"
        )
        assert push(world, "master:refs/heads/feature")[0]
        return said

    @pytest.fixture
    def world(self, tmp_path: Path) -> World:
        world = build(tmp_path / "w")
        home = tmp_path / "service"
        assert guard("install", "--server", world.bare.path, "--home", home, "--protect", BRANCH) == 0
        return replace(world, elsewhere=home)

    def test_nobody_is_there(self, world: World) -> None:
        assert "Refused" in self.refused(world, "http://127.0.0.1:9")

    @pytest.mark.parametrize(
        "answer",
        [
            pytest.param(None, id="never-answers"),
            pytest.param(b"", id="hangs-up"),
            pytest.param(b"HTTP/1.0 200 OK\r\n\r\n{}", id="an-answer-to-nothing"),
            pytest.param(b"HTTP/1.0 200 OK\r\n\r\n[1]", id="no-object"),
            pytest.param(b"HTTP/1.0 200 OK\r\n\r\nyes", id="no-json"),
            pytest.param(b'HTTP/1.0 200 OK\r\nContent-Length: 500\r\n\r\n{"permit": "x"}', id="cut-off"),
            pytest.param(b"HTTP/1.0 302 Found\r\nLocation: http://127.0.0.1/\r\n\r\n", id="sent-elsewhere"),
            pytest.param(b"HTTP/1.0 500 Oops\r\n\r\n{}", id="broken"),
            pytest.param(b"SSH-2.0-OpenSSH\r\n", id="another-protocol"),
            pytest.param(b"HTTP/1.0 200 OK\r\n\r\n" + b"x" * 100_000, id="too-much"),
        ],
    )
    def test_another_program_is_there(self, world: World, answer: bytes | None) -> None:
        with socket.create_server(("127.0.0.1", 0)) as door:
            threading.Thread(target=answer_with, args=(door, answer), daemon=True).start()
            self.refused(world, f"http://127.0.0.1:{door.getsockname()[1]}")


def answer_with(door: socket.socket, answer: bytes | None) -> None:
    connection, _ = door.accept()
    with connection:
        connection.recv(65536)
        if answer is None:
            time.sleep(6)
        else:
            connection.sendall(answer)


class TestTls:
    """A service behind TLS: one whose certificate is trusted is asked, any other is nobody."""

    @pytest.mark.parametrize("trusted", [True, False])
    def test_the_certificate_decides(self, tmp_path: Path, trusted: bool) -> None:
        world = build(tmp_path / "w")
        certificate = self_signed(tmp_path)
        with agreeing(certificate) as url:
            assert guard("install", "--server", world.bare.path, "--ask", url) == 0
            trust = {
                "SSL_CERT_FILE": str(certificate if trusted else "/dev/null"),
                "SSL_CERT_DIR": str(tmp_path / "no"),
            }
            taken, said = push(world, f"{world.new}:{REF}", tokens=("any",), server=trust)
        assert taken is trusted, said
        assert trusted or "permit.unverifiable: " in said


def self_signed(folder: Path) -> Path:
    """A certificate for localhost with its key, in one PEM file."""
    key = Ed25519PrivateKey.generate()
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
        .serial_number(1).not_valid_before(now - timedelta(days=1)).not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, None)
    )  # fmt: skip
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    file = folder / "certificate.pem"
    file.write_bytes(private + made.public_bytes(Encoding.PEM))
    return file


@contextmanager
def agreeing(certificate: Path) -> Iterator[str]:
    """A server that says yes to whatever it is asked."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(200)
            self.end_headers()
            self.wfile.write(json.dumps({**asked, "permit": "a-permit-of-its-own"}).encode())

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"https://localhost:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
