"""The run of `02-backup`: everything that holds data, into one folder of the vault, read back at the end."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, ClassVar

from drillbook.act import archive, backup, copies, dump, expire, roles
from drillbook.act.client_tools import require
from drillbook.decide.backup import plan_backup
from drillbook.decide.evidence import Evidence, Verdict
from drillbook.decide.plan import Plan
from drillbook.decide.retention import expired
from drillbook.errors import CheckFailed, NotThisIncident
from drillbook.observe.data import data_facts
from drillbook.observe.database import connect, row_counts
from drillbook.observe.places import DataFacts
from drillbook.observe.server import one
from drillbook.run import pgbackrest
from drillbook.run.session import Run
from drillbook.show import history, tables
from drillbook.show.view import callout, show, table
from drillbook.vault.catalog import Vault

VERBS = (archive, backup, copies, dump, expire, roles, *pgbackrest.VERBS)
"""The modules whose actions this run's plans name."""


class BackupRun(Run):
    """Holds the target's lock, so that nothing is reset meanwhile. Writes only into the vault."""

    runbook: ClassVar[str] = "backup"
    writes: ClassVar[bool] = True

    def observe(self) -> DataFacts:
        """What holds data: databases with their tables and rows, and volumes, as a table."""
        self.facts = data_facts(self.target)
        there = [key for key, place in self.facts.databases.items() if place.exists]
        self.rows = {key: self._rows(key) for key in there}
        self.large_objects = {key: self._large_objects(key) for key in there}
        self.note("observe", self._table())
        return self.facts

    def _rows(self, key: str) -> dict[str, int]:
        with connect(self.target, key) as connection:
            return dict(row_counts(connection))

    def _large_objects(self, key: str) -> int:
        with connect(self.target, key) as connection:
            return int(one(connection, "SELECT count(*) FROM pg_largeobject_metadata"))

    def _table(self) -> Any:
        databases = [
            {
                "database": place.dbname,
                "there": "yes" if place.exists else "no",
                "tables": len(self.rows.get(key, {})),
                "rows": sum(self.rows.get(key, {}).values()),
                "MB": f"{place.bytes / 1e6:.1f}",
            }
            for key, place in self.facts.databases.items()
        ]
        volumes = [{"volume": v.name, "kind": v.kind, "service": v.service} for v in self.facts.volumes]
        return table("Databases", databases) + table("Other volumes", volumes)

    def confirm(self, facts: DataFacts) -> None:
        """That there is something to save; one database without a table is no reason to leave the others.

        Raises:
            NotThisIncident: every database is there, but not one table or large object is in them.
        """
        if facts.databases and not any(self.rows.values()) and not any(self.large_objects.values()):
            names = ", ".join(place.dbname for place in facts.databases.values())
            raise NotThisIncident(
                f"{names} holds no table and no large object: a backup of it would be an empty one",
                "the data is already lost; 04-restore brings it back from the newest proven backup",
            )
        what = f"{len(facts.databases)} databases, {len(facts.volumes)} volumes"
        self.note("confirm", callout("pass", "there is data to save", what))

    def plan(self) -> Plan:
        """One dump a database, or a set of pgBackRest; one archive a volume; copies; what the rules let go.

        Changes nothing.

        Raises:
            RunbookError: a server in no container is newer than every pg_dump on this machine.
        """
        require(self.target, {key: place.major for key, place in self.facts.servers.items()})
        rules, places = self.target.backup, [self.target.place(copy.vault) for copy in self.target.backup.copies]
        gone = expired(expire.seen(Vault.of(self.target).backups(), self.target), rules.retention)
        found = plan_backup(self.target.name, self.target.identity, self.facts, rules.jobs, places, gone)
        return self.show_plan(pgbackrest.backup(self.target, found, self.facts))

    def act(self, plan: Plan) -> None:
        """Write the backup under a temporary name; the manifest comes last."""
        done = {step["step"]: step["evidence"] for step in self.carry_out(plan)}
        self.finished = done["finish"]
        self.removed = done.get("expire", {}).get("removed", {})

    def verify(self) -> None:
        """Read the backup back from the vault: every file against its checksum.

        Raises:
            CheckFailed: a file is missing or differs.
        """
        vault = Vault.of(self.target)
        made = vault.get(self.finished["backup"])
        wrong, files = vault.damage(made), len(made.places)
        observed = ", ".join(f"{name} {what}" for name, what in wrong.items()) or f"{files} files, all equal"
        verdict: Verdict = "fail" if wrong else "pass"
        check = Evidence("checksums", "backup", made.name, verdict, observed, "every file as it was written")
        self.keep_evidence("verify", [check])
        told = {key: self.finished[key] for key in ("backup", "tables", "rows", "bytes", "seconds")}
        self.result(**told, verdict=verdict, empty=self.finished["empty"], removed=self.removed)
        command = f"not proven yet: drillbook run drill --target {self.target.name} -p backup={made.name}"
        plots = history.of_backups(vault.backups(), self.target, datetime.now(UTC))
        next_step = callout("note", "Next: drill", command)
        self.note("verify", tables.evidence(made.name, [check]) + next_step + self.keep_plots(plots))
        for remark in pgbackrest.remarks(made.manifest):
            show(remark)
        if wrong:
            raise CheckFailed(f"backup {made.name} does not read back as written: {observed}", "look at the disk")


RUN = BackupRun
