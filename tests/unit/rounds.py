"""Backup, drill and restore as a run would carry them out, without a notebook around them."""

from __future__ import annotations

import json
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

from drillbook.act import (
    archive,
    backup,
    copies,
    drilling,
    drop_kept,
    dump,
    expire,
    move_tables,
    restore,
    restore_tables,
    restore_volume,
    roles,
    set_aside,
    switch,
    volume_aside,
)
from drillbook.act.executor import Context, execute
from drillbook.act.journal import Journal
from drillbook.decide.backup import plan_backup
from drillbook.decide.chosen import EVERYTHING, Wanted, observed
from drillbook.decide.drill import plan_drill
from drillbook.decide.kept import plan_drop
from drillbook.decide.ladder import Asked
from drillbook.decide.plan import Plan
from drillbook.decide.restore import plan_restore
from drillbook.decide.retention import expired
from drillbook.observe.data import data_facts
from drillbook.observe.kept import kept
from drillbook.observe.live_tables import live_tables
from drillbook.target import Target
from drillbook.vault.catalog import Backup, Vault
from drillbook.vault.checksum import sha256
from drillbook.vault.manifest import FILE, parse, written
from drillbook.vault.proof import PREFIX, Tier

VERBS = (
    archive, backup, copies, *drilling.VERBS, drop_kept, dump, expire, move_tables, restore, restore_tables,
    restore_volume, roles, set_aside, switch, volume_aside,
)  # fmt: skip

RUNS = tempfile.TemporaryDirectory(prefix="drillbook-r-")
"""Where the run folders of one test session lie; it goes with the session."""


def carry_out(target: Target, plan: Plan) -> list[dict[str, Any]]:
    """Execute *plan* in a run folder of its own."""
    folder = Path(tempfile.mkdtemp(dir=RUNS.name))
    return execute(plan, Journal(folder / "journal.jsonl"), Context(target, folder))


def take_backup(target: Target) -> Backup:
    """The backup that 02-backup would take now."""
    gone = expired(expire.seen(Vault.of(target).backups(), target), target.backup.retention)
    places = [target.place(copy.vault) for copy in target.backup.copies]
    plan = plan_backup(target.name, target.identity, data_facts(target), copies=places, expired=gone)
    done = {step["step"]: step["evidence"] for step in carry_out(target, plan)}
    return Vault.of(target).get(done["finish"]["backup"])


def take_drill(target: Target, taken: Backup, tier: Tier = "full", keep: bool = False) -> dict[str, Any]:
    """The result of 06-drill on *taken*."""
    asked = Asked(tier, target.backup.jobs, target.backup.rto_budget_seconds, keep, target.drill)
    plan = plan_drill(target.name, target.identity, taken.whole(), taken.manifest_sha256, asked)
    return dict(carry_out(target, plan)[-1]["evidence"])


def planned(target: Target, taken: Backup, choice: Wanted = EVERYTHING) -> Plan:
    """The plan that 04-restore makes of *taken* now."""
    facts = data_facts(target)
    if choice.tables:
        key, looked = observed(taken.whole(), choice)
        facts = replace(facts, tables=live_tables(target, key, looked))
    return plan_restore(target.name, taken, facts, choice)


def put_back(target: Target, taken: Backup, choice: Wanted = EVERYTHING) -> dict[str, Any]:
    """The result of 04-restore of *taken*."""
    return dict(carry_out(target, planned(target, taken, choice))[-1]["evidence"])


def drop_plan(target: Target, *asked: str) -> Plan:
    """The plan of 04-restore with drop_kept."""
    return plan_drop(target.name, target.identity, kept(target, asked), asked, Vault.of(target).backups())


def resign(folder: Path) -> None:
    """Make the manifest's checksums agree with the files that are there, as a liar would."""
    raw = json.loads((folder / FILE).read_text())
    files = [file for file in folder.rglob("*") if file.is_file() and not file.name.startswith((FILE, PREFIX))]
    raw["checksums"] = {file.relative_to(folder).as_posix(): sha256(file) for file in files}
    (folder / FILE).write_bytes(written(parse(json.dumps(raw).encode(), FILE)))
