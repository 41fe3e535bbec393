"""How scratch things are told from all others: their labels, their names, whose they are, whether they were kept."""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping
from pathlib import Path

from drillbook.observe.owner import is_gone, ourselves

LABEL = "drillbook.scratch"
NAME = "drillbook-scratch-"
KEPT = "drillbook-kept-"
"""What a container's name begins with once it is kept: labels cannot be changed, names can."""
FOLDER = "drillbook-s-"
OWNER, KEPT_FILE = "owner.json", "kept"
KEPT_SECONDS = 24 * 3600


def new_name() -> str:
    """A name for a scratch container, volume or network."""
    return f"{NAME}{secrets.token_hex(4)}"


def labels(run: str) -> dict[str, str]:
    """What a scratch container, volume or network of the run *run* is labelled with: the run, and this process."""
    return {LABEL: run, **ourselves(f"{LABEL}.")}


def is_dead(found: Mapping[str, str] | None) -> bool:
    """Whether the process that *found* labels name runs no more."""
    return is_gone(found or {}, f"{LABEL}.")


def claim(folder: Path) -> None:
    """Write into a scratch *folder* whose it is."""
    (folder / OWNER).write_text(json.dumps(ourselves()))


def is_dead_folder(folder: Path) -> bool:
    """Whether the process that made the scratch *folder* runs no more. One that says nothing is left alone."""
    try:
        owner = json.loads((folder / OWNER).read_text())
    except (OSError, ValueError):
        return False
    return isinstance(owner, dict) and is_gone(owner)
