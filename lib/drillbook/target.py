"""Targets: one stack with its databases, volumes and endpoints, read from a YAML file.

`parameters/targets/example.yaml` comments every key; `described` is its schema.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Any

import yaml
from pydantic import Field, PrivateAttr, model_validator

from drillbook import home
from drillbook.described import (
    Code,
    Endpoint,
    Name,
    Part,
    Prometheus,
    Proxy,
    Service,
    Signs,
    Stack,
)
from drillbook.described_data import Assertion, Backup, Copy, Database, Drill, PgBackRest, Retention, Smoke, Volume
from drillbook.errors import BadTarget
from drillbook.suggest import nearest, told

__all__ = [
    "Assertion", "Backup", "Code", "Copy", "Database", "Drill", "Endpoint", "Part", "PgBackRest", "Prometheus",
    "Proxy", "Retention", "Service", "Signs", "Smoke", "Stack", "Target", "Volume",
    "load_target", "parse_target", "secret",
]  # fmt: skip


class Target(Part):
    """One stack with its databases, volumes and endpoints."""

    name: Name
    description: str = ""
    stack: Stack | None = None
    databases: dict[Name, Database] = Field(default_factory=dict)
    volumes: dict[str, Volume] = Field(default_factory=dict)
    endpoints: dict[Name, Endpoint] = Field(default_factory=dict)
    backup: Backup = Backup()
    drill: Drill = Drill()
    signs: Signs = Signs()
    _file: Path = PrivateAttr(default=Path())

    @model_validator(mode="after")
    def _services_need_a_stack(self) -> Target:
        for key, database in self.databases.items():
            if database.service and self.stack is None:
                raise ValueError(f"databases.{key}.service names a service, but there is no stack")
        if self.stack is None and not self.databases:
            raise ValueError("a target needs a stack, a database, or both")
        return self

    @model_validator(mode="after")
    def _drills_ask_what_is_there(self) -> Target:
        asked = {f"assertions.{a.name}": a.database for a in self.drill.assertions}
        asked |= {f"smoke.{name}": smoke.database for name, smoke in self.drill.smoke.items()}
        for where, key in asked.items():
            if key not in self.databases:
                known = ", ".join(self.databases) or "none"
                raise ValueError(f"drill.{where}.database: there is no database {key!r}; there are: {known}")
        for name, smoke in self.drill.smoke.items():
            if smoke.service and self.stack is None:
                raise ValueError(f"drill.smoke.{name}.service names a service, but there is no stack")
        return self

    @model_validator(mode="after")
    def _a_stanza_is_one_server(self) -> Target:
        servers = {(d.host, d.port) for d in self.databases.values()}
        if self.backup.engine == "pgbackrest" and (len(servers) != 1 or any(not host for host, _ in servers)):
            raise ValueError("backup.engine pgbackrest is for databases of one server, named by host, not by service")
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
    def vault(self) -> Path | None:
        """The folder of this target's backups; None where they lie on no disk of this machine."""
        return None if "://" in self.backup.vault else self.path(self.backup.vault) / self.name

    @property
    def vault_url(self) -> str:
        """Where this target's backups lie: a folder, or what fsspec takes."""
        return self.place(self.backup.vault)

    def place(self, vault: str) -> str:
        """The part of *vault* that is this target's."""
        return (
            f"{os.path.expandvars(vault).rstrip('/')}/{self.name}"
            if "://" in vault
            else str(self.path(vault) / self.name)
        )

    def vault_options(self, given: dict[str, Any]) -> dict[str, Any]:
        """*given* for fsspec, with the secrets that it names.

        Raises:
            BadTarget: one of them cannot be read.
        """
        named = ("env:", "file:")
        return {
            name: secret(value, self) if isinstance(value, str) and value.startswith(named) else value
            for name, value in given.items()
        }

    @property
    def staging(self) -> Path:
        """Where dumps lie in the clear while they are made or read, for a vault that is not a plain folder."""
        base = self.path(self.backup.staging) if self.backup.staging else home.outputs() / ".staging"
        return base / self.name

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
    try:
        raw = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError) as error:
        known = sorted(path.stem for path in home.targets().glob("*.yaml"))
        hint = f"{nearest(name, known)}the targets are: {', '.join(known)}"
        raise BadTarget(f"there is no target {name!r}", hint) from error
    except PermissionError as error:
        raise BadTarget(f"{file} cannot be read: {error.strerror}", "run as a user who may read it") from error
    except (OSError, yaml.YAMLError, UnicodeDecodeError) as error:
        raise BadTarget(f"{file} cannot be read: {error}", "compare it with parameters/targets/example.yaml") from error
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
