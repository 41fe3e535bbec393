"""The hash of one row, as SQL, by the name that a manifest records: 64 bits that any changed value changes.

`chain64-v1` hashes a row's columns one after the other, each with the hash so far as its seed, which costs two thirds
of hashing a record. Equality forgives what a restore must not (1.0 = 1.00, -0 = 0, '24 h' = '1 day'), so a type goes by
its own hash function only where its equality is identity, floats with the sign of their zero, and all others as text.
NULL changes the seed by a number of its column's own. Types whose hash function SQL may not call go first, as a record.
The last function is one that mixes its seed well, or two rows that swap a value would not change the sum.

`record64-v1`, of older backups, hashes the row as a record, and that hash once more. `text64-v1`, for servers before
14, hashes the row's text. A formula that changes gets a new name: what was backed up by the old one is still drilled.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import LiteralString

from psycopg import sql

CHAIN, RECORD, TEXT = "chain64-v1", "record64-v1", "text64-v1"
CHAINED = 64
"""So many columns stand in the chain, for the parser's stack; further ones go into the record."""

# pg_type.oid of: bool bytea "char" name int8 int2 int4 text oid varchar date time timestamp timestamptz uuid
IDENTICAL = frozenset({16, 17, 18, 19, 20, 21, 23, 25, 26, 1043, 1082, 1083, 1114, 1184, 2950})
BPCHAR, BOOL, XML = 1042, 16, 142
FIRST_MADE = 16384  # FirstNormalObjectId: types from here on were made by somebody
FLOATS: dict[int, LiteralString] = {700: "hashfloat4extended", 701: "hashfloat8extended"}
# bytea "char" name oid bpchar date time timestamptz
RECORDED = frozenset({17, 18, 19, 26, BPCHAR, 1082, 1083, 1184})
# bigint's and timestamp's own functions fold a value to 32 bits, so a bigint goes into the seed too.
HASHED: dict[int, tuple[LiteralString, LiteralString]] = {
    20: ("hashint8extended({value}, {seed} # {value})", "0"),
    21: ("hashint2extended({value}, {seed})", "0::int2"),
    23: ("hashint4extended({value}, {seed})", "0"),
    1114: ("timestamp_hash_extended({value}, {seed})", "'epoch'"),
    2950: ("uuid_hash_extended({value}, {seed})", "'00000000-0000-0000-0000-000000000000'"),
}
AS_TEXT: tuple[LiteralString, LiteralString] = ('hashtextextended({value} COLLATE "C", {seed})', "''")
A_BOOL: LiteralString = "({seed} # CASE WHEN {name} THEN {yes} WHEN {name} IS NULL THEN {null} ELSE 0::int8 END)"
# The hash of a zero is its seed alone, so each zero changes it; NaN <> 0 holds.
A_FLOAT: LiteralString = (
    "{function}(coalesce({name}, 0), {seed} # CASE WHEN {name} <> 0 THEN 0::int8 WHEN {name} IS NULL THEN {null} "
    "WHEN {name}::text = '-0' THEN {minus} ELSE {zero} END)"
)


@dataclass(frozen=True)
class Column:
    """A column as its digest needs it: `collated` when its collation is not deterministic, `required` when NOT NULL."""

    name: str
    type_oid: int
    collated: bool = False
    required: bool = False
    is_enum: bool = False


def row_hash(columns: Sequence[Column], name: str) -> sql.Composable:
    """The hash of the row `t` by the algorithm *name*.

    Columns go in the order of their names: a restore may put an inheritance
    child's columns in another order, and that changes no row.
    """
    ordered = sorted(columns, key=lambda column: column.name)
    return _chain(ordered) if name == CHAIN else record_hash(_row(ordered), name)


def record_hash(record: sql.Composable, name: str) -> sql.Composable:
    """The hash of the SQL record *record* by the algorithm *name*, in a chain too.

    A record's own hash is linear in its columns' hashes: the sum of bare ones
    does not see two rows swap a value (139 of 200 such swaps passed).
    """
    if name == TEXT:
        return sql.SQL("hashtextextended(({})::text, 0)").format(record)
    return sql.SQL("hash_record_extended(ROW(int8send(hash_record_extended({}, 0))), 0)").format(record)


def _row(columns: Sequence[Column]) -> sql.Composed:
    return sql.SQL("ROW({})").format(sql.SQL(", ").join(map(expression, columns)))


def expression(column: Column) -> sql.Composable:
    """*column* in the form that stands in a record.

    bpchar goes through its send function: a cast to text would drop its trailing blanks.
    """
    name = _name(column)
    if column.type_oid == BPCHAR:
        return sql.SQL("bpcharsend({})").format(name)
    if _written(column):
        return sql.SQL("ROW({})::text").format(name)
    if column.type_oid not in IDENTICAL:
        return sql.SQL("({})::text").format(name)
    if column.collated:
        return sql.SQL('({})::text COLLATE "C"').format(name)
    return name


def _written(column: Column) -> bool:
    """Whether its value is to be written by its output function, as within a row, and not by a cast.

    A dump does so too. A cast of xml keeps a declaration that the dump leaves out, and that of a type that somebody
    made may be anything that somebody made too.
    """
    return column.type_oid == XML or column.type_oid >= FIRST_MADE


def _chain(ordered: Sequence[Column]) -> sql.Composable:
    chained = [column for column in ordered if column.type_oid not in RECORDED][:CHAINED]
    recorded = [column for column in ordered if column not in chained]
    seed: sql.Composable = sql.SQL("0::int8")
    if recorded:
        seed = sql.SQL("hash_record_extended({}, 0)").format(_row(recorded))
    strong = [column for column in chained if column.type_oid != BOOL and column.type_oid not in FLOATS]
    for column in [column for column in chained if column not in strong] + strong:
        seed = _link(column, seed, ordered.index(column))
    return seed if strong else sql.SQL("hashint4extended(0, {})").format(seed)


def _link(column: Column, seed: sql.Composable, position: int) -> sql.Composable:
    """The hash of *column* that goes on from *seed*; the same for a required column as for one without a NULL."""
    name, null = _name(column), _number("null", position)
    if column.type_oid == BOOL:
        return sql.SQL(A_BOOL).format(name=name, seed=seed, null=null, yes=_number("yes", position))
    if column.type_oid in FLOATS:
        function = sql.SQL(FLOATS[column.type_oid])
        zero, minus = _number("zero", position), _number("minus", position)
        return sql.SQL(A_FLOAT).format(function=function, name=name, seed=seed, null=null, zero=zero, minus=minus)
    form, instead = HASHED.get(column.type_oid, AS_TEXT)
    value = name if column.type_oid in HASHED else _text(column)
    if not column.required:
        value = sql.SQL("coalesce({}, {})").format(value, sql.SQL(instead))
        seed = sql.SQL("({} # CASE WHEN {} IS NULL THEN {} ELSE 0::int8 END)").format(seed, name, null)
    return sql.SQL(form).format(value=value, seed=seed)


def _text(column: Column) -> sql.Composable:
    if column.is_enum:
        return sql.SQL("textin(enum_out({}))").format(_name(column))  # a row would cost three times as much
    form: LiteralString = "ROW({})::text" if _written(column) else "({})::text"
    return sql.SQL(form).format(_name(column))


def _name(column: Column) -> sql.Composed:
    return sql.SQL("t.{}").format(sql.Identifier(column.name))


def _number(what: str, position: int) -> sql.Literal:
    """62 bits that stand for *what* in the column at *position*."""
    return sql.Literal(int.from_bytes(hashlib.sha256(f"{what} {position}".encode()).digest()[:8]) >> 2)
