"""Hold what was restored against what the backup's manifest says: one evidence for each table and each kind."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from drillbook.decide.evidence import Evidence, Verdict
from drillbook.vault.content import DatabaseContent, SequenceState, TableDigest

LOCALE = ("collate", "ctype", "locale", "locale_provider")
SHOWN = 5
UNVALIDATED, INVALID = " (unvalidated)", " INVALID"
"""How `observe.catalog_sql` marks a constraint that was never validated, and an index that is of no use."""


def compare(
    expected: DatabaseContent,
    observed: DatabaseContent,
    ignored_settings: Iterable[str] = (),
    counted: Collection[str] = (),
) -> tuple[Evidence, ...]:
    """Every difference between two contents of one database, as evidence; what agrees passes.

    Materialized views are compared by definition, not by rows. A definition
    that another major version wrote in other words is `unknown`, never `pass`. Of the tables
    in *counted* the rows alone are compared, and their evidence is called `rows` and not `table`.
    """
    same_major = expected.major == observed.major
    return (
        *_tables(expected, observed, counted),
        *_schema(expected, observed, same_major),
        _constraints(expected, observed),
        _mapping("extensions", expected, expected.extensions, observed.extensions),
        _mapping("grants", expected, expected.grants, observed.grants),
        _settings(expected, observed, set(ignored_settings)),
        _large_objects(expected, observed),
        *_sequences(expected, observed),
    )


def _tables(expected: DatabaseContent, observed: DatabaseContent, counted: Collection[str]) -> Iterable[Evidence]:
    theirs = {table.name: table for table in observed.tables}
    comparable = expected.algorithm == observed.algorithm
    for table in expected.tables:
        seen = theirs.pop(table.name, None)
        if seen is not None and table.name in counted:
            yield _rows(expected.database, table, seen)
        else:
            yield _table(expected.database, table, seen, comparable=comparable)
    for name, extra in theirs.items():
        yield _evidence(expected.database, f"table:{name}", "fail", _told(extra), "no such table")


def compare_tables(
    expected: DatabaseContent, observed: Iterable[TableDigest], names: Collection[tuple[str, str]]
) -> tuple[Evidence, ...]:
    """Rows and digests of the tables *names* alone; both sides were hashed by the expected algorithm."""
    seen = {(table.schema_name, table.table): table for table in observed}
    wanted = [table for table in expected.tables if (table.schema_name, table.table) in names]
    return tuple(_table(expected.database, t, seen.get((t.schema_name, t.table)), comparable=True) for t in wanted)


def _table(database: str, wanted: TableDigest, seen: TableDigest | None, *, comparable: bool) -> Evidence:
    if seen is None:
        return _evidence(database, f"table:{wanted.name}", "fail", "no such table", _told(wanted))
    hashed = comparable and wanted.sum64 is not None and seen.sum64 is not None
    verdict: Verdict = "pass" if hashed else "unknown"
    if seen.rows != wanted.rows or (hashed and seen.sum64 != wanted.sum64):
        verdict = "fail"
    return _evidence(database, f"table:{wanted.name}", verdict, _told(seen), _told(wanted))


def _rows(database: str, wanted: TableDigest, seen: TableDigest) -> Evidence:
    verdict: Verdict = "pass" if seen.rows == wanted.rows else "fail"
    return _evidence(database, f"rows:{wanted.name}", verdict, f"{seen.rows} rows", f"{wanted.rows} rows")


def _told(table: TableDigest) -> str:
    return f"{table.rows} rows, digest {table.sum64 or 'not taken'}"


def _schema(expected: DatabaseContent, observed: DatabaseContent, same_major: bool) -> Iterable[Evidence]:
    kinds = {key.split(":", 1)[0] for key in (*expected.schema_objects, *observed.schema_objects)}
    for kind in sorted(kinds):
        wanted = {key: text for key, text in _dumped(expected, observed).items() if key.startswith(f"{kind}:")}
        seen = {key: text for key, text in observed.schema_objects.items() if key.startswith(f"{kind}:")}
        found = _mapping(f"schema:{kind}", expected, wanted, seen)
        if found.verdict == "fail" and not same_major and wanted.keys() == seen.keys():
            found = _evidence(expected.database, f"schema:{kind}", "unknown", found.observed, found.expected)
        yield found


def _dumped(expected: DatabaseContent, observed: DatabaseContent) -> dict[str, str]:
    """What a dump of the source holds: pg_dump leaves invalid indexes out (a CREATE INDEX CONCURRENTLY that broke)."""
    return {
        key: text
        for key, text in expected.schema_objects.items()
        if key in observed.schema_objects or not (key.startswith("index:") and INVALID in text)
    }


def _constraints(expected: DatabaseContent, observed: DatabaseContent) -> Evidence:
    """No constraint unvalidated and no index invalid that was whole on the source; what was not whole there is told."""
    source, here = _unsound(expected), _unsound(observed)
    kinds = ("constraint:", "foreign_key:", "index:")
    number = sum(key.startswith(kinds) for key in observed.schema_objects)
    broken = sorted(here - source)
    known = f"; not so on the source either: {_few(sorted(source))}" if source else ""
    whole = f"{number - len(here)} of {number} are" if here else f"all {number} are"
    told = f"not validated or not valid: {_few(broken)}" if broken else whole
    wanted = f"constraints validated, indexes valid{known}"
    return _evidence(expected.database, "constraints", "fail" if broken else "pass", told, wanted)


def _unsound(content: DatabaseContent) -> set[str]:
    marks = {"constraint": UNVALIDATED, "foreign_key": UNVALIDATED, "index": INVALID}
    marked = ((key, text, marks.get(key.partition(":")[0])) for key, text in content.schema_objects.items())
    return {key for key, text, mark in marked if mark and mark in text}


def _mapping(name: str, expected: DatabaseContent, wanted: Mapping[str, str], seen: Mapping[str, str]) -> Evidence:
    missing = sorted(wanted.keys() - seen.keys())
    extra = sorted(seen.keys() - wanted.keys())
    differs = sorted(key for key in wanted.keys() & seen.keys() if wanted[key] != seen[key])
    parts = [
        f"{label} {_few(names)}"
        for label, names in (("missing", missing), ("differs", differs), ("extra", extra))
        if names
    ]
    verdict: Verdict = "fail" if parts else "pass"
    return _evidence(expected.database, name, verdict, "; ".join(parts) or f"{len(seen)} equal", f"{len(wanted)} equal")


def _few(names: list[str]) -> str:
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more


def _settings(expected: DatabaseContent, observed: DatabaseContent, ignored: set[str]) -> Evidence:
    wanted = {name: value for name, value in expected.settings.items() if name not in ignored}
    seen = {name: value for name, value in observed.settings.items() if name not in ignored}
    return _mapping("settings", expected, wanted, seen)


def _large_objects(expected: DatabaseContent, observed: DatabaseContent) -> Evidence:
    verdict: Verdict = "pass"
    if expected.large_objects != observed.large_objects:
        comparable = expected.algorithm == observed.algorithm or expected.large_objects[0] != observed.large_objects[0]
        verdict = "fail" if comparable else "unknown"
    seen, wanted = (f"{number}, digest {digest}" for number, digest in (observed.large_objects, expected.large_objects))
    return _evidence(expected.database, "large_objects", verdict, seen, wanted)


def _sequences(expected: DatabaseContent, observed: DatabaseContent) -> Iterable[Evidence]:
    theirs = {state.name: state for state in observed.sequences}
    for state in expected.sequences:
        yield _sequence(expected.database, state, theirs.get(state.name))


def _sequence(database: str, wanted: SequenceState, seen: SequenceState | None) -> Evidence:
    """It must have reached what was handed out before the dump, and every value in its column."""
    reached = [value for value in (wanted.last_value, wanted.column_extreme) if value is not None]
    word, sign = ("at least", 1) if wanted.ascending else ("at most", -1)
    floor = max(reached, key=lambda value: value * sign, default=None)
    told = "not used yet" if floor is None else f"{word} {floor}"
    if seen is None:
        return _evidence(database, f"sequence:{wanted.name}", "fail", "no such sequence", told)
    last = "not used yet" if seen.last_value is None else str(seen.last_value)
    ok = floor is None or (seen.last_value is not None and seen.last_value * sign >= floor * sign)
    return _evidence(database, f"sequence:{wanted.name}", "pass" if ok else "fail", last, told)


def _evidence(database: str, name: str, verdict: Verdict, observed: str, expected: str) -> Evidence:
    return Evidence(
        f"{database}:{name}", "database", database, verdict, observed, expected, "compare with the manifest"
    )
