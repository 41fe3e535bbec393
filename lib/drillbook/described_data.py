"""The parts of a target's file that tell of its data: databases, volumes, backups, drills."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, model_validator

from drillbook.described import Name, Part, SecretName

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

    `before` and `after` are run in its service's container around the copy;
    `stop` stops the containers that mount it instead. A `volatile` one (a
    cache) changes by itself: it is backed up and drilled, but what it holds
    live is not held against a backup, and a reset of volumes may empty it unnamed.
    """

    kind: Literal["files", "redis"] = "files"
    service: str = ""
    password: SecretName = ""
    volatile: bool = False
    before: tuple[str, ...] = ()
    after: tuple[str, ...] = ()
    stop: bool = False

    @model_validator(mode="after")
    def _one_way(self) -> Volume:
        if self.stop and (self.before or self.after):
            raise ValueError("give either stop or before and after: a stopped container runs no command")
        if self.kind == "redis" and (self.stop or self.before or self.after):
            raise ValueError("a redis saves its own data: before, after and stop are for files")
        return self


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


class PgBackRest(Part):
    """The stanza of pgBackRest that archives the WAL of the target's server.

    Repository, keys and the server's data folder are named in pgBackRest's own
    `config`. `run_as` is the user who owns the server's files; empty: whoever
    runs drillbook. `scratch` is where a drill's copy of the server may lie.
    """

    stanza: str = Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.-]*$")
    config: str = "/etc/pgbackrest.conf"
    run_as: str = Field(default="", pattern=r"^([a-z_][a-z0-9_.-]*)?$")
    type: Literal["auto", "full", "diff", "incr"] = "auto"
    full_every_days: float = Field(default=7.0, gt=0)
    archive_seconds: float = Field(default=60.0, gt=0)
    scratch: str = ""


class Backup(Part):
    """Where backups lie, for whom they are encrypted, how long they stay, how old a proven one may be before a reset.

    `vault` is a folder or what fsspec takes (`s3://bucket/prefix`); `staging` is where dumps are
    made before they go to a vault that is not a plain folder of this machine. The engine `dump`
    is pg_dump; with `pgbackrest` the data stays in its repository, and the vault holds what proves it.
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
    engine: Literal["dump", "pgbackrest"] = "dump"
    pgbackrest: PgBackRest | None = None

    @model_validator(mode="after")
    def _engine_is_described(self) -> Backup:
        if self.engine == "pgbackrest" and self.pgbackrest is None:
            raise ValueError("engine: pgbackrest needs a section pgbackrest with the stanza's name")
        return self


class Assertion(Part):
    """A query that gives one row of one boolean column when it is asked of the restored database; true passes.

    `database` is the key of one of the target's databases.
    """

    name: Name
    database: str
    sql: str
    timeout_seconds: float = Field(default=60.0, gt=0)


PLACES = {"user": "app", "host": "db", "port": 5432, "dbname": "data"}
"""What a value of a smoke request's environment may hold in braces, with an example of each."""


def _template(value: str) -> str:
    try:
        value.format(**PLACES)
    except (KeyError, IndexError, ValueError, AttributeError) as error:
        raise ValueError(f"only {', '.join(f'{{{name}}}' for name in PLACES)} stand in braces, not {error}") from error
    return value


class Smoke(Part):
    """A request of the app against the restored database: of a service's image, or of a command run here.

    `environment` is set on top of the service's own; `{user}`, `{host}`, `{port}` and `{dbname}`
    in it are the scratch server's, `env:NAME` and `file:PATH` are secrets' names.
    """

    database: str
    service: str = ""
    path: str = Field(default="/", pattern="^/")
    port: int = Field(default=80, ge=1, le=65535)
    status: int = 200
    command: tuple[str, ...] = ()
    environment: dict[str, Annotated[str, AfterValidator(_template)]] = Field(default_factory=dict)
    timeout_seconds: float = Field(default=60.0, gt=0)

    @model_validator(mode="after")
    def _one_way(self) -> Smoke:
        if bool(self.service) == bool(self.command):
            raise ValueError("give either service (one of the stack's) or command (run on this machine)")
        return self


class Drill(Part):
    """What a drill asks of the restored databases beyond what the backup's manifest says."""

    assertions: tuple[Assertion, ...] = ()
    smoke: dict[Name, Smoke] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _named_once(self) -> Drill:
        names = [assertion.name for assertion in self.assertions]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"the assertion {twice[0]} is there twice")
        return self
