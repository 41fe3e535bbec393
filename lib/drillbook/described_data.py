"""The parts of a target's file that tell of its data: databases, volumes, backups, drills."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, model_validator

from drillbook.described import Part, SecretName

SECRET_WORDS = ("secret", "password", "token", "key")


def _options(value: dict[str, Any]) -> dict[str, Any]:
    for name, given in value.items():
        secret = any(word in name.lower() for word in SECRET_WORDS)
        if secret and not (isinstance(given, str) and given.startswith(("env:", "file:"))):
            raise ValueError(f"{name} is a secret: it is named, never written: env:NAME or file:PATH")
    return value


Options = Annotated[dict[str, Any], AfterValidator(_options)]
"""What fsspec's file system is opened with, at one level; a value `env:NAME` or `file:PATH` is a secret's name."""


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


class Copy(Part):
    """A second vault: each file is kept there once, however many backups hold it."""

    vault: str
    vault_options: Options = Field(default_factory=dict)


class Retention(Part):
    """Which backups stay. Proven ones are counted first; the newest proven one always stays.

    `last` are the newest, `daily`, `weekly` and `monthly` the newest of each of so
    many days, weeks and months; `minimum` proven ones stay in any case.
    """

    last: int = Field(default=7, ge=0)
    daily: int = Field(default=7, ge=0)
    weekly: int = Field(default=4, ge=0)
    monthly: int = Field(default=6, ge=0)
    minimum: int = Field(default=2, ge=1)


class Backup(Part):
    """Where backups lie, for whom they are encrypted, how long they stay, how old a proven one may be before a reset.

    `vault` is a folder or what fsspec takes (`s3://bucket/prefix`); `staging` is where dumps are
    made before they go to a vault that is not a plain folder of this machine.
    """

    vault: str = "../../outputs/vault"
    vault_options: Options = Field(default_factory=dict)
    staging: str = ""
    encrypt_to: tuple[str, ...] = ()
    decrypt_with: SecretName = ""
    copies: tuple[Copy, ...] = ()
    retention: Retention | None = None
    max_age_hours: float = 24.0
    jobs: int = Field(default=2, ge=1, le=64)
    rto_budget_seconds: float = 900.0
