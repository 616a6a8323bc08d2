"""An append-only ledger: the balance is never stored, only recomputed."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Entry:
    account: str
    cents: int
    reference: str


class Ledger:
    def __init__(self) -> None:
        self._entries: list[Entry] = []

    @property
    def entries(self) -> tuple[Entry, ...]:
        return tuple(self._entries)

    def post(self, entry: Entry) -> bool:
        """Append the entry; False when its reference was posted before."""
        if any(known.reference == entry.reference for known in self._entries):
            return False
        self._entries.append(entry)
        return True

    def balance(self, account: str) -> int:
        return sum(entry.cents for entry in self._entries if entry.account == account)
