"""Events leave through an outbox: written with their entry, relayed until the receiver has taken them."""

from collections.abc import Callable


class Outbox:
    def __init__(self) -> None:
        self._waiting: list[dict[str, str]] = []

    @property
    def waiting(self) -> int:
        return len(self._waiting)

    def write(self, id: str, subject: str, body: str) -> None:
        self._waiting.append({"id": id, "subject": subject, "body": body})

    def relay(self, send: Callable[[dict[str, str]], None]) -> None:
        """Send every event, oldest first; one whose receiver fails stays, and is sent again the next time."""
        while self._waiting:
            send(self._waiting[0])
            self._waiting.pop(0)


def posted(outbox: Outbox, id: str, body: str) -> None:
    outbox.write(id, "ledger.entry.posted", body)


def received(outbox: Outbox, id: str, body: str) -> None:
    outbox.write(id, "stripe.event.received", body)
