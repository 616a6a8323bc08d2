"""What a hook reads from git, and which refs it takes for a protected one; the fronts must never see less."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from guard.core.hookconfig import patterns
from guard.journeys.compiled import are_patterns, write_compiled
from hooks.refs import Update, is_own, likeness, parse_pushed, parse_received
from hooks.say import Stop

PROTECTED = ("refs/heads/release/platform-control", "refs/heads/freigabe/größe")
A, B, ZERO = "a" * 40, "b" * 40, "0" * 40

LIKENESS = [
    ("refs/heads/release/platform-control", "same"),
    ("refs/heads/RELEASE/Platform-Control", "case"),
    ("refs/Heads/release/platform-control", "case"),
    ("refs/heads/Freigabe/GRÖSSE", "case"),
    ("refs/heads/freigabe/gro\u0308ße", "case"),
    ("refs/heads/release/platform-control/x", "shadow"),
    ("refs/heads/Release/platform-control/x/y", "shadow"),
    ("refs/heads/release", "shadow"),
    ("refs/heads/RELEASE", "shadow"),
    ("refs/tags/release/platform-control", "lookalike"),
    ("refs/tags/Release/platform-control", "lookalike"),
    ("refs/release/platform-control", "lookalike"),
    ("refs/heads/refs/heads/release/platform-control", "lookalike"),
    ("refs/tags/refs/heads/release/platform-control", "lookalike"),
    ("refs/refs/heads/release/platform-control", "lookalike"),
    ("refs/heads/release/platform-control-2", None),
    ("refs/heads/release/platform", None),
    ("refs/heads/releases", None),
    ("refs/heads/hotfix/release/platform-control", None),
    ("refs/heads/master", None),
    ("refs/tags/v1", None),
    ("refs/guard/jwks", None),
]


@pytest.mark.parametrize(("ref", "kind"), LIKENESS)
def test_likeness_to_a_protected_ref(ref: str, kind: str | None) -> None:
    like = likeness(ref, PROTECTED)
    assert (like.kind if like else None) == kind


@pytest.mark.parametrize("shell", ["sh", "bash"])
def test_the_fronts_see_whatever_the_judge_would_refuse(shell: str) -> None:
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed")
    listed = "\n".join(patterns(PROTECTED))
    look = 'for p in $1; do case $r in $p) printf "%s\\n" "$r"; break;; esac; done'
    script = f'set -f; IFS="\n"; for r in $2; do {look}; done'
    refs = [ref for ref, _ in LIKENESS]
    done = subprocess.run(
        [shell, "-c", script, shell, listed, "\n".join(refs)], capture_output=True, check=True
    )
    seen = set(done.stdout.decode().splitlines())
    assert {ref for ref, kind in LIKENESS if kind} <= seen
    assert {"refs/heads/master", "refs/tags/v1", "refs/heads/releases", "refs/guard/jwks"}.isdisjoint(seen)


def test_nothing_protected_means_no_patterns() -> None:
    assert patterns(()) == ()


@pytest.mark.parametrize(
    ("ref", "own"),
    [
        ("refs/guard/statements/x", True),
        ("refs/GUARD/jwks", True),
        ("refs/proposals/release/1/2", True),
        ("refs/guard", True),
        ("refs/guards/x", False),
        ("refs/heads/guard", False),
    ],
)
def test_the_guards_own_refs(ref: str, own: bool) -> None:
    assert is_own(ref) is own


@pytest.mark.parametrize(
    ("line", "update"),
    [
        pytest.param(f"refs/heads/x {A} refs/heads/y {B}\n", Update("refs/heads/y", B, A), id="ordinary"),
        pytest.param(
            f"HEAD@{{1 hour ago}} {A} refs/heads/y {B}\n", Update("refs/heads/y", B, A), id="spaces"
        ),
        pytest.param(f"(delete) {ZERO} refs/heads/y {B}\n", Update("refs/heads/y", B, ZERO), id="deletion"),
        pytest.param(
            f"{A} {A} refs/heads/y {ZERO}", Update("refs/heads/y", ZERO, A), id="no-newline-at-the-end"
        ),
    ],
)
def test_a_pushed_line(line: str, update: Update) -> None:
    assert parse_pushed(line.encode()) == [update]


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(b"garbage\n", id="one-word"),
        pytest.param(f"x {A} refs/heads/y\n".encode(), id="three-fields"),
        pytest.param(f"x {A} heads/y {B}\n".encode(), id="no-full-ref"),
        pytest.param(f"x {A[:39]} refs/heads/y {B}\n".encode(), id="short-object-name"),
        pytest.param(f"x {A.upper()} refs/heads/y {B}\n".encode(), id="upper-case-object-name"),
        pytest.param(b"\xff\xfe\x00 \x1b[31m x y\n", id="bytes-and-control-characters"),
    ],
)
def test_what_git_would_never_say_is_not_decided(text: bytes) -> None:
    with pytest.raises(Stop) as stopped:
        parse_pushed(text)
    assert stopped.value.code == "hooks.input"


def test_a_received_line() -> None:
    assert parse_received(f"{A} {B} refs/heads/y\n".encode()) == [Update("refs/heads/y", A, B)]
    with pytest.raises(Stop):
        parse_received(f"{A} refs/heads/y\n".encode())


@pytest.mark.parametrize("shell", ["sh", "bash"])
def test_the_patterns_are_a_text_that_a_shell_reads_back(tmp_path: Path, shell: str) -> None:
    """Whatever a branch is called: a quote, a dollar or a substitution in its name is part of the name."""
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed")
    names = (
        "refs/heads/it's",
        'refs/heads/"x"',
        "refs/heads/$(touch pwned)`x`",
        "refs/heads/größe;exit",
        "refs/heads/a b",
    )
    lists = {"protected": patterns(names), "watched": names, "moves": ()}
    write_compiled(tmp_path, {}, lists)
    assert are_patterns(tmp_path, lists)
    script = '. ./patterns; printf "%s\\n" "$guard_protected" -- "$guard_watched" -- "$guard_moves"'
    done = subprocess.run([shell, "-c", script], cwd=tmp_path, capture_output=True, check=True)
    assert done.stdout.decode().splitlines() == [*patterns(names), "--", *names, "--", ""]
    assert sorted(file.name for file in tmp_path.iterdir()) == ["hooks.json", "patterns"]
    (tmp_path / "patterns").write_text("guard_protected=")
    assert not are_patterns(tmp_path, lists)
