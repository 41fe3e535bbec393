"""Whether a manifest fits itself: what can be told of it without a single file being read."""

from __future__ import annotations

from collections.abc import Iterator

from drillbook.decide.evidence import Evidence
from drillbook.vault.manifest import Manifest


def sound(manifest: Manifest, name: str, intact: bool = True) -> Evidence:
    """That the manifest is the one of backup *name*, as it was written, and all it tells of has files and a server."""
    wrong = list(_wrong(manifest, name))
    if not intact:
        wrong.insert(0, "it is not what was written: its own checksum differs")
    databases, volumes = len(manifest.databases), len(manifest.volumes)
    told = f"{databases} databases, {manifest.tables} tables, {volumes} volumes, each with its files"
    return Evidence("manifest", "backup", name, "fail" if wrong else "pass", "; ".join(wrong) or told, told)


def _wrong(manifest: Manifest, name: str) -> Iterator[str]:
    files = manifest.checksums
    if manifest.name != name:
        yield f"it is the manifest of {manifest.name}"
    for key, entry in manifest.databases.items():
        if entry.server not in manifest.physical and f"{entry.folder}/toc.dat" not in files:
            yield f"database {key} has no list of its dump ({entry.folder}/toc.dat)"
        if entry.server not in manifest.servers:
            yield f"database {key} comes from a server that it does not tell of ({entry.server})"
    for key, server in manifest.servers.items():
        if key not in manifest.physical and server.roles not in files:
            yield f"server {key} has no file of its roles"
    for key, physical in manifest.physical.items():
        if key not in manifest.servers:
            yield f"set {physical.label} is of a server that it does not tell of ({key})"
    for volume, archive in manifest.volumes.items():
        if archive.file not in files:
            yield f"volume {volume} has no archive"
