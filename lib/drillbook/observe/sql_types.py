"""A column's type as the server would spell it (`format_type`), from how a schema file spells it."""

from __future__ import annotations

import re
from collections.abc import Collection

ALIASES = {
    "int": "integer", "int4": "integer", "serial": "integer", "serial4": "integer",
    "int8": "bigint", "bigserial": "bigint", "serial8": "bigint",
    "int2": "smallint", "smallserial": "smallint", "serial2": "smallint",
    "bool": "boolean", "float4": "real", "float8": "double precision",
    "decimal": "numeric", "dec": "numeric", "varchar": "character varying", "nvarchar": "character varying",
    "char": "character", "nchar": "character", "varbit": "bit varying",
}  # fmt: skip
PLAIN = re.compile(
    "integer|bigint|smallint|boolean|real|double precision|numeric|bit|bit varying|bytea|text|character|"
    "character varying|bpchar|uuid|json|jsonb|jsonpath|xml|inet|cidr|macaddr|macaddr8|date|money|interval|point|line|"
    "lseg|box|path|polygon|circle|tsvector|tsquery|name|oid|xid|xid8|cid|tid|pg_lsn|pg_snapshot|txid_snapshot|"
    "refcursor|aclitem|regclass|regproc|regprocedure|regtype|regrole|regnamespace|regconfig|regdictionary|regoper|"
    "regoperator|regcollation|(?:int4|int8|num|ts|tstz|date)(?:range|multirange)"
)
ZONED = {
    "timestamp": ("timestamp", "without"), "timestamptz": ("timestamp", "with"),
    "time": ("time", "without"), "timetz": ("time", "with"),
}  # fmt: skip
REAL_DIGITS = 24
"""float(p) up to this p is real, above it double precision."""
_SPELLED = re.compile(r"^(?P<name>[^\[(]+?)\s*(?:\((?P<size>[\d\s,]+)\))?\s*(?P<array>(?:\[\d*\])*)$")
_NAME = re.compile(r'^(?:(?:"(?:[^"]|"")+"|[^\s".]+)\.)?(?:"(?:[^"]|"")+"|[^\s".]+)$')


def canonical(spelled: str, declared: Collection[str] = ()) -> str:
    """*spelled*, as sqlglot writes a PostgreSQL type, in the server's words; empty where only the server knows.

    *declared* are the `schema.type` that the same file makes.
    """
    found = _SPELLED.match(spelled.strip())
    if not found:
        return ""
    name, size = found["name"].strip(), re.sub(r"\s", "", found["size"] or "")
    base = _builtin(name, size, declared) or _made(name, size, declared)
    return f"{base}[]" if base and found["array"] else base


def _builtin(name: str, size: str, declared: Collection[str]) -> str:
    bare = name.removeprefix("pg_catalog.")
    if bare == '"char"':
        return bare
    word = bare.lower()
    if '"' in bare or (bare == name and any(_plain(d.rpartition(".")[2]) == word for d in declared)):
        return ""
    if word in ZONED:
        kind, zone = ZONED[word]
        return f"{kind}{f'({size})' if size else ''} {zone} time zone"
    if word == "float":
        return "real" if size and int(size) <= REAL_DIGITS else "double precision"
    if fields := re.fullmatch(r"interval(?: (\d+)| ([a-z ]+))", word):
        return f"interval({fields[1]})" if fields[1] else f"interval {fields[2]}"
    word = ALIASES.get(word, word)
    return _sized(word, size) if PLAIN.fullmatch(word) else ""


def _sized(word: str, size: str) -> str:
    if not size and word in ("character", "bit"):
        return f"{word}(1)"
    if word == "numeric" and size and "," not in size:
        return f"numeric({size},0)"
    return f"{word}({size})" if size else word


def _made(name: str, size: str, declared: Collection[str]) -> str:
    """A type that someone made: by the schema that the file names, or in which it makes it."""
    if size or not _NAME.match(name):
        return ""
    folded = _plain(name)
    if "." in folded:
        return folded
    fitting = [d for d in declared if d.rpartition(".")[2] == folded]
    return fitting[0] if len(fitting) == 1 else ""


def _plain(name: str) -> str:
    """*name* without quotes; what was not quoted in small letters."""
    parts = re.findall(r'"((?:[^"]|"")+)"|([^".]+)', name)
    return ".".join(quoted.replace('""', '"') or bare.lower() for quoted, bare in parts)
