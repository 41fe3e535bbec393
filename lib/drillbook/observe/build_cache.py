"""The engine's build cache, record by record, as buildx prints it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from drillbook.errors import RunbookError
from drillbook.observe.command import environment, run
from drillbook.observe.facts_signs import BuildRecord
from drillbook.target import Target

TIMEOUT_SECONDS = 20
KEYS = {
    "ID": "ID", "Created at": "CreatedAt", "Mutable": "Mutable", "Reclaimable": "Reclaimable", "Shared": "Shared",
    "Size": "Size", "Description": "Description", "Usage count": "UsageCount", "Last used": "LastUsedAt",
    "Type": "Type", "Parent": "Parents", "Parents": "Parents",
}  # fmt: skip
LINE = re.compile(r"^(" + "|".join(KEYS) + r"):\s*(.*)$")
NOT_TOLD = (None, "", "<nil>")
SCALE = {"": 1, "k": 1000, "m": 1000**2, "g": 1000**3, "t": 1000**4, "p": 1000**5}
SPANS = {"second": 1, "minute": 60, "hour": 3600, "day": 86400, "week": 604800, "month": 2629800, "year": 31557600}


def build_records(target: Target, now: float) -> tuple[BuildRecord, ...]:
    """Every record of the builder that a build of *target* uses, whichever project made it. Changes nothing.

    *now*, in seconds since 1970, is what `3 days ago` is counted from. It does not ask
    `docker system df`: that walks the volumes' disks.

    Raises:
        RunbookError: there is no buildx, or it does not answer within 20 s.
    """
    done = run(("docker", "buildx", "du", "--format", "json"), timeout=TIMEOUT_SECONDS, env=environment(target))
    if done.code == 0:
        return tuple(_record(json.loads(line), now) for line in done.stdout.splitlines() if line.startswith("{"))
    # buildx before 0.28 knows no --format
    done = run(("docker", "buildx", "du", "--verbose"), timeout=TIMEOUT_SECONDS, env=environment(target))
    if done.code != 0:
        raise RunbookError(
            f"the build cache cannot be listed: {done.complaint}",
            "install the buildx plugin; `docker buildx du` must answer",
            done.argv,
        )
    return tuple(_record(told, now) for told in _blocks(done.stdout))


def _blocks(text: str) -> Iterator[dict[str, str]]:
    """What `du --verbose` says of each record. A description may have several lines; a summary follows the last."""
    told: dict[str, str] = {}
    key = ""
    for line in text.splitlines():
        match = LINE.match(line)
        name = KEYS[match[1]] if match else ""
        if match and name == "ID":
            if told:
                yield told
            told, key = {}, ""
        if match and told.setdefault(name, match[2]) == match[2]:
            key = name
        elif key == "Description" and not match:
            told[key] += f"\n{line}"
    if told:
        yield told


def _record(told: Mapping[str, Any], now: float) -> BuildRecord:
    return BuildRecord(
        id=str(told.get("ID", "")).rstrip("*"),
        type=str(told.get("Type") or "regular"),
        description=str(told.get("Description") or "").strip(),
        bytes=size(str(told.get("Size", ""))),
        created=moment(told.get("CreatedAt"), now),
        last_used=moment(told.get("LastUsedAt"), now),
        in_use=str(told.get("Reclaimable", True)).lower() == "false",
        shared=str(told.get("Shared", False)).lower() == "true",
    )


def size(text: str) -> int:
    """Bytes of `12.3MB`, `2.215kB`, `1GiB` or `829889526`; 0 for what is not a size."""
    match = re.match(r"^([\d.]+)\s*([kmgtp]?)(i?)b?\*?$", text.strip(), re.IGNORECASE)
    if not match:
        return 0
    scale = SCALE[match[2].lower()]
    power = {1000**n: 1024**n for n in range(6)}[scale] if match[3] else scale
    return round(float(match[1]) * power)


def moment(told: object, now: float) -> float:
    """Seconds since 1970 of an RFC 3339 time, of Go's own form, or of `3 days ago`; 0 where none is told."""
    if told in NOT_TOLD:
        return 0.0
    text = str(told)
    if text.endswith(" ago"):
        return now - _span(text)
    match = re.match(r"^(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d:\d\d)(\.\d{1,6})?\d*\s*(Z|[+-]\d\d:?\d\d)?", text)
    if not match:
        return 0.0
    zone = (match[4] or "Z").replace("Z", "+00:00")
    return datetime.fromisoformat(f"{match[1]}T{match[2]}{match[3] or ''}{zone}").timestamp()


def _span(text: str) -> float:
    """Seconds of what Go's units.HumanDuration prints: `Less than a second`, `About an hour`, `3 days`."""
    count = re.search(r"\d+", text)
    unit = next((seconds for name, seconds in SPANS.items() if name in text), 0)
    return 0.0 if "Less than" in text else float(unit * int(count[0] if count else 1))
