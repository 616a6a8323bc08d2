"""The elementary values that a policy is written in: names, paths, severities, ages."""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    StrictBool,
    StrictInt,
    StrictStr,
    StringConstraints,
)

from guard.core.durations import Duration

Name = Annotated[str, StringConstraints(min_length=1, max_length=200, strip_whitespace=True)]
PATH_PATTERN = r"^[^/\x00][^\x00]*$"


def _inside(path: str) -> str:
    """The path without a slash at its end; one that leaves the repository or goes about in it is refused."""
    inner = path.rstrip("/")
    if any(part in {"", ".", ".."} for part in inner.split("/")):
        raise ValueError(f"got {path!r}; expected a path inside the repository, without '.', '..' or '//'")
    return inner


Path = Annotated[
    str, StringConstraints(min_length=1, max_length=500, pattern=PATH_PATTERN), AfterValidator(_inside)
]
Severity = Literal["low", "medium", "high", "critical"]
Scalar: TypeAlias = StrictStr | StrictInt | StrictBool
Age = Annotated[
    Duration | None, Field(description="the age at which it no longer counts, such as `24h` or `7d`")
]


SERVICE_PATTERN = r"^(https://[^/\s@?#]+|http://(localhost|127\.0\.0\.1|\[::1\])(:[0-9]+)?)(/[^\s?#]*)?$"
"""Permits come back from there, so nobody on the way may read them; without TLS only this machine is asked."""
ServiceUrl = Annotated[str, StringConstraints(max_length=500, pattern=SERVICE_PATTERN)]


class Spec(BaseModel):
    """What every kind has in common; a key nobody knows is refused, never ignored."""

    model_config = ConfigDict(extra="forbid", frozen=True)
