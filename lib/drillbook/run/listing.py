"""What the shell prints: tables for a person, JSON alone for a program."""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from drillbook import home

if TYPE_CHECKING:
    from drillbook.run.doctor import Finding
    from drillbook.run.record import Record
    from drillbook.run.runbooks import Runbook
    from drillbook.vault.catalog import Backup

COLOURS = {
    "succeeded": "green", "proven": "green", "ok": "green",
    "refused": "yellow", "unproven": "yellow", "running": "cyan", "optional": "yellow",
    "failed": "red", "aborted": "red", "broken": "red", "missing": "red",
}  # fmt: skip
COUNTED = ("checks", "evidence", "failures", "steps")


def print_json(value: Any) -> None:
    """*value* alone on standard output."""
    print(json.dumps(value, indent=1, ensure_ascii=False, default=str))


def targets() -> list[str]:
    """The names of the target files."""
    return sorted(file.stem for file in home.targets().glob("*.yaml"))


def runbooks(every: Iterable[Runbook]) -> None:
    """Each runbook under its symptom, with its parameters."""
    console = _console()
    for runbook in every:
        console.print(f"[bold]{escape(runbook.title)}[/]")
        console.print(f"    drillbook run [cyan]{runbook.name}[/] --target T", highlight=False)
        for p in runbook.parameters:
            about = f"  {escape(p.description)}" if p.description else ""
            shown = escape(f"{p.name} = {p.default!r}")
            console.print(f"      -p {shown}  [dim]{escape(p.kind)}[/]{about}", highlight=False)


def runs(records: Sequence[Record]) -> None:
    """The runs as one table."""
    table = Table("run", "target", "status", "reason", "step", "seconds", box=None)
    for r in records:
        cells = [
            r.run,
            r.target,
            _colour(r.status),
            r.reason,
            r.step or "",
            "" if r.seconds is None else f"{r.seconds:.1f}",
        ]
        table.add_row(*cells)
    _console().print(table if records else "no runs yet")


def ending(record: Record) -> None:
    """How a run ended, and where it lies."""
    table = Table(show_header=False, box=None)
    table.add_row("run", record.run)
    code = f"{_colour(record.status)}{f' ({escape(record.reason)})' if record.reason else ''}, exit {record.exit_code}"
    table.add_row("status", code)
    table.add_row("seconds", f"{record.seconds:.1f}" if record.seconds is not None else "")
    for key, value in (record.result or {}).items():
        table.add_row(key, escape(_said(key, value)))
    table.add_row("copy", str(record.folder / (record.notebook or "")))
    _console().print(table)


def complaint(record: Record) -> None:
    """The fact and the hint of a run that did not succeed, on standard error."""
    if record.error:
        print(f"{record.status}: {record.error.get('fact', '')}", file=sys.stderr)
        print(f"HINT: {record.error.get('hint') or 'the executed copy tells more'}", file=sys.stderr)


def backups(found: Sequence[Backup], as_json: bool) -> None:
    """The backups, newest first, with verdict and age."""
    now = datetime.now(UTC)
    rows = [
        {
            "backup": backup.name,
            "verdict": backup.verdict,
            "ended": backup.ended.isoformat() if backup.header else None,
            "age_seconds": round(backup.age_seconds(now)) if backup.header else None,
            "bytes": backup.bytes,
            "encrypted": backup.is_sealed,
            "fact": backup.fact,
        }
        for backup in reversed(found)
    ]
    if as_json:
        print_json(rows)
        return
    table = Table("backup", "verdict", "age", "bytes", "", box=None)
    for row in rows:
        age = str(timedelta(seconds=int(row["age_seconds"]))) if row["age_seconds"] is not None else ""
        table.add_row(
            str(row["backup"]), _colour(str(row["verdict"])), age, f"{row['bytes']:,}", escape(str(row["fact"]))
        )
    _console().print(table if rows else "no backups yet")


def findings(found: Iterable[Finding]) -> None:
    """What the doctor found, each with its remedy."""
    console = _console()
    for finding in found:
        console.print(f"{_colour(finding.standing, 8)} {escape(finding.what)}: {escape(finding.fact)}", highlight=False)
        if finding.remedy:
            console.print(f"          HINT: {escape(finding.remedy)}", highlight=False)


def _console() -> Console:
    """Standard output; a log is not cut to eighty columns."""
    return Console(soft_wrap=True) if sys.stdout.isatty() else Console(width=200, soft_wrap=True)


def _colour(word: str, width: int = 0) -> str:
    return f"[{COLOURS.get(word, 'default')}]{word:<{width}}[/]"


TOLD: dict[str, Callable[[Any], str]] = {
    "next": lambda value: str(value.get("command") or value.get("why") or "nothing"),
    "causes": lambda value: ", ".join(str(cause["id"]) for cause in value) or "none",
    "plan": lambda value: str(value["fingerprint"]),
    "files": lambda value: ", ".join(dict.fromkeys(str(item["path"]) for item in value)) or "none differs",
    "incidents": lambda value: ", ".join(str(match["incident"]["id"]) for match in value) or "none is like it",
    "removed": lambda value: ", ".join(name for names in value.values() for name in names) or "none",
    "signs": lambda value: str(value["says"]),
    "caches": lambda value: f"{sum(cache['present'] == 'yes' for cache in value)} of {len(value)} are there",
}
"""What a runbook's own entries say in a line."""


def _said(key: str, value: Any) -> str:
    """One entry of a result, in a line that a person understands; all of it is in `run.json`."""
    told = TOLD.get(key)
    if told and isinstance(value, list | dict):
        return told(value)
    match value:
        case None:
            return "nothing to tell"
        case list() if key in COUNTED or any(isinstance(item, dict) for item in value):
            return _count(value)
        case list():
            return ", ".join(map(str, value)) or "none"
        case dict():
            return f"{len(value)} entries"
    return str(value)


def _count(items: list[Any]) -> str:
    """How many there are, and of which verdict."""
    verdicts = Counter(item["verdict"] for item in items if isinstance(item, dict) and "verdict" in item)
    told = ", ".join(f"{number} {verdict}" for verdict, number in verdicts.items())
    return f"{len(items)}{f' ({told})' if told else ''}"
