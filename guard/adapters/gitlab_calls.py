"""Every call to GitLab's REST API, through python-gitlab: bounded patience, whole lists or none, one kind of error.

python-gitlab's own retries are not used: they would repeat a POST whose answer was lost, and sleep for as long as a
server's `Retry-After` says.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from typing import TypeAlias

import gitlab
import requests

from guard.core.errors import ForgeError

Record: TypeAlias = Mapping[str, object]
Query: TypeAlias = Mapping[str, str | int | bool]

TRIES = 4
"""How often one request is sent at most; 0.5, 1 and 2 seconds lie between."""
LONGEST_WAIT = 20.0
"""Seconds; a forge that asks for more patience than this is reported, not waited for."""
TIMEOUT = 20.0
"""Seconds for connecting and for each silence within an answer, where the client sets none."""
PER_PAGE = 100
MOST_PAGES = 100
READINGS = 3
"""How often a list is read from the start again when it changes while it is read."""

TRANSIENT = frozenset({429, 500, 502, 503, 504})
MESSAGE = 300


class Rejected(ForgeError):
    """GitLab answered with an error. `status` is the HTTP status, 0 when there was no answer at all; `said` is its
    own words, bounded."""

    def __init__(self, message: str, *, status: int = 0, said: str = "", fix: str = "") -> None:
        super().__init__(message, fix=fix)
        self.status = status
        self.said = said


class _Busy(Exception):
    """HTTP 429 or 503 with a `Retry-After`, which python-gitlab's own exceptions do not carry."""

    def __init__(self, response: requests.Response) -> None:
        super().__init__(response.status_code)
        self.status = response.status_code
        self.after = response.headers.get("Retry-After", "")


class Calls:
    """One client's calls; like the client, for one thread at a time."""

    def __init__(self, client: gitlab.Gitlab, *, sleep: Callable[[float], None] = time.sleep) -> None:
        self._client = client
        self._sleep = sleep
        if _notice_busy not in client.session.hooks["response"]:
            client.session.hooks["response"].append(_notice_busy)

    @property
    def url(self) -> str:
        """Where GitLab is, without a slash at the end."""
        return self._client.url

    def one(self, path: str, needs: str, **query: str | int | bool) -> Record:
        """The JSON object at this path. Raises Rejected; `needs` says what the token must be allowed to do."""
        return _record(self._send("get", path, needs=needs, query=query), path)

    def every(self, path: str, needs: str, **query: str | int | bool) -> tuple[Record, ...]:
        """All items of the list at this path, of all pages. Raises ForgeError rather than give a shorter list.

        A list that shrinks between two pages moves an item over the edge of a page, where nobody sees it; the
        total tells (https://docs.gitlab.com/api/rest/#offset-based-pagination).
        """
        for _ in range(READINGS):
            items = self._read_pages(path, needs, query)
            if items is not None:
                return items
        raise ForgeError(
            f"GitLab's list {path} changed while it was read, {READINGS} times", fix="it is read again later"
        )

    def page(self, path: str, needs: str, *, page: int, **query: str | int | bool) -> tuple[Record, ...]:
        """One page of a list of which the newest items are enough; it may shift while it is read."""
        asked = {**query, "per_page": PER_PAGE, "page": page}
        return tuple(_records(self._send("get", path, needs=needs, query=asked), path))

    def post(self, path: str, data: Mapping[str, object], *, needs: str, repeatable: bool) -> Record:
        """Send it, and again after a failure that leaves open whether it was done only when it is `repeatable`."""
        return _record(self._send("post", path, needs=needs, data=data, repeatable=repeatable), path)

    def ask(self, query: str, variables: Mapping[str, object], *, needs: str) -> Record:
        """The `data` of a GraphQL query, for what REST does not tell (https://docs.gitlab.com/api/graphql/)."""
        path = f"{self.url}/api/graphql"
        answer = self.post(path, {"query": query, "variables": variables}, needs=needs, repeatable=True)
        data = answer.get("data")
        if answer.get("errors") or not isinstance(data, dict):
            raise ForgeError("GitLab did not answer a GraphQL query", fix=f"give the guard's user {needs}")
        return data

    def put(self, path: str, data: Mapping[str, object], *, needs: str) -> Record:
        return _record(self._send("put", path, needs=needs, data=data), path)

    def patch(self, path: str, data: Mapping[str, object], *, needs: str) -> Record:
        return _record(self._send("patch", path, needs=needs, data=data), path)

    def _read_pages(self, path: str, needs: str, query: Query) -> tuple[Record, ...] | None:
        """One reading of the whole list; None when it visibly changed meanwhile."""
        items: list[Record] = []
        totals: set[str] = set()
        page = 1
        for _ in range(MOST_PAGES):
            response = self._send(
                "get", path, needs=needs, query={**query, "per_page": PER_PAGE, "page": page}
            )
            found = _records(response, path)
            items += found
            totals.add(response.headers.get("X-Total", ""))
            following = _next_page(response, path, page=page, length=len(found))
            if following is None:
                return tuple(items) if _is_whole(items, totals) else None
            page = following
        raise ForgeError(f"GitLab's list {path} has more than {MOST_PAGES * PER_PAGE} items")

    def _send(
        self,
        verb: str,
        path: str,
        *,
        needs: str,
        query: Query | None = None,
        data: Mapping[str, object] | None = None,
        repeatable: bool = True,
    ) -> requests.Response:
        for attempt in range(TRIES):
            last = attempt == TRIES - 1
            try:
                response = self._client.http_request(
                    verb,
                    path,
                    query_data={name: _worded(value) for name, value in (query or {}).items()},
                    post_data=dict(data) if data is not None else None,
                    timeout=self._client.timeout or TIMEOUT,
                    obey_rate_limit=False,
                    retry_transient_errors=False,
                )
                response.json()
            except _Busy as busy:
                wait = _seconds(busy.after, attempt)
                if last or wait > LONGEST_WAIT or not (repeatable or busy.status == 429):
                    raise _too_busy(busy) from None
            except gitlab.GitlabHttpError as error:
                wait = _seconds("", attempt)
                status = error.response_code or 0
                again = status == 429 or (repeatable and (status in TRANSIENT or _is_locked(error)))
                if last or not again:
                    raise _rejected(error, path, needs) from None
            except (requests.RequestException, ValueError, RecursionError) as error:
                wait = _seconds("", attempt)
                if last or not repeatable:
                    raise _unanswered(error) from None
            except gitlab.GitlabError as error:
                raise _rejected(error, path, needs) from None
            else:
                return response
            self._sleep(wait)
        raise AssertionError("the last try returns or raises")


