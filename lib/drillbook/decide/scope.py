"""What a reset may touch: the default is what the diagnosis calls for, never more."""

from __future__ import annotations

from typing import Literal, get_args

from drillbook.decide.diagnose import CODE_CAUSES, Diagnosis, diagnose
from drillbook.decide.next_step import CONTAINER_CAUSES
from drillbook.errors import NotThisIncident
from drillbook.observe.facts import Snapshot

Scope = Literal["containers", "images", "build-cache", "artifacts", "volumes", "database"]
SCOPES: tuple[str, ...] = get_args(Scope)
DATA = ("volumes", "database")
"""Scopes that touch what is stored."""
MASKED = "masked-by-mount"
"""Stale code that no new image and no new container resolves."""


def scope_of(scope: str, diagnosis: Diagnosis) -> str:
    """What *scope* means here: `auto` is what the diagnosis calls for, never more.

    Raises:
        NotThisIncident: `auto`, and nothing that a reset resolves was found, or a mount covers the code.
    """
    if scope != "auto":
        return scope
    found = diagnosis.names() & CODE_CAUSES
    if not found or MASKED in found:
        what = "a mount covers code" if found else "no stale code was found"
        where = f"next: {diagnosis.next.runbook or 'nothing'} ({diagnosis.next.why})"
        raise NotThisIncident(f"{what} on {diagnosis.target}", where, diagnosis.as_json())
    return "containers" if found <= CONTAINER_CAUSES else "images"


def services(snapshot: Snapshot, own: list[str]) -> list[str]:
    """The services that a reset replaces: its *own*, those with code, and what runs their images or stands stale.

    The image that two services share is renewed for both: its tag would leave the other one stale behind.
    """
    images = {s.image for s in snapshot.services if s.name in own}
    alike = [s.name for s in snapshot.services if s.image in images and s.name not in own]
    return [*own, *alike, *_beside_code(snapshot, [*own, *alike])] if own else []


def built_services(snapshot: Snapshot) -> list[str]:
    """The services whose images are built here from source that is known."""
    return [s.name for s in snapshot.services if s.context and s.name in snapshot.sources]


def _beside_code(snapshot: Snapshot, names: list[str]) -> list[str]:
    """Services without code of their own whose container is what is stale: a proxy that caches, an old configuration.

    One that holds a volume, or a database wherever its files lie, is left alone: a reset does not restart data.
    """
    stored = {fact.service for fact in snapshot.databases}
    services = {c.name: c.service for c in snapshot.containers
                if c.service not in stored and not any(m.kind == "volume" for m in c.mounts)}  # fmt: skip
    stale = [c for c in diagnose(snapshot).causes if c.id in CONTAINER_CAUSES]
    found = {services[e.subject] for cause in stale for e in cause.evidence if e.subject in services}
    if any(cause.id == "stale-proxy" for cause in stale):
        found |= {c.service for c in snapshot.containers if c.ports and c.name in services}
    return sorted(found - set(names))
