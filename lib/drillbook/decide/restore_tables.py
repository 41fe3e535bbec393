"""Plan the restore of chosen tables: their rows beside, compared, then moved in, all in one transaction.

What is live keeps its definition, its grants, views and triggers: only rows
are replaced. Foreign keys that touch the tables are dropped before and made
again after it, so that the server itself holds every row against them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from drillbook.decide import chosen
from drillbook.decide.chosen import Wanted
from drillbook.decide.lost_tables import attachments, comments_of, foreign_keys_of, parents_to_make, sequences_of
from drillbook.decide.plan import Step
from drillbook.decide.restore import free_name
from drillbook.decide.sql import identifier, literal, qualified
from drillbook.errors import RunbookError
from drillbook.observe.places import DataFacts, ForeignKey, LiveTable, TablesPlace
from drillbook.vault.backup import Backup
from drillbook.vault.content import DatabaseContent, TableDigest

HOURS = 3600
LOCK_SECONDS = 30
STATES = {"O": "ENABLE", "R": "ENABLE REPLICA", "A": "ENABLE ALWAYS"}


@dataclass(frozen=True)
class Move:
    """One chosen table: what the backup holds, what is live, and the schema that keeps its rows."""

    wanted: TableDigest
    live: LiveTable | None
    aside: str

    @property
    def sql(self) -> str:
        return qualified(self.wanted.schema_name, self.wanted.table)


def table_steps(backup: Backup, facts: DataFacts, wanted: Wanted) -> tuple[tuple[Step, ...], tuple[str, ...]]:
    """The steps for the chosen tables of one database, and what a reader must know.

    Raises:
        RunbookError: a live table is not as the backup's, so its rows cannot go there.
    """
    key, tables = chosen.tables(backup.whole(), wanted)
    content = backup.whole().databases[key].content
    place, live = facts.databases[key], facts.tables
    if live is None or not place.exists:
        raise RunbookError(f"database {place.dbname} is not there", "restore it whole: leave tables out")
    moves = _moves(tables, live, backup.short)
    for move in moves:
        _fits(move, content)
    scratch = beside(place.dbname, backup.short, tables)
    args = {"key": key, "beside": scratch, "tables": [[t.schema_name, t.table] for t in tables]}
    entry = backup.whole().databases[key]
    steps = [
        Step("restore-tables", "restore.tables_beside", scratch, timeout_seconds=6 * HOURS,
             args={**args, "major": max(facts.servers[place.server].major, content.major), "folder": entry.folder}),
        Step("check-tables", "restore.tables_check", scratch, args=args, timeout_seconds=HOURS),
    ]  # fmt: skip
    notes = _notes(content, live)
    if wanted.into == "place":
        steps += [_move(backup, moves, live, args, place.dbname), _drop_scratch(scratch, args)]
        notes += (f"the tables are locked for readers and writers until the one transaction in {place.dbname} ends",)
    return tuple(steps), notes


def beside(dbname: str, short: str, tables: Iterable[TableDigest]) -> str:
    """The database that holds these tables alone; another choice gets another name."""
    told = "\0".join(sorted(table.name for table in tables))
    return free_name(dbname, f"_restored_{short}_{hashlib.sha256(told.encode()).hexdigest()[:4]}", ())


def _moves(tables: Iterable[TableDigest], live: TablesPlace, short: str) -> tuple[Move, ...]:
    known: dict[str, str] = {}
    found = []
    for table in tables:
        there = live.table(table.schema_name, table.table)
        if there and table.schema_name not in known:
            taken = (*live.schemas, *known.values())
            known[table.schema_name] = free_name(table.schema_name, f"_before_{short}", taken)
        found.append(Move(table, there, known.get(table.schema_name, "") if there else ""))
    return tuple(found)


def _fits(move: Move, content: DatabaseContent) -> None:
    """That the backup's rows can go into the live table as it is.

    Raises:
        RunbookError: they cannot; the fact names the difference.
    """
    name, live = move.wanted.name, move.live
    if live is None:
        return
    hint = "restore the table beside (into=beside) and carry over what you need, or restore the whole database"
    if live.kind != "r":
        raise RunbookError(f"{name} is no plain table any more, and was one in the backup", hint)
    was = columns_of(content, move.wanted)
    now = {column: (kind, made) for column, kind, made in live.columns}
    odd = sorted(was.keys() ^ now.keys())
    if odd:
        where = "the backup" if odd[0] in was else "the live table"
        raise RunbookError(f"the columns of {name} have changed: only {where} has {odd[0]}", hint)
    for column, (kind, made) in now.items():
        text = was[column]
        if not (text == kind or text.startswith(f"{kind} ")) or bool(made) != (" generated " in text):
            raise RunbookError(f"column {column} of {name} is now {kind}, and was {text} in the backup", hint)


def columns_of(content: DatabaseContent, table: TableDigest) -> dict[str, str]:
    """Column → its definition in the backup."""
    found = {}
    for key, text in content.schema_objects.items():
        if key.startswith("column:"):
            names = chosen.parts(key[7:])
            if names[:2] == (table.schema_name, table.table):
                found[names[2]] = text
    return found


def _move(backup: Backup, moves: tuple[Move, ...], live: TablesPlace, args: Mapping[str, Any], dbname: str) -> Step:
    content = backup.whole().databases[str(args["key"])].content
    there, lost = [m for m in moves if m.live], [m for m in moves if not m.live]
    lock = f"LOCK TABLE {', '.join(f'ONLY {m.sql}' for m in there)} IN ACCESS EXCLUSIVE MODE" if there else ""
    keep, empty = list(_kept(there)), list(_emptied(there, live))
    after = [*_again(there, live), *_made(lost, content, live), *_sequences(live)]
    make = parents_to_make(content, [(m.wanted.schema_name, m.wanted.table) for m in lost], live)
    parts = attachments(content, make)
    shown = [
        f"BEGIN; SET LOCAL lock_timeout = '{LOCK_SECONDS}s'", *([lock] if lock else []), *keep, *empty,
        *(f"-- {qualified(*name)} as the backup defines it (pg_dump -t of {args['beside']})" for name in make),
        *(attach for _, attach in parts),
        *(f"COPY {m.sql} FROM {args['beside']}" for m in moves),
        "-- rows and digests of each, held against the manifest", *after, "COMMIT",
    ]  # fmt: skip
    asides = sorted({m.aside for m in there})
    return Step(
        "move-tables", "restore.tables_move", dbname, sql=";\n".join(shown),
        args={**args, "lock": lock, "keep": keep, "empty": empty, "after": after,
              "make": [qualified(*name) for name in make], "parts": [list(pair) for pair in parts],
              "expects": live.as_json(), "kept": [[m.wanted.schema_name, m.wanted.table, m.aside] for m in there],
              "lock_seconds": LOCK_SECONDS},
        destroys=tuple(f"rows of {m.wanted.name} (kept in {qualified(m.aside, m.wanted.table)})" for m in there),
        recovers=f"the rows as they were are in schema {', '.join(asides)}" if asides else "",
        timeout_seconds=6 * HOURS,
    )  # fmt: skip


def _kept(there: list[Move]) -> Iterable[str]:
    for aside in sorted({m.aside for m in there}):
        yield f"CREATE SCHEMA {identifier(aside)}"
    for m in there:
        yield f"CREATE TABLE {qualified(m.aside, m.wanted.table)} AS SELECT {_stored(m)} FROM ONLY {m.sql}"


def _stored(move: Move) -> str:
    names = (name for name, _, made in (move.live.columns if move.live else ()) if made != "v")
    return ", ".join(identifier(name) for name in names)


def _emptied(there: list[Move], live: TablesPlace) -> Iterable[str]:
    for key in live.foreign_keys:
        yield f"ALTER TABLE {key.table} DROP CONSTRAINT {key.name}"
    for m in there:
        for trigger, state in m.live.triggers if m.live else ():
            if state in STATES:
                yield f"ALTER TABLE ONLY {m.sql} DISABLE TRIGGER {trigger}"
    if there:
        yield f"TRUNCATE TABLE {', '.join(f'ONLY {m.sql}' for m in there)}"


def _again(there: list[Move], live: TablesPlace) -> Iterable[str]:
    for key in live.foreign_keys:
        yield from foreign_key(key)
    for m in there:
        for trigger, state in m.live.triggers if m.live else ():
            if state in STATES:
                yield f"ALTER TABLE ONLY {m.sql} {STATES[state]} TRIGGER {trigger}"


def foreign_key(key: ForeignKey) -> Iterable[str]:
    """The statements that make it, and so hold every row against it."""
    yield f"ALTER TABLE {key.table} ADD CONSTRAINT {key.name} {key.definition}"
    if key.comment:
        yield f"COMMENT ON CONSTRAINT {key.name} ON {key.table} IS {literal(key.comment)}"


def _made(lost: list[Move], content: DatabaseContent, live: TablesPlace) -> Iterable[str]:
    names = [(m.wanted.schema_name, m.wanted.table) for m in lost]
    for key in foreign_keys_of(content, names, live):
        yield from foreign_key(key)
    yield from comments_of(content, names)
    yield from sequences_of(content, names)


def _sequences(live: TablesPlace) -> Iterable[str]:
    """Forward to the greatest value that came back, never behind what was handed out."""
    for table in live.tables:
        for sequence, column, up in table.sequences:
            extreme, beyond, one = ("max", ">", "- 1") if up else ("min", "<", "+ 1")
            yield (
                f"SELECT setval(q.seqrelid, x.at) FROM pg_sequence AS q, "
                f"(SELECT {extreme}({column}) AS at FROM {qualified(table.schema, table.name)}) AS x "
                f"WHERE q.seqrelid = {literal(sequence)}::regclass AND x.at BETWEEN q.seqmin AND q.seqmax "
                f"AND x.at {beyond} coalesce(pg_sequence_last_value(q.seqrelid), x.at {one})"
            )


def _drop_scratch(scratch: str, args: Mapping[str, Any]) -> Step:
    return Step(
        "drop-beside", "restore.tables_drop_beside", scratch, args=args,
        destroys=(f"database {scratch} (made by this plan from the backup)",),
        recovers="the same restore with into=beside", timeout_seconds=300,
    )  # fmt: skip


def _notes(content: DatabaseContent, live: TablesPlace) -> tuple[str, ...]:
    notes = []
    if content.large_objects[0]:
        notes.append("large objects are not restored with chosen tables")
    views = [k.partition(":")[2] for k in content.schema_objects if k.startswith(("view:", "materialized_view:"))]
    gone = [name for name in views if name not in live.relations]
    if gone:
        notes.append(f"views that the backup has and that are not there now do not come back: {', '.join(gone)}")
    return tuple(notes)
