"""What runs beside the platform: tells over HTTP whether its dashboards and alerts are there and wired.

Run it as `python -m platform_control.observe FOLDER`; it takes a free port, prints it, and ends with its standard input:
whoever started it holds the other end of that pipe, and when they are gone, however they went, it has nobody to tell.
"""

import json
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path


def state(folder: Path) -> dict[str, object]:
    """Read anew each time, so that it tells what is so now."""
    dashboards = [json.loads(file.read_text()) for file in sorted((folder / "dashboards").glob("*.json"))]
    alerts = json.loads((folder / "alerts.json").read_text())
    reached = [rule for rule in alerts["rules"] if alerts["receivers"].get(rule["receiver"])]
    return {
        "dashboards": {"live": bool(dashboards) and all(one["panels"] for one in dashboards)},
        "alerts": {
            "wired": bool(alerts["rules"]) and len(reached) == len(alerts["rules"]),
            "firing": len(alerts.get("firing", [])),
        },
    }


class Answer(BaseHTTPRequestHandler):
    folder = Path("ops")

    def do_GET(self) -> None:
        body = json.dumps(state(self.folder)).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *words: object) -> None:
        pass


if __name__ == "__main__":
    Answer.folder = Path(sys.argv[1])
    server = ThreadingHTTPServer(("127.0.0.1", 0), Answer)
    print(server.server_address[1], flush=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    sys.stdin.read()
