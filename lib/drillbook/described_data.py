"""The parts of a target's file that tell of its data: databases, volumes, backups, drills."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from drillbook.described import Part, SecretName


class Database(Part):
    """One PostgreSQL database: in a service of the stack, or at a host (or socket folder).

    `filled` names tables (`users`, or `schema.table`) that are never empty when all is well.
    """

    service: str = ""
    host: str = ""
    port: int = 5432
    dbname: str
    user: str
    password: SecretName = ""
    schema_file: str = ""
    filled: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _one_place(self) -> Database:
        if bool(self.service) == bool(self.host):
            raise ValueError("give either service (in the stack) or host (a server of its own)")
        return self


class Volume(Part):
    """How a volume is made consistent before it is archived.

    A `volatile` one (a cache) changes by itself: it is backed up and drilled,
    but what it holds live is not held against a backup.
    """

    kind: Literal["files", "redis"] = "files"
    service: str = ""
    password: SecretName = ""
    volatile: bool = False


class Backup(Part):
    """Where backups lie, and how old a proven one may be before a reset."""

    vault: str = "../../outputs/vault"
    max_age_hours: float = 24.0
    jobs: int = Field(default=2, ge=1, le=64)
    rto_budget_seconds: float = 900.0
