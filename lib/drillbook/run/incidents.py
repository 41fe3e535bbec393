"""A known incident made from the records of its runs."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import yaml

from drillbook import home
from drillbook.act import durable
from drillbook.errors import BadParameters
from drillbook.observe.incidents import incident as read
from drillbook.observe.said import VARIES, hidden

NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,80}")
MENDING = ("reset", "restore", "rollback")
MOST_SYMPTOMS, LONGEST = 5, 200
Records = Sequence[Mapping[str, Any]]


def described(name: str, title: str, records: Records, run: str) -> dict[str, Any]:
    """The incident as plain values: what was seen and found by diagnoses, what succeeded after, how long it took.

    Changes nothing.
    """
    results = [record.get("result") or {} for record in records if record["runbook"] == "diagnose"]
    causes = dict.fromkeys(cause["id"] for told in results for cause in told.get("causes", []))
    mended = dict.fromkeys(r["runbook"] for r in records if r["runbook"] in MENDING and r["status"] == "succeeded")
    return {
        "id": name,
        "title": title,
        "date": str(records[0]["started"])[:10],
        "symptoms": list(dict.fromkeys(_symptoms(results)))[:MOST_SYMPTOMS],
        "causes": list(causes),
        "resolved_by": [f"drillbook run {runbook}" for runbook in mended],
        "duration": _duration(records),
        "link": f"the postmortem {run}",
        "facts": {"rebuilds": str(max((_rebuilds(told) for told in results), default=0))},
    }


def write(name: str, told: Mapping[str, Any]) -> Path:
    """Write the incident, mode 0600, and read it back; its file. Never replaces one that is there.

    Raises:
        BadParameters: the id is no plain name, or is taken.
    """
    if not NAME.fullmatch(name):
        raise BadParameters(f"{name!r} cannot be an incident's id", "use small letters, digits and -")
    file = home.incidents() / f"{name}.yaml"
    if file.exists():
        raise BadParameters(f"there is an incident {name} already", f"choose another id, or edit {file}")
    durable.folder(file.parent)
    durable.replace(file, yaml.safe_dump(dict(told), sort_keys=False, allow_unicode=True, width=110).encode())
    read(file)
    return file


def _symptoms(results: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """What failing answers and the logs said, as expressions that hold for the next one too."""
    for told in results:
        for item in told.get("evidence", []):
            if item["id"].startswith("answer:") and item["verdict"] == "fail":
                yield general(item["observed"].partition(": ")[2] or item["observed"])
        for _, line, _ in (told.get("signs") or {}).get("lines", []):
            yield general(line)


def general(said: str) -> str:
    """An expression for *said* in which numbers and ids may be others; no secret is in it."""
    text = hidden(said.strip().splitlines()[0] if said.strip() else "")[:LONGEST]
    return r"\w+".join(re.escape(part) for part in VARIES.split(text))


def _rebuilds(told: Mapping[str, Any]) -> int:
    for sign in (told.get("signs") or {}).get("signs", []):
        if sign["name"] == "rebuilds":
            return int(sign["observed"].partition(" ")[0])
    return 0


def _duration(records: Records) -> str:
    first = min(datetime.fromisoformat(r["started"]) for r in records)
    last = max(datetime.fromisoformat(r.get("ended") or r["started"]) for r in records)
    minutes = round((last - first).total_seconds() / 60)
    return f"{minutes} minutes" if minutes < 120 else f"{minutes / 60:.1f} hours"
