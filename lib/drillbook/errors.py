"""The one tree of errors: a fact, then `HINT:` and the next safe action."""

from __future__ import annotations

from typing import Any


class RunbookError(Exception):
    """A foreseen end of a run, told as a lowercase fact and a hint.

    `exit_code` is what `drillbook run` exits with, `status` what `run.json`
    says, and `evidence` whatever the raiser saw, as plain JSON values.
    """

    exit_code = 1
    status = "failed"
    reason = "failed"

    def __init__(self, fact: str, hint: str = "", evidence: Any = None) -> None:
        super().__init__(fact)
        self.fact = fact
        self.hint = hint
        self.evidence = evidence

    def __str__(self) -> str:
        return f"{self.fact}\nHINT: {self.hint}" if self.hint else self.fact


class BadParameters(RunbookError):
    """A parameter is unknown, of the wrong type, or not one of its choices."""

    exit_code = 2
    reason = "bad-parameters"


class BadTarget(BadParameters):
    """A target is unknown, or its file does not say what a target must say."""

    reason = "bad-target"


class Refused(RunbookError):
    """A gate said no before anything was changed."""

    exit_code = 3
    status = "refused"
    reason = "refused"


class OutOfOrder(Refused):
    """A cell was run before the one that it rests on."""

    reason = "out-of-order"


class NotApproved(Refused):
    """The plan as it stands now has not been approved."""

    reason = "approval-needed"


class NotProven(Refused):
    """What would be destroyed has no proven backup."""

    reason = "no-proven-backup"


class NameTaken(Refused):
    """Another stack's containers go by this stack's compose project name."""

    reason = "project-name-taken"


class DataNotKept(Refused):
    """The files of a database go with its container."""

    reason = "data-not-kept"


class NotObserved(Refused):
    """What safety rests on could not be observed."""

    reason = "not-observed"


class NoUsableBackup(Refused):
    """No backup leads to the moment that was asked for."""

    reason = "no-usable-backup"


class NotThisIncident(Refused):
    """What was observed is not what this runbook resolves."""

    reason = "not-this-incident"


class SchemaMovedOn(Refused):
    """The database is not any more what the code of before was made for."""

    reason = "schema-moved-on"


class Locked(RunbookError):
    """Another run holds the target."""

    exit_code = 4
    status = "refused"
    reason = "locked"


class EngineDown(RunbookError):
    """The container engine does not answer."""

    reason = "engine-down"


class DatabaseDown(RunbookError):
    """The database does not answer."""

    reason = "database-down"


class VaultError(RunbookError):
    """The vault cannot be read or written, or what lies in it is not whole."""

    reason = "vault"


class BrokenBackup(VaultError):
    """What lies in the vault under a backup's name is no whole backup."""


class CommandFailed(RunbookError):
    """A command ended with a status other than zero, or ran out of time."""

    reason = "command-failed"


class Unrecorded(RunbookError):
    """The journal cannot be written, so nothing more may be done."""

    reason = "unrecorded"


class StepFailed(RunbookError):
    """A step of a plan did not do what it promised; the journal says which."""

    reason = "step-failed"


class CheckFailed(RunbookError):
    """What was verified does not hold."""

    reason = "check-failed"
