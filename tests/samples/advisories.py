"""A registry of advisories on the loopback interface, for scanners that can reach no other: made-up answers in the
shape of the published interfaces, so that the real tools write their real reports.

    python advisories.py PORT FILE     writes FILE when it listens, and serves until it is ended
"""

from __future__ import annotations

import json
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

LODASH = {
    "id": 1106900,
    "url": "https://github.com/advisories/GHSA-jf85-cpcp-j695",
    "title": "Prototype Pollution in lodash",
    "severity": "critical",
    "vulnerable_versions": "<4.17.12",
    "cwe": ["CWE-1321"],
    "cvss": {"score": 9.1, "vectorString": "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:N/I:H/A:H"},
}
NPM = {"lodash": [LODASH]}
"""https://docs.npmjs.com/cli/commands/npm-audit#bulk-advisory-endpoint"""

REQUESTS: dict[str, Any] = {
    "id": "PYSEC-2018-28",
    "aliases": ["CVE-2018-18074", "GHSA-x84v-xcm2-53pg"],
    "details": "Requests sends an HTTP Authorization header to an http URI on a redirect from https.",
    "modified": "2023-11-08T04:00:00Z",
    "published": "2018-10-09T17:29:00Z",
    "affected": [
        {
            "package": {"name": "requests", "ecosystem": "PyPI"},
            "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "2.20.0"}]}],
            "versions": ["2.19.0", "2.19.1"],
        }
    ],
}
OSV: dict[str, list[dict[str, Any]]] = {"requests": [REQUESTS]}
"""https://google.github.io/osv.dev/post-v1-query/"""

PACKUMENT = {
    "name": "lodash",
    "dist-tags": {"latest": "4.17.21"},
    "versions": {
        version: {
            "name": "lodash",
            "version": version,
            "dist": {"tarball": f"http://127.0.0.1/{version}.tgz"},
        }
        for version in ("4.17.0", "4.17.21")
    },
}


class Registry(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        import gzip

        data = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        asked = json.loads(gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data or b"{}")
        if self.path.endswith("/advisories/bulk"):
            self._answer({name: NPM[name] for name in asked if name in NPM})
        else:
            package = asked["package"]["name"]
            hit = [
                one for one in OSV.get(package, []) if asked.get("version") in one["affected"][0]["versions"]
            ]
            self._answer({"vulns": hit} if hit else {})

    def do_GET(self) -> None:
        self._answer(PACKUMENT if self.path == "/lodash" else {})

    def _answer(self, body: Any) -> None:
        data = json.dumps(body).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *words: object) -> None: ...


if __name__ == "__main__":
    server = ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Registry)
    Path(sys.argv[2]).write_text("listening")
    server.serve_forever()
