"""What this machine lacks, each finding with its remedy."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal

from drillbook import home
from drillbook.errors import RunbookError
from drillbook.observe import command
from drillbook.run.redact import named
from drillbook.target import Target, load_target, secret
from drillbook.vault.catalog import Vault

Standing = Literal["ok", "optional", "missing"]
LOW_BYTES = 2 * 1024**3
PLUGINS_REMEDY = "on Debian as root: drillbook sandbox engine; else install Docker's docker-{name}-plugin"


@dataclass(frozen=True)
class Finding:
    """One thing that was looked for; `optional` is missing but not needed for everything."""

    standing: Standing
    what: str
    fact: str
    remedy: str = ""


def examine(target: str = "") -> list[Finding]:
    """Look for everything that runs need; and, with *target*, for all that it names. Changes nothing."""
    return [*_machine(), *(_of_target(target) if target else ())]


def _machine() -> Iterator[Finding]:
    version = sys.version.split()[0]
    yield Finding("ok" if sys.version_info >= (3, 11) else "missing", "python", version, "")
    yield _try("home", lambda: str(home.home()))
    engine = _said(["docker", "version", "--format", "{{.Server.Version}}"])
    yield _engine(engine)
    for name in ("compose", "buildx"):
        yield _plugin(name)
    yield _clients()
    browser = shutil.which("chromium") or shutil.which("google-chrome")
    yield Finding("ok" if browser else "optional", "chromium", browser or "not found",
                  "" if browser else "apt-get install chromium; only the browser tests need it")  # fmt: skip
    yield _space("disk space for runs", home.outputs())


def _engine(version: str) -> Finding:
    if version:
        return Finding("ok", "engine", version)
    remedy = "start it (systemctl start docker), or on Debian as root: drillbook sandbox engine"
    return Finding("optional", "engine", "no container engine answers; the database half works without one", remedy)


def _plugin(name: str) -> Finding:
    said = _said(["docker", name, "version"])
    if not said:
        return Finding("optional", f"docker {name}", "not found", PLUGINS_REMEDY.format(name=name))
    if name == "compose" and " v1." in said:
        return Finding("missing", "docker compose", said, "version 1 is refused; install the compose v2 plugin")
    return Finding("ok", f"docker {name}", said.splitlines()[0])


def _clients() -> Finding:
    from drillbook.observe.binaries import CLIENT, installed

    majors = sorted({str(binaries.major) for binaries in installed(CLIENT)})
    if majors:
        return Finding("ok", "postgresql clients", f"major {', '.join(majors)}")
    remedy = "apt-get install postgresql-client, or pip install 'drillbook[embedded]'; a stack's own image has them"
    return Finding("optional", "postgresql clients", "none found", remedy)


def _space(what: str, folder: Path) -> Finding:
    place = next(path for path in (folder, *folder.parents) if path.exists())
    free = shutil.disk_usage(place).free
    fact = f"{free / 1024**3:.1f} GiB free at {place}"
    return Finding("ok", what, fact) if free > LOW_BYTES else Finding("missing", what, fact, "free some, or move it")


def _of_target(name: str) -> Iterator[Finding]:
    try:
        target = load_target(name)
    except RunbookError as error:
        yield Finding("missing", "target", error.fact, error.hint)
        return
    yield Finding("ok", "target", str(target.file))
    for spelled in _secrets(target):
        yield _try(f"secret {spelled}", partial(_secret, target, spelled))
    yield from _vault(target)
    if target.stack:
        yield _try("engine of the target", lambda: _containers(target))
    for key in target.databases:
        yield _try(f"database {key}", partial(_server, target, key))
    if target.backup.engine == "pgbackrest":
        yield _try("pgbackrest", partial(_stanza, target))
    yield from _endpoints(target)


def _vault(target: Target) -> Iterator[Finding]:
    if target.vault is not None:
        yield _space("disk space at the vault", target.vault)
    if target.vault is None or target.backup.encrypt_to:
        yield _space("disk space for dumps on their way to the vault", target.staging)
    yield _try(f"vault {target.vault_url}", lambda: f"{len(Vault.of(target).backups())} backups")


def _secrets(target: Target) -> list[str]:
    return sorted(set(named(target.model_dump())))


def _secret(target: Target, name: str) -> str:
    return f"{len(secret(name, target))} characters"


def _containers(target: Target) -> str:
    from drillbook.observe import engine

    running = [container for container in engine.containers(target) if container.running]
    return f"answers; {len(running)} containers of this target run"


def _server(target: Target, key: str) -> str:
    from drillbook.observe import server

    with server.connect(target, key) as connection:
        return f"PostgreSQL {server.server_version(connection)}"


def _stanza(target: Target) -> str:
    from drillbook.observe import pgbackrest

    stanza = pgbackrest.stanza(target)
    return f"stanza {stanza.name}: {stanza.message}, {len(stanza.sets)} sets"


def _endpoints(target: Target) -> Iterator[Finding]:
    from drillbook.observe.endpoint import ask

    for key, endpoint in target.endpoints.items():
        answer = ask(key, endpoint, endpoint.url)
        good = answer.status == endpoint.status
        fact = f"{endpoint.url} answers {answer.status or 'nothing'}, expected {endpoint.status}"
        remedy = "" if good else f"drillbook run diagnose --target {target.name}"
        yield Finding("ok" if good else "missing", f"endpoint {key}", fact, remedy)


def _try(what: str, look: Callable[[], str]) -> Finding:
    try:
        return Finding("ok", what, look())
    except RunbookError as error:
        return Finding("missing", what, error.fact, error.hint)


def _said(argv: list[str]) -> str:
    """What *argv* prints, or nothing when it is not there or fails."""
    try:
        done = command.run(argv, timeout=20)
    except RunbookError:
        return ""
    return done.stdout.strip() if done.code == 0 else ""
