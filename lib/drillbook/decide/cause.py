"""A cause: what the evidence names, what speaks against it, and what would settle a doubt."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from drillbook.decide.evidence import Evidence


@dataclass(frozen=True)
class Cause:
    """A cause, with the evidence that speaks for it and against it; confidence is 0 to 1.

    `doubt` says what would settle it where the confidence is short of certainty, `quoted`
    what people see meanwhile: a symptom, which may point elsewhere.
    """

    id: str
    confidence: float
    says: str
    evidence: tuple[Evidence, ...]
    against: tuple[Evidence, ...] = ()
    doubt: str = ""
    quoted: tuple[str, ...] = ()

    def as_json(self) -> dict[str, Any]:
        return {
            "id": self.id,
            "confidence": self.confidence,
            "says": self.says,
            "evidence": [e.as_json() for e in self.evidence],
            "against": [e.as_json() for e in self.against],
            "doubt": self.doubt,
            "quoted": list(self.quoted),
        }


class Pieces:
    """The evidence of one snapshot, by its prefix."""

    def __init__(self, evidence: tuple[Evidence, ...]) -> None:
        self.all = evidence

    def failed(self, *prefixes: str) -> tuple[Evidence, ...]:
        """Those that fail, in the order of *prefixes*."""
        return self._with("fail", prefixes)

    def passed(self, *prefixes: str) -> tuple[Evidence, ...]:
        """Those that pass, in the order of *prefixes*."""
        return self._with("pass", prefixes)

    def _with(self, verdict: str, prefixes: tuple[str, ...]) -> tuple[Evidence, ...]:
        return tuple(e for p in prefixes for e in self.all if e.verdict == verdict and e.id.startswith(f"{p}:"))

    def of(self, subjects: set[str], found: tuple[Evidence, ...]) -> tuple[Evidence, ...]:
        """Those of *found* that are about one of *subjects*."""
        return tuple(e for e in found if e.subject in subjects)


def subjects(evidence: tuple[Evidence, ...]) -> set[str]:
    """Whom the evidence is about."""
    return {e.subject for e in evidence}
