"""The proof: the record of a drill, lying beside the backup that it judged."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from pydantic import Field, ValidationError

from drillbook.vault.content import Frozen

PREFIX = "proof-"
Tier = Literal["fast", "sample", "full"]


class Proof(Frozen):
    """One drill's outcome. It counts only for the manifest whose sha256 it names. `serial` counts a backup's drills.

    `verdict` is about the backup: how long the restore took is a check, and not part of it.
    `left_out` are the checks that were not made, each with `id` and `why`. `rto_seconds` is what a
    restore took: scratch server, roles, databases and volumes, without checksums and comparison;
    0 where nothing was restored. `checks` are evidence as JSON.
    """

    format: Literal[1] = 1
    serial: int = 0
    backup: str
    manifest_sha256: str
    tier: Tier = "full"
    verdict: Literal["pass", "fail", "unknown"]
    started: datetime
    ended: datetime
    rto_seconds: float
    checks: tuple[dict[str, Any], ...]
    left_out: tuple[dict[str, str], ...] = ()
    scratch: dict[str, dict[str, Any]] = Field(default_factory=dict)
    versions: dict[str, str] = Field(default_factory=dict)

    @property
    def counts(self) -> bool:
        """Whether it says what the backup is worth: a full drill does, and one of any tier that found a fault."""
        return self.tier == "full" or self.verdict == "fail"


def file_name(proof: Proof) -> str:
    """What the proof's file is called, so that they sort by time."""
    return f"{PREFIX}{proof.ended:%Y%m%dT%H%M%S.%fZ}.json"


def written(proof: Proof) -> bytes:
    """The proof as it lies in its file."""
    return proof.model_dump_json(indent=1).encode()


def bare(proof: Proof) -> Proof:
    """What of *proof* may be read without the key of an encrypted backup: no names, no rows."""
    return proof.model_copy(update={"checks": (), "left_out": (), "scratch": {}})


def parse(data: bytes) -> Proof | None:
    """The proof that *data* is; None for what is none: it proves nothing."""
    try:
        return Proof.model_validate_json(data)
    except ValidationError:
        return None
