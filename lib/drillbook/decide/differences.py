"""Which files differ at which level: one line a file, its digest at every level."""

from __future__ import annotations

from dataclasses import dataclass

from drillbook.decide.code import ServiceCode, services_code
from drillbook.decide.process_level import edited, masked
from drillbook.observe.facts import Snapshot

LIMIT = 20
"""Files a service; the evidence counts the rest."""


@dataclass(frozen=True)
class Difference:
    """One file of a service: its sha256 at every level, empty where it is not there or was not asked.

    `bundle` is what the embedded manifest says the bundle was made from.
    """

    service: str
    path: str
    source: str
    image: str
    bundle: str
    process: str
    where: str

    @property
    def levels(self) -> tuple[str, str, str, str]:
        return self.source, self.image, self.bundle, self.process


def differences(snapshot: Snapshot) -> tuple[Difference, ...]:
    """The files of every service that are not the same at every level, by service and path; at most LIMIT each."""
    return tuple(d for code in services_code(snapshot) for d in _of(code)[:LIMIT])


def _of(code: ServiceCode) -> list[Difference]:
    paths = {*code.wrong, *code.bundled_wrong}
    inside: dict[str, tuple[str, str]] = {}
    for fact in code.processes:
        seen = {**fact.changed, **fact.mounted}
        for path in (*edited(code, fact, code.images.get(fact.image_id)), *masked(code, fact)):
            inside[path] = (seen.get(path, fact.built_from.get(path, "")), fact.name)
    return [_one(code, path, inside.get(path)) for path in sorted({*paths, *inside})]


def _one(code: ServiceCode, path: str, inside: tuple[str, str] | None) -> Difference:
    image = code.image
    own = image.files.get(path, "") if image else ""
    digest, where = inside or (own, "")
    return Difference(
        service=code.service,
        path=path,
        source=code.source.tracked.get(path, ""),
        image=own,
        bundle=image.built_from.get(path, "") if image else "",
        process=digest,
        where=where,
    )
