"""The ladder of a drill: its checks in order from cheap to dear, and which of them each tier makes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from drillbook.target import Drill
from drillbook.vault.manifest import Manifest
from drillbook.vault.proof import Tier

TIERS: tuple[Tier, ...] = ("fast", "sample", "full")
RESTORING: tuple[Tier, ...] = ("sample", "full")


@dataclass(frozen=True)
class Rung:
    """One kind of check: what it promises, and the tiers that make it.

    Evidence of it is called `id`, `SUBJECT:id` or `SUBJECT:id:NAME`. `within` is the rung that
    makes it too, in tiers that do not make it alone.
    """

    id: str
    promise: str
    tiers: tuple[Tier, ...]
    within: str = ""


LADDER = (
    Rung("checksums", "every file is what the manifest says, and nothing else is there", TIERS),
    Rung("manifest", "the manifest fits itself: everything it tells of has its files", TIERS),
    Rung("archive", "every archive reads whole: pg_restore reads a dump to its end", ("fast",), within="restore"),
    Rung("roles", "every role can be made", RESTORING),
    Rung("restore", "pg_restore ends with 0", RESTORING),
    Rung("schema", "definitions, extensions, grants, settings and sequences are the source's", RESTORING),
    Rung("constraints", "every constraint is validated and every index valid, where the source's were", RESTORING),
    Rung("rows", "every table has as many rows", RESTORING),
    Rung("table", "every table has the source's content digest", ("full",)),
    Rung("assertion", "what the target's file asserts is true", RESTORING),
    Rung("amcheck", "pg_amcheck finds no damage in tables and indexes", ("full",)),
    Rung("smoke", "the app answers with the restored database", ("full",)),
    Rung("redis", "a redis starts on its archive and holds the same keys", RESTORING),
    Rung("rto", "a restore stays within its budget", RESTORING),
)


@dataclass(frozen=True)
class Asked:
    """What is asked of a drill: its tier, what the target's file says, and whether a failed one's servers stay."""

    tier: Tier = "full"
    jobs: int = 2
    rto_budget_seconds: float = 900.0
    keep_on_failure: bool = False
    own: Drill = field(default_factory=Drill)

    @property
    def restores(self) -> bool:
        return self.tier in RESTORING


def left_out(asked: Asked, manifest: Manifest) -> tuple[dict[str, str], ...]:
    """The rungs that this drill does not make, each with `id` and `why`; those that another makes are not left out."""
    why = dict(_nothing_to_ask(asked.own, manifest))
    made = {rung.id for rung in LADDER if asked.tier in rung.tiers}
    for rung in LADDER:
        if rung.id not in made and rung.within not in made:
            why.setdefault(rung.id, f"tier {asked.tier}")
    if asked.tier == "sample" and "table" in why:
        why["table"] = "tier sample: digests of as many tables as fit, another choice for each backup"
    return tuple({"id": rung.id, "why": why[rung.id]} for rung in LADDER if rung.id in why)


def _nothing_to_ask(own: Drill, manifest: Manifest) -> Iterator[tuple[str, str]]:
    if not own.assertions:
        yield "assertion", "the target's file asserts nothing (drill.assertions)"
    if not own.smoke:
        yield "smoke", "the target's file names no smoke request (drill.smoke)"
    if not any(volume.kind == "redis" for volume in manifest.volumes.values()):
        yield "redis", "the backup holds no redis"
