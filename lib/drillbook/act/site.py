"""The practice site as it is deployed: a working directory with a git history of its own, as on a server."""

from __future__ import annotations

import hashlib
import json
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from drillbook import home
from drillbook.act.history import first_commit, revision
from drillbook.errors import BadParameters
from drillbook.observe.compose import compose_argv
from drillbook.target import Target, load_target, parse_target

BESIDE = (".git", ".env", "target.yaml")  # in the working directory, but no part of the deployed sources


@dataclass(frozen=True)
class Site:
    """One sandbox by its compose project; everything of it lies below `sandbox/.state/`."""

    project: str

    @property
    def directory(self) -> Path:
        """The working directory of the stack."""
        return state() / self.project

    @property
    def password_file(self) -> Path:
        """The database's password; outside the directory, which `COPY . .` may bring into an image whole."""
        return state() / f"{self.project}.password"

    @property
    def target_file(self) -> Path:
        return self.directory / "target.yaml"

    @property
    def disk(self) -> Path:
        """Where the small disk of `disk-full` is mounted; no project's name holds a dot."""
        return state() / f"{self.project}.vault"

    @property
    def record(self) -> Path:
        """What the sandbox looked like when it was last made: images, content of database and queue."""
        return state() / f"{self.project}.json"

    @property
    def target(self) -> Target:
        """The sandbox as a target.

        Raises:
            BadParameters: there is no such sandbox.
        """
        if not self.target_file.is_file():
            raise BadParameters(f"there is no sandbox {self.project!r}", "make it: drillbook sandbox up")
        return load_target(str(self.target_file))

    def planned(self, port: int) -> Target:
        """The target that the sandbox will be once it is deployed. Changes nothing."""
        return parse_target(_described(self.project, port), self.target_file)

    def compose(self, *words: str) -> tuple[str, ...]:
        """`docker compose` for this sandbox, then *words*."""
        return compose_argv(self.target, *words)


def state() -> Path:
    """The folder of all sandboxes, which git ignores."""
    return home.sandbox() / ".state"


def source() -> Path:
    """The site's sources in the house."""
    return home.sandbox() / "connect" / "site"


def deploy(site: Site, port: int, tag: str) -> None:
    """Bring the working directory to the healthy sources, in a history of one commit, with nothing beside them.

    Changes the working directory: artifacts, edits and later commits are gone. Files
    that are right keep their times.
    """
    site.directory.mkdir(parents=True, exist_ok=True)
    if not site.password_file.is_file():
        write(site.password_file, secrets.token_urlsafe(24) + "\n")
    wanted = {str(p.relative_to(source())): p.read_bytes() for p in sorted(source().rglob("*")) if p.is_file()}
    for path in sorted(site.directory.rglob("*"), reverse=True):
        name = str(path.relative_to(site.directory))
        if path.relative_to(site.directory).parts[0] not in BESIDE and name not in wanted:
            _remove(path)
    for name, content in wanted.items():
        file = site.directory / name
        if not file.is_file() or file.read_bytes() != content:
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(content)
    first_commit(site.directory)
    write(site.target_file, yaml.safe_dump(_described(site.project, port), sort_keys=False, allow_unicode=True))
    describe_build(site, PORT=str(port), DRILLBOOK_TAG=tag, PASSWORD_FILE=str(site.password_file))


def describe_build(site: Site, **settings: str) -> None:
    """Write `.env`: *settings*, else what it says of them, and the build that the sources now ask for."""
    file = site.directory / ".env"
    said = dict(line.split("=", 1) for line in file.read_text().splitlines()) if file.is_file() else {}
    kept = settings or {key: said[key] for key in ("PORT", "DRILLBOOK_TAG", "PASSWORD_FILE")}
    digest = source_digest(site.directory)
    build = {"BUILD_ID": f"sandbox-{digest[:12]}", "REVISION": revision(site.directory), "SOURCE_DIGEST": digest}
    write(file, "".join(f"{key}={value}\n" for key, value in {**kept, **build}.items()))


def sources(directory: Path) -> list[Path]:
    """The deployed files: not git's own, no artifact, nothing that only this machine has."""
    beside = {*BESIDE, ".next", "node_modules"}
    return [p for p in directory.rglob("*") if p.is_file() and p.relative_to(directory).parts[0] not in beside]


def source_digest(directory: Path) -> str:
    """The digest that build.mjs writes: sha256 of the sorted lines `<sha256>  <path>` of what it bundles."""
    bundled = [directory / "server.js", *(f for part in ("lib", "app") for f in (directory / part).rglob("*.js"))]
    lines = [f"{hashlib.sha256(f.read_bytes()).hexdigest()}  {f.relative_to(directory)}\n" for f in bundled]
    return hashlib.sha256("".join(sorted(lines)).encode()).hexdigest()


def remembered(site: Site) -> dict[str, Any]:
    """What `remember` kept."""
    return json.loads(site.record.read_text()) if site.record.is_file() else {}


def remember(site: Site, **what: Any) -> None:
    """Keep what the healthy stack looks like, for the next time that it is made."""
    site.record.write_text(json.dumps({**remembered(site), **what}))


def _described(project: str, port: int) -> dict[str, Any]:
    """What parameters/targets/connect.yaml says, for this project and port."""
    file = home.targets() / "connect.yaml"
    raw: dict[str, Any] = yaml.safe_load(file.read_text())
    parse_target(raw, file)
    raw["name"] = raw["stack"]["project"] = project
    raw["stack"]["directory"] = "."
    for database in raw["databases"].values():
        database["password"] = f"file:../{project}.password"
        database["schema_file"] = str(source().parent / "schema.sql")
    for endpoint in raw["endpoints"].values():
        endpoint["url"] = endpoint["url"].replace(":8080/", f":{port}/")
    raw["backup"] = {**raw.get("backup", {}), "vault": "../../../outputs/vault"}
    return raw


def write(file: Path, text: str) -> None:
    """Write a file of mode 0600, unless it says so already."""
    if file.is_file() and file.read_text() == text:
        return
    file.touch(mode=0o600)
    file.write_text(text)


def _remove(path: Path) -> None:
    """Remove a file, or a folder that is empty by now."""
    if path.is_symlink() or not path.is_dir():
        path.unlink()
    elif not any(path.iterdir()):
        path.rmdir()
