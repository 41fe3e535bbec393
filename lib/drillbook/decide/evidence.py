"""Evidence: a fact held against an expectation, with a verdict."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any, Literal

Verdict = Literal["pass", "fail", "unknown"]
Level = Literal[
    "source", "context", "image", "container", "process", "response",
    "database", "volume", "backup", "host",
]  # fmt: skip


@dataclass(frozen=True)
class Evidence:
    """One observation against its expectation; `how` is the command that repeats it."""

    id: str
    level: Level
    subject: str
    verdict: Verdict
    observed: str
    expected: str
    how: str = ""

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def overall(verdicts: Iterable[Verdict]) -> Verdict:
    """The worst of them: one `fail` fails, else one `unknown` is unknown; nothing is unknown."""
    seen = set(verdicts)
    if "fail" in seen:
        return "fail"
    return "pass" if seen == {"pass"} else "unknown"
