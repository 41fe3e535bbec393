"""A trap in a Dockerfile or an ignore file, with the lines that mend it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from drillbook.observe.facts import BaseFact, ContextFact, DockerfileFact, ServiceFact, SourceFact
from drillbook.observe.facts_code import Instruction

Severity = Literal["warn", "note"]
CARRIES_BUILD = re.compile(
    r"(?<![a-z])(?:build[_.-]?(?:id|number)|revision|git[_.-]?(?:sha|commit|ref)|commit(?:[_.-](?:sha|hash|id))?"
    r"|source[_.-](?:digest|version|commit)|vcs[_.-]ref|fetch[_.-]ref)(?![a-z])",
    re.IGNORECASE,
)
"""A name that a build id, a commit or a digest of the sources goes by."""


@dataclass(frozen=True)
class Finding:
    """What is wrong at a line of a file, and the lines that mend it.

    `mended` takes the place of the lines from `line` to `end`; where `end` is 0, it goes after `line`.
    A warning has made stale images elsewhere; a note makes them hard to notice.
    """

    rule: str
    service: str
    file: str
    line: int
    says: str
    mended: tuple[str, ...] = ()
    severity: Severity = "warn"
    end: int = 0

    @property
    def place(self) -> str:
        return f"{self.file}:{self.line}"


@dataclass(frozen=True)
class Subject:
    """All that is known of one service's build."""

    service: str
    fact: DockerfileFact
    declared: ServiceFact | None = None
    context: ContextFact | None = None
    source: SourceFact | None = None
    base: BaseFact | None = None

    def lines(self, instruction: Instruction) -> tuple[str, ...]:
        """An instruction's lines as they are written."""
        return tuple(self.fact.text.splitlines()[instruction.line - 1 : instruction.end])

    def words(self, *words: str) -> tuple[Instruction, ...]:
        """The instructions of these words."""
        return tuple(i for i in self.fact.instructions if i.word in words)

    def at(self, rule: str, instruction: Instruction, says: str, mended: Iterable[str], severity: Severity) -> Finding:
        """A finding that *mended* takes the place of *instruction*."""
        return Finding(
            rule, self.service, self.fact.path, instruction.line, says, tuple(mended), severity, instruction.end
        )

    def ignoring(self, rule: str, says: str, lines: Iterable[str], severity: Severity = "warn") -> Finding:
        """A finding that *lines* at the end of the ignore file mend."""
        after = len(self.fact.ignore_text.splitlines())
        told = says if self.fact.has_ignore else f"{says}; there is no ignore file: make it"
        return Finding(rule, self.service, self.fact.ignore_path, after, told, tuple(lines), severity)
