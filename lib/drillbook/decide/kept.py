"""Plan to drop what earlier runs kept aside: only what a proven backup, or nothing at all, holds exactly."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from drillbook.decide.compare import compare
from drillbook.decide.plan import Plan, Step
from drillbook.decide.sql import identifier, qualified
from drillbook.errors import BadParameters, NotProven
from drillbook.observe.kept import Kept, unmarked
from drillbook.vault.backup import Backup
from drillbook.vault.content import DatabaseContent, TableDigest
from drillbook.vault.manifest import Manifest

NOTHING = "nothing"
BARE = {"schema:public", "comment:schema public", "extension:plpgsql"}
"""What every database is born with."""
HOURS = 3600


def plan_drop(
    target: str, identity: str, found: Sequence[Kept], asked: Sequence[str], backups: Iterable[Backup]
) -> Plan:
    """The steps that drop what is *asked* for of what was *found*; with `all`, what may be dropped of it.

    Raises:
        BadParameters: no run kept something of that name.
        NotProven: no proven backup holds what is in it.
    """
    unknown = sorted(set(asked) - {kept.name for kept in found} - {"all"})
    if unknown:
        known = ", ".join(kept.name for kept in found) or "nothing"
        raise BadParameters(f"no run for {target} kept {unknown[0]!r}", f"what carries the mark is: {known}")
    readable = (b for b in backups if b.verdict == "proven" and b.manifest is not None)
    proven = sorted(readable, key=lambda b: b.order, reverse=True)
    held = {kept.name: _holder(kept, proven) for kept in found}
    without = [kept for kept in found if not held[kept.name][0]]
    if without and ("all" not in asked or len(without) == len(found)):
        raise _not_proven(without[0], held[without[0].name][1])
    if not found:
        raise BadParameters(f"no run for {target} kept anything that is still there", "leave drop_kept out")
    going = [kept for kept in found if held[kept.name][0]]
    holders = dict.fromkeys(held[kept.name][0] for kept in going if held[kept.name][0] != NOTHING)
    steps = (
        *(Step(f"checksums-{n[-6:]}", "restore.checksums", n, args={"backup": n}, timeout_seconds=HOURS)
          for n in holders),
        *(_drop(kept, held[kept.name][0], target) for kept in going),
    )  # fmt: skip
    shas = {b.name: b.manifest_sha256 for b in proven if b.name in holders}
    basis = {"kept": [kept.as_json() for kept in going], "proven": shas}
    notes = tuple(f"{kept.name} stays: {held[kept.name][1]}" for kept in without)
    return Plan("restore", target, identity, basis, steps, notes)


def _not_proven(kept: Kept, why: str) -> NotProven:
    hint = "it stays; to be rid of it, look into it and remove it by hand"
    if kept.kind == "database":
        hint = (
            f"it stays; to be rid of it, put `kept: {{dbname: {kept.name}, …}}` under databases in the target's file, "
            "run 02-backup and 06-drill, take the line out, and run this again"
        )
    return NotProven(f"{kept.kind} {kept.name} is not dropped: {why}", hint)


def _holder(kept: Kept, proven: Sequence[Backup]) -> tuple[str, str]:
    """The proven backup that holds exactly what *kept* holds, or `nothing` when that is in it; else why not."""
    if holds_nothing(kept):
        return NOTHING, ""
    why = "there is no proven backup"
    for backup in proven:
        said = missing(kept, backup.whole())
        if not said:
            return backup.name, ""
        why = said if why == "there is no proven backup" else why
    return "", why


def holds_nothing(kept: Kept) -> bool:
    """Whether there is nothing in it that could be lost: no table, no function, no file."""
    if kept.kind == "volume":
        return kept.tree is not None and kept.tree.members == 0
    if kept.kind == "schema":
        return not kept.tables
    content = kept.content
    if content is None:
        return False
    return not content.tables and content.schema_objects.keys() <= BARE and content.large_objects[0] == 0


def missing(kept: Kept, manifest: Manifest) -> str:
    """What of *kept* the backup of *manifest* does not hold exactly; empty when it holds it all."""
    if kept.kind == "volume":
        entry = manifest.volumes.get(kept.key)
        same = entry is not None and kept.tree is not None and entry.tree == kept.tree.digest
        return "" if same else f"{manifest.name} does not hold the files that are in it"
    contents = [entry.content for entry in manifest.databases.values()]
    if kept.kind == "schema":
        return _rows_missing(kept, contents, manifest.name)
    if kept.content is None:
        return f"what {kept.name} holds is not known"
    said = [_differs(content, kept.content) for content in contents]
    return "" if "" in said else f"{manifest.name} does not hold it: {min(said, key=len, default='no database')}"


def _differs(backed_up: DatabaseContent, now: DatabaseContent) -> str:
    bad = [e for e in compare(unmarked(backed_up), now) if e.verdict != "pass"]
    return f"{bad[0].id}: {bad[0].observed}, there {bad[0].expected}" if bad else ""


def _rows_missing(kept: Kept, contents: Sequence[DatabaseContent], name: str) -> str:
    for table in kept.tables:
        if not any(_is_there(table, kept, content) for content in contents):
            return f"{name} does not hold the {table.rows} rows of {table.name}"
    return ""


def _is_there(table: TableDigest, kept: Kept, content: DatabaseContent) -> bool:
    wanted = (kept.source, table.table, table.rows, table.sum64)
    return content.algorithm == kept.algorithm and any(
        (t.schema_name, t.table, t.rows, t.sum64) == wanted for t in content.tables
    )


def _drop(kept: Kept, holder: str, target: str) -> Step:
    argv: tuple[str, ...] = ()
    match kept.kind:
        case "database":
            statement = f"DROP DATABASE {identifier(kept.name)}"
        case "schema":
            tables = ", ".join(qualified(kept.schema, table.table) for table in kept.tables)
            first = f"DROP TABLE {tables}; " if tables else ""
            statement = f"BEGIN; {first}DROP SCHEMA {identifier(kept.schema)}; COMMIT"
        case _:
            statement, argv = "", ("docker", "volume", "rm", kept.name)
    back = f"drillbook run restore --target {target} -p backup={holder} -p into=beside"
    return Step(
        f"drop-{kept.name}", "restore.drop_kept", kept.name, argv, statement,
        args={"kind": kept.kind, "key": kept.key, "schema": kept.schema, "holder": holder},
        destroys=(f"{kept.kind} {kept.name} (kept by an earlier run)",),
        recovers="it holds nothing" if holder == NOTHING else back, timeout_seconds=HOURS,
    )  # fmt: skip
