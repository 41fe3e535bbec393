"""Schema drift: how the columns, types and indexes of a database differ from those expected."""

from __future__ import annotations

from dataclasses import dataclass

from drillbook.decide.bookkeeping import is_bookkeeping
from drillbook.observe.facts import DatabaseFact, SchemaFact
from drillbook.observe.index_lines import UNNAMED, index_table


@dataclass(frozen=True)
class Drift:
    """What differs in tables that are there; `compared` is how many columns were held against each other."""

    compared: int
    missing: tuple[str, ...] = ()
    retyped: tuple[str, ...] = ()
    unindexed: tuple[str, ...] = ()
    more_tables: tuple[str, ...] = ()
    more_columns: tuple[str, ...] = ()
    more_indexes: tuple[str, ...] = ()

    @property
    def broken(self) -> bool:
        """Whether something that was expected is not as it was."""
        return bool(self.missing or self.retyped)

    @property
    def differs(self) -> bool:
        """Whether anything at all is different."""
        return self.broken or bool(self.unindexed or self.more_tables or self.more_columns or self.more_indexes)


def tables_of(fact: DatabaseFact) -> set[str]:
    """Every table that is there, its rows read or not."""
    return {*fact.rows, *fact.unread, *fact.rowless}


def drift(fact: DatabaseFact, wanted: SchemaFact) -> Drift:
    """How *fact* differs from *wanted*, tables that are missing altogether apart.

    Left alone is what others may have put there: tables of migration tools, schemas in which nothing
    is expected, partitions of an expected table. So is a table of which *wanted* tells no column.
    """
    there = tables_of(fact).intersection(wanted.tables)
    ours = {name: kind for name, kind in wanted.columns.items() if _table(name) in there}
    told = {_table(name) for name in ours}
    both = ours.keys() & fact.columns.keys()
    return Drift(
        compared=len(both),
        missing=tuple(sorted(ours.keys() - fact.columns.keys())),
        retyped=tuple(
            f"{n} ({fact.columns[n]}, not {ours[n]})" for n in sorted(both) if _other(fact.columns[n], ours[n])
        ),
        unindexed=tuple(i for i in _named(wanted.indexes, there) if i not in fact.indexes),
        more_tables=_more_tables(fact, wanted),
        more_columns=tuple(sorted(n for n in fact.columns if n not in wanted.columns and _table(n) in told)),
        more_indexes=_more_indexes(fact, wanted, told),
    )


def _table(column: str) -> str:
    return column.rpartition(".")[0]


def _other(now: str, then: str) -> bool:
    """Whether two types differ; an empty one is any, and quotes are a matter of spelling."""
    return bool(then) and now.replace('"', "") != then.replace('"', "")


def _named(indexes: tuple[str, ...], tables: set[str]) -> list[str]:
    return [i for i in indexes if index_table(i) in tables and not i.startswith(UNNAMED)]


def _more_tables(fact: DatabaseFact, wanted: SchemaFact) -> tuple[str, ...]:
    schemas = {name.partition(".")[0] for name in wanted.tables}
    more = tables_of(fact).difference(wanted.tables)
    return tuple(sorted(
        name for name in more
        if name.partition(".")[0] in schemas and name not in fact.parts and not is_bookkeeping(name)
    ))  # fmt: skip


def _more_indexes(fact: DatabaseFact, wanted: SchemaFact, told: set[str]) -> tuple[str, ...]:
    loose = {index_table(i) for i in wanted.indexes if i.startswith(UNNAMED)}
    return tuple(i for i in _named(fact.indexes, told - loose) if i not in wanted.indexes)
