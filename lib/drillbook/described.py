"""The parts of a target's file: what each key means, and what it may be."""

from __future__ import annotations

import posixpath
import re
from pathlib import PurePosixPath
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,62}$")]


def _by_name(value: Any) -> Any:
    if isinstance(value, str) and not value.startswith(("env:", "file:")):
        raise ValueError("a secret is named, never written: env:NAME or file:PATH")
    return value


SecretName = Annotated[str, BeforeValidator(_by_name)]


def _below(value: str) -> str:
    path = posixpath.normpath(value) if value else ""
    if path.startswith(("/", "../")) or path in {".", ".."}:
        raise ValueError("a path below the code's folder, such as .next")
    return path


def _absolute(value: str) -> str:
    if not value.startswith("/"):
        raise ValueError("an absolute path in the image, such as /app")
    return "/" + posixpath.normpath(value).lstrip("/")


def _expression(value: str) -> str:
    try:
        re.compile(value)
    except re.error as error:
        raise ValueError(f"no regular expression: {error}") from error
    return value


Below = Annotated[str, AfterValidator(_below)]
"""A path that does not leave the code's folder; empty for none."""
Absolute = Annotated[str, AfterValidator(_absolute)]
Expression = Annotated[str, AfterValidator(_expression)]


class Part(BaseModel):
    """A part of a target's file; unknown keys are errors."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Code(Part):
    """Where a service's code lies in the source tree and in its image.

    `artifacts` are derived folders (`.next`, `dist`); `manifest` is a JSON file
    in the image whose `sources` maps each bundled path to its sha256, `build_id` a
    text file in it that names the build. `generated` are patterns (as in
    .gitignore) of files that a build or a process makes anew: they may differ.
    """

    source: str = "."
    image: Absolute
    artifacts: tuple[Below, ...] = ()
    manifest: Below = ""
    build_id: Below = ""
    generated: tuple[str, ...] = ()

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


class Proxy(Part):
    """The service that stands before the others, the commands in it that test and reload its configuration.

    `settle_seconds`: how long at the most it goes on with the containers that it knew before a switch.
    """

    service: str
    test: tuple[str, ...] = ()
    reload: tuple[str, ...] = ()
    settle_seconds: float = Field(default=3.0, ge=0, le=600)


class Stack(Part):
    """A compose project; `directory` and `docker_host` as compose would be given them."""

    project: Name
    directory: str
    files: tuple[str, ...] = ("compose.yaml",)
    env_file: str = ""
    docker_host: str = ""
    services: dict[str, Service] = {}
    proxy: Proxy | None = None
    extras: tuple[Below, ...] = ()


class Endpoint(Part):
    """A URL with the status it must answer, and the JSON keys that tell its build."""

    url: str
    status: int = 200
    build_id: str = ""
    source_digest: str = ""
    timeout_seconds: float = 5.0


class Prometheus(Part):
    """A query that gives the share of failing requests in percent."""

    url: str
    query: str
    timeout_seconds: float = 5.0


class Signs(Part):
    """When cache pollution is suspected: all of it at once, as the report's rule has it.

    The error rate is Prometheus's where it is named, else the endpoints' and the logs'.
    """

    error_rate_percent: float = 50.0
    rebuilds: int = 2
    deployed_within_hours: float = 24.0
    log_lines: int = Field(default=500, ge=0, le=10_000)
    log_pattern: Expression = r"\b(?:\w*(?:Error|Exception)|ERROR|FATAL|PANIC|panic)\b"
    prometheus: Prometheus | None = None
