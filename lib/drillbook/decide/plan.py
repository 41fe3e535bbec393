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

    @classmethod
    def from_json(cls, told: Mapping[str, Any]) -> Step:
        """The step that `as_json` told."""
        return cls(**{**told, "argv": tuple(told["argv"]), "destroys": tuple(told["destroys"])})


@dataclass(frozen=True)
class Object:
    """One object that a plan touches: its size (bytes, None: unknown) and age, what destroys it, what brings it back.

    `kind` is what a person calls it (container, image, cache record, folder, volume, database);
    `created` in seconds since 1970, 0 where unknown; `step` the id of the step that touches it.
    """

    scope: str
    kind: str
    name: str
    step: str
    destroys: str
    recovers: str
    bytes: int | None = None
    created: float = 0.0

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True)
class Plan:
    """What would be done to one target, and the facts that this rests on.

    `back` are the steps of the way back: taken, each as often as it may take, when a step fails
    whose id is in `turns`. `objects` tells a person what the plan touches; sizes and ages are no
    part of the fingerprint, for they change by themselves.
    """

    runbook: str
    target: str
    identity: str
    basis: Mapping[str, Any]
    steps: tuple[Step, ...]
    notes: tuple[str, ...] = ()
    back: tuple[Step, ...] = ()
    turns: tuple[str, ...] = ()
    objects: tuple[Object, ...] = ()

    @property
    def fingerprint(self) -> str:
        """16 hex digits over the target's identity, the facts and the steps.

        The same facts give the same fingerprint; it dies when they change.
        """
        body = [self.runbook, self.identity, dict(self.basis), [s.as_json() for s in self.steps]]
        if self.back:
            body += [[s.as_json() for s in self.back], list(self.turns)]
        text = json.dumps(body, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    @property
    def destroys(self) -> tuple[str, ...]:
        return tuple(name for step in self.steps for name in step.destroys)

    def as_json(self) -> dict[str, Any]:
        return {
            "runbook": self.runbook,
            "target": self.target,
            "identity": self.identity,
            "fingerprint": self.fingerprint,
            "basis": dict(self.basis),
            "steps": [step.as_json() for step in self.steps],
            "destroys": list(self.destroys),
            "notes": list(self.notes),
            "back": [step.as_json() for step in self.back],
            "turns": list(self.turns),
            "objects": [what.as_json() for what in self.objects],
        }

    @classmethod
    def from_json(cls, told: Mapping[str, Any]) -> Plan:
        """The plan that `as_json` told.

        Raises:
            KeyError, TypeError, ValueError: it is not the whole of one.
        """
        return cls(
            runbook=told["runbook"],
            target=told["target"],
            identity=told["identity"],
            basis=dict(told["basis"]),
            steps=tuple(Step.from_json(step) for step in told["steps"]),
            notes=tuple(told["notes"]),
            back=tuple(Step.from_json(step) for step in told["back"]),
            turns=tuple(told["turns"]),
            objects=tuple(Object(**what) for what in told["objects"]),
        )
