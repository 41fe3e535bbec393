"""What a schema file makes, and the columns of one CREATE TABLE of it as sqlglot read them."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

from drillbook.observe.index_lines import index_text, unnamed
from drillbook.observe.sql_text import IDENT, PATH, clipped, folded, small
from drillbook.observe.sql_types import canonical


@dataclass
class Declared:
    """What a schema file makes. A table's columns are None where they could not be read.

    `indexes`: name → whether unique, its table, its columns as text; `unnamed` are tables with an index without a name.
    """

    tables: dict[str, dict[str, str] | None] = field(default_factory=dict)
    indexes: dict[str, tuple[bool, str, str]] = field(default_factory=dict)
    unnamed: set[str] = field(default_factory=set)
    types: set[str] = field(default_factory=set)
    schema: str = "public"

    def columns(self) -> dict[str, str]:
        """schema.table.column → type, of the tables whose columns are all known; an empty type is any."""
        return {f"{t}.{c}": kind for t, found in self.tables.items() for c, kind in (found or {}).items()}

    def lines(self) -> tuple[str, ...]:
        """The indexes as `observe.tables.indexes` tells them, and where there are some without a name."""
        named = (index_text(unique, name, table) for name, (unique, table, _) in self.indexes.items())
        return (*sorted(named), *(unnamed(table) for table in sorted(self.unnamed)))

    def path(self, name: str) -> str:
        """`schema.name` of *name* as it is written, with or without its schema."""
        parts = [folded(part) for part in re.findall(IDENT, name)]
        return ".".join(parts if len(parts) > 1 else [self.schema, *parts])

    def paths(self, names: str) -> list[str]:
        """The same of a list of names, as DROP takes it."""
        bare = re.sub(r"\b(CASCADE|RESTRICT)\b", "", names, flags=re.I)
        return [self.path(found["name"]) for found in re.finditer(PATH, bare)]


def columns_of(made: Declared, tree: Any) -> dict[str, str] | None:
    """The columns of a CREATE TABLE, its parents' included; None where one of them is not known."""
    from sqlglot import exp

    if not isinstance(tree, exp.Create):
        return None
    found: dict[str, str] = {}
    for parent in _parents(tree):
        above = made.tables.get(made.path(parent.sql("postgres")))
        if above is None:
            return None
        found |= above
    own = tree.this.expressions if isinstance(tree.this, exp.Schema) else []
    for column in own:
        if isinstance(column, exp.ColumnDef):
            found[name_of(column.this)] = type_of(made, column.args.get("kind"))
    return found if found or isinstance(tree.this, exp.Schema) else None


def _parents(tree: Any) -> list[Any]:
    from sqlglot import exp

    inherited = [t for p in tree.find_all(exp.InheritsProperty) for t in p.expressions]
    return [*inherited, *(p.this for p in tree.find_all(exp.PartitionedOfProperty, exp.LikeProperty))]


def name_of(node: Any) -> str:
    """The column's name of an identifier, or of a column that holds one."""
    while not isinstance(node.this, str):
        node = node.this
    return clipped(node.this if node.args.get("quoted") else small(node.this))


def type_of(made: Declared, kind: Any) -> str:
    """The type in the server's words; empty where only the server knows."""
    return canonical(kind.sql("postgres", copy=False), made.types) if kind is not None else ""
