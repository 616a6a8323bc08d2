#!/bin/sh
# Attacks the running webhook with forged, empty, truncated and replayed requests; with a file's name it writes SARIF there.
set -eu
exec "${PYTHON:-python3}" - "${1:-}" <<'PY'
import http.client, json, pathlib, sys, threading
from http.server import BaseHTTPRequestHandler, HTTPServer

sys.path.insert(0, ".")
from platform_control.ledger import Ledger
from platform_control.stripe import receive, signature

LEDGER, SECRET = Ledger(), b"kept by the operator"
BODY = b'{"id": "evt_1", "account": "acme", "cents": 500}'


class Webhook(BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        try:
            receive(LEDGER, json.loads(body), body=body, signed=self.headers.get("X-Signature", ""), secret=SECRET)
            status = 200
        except (PermissionError, ValueError, TypeError):
            status = 403
        self.send_response(status)
        self.end_headers()

    def log_message(self, *words):
        pass


def post(port, body, signed):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    connection.request("POST", "/", body, {"X-Signature": signed})
    return connection.getresponse().status


server = HTTPServer(("127.0.0.1", 0), Webhook)
threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
good = signature(SECRET, BODY)
attacks = {
    "forged-signature": (BODY, "0" * 64, 403), "no-signature": (BODY, "", 403),
    "another-body": (BODY.replace(b"500", b"900"), good, 403), "truncated-signature": (BODY, good[:10], 403),
    "honest": (BODY, good, 200), "replayed": (BODY, good, 200),
}
found = [name for name, (body, signed, status) in attacks.items() if post(server.server_address[1], body, signed) != status]
found += ["double-booking"] if LEDGER.balance("acme") != 500 else []
results = [{"ruleId": name, "level": "error", "message": {"text": f"the webhook took: {name}"}} for name in found]
artifacts = [{"location": {"uri": f"http://localhost/#{name}"}} for name in attacks]
run = {"tool": {"driver": {"name": "webhook-attacks"}}, "results": results, "artifacts": artifacts,
       "invocations": [{"executionSuccessful": True}]}
if sys.argv[1]:
    pathlib.Path(sys.argv[1]).write_text(json.dumps({"version": "2.1.0", "runs": [run]}), encoding="utf-8")
print(f"{len(attacks)} requests sent, {len(found)} findings")
sys.exit(1 if found else 0)
PY
