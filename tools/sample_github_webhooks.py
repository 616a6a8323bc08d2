"""Keep a bounded sample of GitHub's example payloads: the shortest of each event that the guard reads.

    python -m tools.sample_github_webhooks index.json

`make contracts` fetches the examples (npm package @octokit/webhooks-examples, MIT) and runs this.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from webhook_app.github import EVENTS

SAMPLES = Path("tests/samples/github-webhooks")
OTHERS = frozenset({"star", "deployment"})
"""Events that wake nothing."""
ACTIONS = {"pull_request": frozenset({"opened", "synchronize", "closed"})}
"""Events of which more than one action is kept."""


def main() -> None:
    SAMPLES.mkdir(parents=True, exist_ok=True)
    for kind in json.loads(Path(sys.argv[1]).read_bytes()):
        name = kind["name"]
        if name not in EVENTS.keys() | OTHERS:
            continue
        shortest: dict[str, str] = {}
        for payload in kind["examples"]:
            text, action = json.dumps(payload, separators=(",", ":")), str(payload.get("action", ""))
            key = action if action in ACTIONS.get(name, ()) else ""
            if key not in shortest or len(text) < len(shortest[key]):
                shortest[key] = text
        for action, text in shortest.items():
            (SAMPLES / f"{name}{'.' + action if action else ''}.json").write_text(
                text + "\n", encoding="utf-8"
            )


if __name__ == "__main__":
    main()
