"""What earlier runs of a target say of it."""

from __future__ import annotations

from datetime import datetime

from drillbook.run.record import Record, folders
from drillbook.target import Target

WELL = ("diagnose", "verify", "reset", "restore")


def last_healthy(target: Target) -> float:
    """When a run last found all well, in seconds since 1970; 0 when none did. Changes nothing."""
    found = 0.0
    for folder in folders(target.name):
        record = Record.load(folder)
        if record.runbook in WELL and record.status == "succeeded" and (record.result or {}).get("verdict") == "pass":
            ended = str(record.data.get("ended") or record.data["started"])
            found = max(found, datetime.fromisoformat(ended).timestamp())
    return found
