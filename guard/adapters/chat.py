"""A chat room's incoming webhook: one JSON object with a `text`, as Slack, Mattermost and Rocket.Chat take it."""

from __future__ import annotations

import requests

from guard.core.errors import GuardError

TIMEOUT = 10.0
JOINER = "\u2060"


class ChatError(GuardError):
    """The room could not be told. The message never holds the address, which is a secret."""

    code = "chat.failed"


class WebhookChat:
    """The port Chat."""

    def __init__(self, url: str) -> None:
        self._url = url

    def say(self, text: str) -> None:
        """Raises ChatError. Nothing in the text mentions anybody: `<!channel>` is Slack's way, `@all` the others'."""
        shown = (
            text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace("@", f"@{JOINER}")
        )
        try:
            answer = requests.post(self._url, json={"text": shown}, timeout=TIMEOUT, allow_redirects=False)
        except requests.RequestException as error:
            raise ChatError(f"the chat gave no answer ({type(error).__name__})") from None
        if answer.status_code // 100 != 2:
            raise ChatError(f"the chat answered HTTP {answer.status_code}", fix="check GUARD_CHAT_WEBHOOK")
