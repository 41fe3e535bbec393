"""Facts about caches, signs of trouble and incidents of the past."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class BuildRecord:
    """One record of the engine's build cache; times in seconds since 1970, 0 where the engine does not tell."""

    id: str
    type: str
    description: str
    bytes: int
    created: float
    last_used: float
    in_use: bool
    shared: bool


@dataclass(frozen=True)
class FolderFact:
    """A folder on the host that a build may reuse: its bytes, files and newest change (seconds since 1970).

    `cut` says that the counting stopped early: there is more.
    """

    path: str
    service: str
    files: int
    bytes: int
    newest: float
    in_context: bool
    cut: bool = False


@dataclass(frozen=True)
class CachesFact:
    """What lies between source and response: build records, host folders, declared cache sources.

    `declared`: service → what its compose build names, `from …` and `to …`. `compose` and `engine` are
    how a command for this target begins; `unlisted` says why the engine's records could not be read.
    """

    records: tuple[BuildRecord, ...] = ()
    folders: tuple[FolderFact, ...] = ()
    declared: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    compose: tuple[str, ...] = ()
    engine: tuple[str, ...] = ("docker",)
    unlisted: str = ""


@dataclass(frozen=True)
class LogFact:
    """An error line that containers of a service wrote: how often, and when last and first (RFC 3339)."""

    service: str
    line: str
    times: int
    last: str
    first: str = ""


FORGOTTEN = "the engine has forgotten part of that time"


@dataclass(frozen=True)
class SignsFact:
    """Early warning: error rate, the latest deployment, rebuilds since the last healthy state.

    `error_percent` is None where nothing could be asked; `asked` says of how many
    answers it is the share, `source` where they came from. `deployed_at` and
    `healthy_at` are seconds since 1970, 0 where unknown. `rebuilds`: service → images
    made since, `rebuilds_whole` False where there may have been more that were removed
    since. `unknown` names what could not be asked, with the reason.
    """

    error_percent: float | None = None
    asked: int = 0
    source: str = ""
    deployed_at: float = 0.0
    deployed_by: str = ""
    healthy_at: float = 0.0
    rebuilds: Mapping[str, int] = field(default_factory=dict)
    rebuilds_whole: bool = True
    logs: tuple[LogFact, ...] = ()
    observed_at: float = 0.0
    unknown: Mapping[str, str] = field(default_factory=dict)

    @property
    def most_rebuilds(self) -> str:
        """How often the service that was rebuilt most was, in words."""
        most = max(self.rebuilds.values(), default=0)
        return str(most) if self.rebuilds_whole else f"at least {most}"


@dataclass(frozen=True)
class IncidentFact:
    """A known incident, from `parameters/incidents/`: how it looked, what proved it, what resolved it.

    `symptoms` are regular expressions over what answers and logs say; `causes` are cause ids.
    `date` is a day, a month or a year, empty where nobody wrote it down.
    """

    id: str
    title: str
    date: str
    symptoms: tuple[str, ...]
    causes: tuple[str, ...]
    resolved_by: tuple[str, ...]
    did_not_help: tuple[str, ...] = ()
    duration: str = ""
    lesson: str = ""
    link: str = ""
    facts: Mapping[str, str] = field(default_factory=dict)
