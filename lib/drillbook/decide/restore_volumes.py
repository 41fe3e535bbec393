"""Plan the restore of volumes: kept aside and filled, or filled beside."""

from __future__ import annotations

from collections.abc import Iterable

from drillbook.decide.chosen import Wanted
from drillbook.decide.plan import Step
from drillbook.observe.places import DataFacts, VolumePlace
from drillbook.vault.manifest import Manifest

HOURS = 3600


def volume_steps(
    names: Iterable[str], manifest: Manifest, facts: DataFacts, short: str, wanted: Wanted
) -> Iterable[Step]:
    """Volumes: content kept in a new volume, then filled; or, beside, a new volume filled."""
    places = {place.name: place for place in facts.volumes}
    for name in names:
        if wanted.into == "beside":
            yield _beside(places[name], manifest, facts, short)
        else:
            yield from _into(places[name], manifest, facts, short)


def _beside(place: VolumePlace, manifest: Manifest, facts: DataFacts, short: str) -> Step:
    new = free_volume(f"{place.name}_restored_{short}", facts.volume_names)
    args = {"volume": place.name, "aside": new, "containers": [], "image_id": manifest.volumes[place.name].image_id}
    return Step(f"beside-{place.key}", "restore.volume_beside", new, args=args, timeout_seconds=HOURS)


def _into(place: VolumePlace, manifest: Manifest, facts: DataFacts, short: str) -> Iterable[Step]:
    entry = manifest.volumes[place.name]
    aside = free_volume(f"{place.name}_before_{short}", facts.volume_names)
    args = {"volume": place.name, "aside": aside, "containers": list(place.containers), "image_id": entry.image_id}
    yield Step(f"keep-{place.key}", "restore.volume_keep", place.name, args=args, timeout_seconds=HOURS)
    yield Step(
        f"fill-{place.key}", "restore.volume_fill", place.name, args=args,
        destroys=(f"content of volume {place.name} (copied to {aside})",),
        recovers=f"copy {aside} back into {place.name}", timeout_seconds=HOURS,
    )  # fmt: skip
    yield Step(f"start-{place.key}", "restore.volume_start", ", ".join(place.containers) or place.name, args=args)


def free_volume(wanted: str, taken: Iterable[str]) -> str:
    """*wanted*, with `_2`, `_3`, … where the engine has a volume of that name."""
    known = set(taken)
    number, name = 1, wanted
    while name in known:
        number += 1
        name = f"{wanted}_{number}"
    return name
