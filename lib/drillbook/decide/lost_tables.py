"""What a table that is gone needs beside its own definition: keys to and from others, comments, sequences' values."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from drillbook.decide import chosen
from drillbook.decide.sql import identifier, literal, qualified
from drillbook.errors import RunbookError
from drillbook.observe.places import ForeignKey, TablesPlace
from drillbook.vault.content import DatabaseContent

Name = tuple[str, str]
_BOUND = re.compile(
    r"((?:FOR VALUES .*?|DEFAULT))(?: \{.*\})?(?: rls)?(?: forced)? replica \S(?: .*)? inherits ", re.DOTALL
)


def parents_to_make(content: DatabaseContent, lost: Sequence[Name], live: TablesPlace) -> list[Name]:
    """The lost tables, after the partitioned ones above them that are gone too.

    Raises:
        RunbookError: a partitioned table above is gone, and other parts of it are not restored with it.
    """
    above = {parent for parent, child in chosen.descendants(content) if child in lost}
    gone = sorted(parent for parent in above if not _is_live(parent, live))
    for parent in gone:
        leaves = {(t.schema_name, t.table) for t in content.tables} & {
            child for one, child in chosen.descendants(content) if one == parent
        }
        if leaves - set(lost):
            name = ".".join(parent)
            raise RunbookError(f"{name} is gone with all its parts", f"restore it whole: -p tables={name}")
    return [*gone, *lost]


def _is_live(name: Name, live: TablesPlace) -> bool:
    return any(chosen.pair(relation) == name for relation in live.relations)


def foreign_keys_of(content: DatabaseContent, lost: Sequence[Name], live: TablesPlace) -> Iterable[ForeignKey]:
    """The backup's foreign keys from a lost table, and to one from a table that is there or comes back too.

    Those that a part has from its partitioned table come with that one.
    """
    above = {parent for parent, child in chosen.descendants(content) if child in lost}
    ours = {*lost, *(name for name in above if not _is_live(name, live))}
    known, said = _foreign_keys(content), _comments(content)
    parents = chosen.parents_of(content)
    for (schema, table, name), (to, definition) in known.items():
        source = (schema, table)
        inherited = any((*parent, name) in known for parent in parents.get(source, ()))
        targets = {one for (*other, _), (one, _) in known.items() if tuple(other) == source}
        clone = bool(targets & set(parents.get(to, ())))
        if not inherited and not clone and (source in ours or (to in ours and _is_live(source, live))):
            comment = next((text for of, text in said.items() if of == (schema, table, name)), "")
            yield ForeignKey(qualified(*source), identifier(name), definition.removesuffix(" (unvalidated)"), comment)


def _foreign_keys(content: DatabaseContent) -> dict[tuple[str, ...], tuple[Name, str]]:
    """(schema, table, name) → the table that it leads to, and its definition."""
    found = {}
    for key, text in content.schema_objects.items():
        if key.startswith("foreign_key:"):
            found[chosen.parts(key[12:])] = (chosen.pair(text.partition(" REFERENCES ")[2]), text)
    return found


def comments_of(content: DatabaseContent, lost: Sequence[Name]) -> Iterable[str]:
    """The comments on the lost tables' constraints."""
    for (schema, table, name), text in _comments(content).items():
        if (schema, table) in lost:
            yield f"COMMENT ON CONSTRAINT {identifier(name)} ON {qualified(schema, table)} IS {literal(text)}"


def _comments(content: DatabaseContent) -> dict[tuple[str, ...], str]:
    """(schema, table, name) → the comment on that constraint."""
    found: dict[tuple[str, ...], str] = {}
    for key, text in content.schema_objects.items():
        if key.startswith("comment:table constraint "):
            name, _, table = key.removeprefix("comment:table constraint ").rpartition(" on ")
            found[(*chosen.pair(table), chosen.parts(name)[0])] = text
    return found


def attachments(content: DatabaseContent, make: Sequence[Name]) -> list[tuple[str, str]]:
    """(detach, attach) of each part that is made again below a partitioned table that is still there.

    A part is made with its own indexes first: attached at once, it would get its parent's, and its own in vain.
    """
    found = []
    texts = {chosen.pair(k[6:]): text for k, text in content.schema_objects.items() if k.startswith("table:")}
    for name in make:
        for parent in chosen.parents_of(content).get(name, ()):
            bound = _BOUND.search(texts[name])
            if parent not in make and bound:
                head = f"ALTER TABLE ONLY {qualified(*parent)}"
                detach = f"ALTER TABLE {qualified(*parent)} DETACH PARTITION {qualified(*name)}"
                found.append((detach, f"{head} ATTACH PARTITION {qualified(*name)} {bound[1]}"))
    return found


def sequences_of(content: DatabaseContent, lost: Sequence[Name]) -> Iterable[str]:
    """The values of the sequences that lost tables own: not behind what was handed out, nor behind their rows."""
    for state in content.sequences:
        owned = content.schema_objects.get(f"sequence:{_sql(state.schema_name, state.sequence, content)}", "")
        _, owns, owner = owned.rpartition(" owned by ")
        reached = [value for value in (state.last_value, state.column_extreme) if value is not None]
        if owns and reached and chosen.pair(owner) in lost:
            value = max(reached) if state.ascending else min(reached)
            name = literal(qualified(state.schema_name, state.sequence))
            yield f"SELECT setval({name}::regclass, {value})"


def _sql(schema: str, name: str, content: DatabaseContent) -> str:
    """The sequence's name as the schema's objects write it."""
    found = (
        k[9:] for k in content.schema_objects if k.startswith("sequence:") and chosen.pair(k[9:]) == (schema, name)
    )
    return next(found, "")
