"""Plans of backups and drills with pgBackRest: the ordinary ones, with other steps where files take a dump's place."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import PurePosixPath
from typing import Any

from drillbook.decide.compare import compare
from drillbook.decide.evidence import Evidence
from drillbook.decide.plan import Plan, Step
from drillbook.errors import RunbookError
from drillbook.observe.pgbackrest import BackupSet, Stanza
from drillbook.observe.places import DataFacts
from drillbook.target import PgBackRest
from drillbook.vault.content import DatabaseContent
from drillbook.vault.manifest import Manifest, PhysicalEntry

HOURS = 3600
DUMPS = ("backup.database", "backup.roles")
RESTORES = ("drill.scratch", "drill.roles", "drill.restore", "drill.archive")
SCRATCH = "SCRATCH"
"""In an argv: the scratch folder, which is made under a fresh name when the step is carried out."""
POINT = "drillbook-BACKUP"
"""In a plan's SQL: the restore point, which is named after the backup and the attempt."""
STILL = f"SELECT pg_create_restore_point('{POINT}'); SELECT pg_switch_wal()"


@dataclass(frozen=True)
class Goal:
    """Where recovery ends: at a restore point, or at a moment of time; `timeline` as recovery takes it."""

    type: str
    target: str
    timeline: str

    def as_json(self) -> dict[str, str]:
        return {"type": self.type, "target": self.target, "timeline": self.timeline}


def backup_type(section: PgBackRest, sets: tuple[BackupSet, ...], now: datetime) -> str:
    """What kind of set the next one is: as the target's file says, but never an increment to nothing."""
    full = [one.stopped for one in sets if one.type == "full"]
    if not full:
        return "full"
    if section.type != "auto":
        return section.type
    return "full" if max(full) < now - timedelta(days=section.full_every_days) else "incr"


def physical_backup(plan: Plan, facts: DataFacts, stanza: Stanza, kind: str, command: tuple[str, ...]) -> Plan:
    """The ordinary *plan* of a backup, where pgBackRest takes the files of the server instead of dumps.

    Retention is left to an `expire` of the operator's own: an automatic one
    might take a set away on which the last proof rests.

    Raises:
        RunbookError: the stanza is another server's.
    """
    [(key, server)] = facts.servers.items()
    if server.system_identifier != stanza.system_identifier:
        raise RunbookError(
            f"stanza {stanza.name} holds the server {stanza.system_identifier}, and the target's is "
            f"{server.system_identifier or 'not told to its user'}",
            "name the right stanza in backup.pgbackrest; after an upgrade of the server: pgbackrest stanza-upgrade",
        )
    argv = (*command, f"--type={kind}", "--no-expire-auto", "backup")
    ours = (
        Step("pgbackrest", "pgbackrest.backup", stanza.name, argv=argv, timeout_seconds=12 * HOURS),
        Step(
            "restore-point", "pgbackrest.tie", stanza.name, sql=STILL,
            args={"key": key, "databases": list(server.databases), "server": facts.as_json()["servers"][key]},
            timeout_seconds=6 * HOURS,
        ),
    )  # fmt: skip
    begin, *rest = (step for step in plan.steps if step.verb not in DUMPS)
    begin = replace(begin, args={**begin.args, "estimate_bytes": 0})
    return replace(plan, basis={**plan.basis, "pgbackrest": _basis(stanza)}, steps=(begin, *ours, *rest))


def _basis(stanza: Stanza) -> dict[str, Any]:
    return {"stanza": stanza.name, "system_identifier": stanza.system_identifier, "newest": list(stanza.labels[-1:])}


def physical_drill(plan: Plan, manifest: Manifest, command: tuple[str, ...]) -> Plan:
    """The ordinary *plan* of a drill, where the scratch server is recovered by pgBackRest to the restore point.

    A tier that restores nothing has pgBackRest read its repository, and no more.
    """
    at = next(number for number, step in enumerate(plan.steps) if step.verb in RESTORES)
    ours = [_verify(key, entry, command) for key, entry in manifest.physical.items()]
    if any(step.verb == "drill.restore" for step in plan.steps):
        ours += [_recover(key, entry, command) for key, entry in manifest.physical.items()]
    after = (step for step in plan.steps[at:] if step.verb not in RESTORES)
    rest = (_untied(step, manifest) if step.verb == "drill.compare" else step for step in after)
    return replace(plan, steps=(*plan.steps[:at], *ours, *rest))


