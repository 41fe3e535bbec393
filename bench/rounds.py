"""Plans carried out as a run would, without a notebook around them."""

from __future__ import annotations

import tempfile
from pathlib import Path

from drillbook.act import archive, backup, drilling, dump, roles
from drillbook.act.executor import Context, execute
from drillbook.act.journal import Journal
from drillbook.decide.drill import plan_drill
from drillbook.decide.plan import Plan
from drillbook.target import Target
from drillbook.vault.catalog import Backup, Vault

VERBS = (archive, backup, *drilling.VERBS, dump, roles)
"""The modules whose actions the plans name."""
COUNT = (
    "select format('select count(*) from %s', oid::regclass) from pg_class where relkind = 'r' "
    "and relnamespace = 'public'::regnamespace \\gexec\n"
)


def carry_out(target: Target, plan: Plan, parent: Path) -> None:
    """Execute *plan* in a run folder of its own below *parent*."""
    folder = Path(tempfile.mkdtemp(prefix="run-", dir=parent))
    execute(plan, Journal(folder / "journal.jsonl"), Context(target, folder))


def newest(target: Target) -> Backup:
    """The newest backup of *target*."""
    return Vault.of(target).choose("newest", target.identity)


def drill_newest(target: Target, parent: Path) -> None:
    """The newest backup, proven."""
    taken = newest(target)
    carry_out(target, plan_drill(target.name, target.identity, taken.whole(), taken.manifest_sha256), parent)
