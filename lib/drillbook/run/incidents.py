"""A known incident made from the records of its runs."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import yaml

from drillbook import home
from drillbook.act import durable
from drillbook.errors import BadParameters
from drillbook.observe.incidents import valid
from drillbook.observe.said import VARIES, hidden
from drillbook.run.history import ended, failures, is_well
from drillbook.run.record import Record

NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,80}")
MENDING = ("reset", "restore")
LOOKING = ("diagnose", "verify")
MOST_SYMPTOMS, LONGEST, FEWEST_LETTERS = 5, 200, 8
TAG = re.compile(r"<[^>]*>?")
REDACTED = re.compile(r"\[redacted [^\]]*\]|\*\*\*")


def described(name: str, title: str, records: Sequence[Record], run: str) -> dict[str, Any]:
    """The incident as plain values: what diagnoses saw and found, what resolved it, how long it took.

    Changes nothing. *records* are the runs, oldest first; a secret in them would get into it.
    """
    looks = [record for record in records if record.runbook == "diagnose" and not is_well(record)]
    told = [record.result or {} for record in looks]
    said = (general(text) for record in looks for text in failures(record))
    resolved, in_vain = _mended(records)
    return {
        "id": name,
        "title": title,
        "date": records[0].started[:10],
        "symptoms": list(dict.fromkeys(symptom for symptom in said if symptom))[:MOST_SYMPTOMS],
        "causes": list(dict.fromkeys(cause["id"] for result in told for cause in result.get("causes") or ())),
        "resolved_by": resolved,
        "did_not_help": in_vain,
        "duration": _duration(records),
        "link": f"the postmortem {run}",
        "facts": _facts(told),
    }


def write(name: str, told: Mapping[str, Any]) -> Path:
    """Write the incident, mode 0600, and give its file. Never replaces one that is there.

    Raises:
        BadParameters: the id is no plain name, or is taken.
        RunbookError: it would be no valid incident.
    """
    if not NAME.fullmatch(name):
        raise BadParameters(f"{name!r} cannot be an incident's id", "use small letters, digits and -")
    file = home.incidents() / f"{name}.yaml"
    valid(told, file)
    text = yaml.safe_dump(dict(told), sort_keys=False, allow_unicode=True, width=110)
    try:
        durable.folder(file.parent)
        handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError as error:
        raise BadParameters(f"there is an incident {name} already", f"choose another id, or edit {file}") from error
    except OSError as error:
        raise BadParameters(f"{file} cannot be written: {error.strerror}", "correct the folder's mode") from error
    with os.fdopen(handle, "w", encoding="utf-8") as stream:
        stream.write(text)
    return file


def general(said: str) -> str:
    """An expression for the first line of *said* that tells something, in which numbers and ids may be others.

    No secret is in it. Empty where nothing is said that would tell this incident from another.
    """
    status = re.match(r"[1-5]\d\d: ", said)
    for line in said[status.end() if status else 0 :].splitlines():
        text = max(TAG.split(hidden(line)), key=len).strip()[:LONGEST]
        if sum(letter.isalpha() for letter in REDACTED.sub("", text)) >= FEWEST_LETTERS:
            return r"\S*".join(_varying(part) for part in REDACTED.split(text))
    return ""


def _varying(text: str) -> str:
    return r"\w+(?:-\w+)*".join(re.escape(part).replace("\\ ", " ") for part in VARIES.split(text))


def _mended(records: Sequence[Record]) -> tuple[list[str], list[str]]:
    """The commands that a good look followed, and those after which it was still bad."""
    resolved, in_vain = dict[str, None](), dict[str, None]()
    for number, record in enumerate(records):
        if record.runbook in MENDING and record.status == "succeeded":
            after = next((r for r in records[number + 1 :] if r.runbook in LOOKING and r.result), record)
            (resolved if is_well(after) else in_vain)[_command(record)] = None
    return list(resolved), list(in_vain)


def _command(record: Record) -> str:
    scope = record.parameters.get("scope", "auto")
    return f"drillbook run {record.runbook}" + (f" -p scope={scope}" if scope != "auto" else "")


def _facts(results: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """What can be held against another night: rebuilds, the backup that was there, rows that were lost."""
    counts = [
        sign["observed"].partition(" ")[0] for told in results for sign in _signs(told) if sign["name"] == "rebuilds"
    ]
    rows = [row for told in results for row in told.get("rows") or ()]
    ages = [row["age_seconds"] for row in rows if row["backup"]]
    lost = dict.fromkeys(f"{row['database']}/{row['table']}" for row in rows if row["change"] == "lost")
    facts = {"rebuilds": max((count for count in counts if count.isdigit()), key=int, default="")}
    if rows:
        facts["backups"] = f"the newest {min(ages) / 3600:.1f} h old" if ages else "none"
        facts["data lost"] = f"{len(lost)} tables" if lost else "none"
    return {key: value for key, value in facts.items() if value}


def _signs(told: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return (told.get("signs") or {}).get("signs") or []


def _duration(records: Sequence[Record]) -> str:
    minutes = round((max(map(ended, records)) - datetime.fromisoformat(records[0].started).timestamp()) / 60)
    return f"{minutes} minutes" if minutes < 120 else f"{minutes / 60:.1f} hours"
