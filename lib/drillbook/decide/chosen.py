"""What of a backup is to be restored: databases, tables or volumes, into place or beside."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from drillbook.errors import BadParameters
from drillbook.vault.content import DatabaseContent, TableDigest
from drillbook.vault.manifest import Manifest

Into = Literal["place", "beside"]
_PART = r'(?:"(?:[^"]|"")*"|[^",.\s()]+)'
_PARTS = re.compile(_PART)
_PAIR = re.compile(rf"{_PART}\.{_PART}")


@dataclass(frozen=True)
class Wanted:
    """What someone chose. `all` and `none` stand for themselves.

    Volumes `auto`: all of them where whole databases all go into place, else none.
    """

    databases: tuple[str, ...] = ("all",)
    tables: tuple[str, ...] = ()
    volumes: tuple[str, ...] = ("auto",)
    into: Into = "place"

    @property
    def partial(self) -> bool:
        """Whether it is less than everything into its place."""
        return self != EVERYTHING and self != Wanted(volumes=("all",))


EVERYTHING = Wanted()


def names(given: str | Iterable[str]) -> tuple[str, ...]:
    """The names in a parameter: a list as it stands, a text split at its commas."""
    if not isinstance(given, str):
        return tuple(given)
    return tuple(part for part in (piece.strip() for piece in given.split(",")) if part)


def wanted(
    databases: str | Iterable[str] = "all", tables: str | Iterable[str] = "none",
    volumes: str | Iterable[str] = "auto", into: Into = "place",
) -> Wanted:  # fmt: skip
    """The choice that a runbook's parameters spell."""
    chosen = names(tables)
    return Wanted(names(databases), () if chosen == ("none",) else chosen, names(volumes), into)


def databases(manifest: Manifest, choice: Wanted) -> tuple[str, ...]:
    """The keys of the chosen databases.

    Raises:
        BadParameters: the backup has not got one.
    """
    return _known(choice.databases, tuple(manifest.databases), "database")


def volumes(manifest: Manifest, choice: Wanted) -> tuple[str, ...]:
    """The names of the chosen volumes, which may be given by their keys.

    Raises:
        BadParameters: the backup has not got one.
    """
    by_key = {entry.key: name for name, entry in manifest.volumes.items()}
    asked = choice.volumes
    if asked == ("auto",):
        whole = choice.databases == ("all",) and not choice.tables and choice.into == "place"
        asked = ("all",) if whole else ("none",)
    return _known(tuple(by_key.get(name, name) for name in asked), tuple(manifest.volumes), "volume")


def _known(asked: tuple[str, ...], known: tuple[str, ...], what: str) -> tuple[str, ...]:
    if asked in (("all",), ("none",), ()):
        return known if asked == ("all",) else ()
    missing = [name for name in asked if name not in known]
    if missing:
        raise BadParameters(f"the backup has no {what} {missing[0]!r}", f"it has: {', '.join(known) or 'none'}")
    return tuple(dict.fromkeys(asked))


def tables(manifest: Manifest, choice: Wanted) -> tuple[str, tuple[TableDigest, ...]]:
    """The key of the one database, and its chosen tables; a partitioned table stands for all its leaves.

    Raises:
        BadParameters: there is more than one database to choose from, or no such table in it.
    """
    keys = databases(manifest, choice)
    if len(keys) != 1:
        fact = f"tables were chosen, and {len(keys)} databases: {', '.join(keys) or 'none'}"
        raise BadParameters(fact, "name the one that the tables are in: -p databases=KEY")
    content = manifest.databases[keys[0]].content
    found = {table.name: table for name in choice.tables for table in _leaves(content, name)}
    return keys[0], tuple(found.values())


def observed(manifest: Manifest, choice: Wanted) -> tuple[str, tuple[tuple[str, str], ...]]:
    """The key of the database, and what to look at in it: the chosen tables, and the partitioned ones above them."""
    key, chosen = tables(manifest, choice)
    own = [(table.schema_name, table.table) for table in chosen]
    above = sorted({p for p, child in descendants(manifest.databases[key].content) if child in own})
    return key, (*own, *above)


def _leaves(content: DatabaseContent, name: str) -> tuple[TableDigest, ...]:
    plain = [table for table in content.tables if table.name == name]
    if len(plain) == 1:
        return (plain[0],)
    below = {pair for pair in descendants(content) if ".".join(pair[0]) == name}
    inside = {child for _, child in below}
    found = tuple(table for table in content.tables if (table.schema_name, table.table) in inside)
    if plain or not found:
        known = ", ".join(table.name for table in content.tables[:12])
        count = "more than one table" if plain else "no table"
        raise BadParameters(f"the backup of {content.database} has {count} {name!r}", f"it has: {known or 'none'}")
    return found


def descendants(content: DatabaseContent) -> set[tuple[tuple[str, str], tuple[str, str]]]:
    """(partitioned table, a table below it), however deep, as the backup's schema has them."""
    direct = {(parent, child) for child, parents in parents_of(content).items() for parent in parents}
    whole = set(direct)
    while more := {(a, d) for a, b in whole for c, d in direct if b == c} - whole:
        whole |= more
    return whole


def parents_of(content: DatabaseContent) -> dict[tuple[str, str], tuple[tuple[str, str], ...]]:
    """Table → the partitioned tables that it is a part of. A child by inheritance has rows of its own, and none."""
    kinds = {pair(key[6:]): text for key, text in content.schema_objects.items() if key.startswith("table:")}
    found = {}
    for name, text in kinds.items():
        _, inherits, parents = text.rpartition(" inherits ")
        pairs = tuple(pair(one) for one in _PAIR.findall(parents)) if inherits else ()
        found[name] = tuple(one for one in pairs if kinds.get(one, "").startswith("p "))
    return found


def parts(text: str) -> tuple[str, ...]:
    """The identifiers of a dotted SQL name, unquoted."""
    return tuple(part[1:-1].replace('""', '"') if part.startswith('"') else part for part in _PARTS.findall(text))


def pair(text: str) -> tuple[str, str]:
    """Schema and name of a dotted SQL name."""
    found = parts(text)
    return found[0], found[1]


def later(target: str, backup: str, choice: Wanted, keys: Sequence[str]) -> str:
    """The command that puts in place what was restored beside."""
    words = ["drillbook", "run", "restore", "--target", target, "-p", f"backup={backup}"]
    for name, values in (("databases", keys), ("tables", choice.tables)):
        if values:
            text = ",".join(values) if not any("," in value for value in values) else json.dumps(list(values))
            words += ["-p", f"{name}={text}"]
    return shlex.join([*words, "-p", "volumes=none", "-p", "into=place"])