def _verify(key: str, entry: PhysicalEntry, command: tuple[str, ...]) -> Step:
    argv = (*command, "--output=text", "--verbose", "--log-level-file=off", "verify")
    return Step(
        f"verify-{key}", "pgbackrest.verify", entry.label, argv=argv, args={"key": key}, timeout_seconds=6 * HOURS
    )


def _recover(key: str, entry: PhysicalEntry, command: tuple[str, ...]) -> Step:
    goal = own_goal(entry)
    argv, args = recovery(command, entry.label, goal), {"key": key, **goal.as_json()}
    return Step(f"recover-{key}", "pgbackrest.drill", entry.label, argv=argv, args=args, timeout_seconds=12 * HOURS)


def _untied(step: Step, manifest: Manifest) -> Step:
    """Content that no restore point holds still is compared without a verdict."""
    server = manifest.databases[str(step.args["key"])].server
    return step if manifest.physical[server].tied else replace(step, verb="pgbackrest.compare_untied")


def own_goal(entry: PhysicalEntry) -> Goal:
    """The backup's own restore point."""
    return Goal("name", entry.restore_point, str(entry.timeline))


def recovery(command: tuple[str, ...], label: str, goal: Goal) -> tuple[str, ...]:
    """The argv that lays the files of set *label* into the scratch folder, to be recovered to *goal*.

    What a configuration may say of links, tablespaces and recovery is set
    back, so that nothing is written outside of that folder.
    """
    return (
        *command, f"--set={label}", f"--pg1-path={SCRATCH}/data", f"--tablespace-map-all={SCRATCH}/tablespaces",
        f"--type={goal.type}", f"--target={goal.target}", f"--target-timeline={goal.timeline}",
        "--target-action=promote", "--archive-mode=off", "--no-delta", "--no-link-all", "--reset-link-map",
        "--reset-tablespace-map", "--reset-db-include", "--reset-db-exclude", "--reset-recovery-option",
        "--log-level-file=off", "restore",
    )  # fmt: skip


def refuse_live(live: str, scratch: str) -> None:
    """Hold the scratch folder apart from the server's own data folder; both as resolved paths.

    Raises:
        RunbookError: one lies in the other, or the server's is not known.
    """
    ours, theirs = PurePosixPath(scratch), PurePosixPath(live)
    if not live:
        raise RunbookError("where the live server's data lies is not known", "nothing was restored; take a new backup")
    if ours.is_relative_to(theirs) or theirs.is_relative_to(ours):
        raise RunbookError(
            f"the scratch folder {scratch} and the live server's data folder {live} lie in one another",
            "name another folder in backup.pgbackrest.scratch; nothing was restored",
        )


def verified(printed: str, entry: PhysicalEntry) -> dict[str, str]:
    """label → what `pgbackrest verify` printed of the sets that *entry* needs; `not looked at` where it is silent."""
    told = {}
    for line in printed.splitlines():
        words = line.strip().removeprefix("backup: ").split(", ", 2)
        if line.strip().startswith("backup: ") and len(words) > 1:
            told[words[0]] = words[1].removeprefix("status: ")
    return {label: told.get(label, "not looked at") for label in (*entry.reference, entry.label)}


def compare_untied(expected: DatabaseContent, observed: DatabaseContent) -> tuple[Evidence, ...]:
    """As `compare`, where nothing counts as wrong or right: the server was never still when *expected* was taken."""
    how = "compared with what was seen near the restore point, not at it"
    return tuple(replace(found, verdict="unknown", how=how) for found in compare(expected, observed))


def unlogged_as_empty(content: DatabaseContent, unlogged: Collection[str]) -> DatabaseContent:
    """*content* as recovery leaves it: unlogged tables empty, their sequences not used yet. Names are schema.name."""
    tables = tuple(
        table.model_copy(update={"rows": 0, "sum64": "0", "bytes": 0}) if table.name in unlogged else table
        for table in content.tables
    )
    sequences = tuple(
        state.model_copy(update={"last_value": None, "column_extreme": None}) if state.name in unlogged else state
        for state in content.sequences
    )
    return content.model_copy(update={"tables": tables, "sequences": sequences})
