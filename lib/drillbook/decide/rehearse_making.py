"""What the making of a target's copy is told: its names, its folders, and what of the target is in which state."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from drillbook.observe.facts import ContainerFact

LONGEST = 62
"""Of a compose project's name."""


@dataclass(frozen=True)
class Making:
    """One copy: its compose project, and whatever must not be the target's own in it.

    `directory` is the target's folder, `source` the copy's counterpart, `scratch` where empty binds lie;
    `subnets`: network → its subnet, once it has one. `closed`: the host has no address in the copy's
    networks. `leads_out` are bind sources that would lead out of it; `there`: service → its containers
    on the target.
    """

    project: str
    directory: str
    source: str
    scratch: str
    closed: bool = True
    labels: Mapping[str, str] = field(default_factory=dict)
    subnets: Mapping[str, str] = field(default_factory=dict)
    leads_out: frozenset[str] = frozenset()
    there: Mapping[str, tuple[ContainerFact, ...]] = field(default_factory=dict)

    def is_healthy(self, service: str) -> bool:
        """Whether each of its containers on the target runs, and no health check says otherwise."""
        found = self.there.get(service, ())
        return bool(found) and all(c.running and c.health in ("", "healthy") for c in found)

    def is_completed(self, service: str) -> bool:
        """Whether it did its job on the target and ended well."""
        found = self.there.get(service, ())
        return bool(found) and all(not c.running and c.exit_code == 0 for c in found)


def project_name(project: str, token: str) -> str:
    """The compose project of a copy of *project*: `connect-rehearsal-0a1b2c`, short enough for compose."""
    end = f"-rehearsal-{token}"
    return f"{project[: LONGEST - len(end)].rstrip('-_')}{end}"


def is_copy(project: str) -> bool:
    """Whether *project* is the compose project of a copy."""
    return bool(re.fullmatch(r".+-rehearsal-[0-9a-f]{6}", project))
