"""Whether there is room for a second copy of the stack beside the first, which it must not crowd."""

from __future__ import annotations

from collections.abc import Iterable

from drillbook.errors import Refused
from drillbook.observe.facts import DiskFact, Snapshot
from drillbook.observe.footprint import Footprint
from drillbook.vault.manifest import Manifest

SPARE_MEMORY, SPARE_DISK = 256 << 20, 1 << 30
TEMPORARY = 1.2
"""A restore writes its WAL too."""


def disk_needed(snapshot: Snapshot, manifest: Manifest, folder: int) -> int:
    """The bytes that the copy takes: the databases, the volumes, new images beside the old ones, its own folder."""
    databases = sum(int(fact.bytes * TEMPORARY) for fact in snapshot.databases)
    volumes = sum(entry.bytes for entry in manifest.volumes.values())
    layers = {line for image in snapshot.engine_images.values() for line in image.history}
    images = sum(line.bytes for line in layers)
    return databases + volumes + images + folder


def refuse_crowded(target: str, used: Footprint, needed: int, disks: Iterable[DiskFact]) -> None:
    """Return when a copy would leave enough memory and disk to the target itself.

    Raises:
        Refused: it would not.
    """
    if used.memory is not None and used.memory_free is not None and used.memory + SPARE_MEMORY > used.memory_free:
        fact = f"a copy of {target} takes {mb(used.memory)} of memory, and {mb(used.memory_free)} are free"
        raise Refused(fact, "it would crowd the target: rehearse on a machine that has more, or when less runs")
    tight = next((disk for disk in disks if "engine" in disk.what and disk.free_bytes < needed + SPARE_DISK), None)
    if tight is not None:
        fact = f"a copy of {target} takes {mb(needed)} of disk, and {tight.path} has {mb(tight.free_bytes)} free"
        raise Refused(fact, "it would crowd the target: free some space first; 01-diagnose shows what takes it")


def mb(size: int) -> str:
    """Bytes as a person reads them."""
    return f"{size / 1e9:.1f} GB" if size >= 1e9 else f"{size / 1e6:.0f} MB"
