"""What a database must have: by the schema file that the target names, else by its newest filled backup."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from drillbook.errors import BadTarget
from drillbook.observe import ddl
from drillbook.observe.facts_data import SchemaFact
from drillbook.observe.index_lines import index_text
from drillbook.target import Target
from drillbook.vault.catalog import Vault
from drillbook.vault.content import DatabaseContent
from drillbook.vault.manifest import Manifest

_PART = re.compile(r'"((?:[^"]|"")*)"|([^".]+)')
_TYPE = re.compile(
    r'^((?:"(?:[^"]|"")*"|[^"])+?)'
    r"(?: not null| identity [ad]| generated [sv]| default .*| collate .*| storage [pemx]| \{.*)*$",
    re.S,
)
_PARTITION = re.compile(r"^[rp] [pu] .*\b(?:FOR VALUES|DEFAULT)\b.*\binherits ", re.S)
_ON = re.compile(r' ON (?:ONLY )?((?:"(?:[^"]|"")*"|[^" ])+) USING ')

Name = tuple[str, ...]


def expected(target: Target) -> Mapping[str, SchemaFact]:
    """database → what it must have; a database of which nobody tells is not in it. Changes nothing.

    Raises:
        BadTarget: a declared schema file cannot be read.
        VaultError: there is none, and the vault cannot be listed.
    """
    found = {}
    for key, database in target.databases.items():
        if database.schema_file:
            found[key] = declared(target.path(database.schema_file))
    if len(found) < len(target.databases):
        manifests = _manifests(target)
        for key in target.databases.keys() - found.keys():
            if fact := _newest(manifests, key):
                found[key] = fact
    return found


def declared(file: Path) -> SchemaFact:
    """What the schema file *file* makes.

    Raises:
        BadTarget: it cannot be read.
    """
    try:
        made = ddl.read(file.read_text(errors="replace"))
    except OSError as error:
        raise BadTarget(f"the schema file {file} cannot be read: {error.strerror}", "mend schema_file") from error
    return SchemaFact(file.name, True, tuple(sorted(made.tables)), made.columns(), made.lines())


def _manifests(target: Target) -> list[Manifest]:
    """Those of this very target, newest first."""
    whole = [b.manifest for b in Vault.of(target).backups() if b.manifest is not None]
    return [m for m in reversed(whole) if m.identity == target.identity]


def _newest(manifests: Sequence[Manifest], key: str) -> SchemaFact | None:
    for manifest in manifests:
        entry = manifest.databases.get(key)
        if entry and entry.content.rows:
            return held(manifest.name, entry.content)
    return None


def held(backup: str, content: DatabaseContent) -> SchemaFact:
    """What *content* had when it was backed up as *backup*; partitions apart, for they come and go."""
    kinds = _named(content, "table")
    parts = {name for name, text in kinds.items() if _PARTITION.match(text)}
    tables = {table.name for table in content.tables} | {".".join(name) for name in kinds}
    columns = {
        ".".join(name): kind[1]
        for name, text in _named(content, "column").items()
        if name[:2] not in parts and (kind := _TYPE.match(text))
    }
    own = tables - {".".join(name) for name in parts}
    return SchemaFact(backup, False, tuple(sorted(own)), columns, _indexes(content, parts))


def _indexes(content: DatabaseContent, parts: set[Name]) -> tuple[str, ...]:
    """Those that stand for themselves, as `observe.tables.indexes` tells them."""
    constraints = {(name[0], name[-1]) for name in _named(content, "constraint")}
    lines = []
    for name, text in _named(content, "index").items():
        on = _ON.search(text)
        if on and name not in constraints and _names(on[1]) not in parts:
            lines.append(index_text(text.startswith("CREATE UNIQUE"), ".".join(name), ".".join(_names(on[1]))))
    return tuple(sorted(lines))


def _named(content: DatabaseContent, kind: str) -> dict[Name, str]:
    """The objects of *kind*: their names' parts → definition."""
    found = {name.partition(":"): text for name, text in content.schema_objects.items()}
    return {_names(path): text for (own, _, path), text in found.items() if own == kind}


def _names(path: str) -> Name:
    """A path as the server quotes it, in its parts: `public."Order".id` is public, Order, id."""
    return tuple(quoted.replace('""', '"') or bare for quoted, bare in _PART.findall(path))
