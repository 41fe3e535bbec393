"""The proof: the record of a drill, lying beside the backup that it judged."""

from __future__ import annotations

import os
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, ValidationError

from drillbook.vault.checksum import sync_folder
from drillbook.vault.content import Frozen

PREFIX = "proof-"


class Proof(Frozen):
    """One drill's outcome. It counts only for the manifest whose sha256 it names.

    `rto_seconds` is what a restore took: scratch server, roles, databases and
    volumes, without checksums and comparison. `checks` are evidence as JSON.
    """

    format: Literal[1] = 1
    backup: str
    manifest_sha256: str
    verdict: Literal["pass", "fail", "unknown"]
    started: datetime
    ended: datetime
    rto_seconds: float
    checks: tuple[dict[str, Any], ...]
    scratch: dict[str, dict[str, Any]] = Field(default_factory=dict)
    versions: dict[str, str] = Field(default_factory=dict)


def write(proof: Proof, folder: Path) -> Path:
    """Put *proof* into the backup's *folder*, on disk before this returns.

    Raises:
        OSError: the folder cannot be written.
    """
    file = folder / f"{PREFIX}{proof.ended:%Y%m%dT%H%M%S.%fZ}.json"
    handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w") as stream:
        stream.write(proof.model_dump_json(indent=1))
        stream.flush()
        os.fsync(stream.fileno())
    sync_folder(folder)
    return file


def read_all(folder: Path) -> tuple[Proof, ...]:
    """Every readable proof in *folder*, oldest first. One that cannot be read proves nothing and is passed over."""
    found = []
    for file in sorted(folder.glob(f"{PREFIX}*.json")):
        try:
            found.append(Proof.model_validate_json(file.read_bytes()))
        except (OSError, ValidationError):
            continue
    return tuple(sorted(found, key=lambda proof: proof.ended))
