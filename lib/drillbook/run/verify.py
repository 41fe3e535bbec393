"""The run of `05-verify`: everything observed again, and held against a backup's digests when one is named."""

from __future__ import annotations

from typing import ClassVar

from drillbook.decide.compare import compare
from drillbook.decide.diagnose import diagnose
from drillbook.decide.evidence import Evidence, overall
from drillbook.errors import CheckFailed
from drillbook.observe import redis
from drillbook.observe.database import contents
from drillbook.observe.facts import Snapshot
from drillbook.observe.snapshot import observe
from drillbook.run.session import Run
from drillbook.show import levels, tables
from drillbook.target import Target
from drillbook.vault.catalog import Backup, Vault


class VerifyRun(Run):
    """Reads only."""

    runbook: ClassVar[str] = "verify"

    def observe(self) -> Snapshot:
        """Everything that can be seen now, as a table."""
        facts = observe(self.target)
        self.note("observe", tables.snapshot(facts))
        return facts

    def verify(self, facts: Snapshot, against: str = "") -> None:
        """One check for each promise; with *against*, also rows and digests of that backup.

        Raises:
            CheckFailed: the verdict is not `pass`.
        """
        found = diagnose(facts)
        checks = list(found.evidence)
        if against:
            checks += held_against(self.target, Vault.of(self.target).choose(against, self.target.identity))
        verdict = overall(check.verdict for check in checks)
        self.keep_evidence("verify", checks)
        self.result(verdict=verdict, checks=[check.as_json() for check in checks], against=against)
        self.note("verify", levels.levels(found) + tables.evidence(f"Checks: {verdict}", checks), verdict=verdict)
        if verdict != "pass":
            wrong = [c for c in checks if c.verdict == verdict]
            what = f"{len(wrong)} of {len(checks)} checks are {verdict}: {wrong[0].id} {wrong[0].observed}"
            raise CheckFailed(what, "01-diagnose names the cause and the next runbook", [c.as_json() for c in wrong])


def held_against(target: Target, backup: Backup) -> list[Evidence]:
    """The live databases and redis volumes against what the backup's manifest says, one check each."""
    manifest = backup.whole()
    live = contents(target, {key: db.content.algorithm for key, db in manifest.databases.items()})
    checks = [e for key, db in manifest.databases.items() if key in live for e in compare(db.content, live[key])]
    seen = redis.digests(target)
    for name, volume in manifest.volumes.items():
        declared = target.volumes.get(volume.key)
        if volume.digest and name in seen and not (declared and declared.volatile):
            keys, digest = seen[name]
            wanted = f"{volume.keys} keys, {volume.digest[:12]}"
            same = digest == volume.digest
            checks.append(
                Evidence(
                    f"volume:{name}", "volume", name, "pass" if same else "fail", f"{keys} keys, {digest[:12]}", wanted
                )
            )
    return checks


RUN = VerifyRun
