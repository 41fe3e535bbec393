"""Targets: one stack with its databases, volumes and endpoints, read from a YAML file.

`parameters/targets/example.yaml` comments every key; this module is its schema.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path, PurePosixPath
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PrivateAttr, model_validator

from drillbook import home
from drillbook.errors import BadTarget
from drillbook.suggest import nearest, told

Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,62}$")]


def _by_name(value: Any) -> Any:
    if isinstance(value, str) and not value.startswith(("env:", "file:")):
        raise ValueError("a secret is named, never written: env:NAME or file:PATH")
    return value


SecretName = Annotated[str, BeforeValidator(_by_name)]


class Part(BaseModel):
    """A part of a target's file; unknown keys are errors."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Code(Part):
    """Where a service's code lies in the source tree and in its image.

    `artifacts` are derived folders (`.next`, `dist`); `manifest` is a JSON file
    in the image whose `sources` maps each bundled path to its sha256.
    """

    source: str = "."
    image: str
    artifacts: tuple[str, ...] = ()
    manifest: str = ""

    def placed(self, artifact: str) -> str:
        """The path of *artifact* as seen from the stack's directory."""
        return str(PurePosixPath(self.source) / artifact)


class Service(Part):
    """What drillbook must know of a compose service beyond its compose file.

    `response` is the URL at which one replica tells its build, with `{address}`
    for the container's own address.
    """

    code: Code | None = None
    response: str = ""


class Stack(Part):
    """A compose project; `directory` and `docker_host` as compose would be given them."""

    project: Name
    directory: str
    files: tuple[str, ...] = ("compose.yaml",)
    env_file: str = ""
    docker_host: str = ""
    services: dict[str, Service] = {}


class Database(Part):
    """One PostgreSQL database: in a service of the stack, or at a host (or socket folder)."""

    service: str = ""
    host: str = ""
    port: int = 5432
    dbname: str
    user: str
    password: SecretName = ""
    schema_file: str = ""

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


class Endpoint(Part):
    """A URL with the status it must answer, and the JSON keys that tell its build."""

    url: str
    status: int = 200
    build_id: str = ""
    source_digest: str = ""
    timeout_seconds: float = 5.0


class Backup(Part):
    """Where backups lie, and how old a proven one may be before a reset."""

    vault: str = "../../outputs/vault"
    max_age_hours: float = 24.0
    jobs: int = Field(default=2, ge=1, le=64)
    rto_budget_seconds: float = 900.0


class Target(Part):
    """One stack with its databases, volumes and endpoints."""

    name: Name
    description: str = ""
    stack: Stack | None = None
    databases: dict[Name, Database] = {}
    volumes: dict[str, Volume] = {}
    endpoints: dict[Name, Endpoint] = {}
    backup: Backup = Backup()
    _file: Path = PrivateAttr(default=Path())

    @model_validator(mode="after")
    def _services_need_a_stack(self) -> Target:
        for key, database in self.databases.items():
            if database.service and self.stack is None:
                raise ValueError(f"databases.{key}.service names a service, but there is no stack")
        if self.stack is None and not self.databases:
            raise ValueError("a target needs a stack, a database, or both")
        return self

    @property
    def file(self) -> Path:
        """The file that this target was read from."""
        return self._file

    def path(self, relative: str) -> Path:
        """*relative* as seen from the target's file; environment variables are expanded."""
        expanded = Path(os.path.expandvars(relative)).expanduser()
        return expanded if expanded.is_absolute() else (self._file.parent / expanded).resolve()

    @property
    def directory(self) -> Path:
        """The compose project's working directory."""
        assert self.stack is not None
        return self.path(self.stack.directory)

    @property
    def vault(self) -> Path:
        """The folder of this target's backups."""
        return self.path(self.backup.vault) / self.name

    @property
    def identity(self) -> str:
        """A digest over what makes this target this one: engine, project, folder, databases."""
        stack = self.stack
        place = [stack.docker_host, stack.project, str(self.directory), *stack.files] if stack else []
        databases = [f"{d.service}|{d.host}|{d.port}|{d.dbname}" for d in self.databases.values()]
        return hashlib.sha256("\0".join([self.name, *place, *databases]).encode()).hexdigest()[:16]


def secret(name: str, target: Target) -> str:
    """The secret behind `env:NAME` or `file:PATH`; an empty name is an empty secret.

    Raises:
        BadTarget: the variable is not set, or the file cannot be read.
    """
    kind, _, where = name.partition(":")
    if kind == "env":
        if where not in os.environ:
            raise BadTarget(f"the variable {where} is not set, but {target.file} names it", f"export {where}=…")
        return os.environ[where]
    if kind == "file":
        try:
            return target.path(where).read_text().strip()
        except OSError as error:
            raise BadTarget(
                f"the secret file {target.path(where)} cannot be read: {error.strerror}",
                "make it, mode 0600, with nothing in it but the secret",
            ) from error
    return ""


def load_target(name: str) -> Target:
    """The target called *name* in `parameters/targets/`, or in the file *name* ending in .yaml.

    Changes nothing.

    Raises:
        BadTarget: there is none, or its file is wrong; the error names the
            file, the path in it and the valid choices.
    """
    file = Path(name).resolve() if name.endswith((".yaml", ".yml")) else home.targets() / f"{name}.yaml"
    if file.parent != home.targets() and not name.endswith((".yaml", ".yml")):
        raise BadTarget(f"{name!r} is not a target's name", "a name has no slashes; a file ends in .yaml")
    if not file.is_file():
        known = sorted(path.stem for path in home.targets().glob("*.yaml"))
        raise BadTarget(f"there is no target {name!r}", f"{nearest(name, known)}the targets are: {', '.join(known)}")
    try:
        raw = yaml.safe_load(file.read_text())
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise BadTarget(f"{file} is not YAML: {error}", "compare it with parameters/targets/example.yaml") from error
    return parse_target(raw, file)


def parse_target(raw: Any, file: Path) -> Target:
    """The target that *raw*, read from *file*, describes.

    Raises:
        BadTarget: as `load_target`.
    """
    from pydantic import ValidationError

    try:
        target = Target.model_validate(raw)
    except ValidationError as error:
        fact, hint = told(error, Target)
        raise BadTarget(f"{file}: {fact}", hint or "see parameters/targets/example.yaml") from error
    target._file = file.resolve()
    return target
