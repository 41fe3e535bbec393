"""Known incidents, from `parameters/incidents/`."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from drillbook import home
from drillbook.errors import RunbookError
from drillbook.observe.facts_signs import IncidentFact
from drillbook.suggest import told

HINT = "parameters/incidents/README.md shows every key"
CauseId = Literal[
    "stale-container", "stale-layer", "stale-context", "stale-artifact", "stale-cache-mount", "stale-base",
    "masked-by-mount", "edited-in-place", "process-older-than-code", "stale-proxy", "config-drift",
    "schema-missing", "schema-drift", "database-down", "database-empty", "dependency-unhealthy", "disk-full",
]  # fmt: skip


def _pattern(value: str) -> str:
    try:
        re.compile(value)
    except re.error as error:
        raise ValueError(f"no regular expression: {error}") from error
    return value


Pattern = Annotated[str, AfterValidator(_pattern)]


class Incident(BaseModel):
    """One file: how it looked, what it was, what resolved it. Unknown keys are errors."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str = Field(pattern=r"^[a-z0-9][a-z0-9-]{0,80}$")
    title: str
    date: str = Field(default="", pattern=r"^(\d{4}(-\d\d){0,2})?$")
    symptoms: tuple[Pattern, ...]
    causes: tuple[CauseId, ...]
    resolved_by: tuple[str, ...]
    did_not_help: tuple[str, ...] = ()
    duration: str = ""
    lesson: str = ""
    link: str = ""
    facts: dict[str, str] = Field(default_factory=dict)


def incidents() -> tuple[IncidentFact, ...]:
    """Every known incident, by id. Changes nothing.

    Raises:
        RunbookError: a file is wrong; it names the file, the path in it and the choices.
    """
    return tuple(incident(file) for file in sorted(home.incidents().glob("*.yaml")))


def incident(file: Path) -> IncidentFact:
    """The incident that *file* describes, whose name it must have.

    Raises:
        RunbookError: as `incidents`.
    """
    try:
        raw: Any = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise RunbookError(f"the incident {file} cannot be read: {error}", HINT) from error
    return valid(raw, file)


def valid(raw: Any, file: Path) -> IncidentFact:
    """The incident that *raw*, which stands or will stand in *file*, describes.

    Raises:
        RunbookError: as `incidents`.
    """
    try:
        found = Incident.model_validate(raw)
    except ValidationError as error:
        fact, better = told(error, Incident)
        raise RunbookError(f"{file}: {fact}", better or HINT) from error
    if found.id != file.stem:
        raise RunbookError(f"{file}: the id is {found.id}, and the file is called {file.stem}", "let both be the same")
    return IncidentFact(**found.model_dump())
