"""What earlier runs of a target say of it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from itertools import islice

from drillbook.errors import RunbookError
from drillbook.run.record import Record, folders
from drillbook.target import Target

WELL = ("diagnose", "verify", "reset", "restore")
MOST_RUNS = 500
"""No more runs are read: a watch that looks every minute leaves many."""


def last_healthy(target: Target) -> float:
    """When a run last found all well, in seconds since 1970; 0 when none did. Changes nothing."""
    return max((ended(record) for record in _records(target) if is_well(record)), default=0.0)


def failures_before(target: Target, moment: float) -> tuple[str, ...]:
    """What failing answers and logs said to diagnoses between the last healthy run and *moment*, each once.

    Changes nothing. *moment* is in seconds since 1970.
    """
    since, said = last_healthy(target), list[str]()
    for record in _records(target):
        if record.runbook == "diagnose" and since <= ended(record) < moment:
            said.extend(failures(record))
    return tuple(dict.fromkeys(said))


def failures(record: Record) -> Iterator[str]:
    """What failing answers, then error lines of logs, said to the diagnosis *record*."""
    told = record.result or {}
    for item in told.get("evidence") or ():
        if item["id"].startswith("answer:") and item["verdict"] == "fail":
            yield item["observed"]
    for _, line, _ in (told.get("signs") or {}).get("lines") or ():
        yield line


def is_well(record: Record) -> bool:
    """Whether *record* is of a run that looked at the target and found all well."""
    verdict = (record.result or {}).get("verdict")
    return record.runbook in WELL and record.status == "succeeded" and verdict == "pass"


def ended(record: Record) -> float:
    """When the run ended, or, of one that left no end, when it began; in seconds since 1970, 0 where unreadable."""
    try:
        return datetime.fromisoformat(record.ended or record.started).timestamp()
    except ValueError:
        return 0.0


def _records(target: Target) -> Iterator[Record]:
    """The newest runs, newest first. One that cannot be read says nothing."""
    for folder in islice(reversed(folders(target.name)), MOST_RUNS):
        try:
            yield Record.load(folder)
        except RunbookError:
            continue
