"""What a rehearsal's plan is made of, and what of the copy is filled from the backup."""

from __future__ import annotations

from dataclasses import dataclass

from drillbook.decide.rehearse_config import Config, Copied
from drillbook.decide.rehearse_making import Making
from drillbook.observe.footprint import Footprint
from drillbook.vault.manifest import Manifest


@dataclass(frozen=True)
class Planned:
    """The scope of the reset, the copy as it would be made, the backup that fills it, what it takes.

    `needed` is disk, in bytes; `keep`: the copy stays when all is done.
    """

    scope: str
    keep: bool
    making: Making
    made: Copied
    manifest: Manifest
    footprint: Footprint
    needed: int


def archived(config: Config, what: Planned) -> dict[str, tuple[str, str]]:
    """key → the copy's volume, and the target's whose archive the backup holds."""
    names = {key: real_name(config, key) for key in what.made.volumes}
    return {key: (what.made.volumes[key], real) for key, real in names.items() if real in what.manifest.volumes}


def real_name(config: Config, key: str) -> str:
    """The full name of the target's volume *key*."""
    return str(((config.get("volumes") or {}).get(key) or {}).get("name", key))