def _notice_busy(response: requests.Response, *args: object, **kwargs: object) -> None:
    """A hook of the session. The body is read first, so that the connection can be used again."""
    del args, kwargs
    if response.status_code in (429, 503) and "Retry-After" in response.headers:
        _ = response.content
        raise _Busy(response)


def _worded(value: str | int | bool) -> str:  # noqa: FBT001  a value, not a switch
    """`true` and `false` as JSON writes them."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def _seconds(after: str, attempt: int) -> float:
    """How long to wait: what the forge asks for where it is a number of seconds, and twice as long each time else."""
    return float(after) if after.isascii() and after.isdigit() and len(after) < 9 else 0.5 * 2**attempt


def _next_page(response: requests.Response, path: str, *, page: int, length: int) -> int | None:
    """The number of the page after this one, or None. `X-Next-Page` and `Link` have to agree, so that a header that
    a proxy dropped is no end of the list."""
    named = response.headers.get("X-Next-Page")
    linked = "next" in response.links
    if named is not None and bool(named) != linked:
        raise ForgeError(
            f"GitLab's list {path} says in one header that it goes on, and in another that it ends"
        )
    if named is None and not linked and length >= PER_PAGE:
        raise ForgeError(f"GitLab's list {path} came without the headers that say whether it goes on")
    if not linked:
        return None
    if named is not None and named != str(page + 1):
        raise ForgeError(f"GitLab's list {path} goes on from page {page} to page {named[:10]!r}")
    return page + 1


def _is_whole(items: Iterable[Record], totals: set[str]) -> bool:
    """Whether the pages add up: one total throughout, met exactly, and nothing twice. Above 10,000 items GitLab
    names no total."""
    names = [str(item.get("id", index)) for index, item in enumerate(items)]
    total = next(iter(totals)) if len(totals) == 1 else None
    return total in ("", str(len(names))) and len(set(names)) == len(names)


def _records(response: requests.Response, path: str) -> list[Record]:
    value = response.json()
    if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
        raise ForgeError(f"GitLab answered {path} with something that is no list of objects")
    return value


def _record(response: requests.Response, path: str) -> Record:
    value = response.json()
    if not isinstance(value, dict):
        raise ForgeError(f"GitLab answered {path} with something that is no object")
    return value


def _is_locked(error: gitlab.GitlabHttpError) -> bool:
    """409 while somebody else holds the lock on the same thing (Ci::CreateCommitStatusService)."""
    return error.response_code == 409


def _too_busy(busy: _Busy) -> Rejected:
    why = f"GitLab is busy (HTTP {busy.status}) and asks to wait: {busy.after[:40]!r}"
    return Rejected(
        why, status=busy.status, fix="it is tried again later; raise the rate limit of the guard's user"
    )


def _unanswered(error: Exception) -> Rejected:
    unreadable = isinstance(error, (requests.JSONDecodeError, RecursionError))
    kind = "an answer that is no JSON" if unreadable else "no answer"
    fix = "check that GitLab is up; it is tried again later"
    return Rejected(f"GitLab gave {kind} ({type(error).__name__})", fix=fix)


def _rejected(error: gitlab.GitlabError, path: str, needs: str) -> Rejected:
    raw: object = error.error_message
    said = (raw.decode(errors="replace") if isinstance(raw, bytes) else str(raw))[:MESSAGE]
    status = error.response_code or 0
    words = {
        401: ("the token is not valid", "give the guard a new access token"),
        403: ("the token may not do this", f"give the guard's user {needs}, and its token the scope `api`"),
        404: (
            "it is not there, or hidden from the token",
            f"check the name, and give the guard's user {needs}",
        ),
    }
    why, fix = words.get(status, (said, "it is tried again later"))
    return Rejected(f"HTTP {status} from {path}: {why}", status=status, said=said, fix=fix)
