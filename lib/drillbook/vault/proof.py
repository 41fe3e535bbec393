"""The proof: the record of a drill, lying beside the backup that it judged."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from pydantic import Field, ValidationError

from drillbook.vault.content import Frozen

PREFIX = "proof-"


class Proof(Frozen):
    """One drill's outcome. It counts only for the manifest whose sha256 it names. `serial` counts a backup's drills.

    `rto_seconds` is what a restore took: scratch server, roles, databases and
    volumes, without checksums and comparison. `checks` are evidence as JSON.
    """

    format: Literal[1] = 1
    serial: int = 0
    backup: str
    manifest_sha256: str
    verdict: Literal["pass", "fail", "unknown"]
    started: datetime
    ended: datetime
    rto_seconds: float
    checks: tuple[dict[str, Any], ...]
    scratch: dict[str, dict[str, Any]] = Field(default_factory=dict)
    versions: dict[str, str] = Field(default_factory=dict)


def file_name(proof: Proof) -> str:
    """What the proof's file is called, so that they sort by time."""
    return f"{PREFIX}{proof.ended:%Y%m%dT%H%M%S.%fZ}.json"


def written(proof: Proof) -> bytes:
    """The proof as it lies in its file."""
    return proof.model_dump_json(indent=1).encode()


def bare(proof: Proof) -> Proof:
    """What of *proof* may be read without the key of an encrypted backup: no names, no rows."""
    return proof.model_copy(update={"checks": (), "scratch": {}})


def parse(data: bytes) -> Proof | None:
    """The proof that *data* is; None for what is none: it proves nothing."""
    try:
        return Proof.model_validate_json(data)
    except ValidationError:
        return None
