"""How bad a finding is, in one scale for all scanners: critical, high, medium, low, none."""

from __future__ import annotations

SEVERITIES: tuple[str, ...] = ("critical", "high", "medium", "low", "none")
"""Worst first."""

UNKNOWN = "unknown"
"""What a scanner does not say or nobody understands; it counts like the worst."""

SCORES = ((9.0, "critical"), (7.0, "high"), (4.0, "medium"))
"""The lowest CVSS score of each severity; above zero is low, zero is none
(https://www.first.org/cvss/v3.1/specification-document#Qualitative-Severity-Rating-Scale)."""

WORDS = {
    "critical": "critical",
    "high": "high",
    "important": "high",
    "moderate": "medium",
    "medium": "medium",
    "low": "low",
    "negligible": "none",
    "info": "none",
    "none": "none",
}
"""What npm, GitHub's advisories, trivy and grype call a severity."""


def at_or_above(severity: str, limit: str) -> bool:
    """Whether a severity is as bad as the limit or worse; an unknown one is."""
    return severity not in SEVERITIES or SEVERITIES.index(severity) <= SEVERITIES.index(limit)


def of_word(word: object) -> str:
    """A scanner's word, whatever its case; anything else is unknown."""
    return WORDS.get(word.casefold(), UNKNOWN) if isinstance(word, str) else UNKNOWN


def of_score(score: object) -> str:
    """A CVSS score, as a number or in a string; what is none from 0 to 10 is unknown."""
    try:
        value = float(score) if isinstance(score, (str, int, float)) and not isinstance(score, bool) else -1.0
    except (ValueError, OverflowError):
        return UNKNOWN
    if not 0.0 <= value <= 10.0:
        return UNKNOWN
    return next((name for least, name in SCORES if value >= least), "low" if value > 0 else "none")
