"""Plans: frozen lists of steps, each with its exact argv or SQL and what it destroys."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True)
class Step:
    """One step. `verb` names the action of `act/` that carries it out.

    `argv` is run as it stands; `sql` is sent as it stands; `args` are the
    plain JSON arguments of verbs that are neither. `destroys` names every
    object that is gone or moved afterwards, `recovers` what brings it back.
    """

    id: str
    verb: str
    subject: str
    argv: tuple[str, ...] = ()
    sql: str = ""
    args: Mapping[str, Any] = field(default_factory=dict)
    destroys: tuple[str, ...] = ()
    recovers: str = ""
    timeout_seconds: int = 600

    def as_json(self) -> dict[str, Any]:
        return {**asdict(self), "argv": list(self.argv), "destroys": list(self.destroys)}


@dataclass(frozen=True)
class Plan:
    """What would be done to one target, and the facts that this rests on."""

    runbook: str
    target: str
    identity: str
    basis: Mapping[str, Any]
    steps: tuple[Step, ...]
    notes: tuple[str, ...] = ()

    @property
    def fingerprint(self) -> str:
        """16 hex digits over the target's identity, the facts and the steps.

        The same facts give the same fingerprint; it dies when they change.
        """
        body = [self.runbook, self.identity, dict(self.basis), [s.as_json() for s in self.steps]]
        text = json.dumps(body, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    @property
    def destroys(self) -> tuple[str, ...]:
        return tuple(name for step in self.steps for name in step.destroys)

    def as_json(self) -> dict[str, Any]:
        return {
            "runbook": self.runbook,
            "target": self.target,
            "fingerprint": self.fingerprint,
            "basis": dict(self.basis),
            "steps": [step.as_json() for step in self.steps],
            "destroys": list(self.destroys),
            "notes": list(self.notes),
        }
