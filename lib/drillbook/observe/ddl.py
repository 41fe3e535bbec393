"""A schema file, read: the tables, columns and indexes that it makes. Runs nothing.

sqlglot reads the column lists; heads of statements that it does not know are
read by their names alone, and the columns of such a table count as unknown.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from drillbook.observe.declared import Declared, columns_of, name_of, type_of
from drillbook.observe.sql_text import (
    ALTER,
    ATTACHED,
    BLOCK,
    CALLED,
    INDEX,
    INDEXES_DROPPED,
    MOVED,
    PROMOTED,
    RENAMED,
    SAME_COLUMN,
    SEARCHED,
    TABLE,
    TABLES_DROPPED,
    TYPE,
    folded,
    statements,
)

Found = re.Match[str]
HARMLESS = frozenset(
    ["OWNER", "ENABLE", "DISABLE", "FORCE", "REPLICA", "CLUSTER", "ATTACH", "DETACH", "VALIDATE", "SET", "RESET"]
)
CONSTRAINTS = ("CONSTRAINT", "PRIMARY", "UNIQUE", "FOREIGN", "CHECK", "EXCLUDE")


def read(text: str) -> Declared:
    """What *text* makes: a hand-written schema, a dump's, or a migration tool's. Never fails."""
    made = Declared()
    for statement, tree in statements(text):
        for pattern, take in EFFECTS:
            if found := pattern.match(statement):
                take(made, found, tree)
                break
    return made


def _create_type(made: Declared, found: Found, _: Any) -> None:
    made.types.add(made.path(found["name"]))


def _create_table(made: Declared, found: Found, tree: Any) -> None:
    name = made.path(found["name"])
    if not found["temp"] and name not in made.tables:
        made.tables[name] = columns_of(made, tree)


def _create_index(made: Declared, found: Found, _: Any) -> None:
    table = made.path(found["name"])
    if found["index"] is None:
        made.unnamed.add(table)
        return
    name = f"{table.partition('.')[0]}.{folded(found['index'])}"
    made.indexes.setdefault(name, (bool(found["unique"]), table, found.string[found.end() :]))


def _attach_index(made: Declared, found: Found, _: Any) -> None:
    """A partition's share of an index stands for nothing of its own."""
    made.indexes.pop(made.path(found["part"]), None)


def _promote_index(made: Declared, found: Found, _: Any) -> None:
    """An index that a constraint took over is the constraint's."""
    made.indexes.pop(f"{made.path(found['name']).partition('.')[0]}.{folded(found['index'])}", None)


def _rename_index(made: Declared, found: Found, _: Any) -> None:
    old = made.path(found["name"])
    if old in made.indexes:
        made.indexes[f"{old.partition('.')[0]}.{folded(found['new'])}"] = made.indexes.pop(old)


def _drop_index(made: Declared, found: Found, _: Any) -> None:
    for name in made.paths(found["names"]):
        made.indexes.pop(name, None)


def _drop_table(made: Declared, found: Found, _: Any) -> None:
    for name in made.paths(found["names"]):
        made.tables.pop(name, None)
        made.indexes = {index: on for index, on in made.indexes.items() if on[1] != name}


def _search(made: Declared, found: Found, _: Any) -> None:
    made.schema = folded(found["name"])


def _block(made: Declared, found: Found, _: Any) -> None:
    """A block may or may not do what it says: the columns of the tables that it names are no longer known."""
    text = found.string
    made.types |= {made.path(inner["name"]) for inner in TYPE.finditer(text)}
    made.tables |= dict.fromkeys(made.path(inner["name"]) for inner in TABLE.finditer(text))
    altered = {made.path(inner["name"]) for inner in ALTER.finditer(text) if not _harmless(inner)}
    made.tables |= dict.fromkeys(altered & made.tables.keys())
    made.unnamed |= {made.path(inner["name"]) for inner in INDEX.finditer(text)}


def _move(made: Declared, found: Found, _: Any) -> None:
    old = made.path(found["name"])
    _rename(made, old, f"{folded(found['schema'])}.{old.partition('.')[2]}")


def _call(made: Declared, found: Found, _: Any) -> None:
    table = made.path(found["name"])
    columns = made.tables.get(table)
    if not found["old"]:
        _rename(made, table, f"{table.partition('.')[0]}.{folded(found['new'])}")
    elif columns is not None:
        columns[folded(found["new"])] = columns.pop(folded(found["old"]), "")


def _rename(made: Declared, old: str, new: str) -> None:
    if old not in made.tables:
        return
    made.tables[new] = made.tables.pop(old)
    schema = new.partition(".")[0]
    for index, (unique, table, over) in list(made.indexes.items()):
        if table == old:
            del made.indexes[index]
            made.indexes[f"{schema}.{index.partition('.')[2]}"] = (unique, new, over)


def _alter(made: Declared, found: Found, tree: Any) -> None:
    from sqlglot import exp

    table = made.path(found["name"])
    columns = made.tables.get(table)
    if columns is None:
        return
    if isinstance(tree, exp.Alter):
        for step in tree.args.get("actions") or []:
            _step(made, table, columns, step)
    elif not _harmless(found):
        made.tables[table] = None


def _harmless(found: Found) -> bool:
    """Whether an ALTER TABLE leaves the names and types of columns alone, as far as its first words tell."""
    words, rest = found["action"].upper().split(), found.string[found.start("action") :].partition(";")[0]
    if re.search(r",\s*(ADD|DROP|ALTER|RENAME)\b", rest, re.I):
        return False
    return (
        words[0] in HARMLESS
        or (words[0] in ("ADD", "DROP") and words[1] in CONSTRAINTS)
        or words == ["RENAME", "CONSTRAINT"]
        or bool(SAME_COLUMN.match(rest))
    )


def _step(made: Declared, table: str, columns: dict[str, str], step: Any) -> None:
    """One action of an ALTER TABLE that sqlglot could read."""
    from sqlglot import exp

    match step:
        case exp.ColumnDef():
            columns.setdefault(name_of(step.this), type_of(made, step.args.get("kind")))
        case exp.Drop() if step.args.get("kind") == "COLUMN":
            for column in step.args.get("tables") or [step.this]:
                _drop_column(made, table, columns, name_of(column))
        case exp.AlterColumn() if step.args.get("dtype") is not None:
            columns[name_of(step.this)] = type_of(made, step.args["dtype"])


def _drop_column(made: Declared, table: str, columns: dict[str, str], column: str) -> None:
    """The server drops the indexes over a column with it."""
    columns.pop(column, None)
    over = re.compile(rf"\b{re.escape(column)}\b")
    made.indexes = {i: on for i, on in made.indexes.items() if on[1] != table or not over.search(on[2])}


EFFECTS: tuple[tuple[re.Pattern[str], Callable[[Declared, Found, Any], None]], ...] = (
    (TYPE, _create_type), (TABLE, _create_table), (INDEX, _create_index), (MOVED, _move), (CALLED, _call),
    (PROMOTED, _promote_index), (ALTER, _alter), (ATTACHED, _attach_index), (RENAMED, _rename_index),
    (TABLES_DROPPED, _drop_table), (INDEXES_DROPPED, _drop_index), (SEARCHED, _search), (BLOCK, _block),
)  # fmt: skip
