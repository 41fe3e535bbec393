"""The statements of a schema file: split as PostgreSQL would, with sqlglot's tree of those that hold columns."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from typing import Any

PARSED_CHARACTERS = 1_000_000
"""A longer file, a dump with its data, is read by its heads alone: parsing it would take seconds."""
NAME_BYTES = 63
"""PostgreSQL cuts longer names (NAMEDATALEN - 1)."""
# Letters, _, digits, $ and all beyond ASCII, said by what is left out: under re.I a class that holds \u0080-\uffff
# takes 0.02 s to compile, and here are fifteen.
IDENT = r'(?:"(?:[^"]|"")+"|[^\x00-@\[-^`{-\x7f][^\x00-#%-/:-@\[-^`{-\x7f]*)'
PATH = rf"(?P<name>{IDENT}(?:\s*\.\s*{IDENT})?)"
IF = r"(?:IF\s+(?:NOT\s+)?EXISTS\s+)?"
TABLE = re.compile(
    rf"CREATE\s+(?P<temp>(?:GLOBAL\s+|LOCAL\s+)?TEMP(?:ORARY)?\s+)?(?:UNLOGGED\s+|FOREIGN\s+)?TABLE\s+{IF}{PATH}",
    re.I,
)
INDEX = re.compile(
    rf"CREATE\s+(?P<unique>UNIQUE\s+)?INDEX\s+(?:CONCURRENTLY\s+)?(?:{IF}(?P<index>{IDENT})\s+)?ON\s+(?:ONLY\s+)?{PATH}",
    re.I,
)
TYPE = re.compile(rf"CREATE\s+(?:TYPE|DOMAIN)\s+{PATH}", re.I)
ALTER = re.compile(
    rf"ALTER\s+(?:FOREIGN\s+)?TABLE\s+(?:IF\s+EXISTS\s+)?(?:ONLY\s+)?{PATH}\s+(?P<action>\w+\s+[\w\"]+)", re.I
)
SAME_COLUMN = re.compile(rf"ALTER\s+(?:COLUMN\s+)?{IDENT}\s+(?!TYPE\b|SET\s+DATA\b)", re.I)
CALLED = re.compile(
    rf"ALTER\s+(?:FOREIGN\s+)?TABLE\s+(?:IF\s+EXISTS\s+)?(?:ONLY\s+)?{PATH}\s+RENAME\s+(?:COLUMN\s+)?"
    rf"(?:(?!CONSTRAINT\b)(?P<old>{IDENT})\s+)?TO\s+(?P<new>{IDENT})",
    re.I,
)
MOVED = re.compile(rf"ALTER\s+TABLE\s+{IF}{PATH}\s+SET\s+SCHEMA\s+(?P<schema>{IDENT})", re.I)
PROMOTED = re.compile(
    rf"ALTER\s+TABLE\s+(?:ONLY\s+)?{PATH}\s+ADD\s+[^;]*\bUSING\s+INDEX\s+(?!TABLESPACE\b)(?P<index>{IDENT})", re.I
)
ATTACHED = re.compile(rf"ALTER\s+INDEX\s+{PATH}\s+ATTACH\s+PARTITION\s+(?P<part>{IDENT}(?:\s*\.\s*{IDENT})?)", re.I)
TABLES_DROPPED = re.compile(rf"DROP\s+(?:FOREIGN\s+)?TABLE\s+{IF}(?P<names>.*)", re.I | re.S)
INDEXES_DROPPED = re.compile(rf"DROP\s+INDEX\s+(?:CONCURRENTLY\s+)?{IF}(?P<names>.*)", re.I | re.S)
BLOCK = re.compile(r"DO\b", re.I)
SEARCHED = re.compile(rf"SET\s+(?:SESSION\s+)?search_path\s*(?:=|TO)\s*'?(?P<name>{IDENT})", re.I)
RENAMED = re.compile(rf"ALTER\s+INDEX\s+{IF}{PATH}\s+RENAME\s+TO\s+(?P<new>{IDENT})", re.I)
OTHER_WORDS = (
    (re.compile(r"\bbit\s+varying\b", re.I), "varbit"),
    (re.compile(r"\bnational\s+(?:character|char)\b", re.I), "character"),
    (re.compile(r"\s+array\b(?!\s*[\[(])", re.I), "[]"),
)
_COPIED = re.compile(r"^COPY [^;]*FROM stdin[^;]*;\n.*?^\\\.$", re.I | re.M | re.S)
_META = re.compile(r"^\\.*$", re.M)
_SMALL = str.maketrans("ABCDEFGHIJKLMNOPQRSTUVWXYZ", "abcdefghijklmnopqrstuvwxyz")
_COMMENT = re.compile(r"--[^\n]*|/\*.*?\*/", re.S)


def folded(name: str) -> str:
    """A name as the catalog has it: in small letters unless it is quoted, and cut to what the server keeps."""
    return clipped(name[1:-1].replace('""', '"') if name.startswith('"') else small(name))


def small(name: str) -> str:
    """*name* as the server writes an unquoted one: only A to Z change."""
    return name.translate(_SMALL)


def clipped(name: str) -> str:
    """*name* as far as the server keeps it."""
    return name.encode()[:NAME_BYTES].decode(errors="ignore")


def statements(text: str) -> Iterator[tuple[str, Any]]:
    """Each statement's text, with its tree where sqlglot knows it."""
    from sqlglot.dialects.postgres import Postgres
    from sqlglot.errors import SqlglotError

    text = _META.sub("", _COPIED.sub("", text))
    logging.getLogger("sqlglot").setLevel(logging.ERROR)
    dialect = Postgres()
    try:
        tokens = dialect.tokenize(text) if len(text) <= PARSED_CHARACTERS else []
    except SqlglotError:
        tokens = []
    if not tokens:
        yield from ((part.strip(), None) for part in _COMMENT.sub("", text).split(";"))
        return
    begun = 0
    for number, token in enumerate([*tokens, None]):
        if token is None or token.token_type.name == "SEMICOLON":
            part, begun = tokens[begun:number], number + 1
            if part:
                statement = text[part[0].start : part[-1].end + 1]
                yield statement, _tree(dialect, part, statement)


def _tree(dialect: Any, tokens: list[Any], statement: str) -> Any:
    """The statement as sqlglot reads it; once more with the spellings that it does not know said in others."""
    if not re.match(r"(CREATE|ALTER)\b.*?\bTABLE\b", statement[:80], re.I | re.S):
        return None
    tree = _parsed(dialect, tokens, statement)
    if type(tree).__name__ in ("Create", "Alter"):
        return tree
    anew = statement
    for pattern, word in OTHER_WORDS:
        anew = pattern.sub(word, anew)
    return _parsed(dialect, dialect.tokenize(anew), anew) if anew != statement else None


def _parsed(dialect: Any, tokens: list[Any], statement: str) -> Any:
    from sqlglot.errors import SqlglotError

    try:
        [tree] = dialect.parser().parse(tokens, statement)
    except (SqlglotError, ValueError):
        return None
    return tree
