"""The date in the names of what a plan keeps aside: the same in the plan that is read and in the approved one."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

from drillbook.act.journal import Journal

GOOD_FOR = timedelta(hours=24)


def stamp(runs: Path, scope: str, now: datetime | None = None) -> str:
    """The date of the newest plan of *scope* among *runs* that nobody has carried out, else now; to the second, UTC.

    A name is dated when it is first planned: else each new plan would have another name, and no approval would ever be
    good for one.
    """
    now = (now or datetime.now(UTC)).replace(microsecond=0)
    for file in sorted(runs.glob("*-reset-*/plan.json"), reverse=True):
        told = _stamp_of(file, scope)
        if told and _used(file.parent):
            break
        if told and timedelta() <= now - datetime.fromisoformat(told) < GOOD_FOR:
            return told
    return now.isoformat()


def _stamp_of(file: Path, scope: str) -> str:
    try:
        rests_on = json.loads(file.read_bytes())["basis"]
        return str(rests_on["stamp"]) if rests_on.get("scope") == scope else ""
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return ""


def _used(folder: Path) -> bool:
    return any(line["event"] == "approval-used" for line in Journal(folder / "journal.jsonl").lines())
