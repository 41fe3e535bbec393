"""The practice stack: made, kept healthy, taken down. It never touches anything else on the engine."""

from __future__ import annotations

import json
import os
import re
import shutil
import time
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx

from drillbook.act import belongings, leftovers, practice
from drillbook.act.belongings import BUILT, VOLUMES
from drillbook.act.images import ensure_images
from drillbook.act.install import answers, stop_engine, tell
from drillbook.act.site import Site, deploy, sources, state
from drillbook.errors import BadParameters, EngineDown, RunbookError
from drillbook.observe import engine
from drillbook.observe.command import Completed, environment, run_checked

STATEFUL = ("postgres", "redis-cache", "redis-queue")
SERVICES = (*BUILT, *STATEFUL, "proxy")


def up(project: str = "connect", port: int = 8080, rows: int = 0) -> dict[str, Any]:
    """The healthy practice stack, whatever an earlier run left of it; how it went as plain JSON.

    Changes only what belongs to *project*: its working directory, images,
    containers and volumes. Its data is reset where it differs from the seed.

    Raises:
        BadParameters: the name or the port cannot be used.
        EngineDown: no engine answers.
    """
    started = time.monotonic()
    site = Site(_checked(project))
    if not answers():
        raise EngineDown("no container engine answers", "drillbook sandbox engine installs and starts one on Debian")
    belongings.claim(site.planned(port), port)
    leftovers.remove_disk(site)
    deploy(site, port, ensure_images())
    built = _build(site)
    loaded = _reset_data(site, rows)
    compose(site, "up", "-d", "--no-build", "--remove-orphans")
    _recreate_edited(site)
    wait_healthy(project)
    leftovers.clear(site, built)
    return {
        "project": project, "url": f"http://127.0.0.1:{port}", "directory": str(site.directory),
        "target": str(site.target_file), "built": built, "loaded": loaded, **practice.shape(psql(site)),
        "status": answer(site)["status"],
        "seconds": round(time.monotonic() - started, 1),
    }  # fmt: skip


def down(project: str = "connect") -> dict[str, Any]:
    """Remove the containers, network, volumes and images of exactly this sandbox, and its folder.

    Raises:
        BadParameters: `sandbox up` made no such sandbox.
    """
    site = Site(_checked(project))
    target = site.target
    belongings.claim(target, 0)
    compose(site, "down", "--remove-orphans", "--timeout", "20")
    leftovers.remove_disk(site)
    named = [*belongings.volumes(target), *belongings.kept_volumes(target)]
    api = engine.client(target).api
    gone = [name for name in named if not api.remove_volume(name)]
    images = belongings.images(target)
    leftovers.clear(site, True)
    for reference in belongings.images(target):
        api.remove_image(reference)
    shutil.rmtree(site.directory)
    for file in (site.record, site.password_file):
        file.unlink(missing_ok=True)
    return {"project": project, "volumes": gone, "images": images}


def all_sandboxes() -> tuple[str, ...]:
    """The projects that `up` made and `down` has not taken down."""
    return tuple(sorted(file.parent.name for file in state().glob("*/target.yaml")))


def clean() -> None:
    """Take down every sandbox, then the engine, where drillbook started it."""
    from drillbook.act.embedded import down_embedded

    if answers():
        for project in all_sandboxes():
            tell(f"taking down the sandbox {project}")
            down(project)
    for disk in state().glob("*.vault"):
        leftovers.remove_disk(Site(disk.stem))
    down_embedded()
    stop_engine()


def wait_healthy(project: str = "connect", services: Iterable[str] = SERVICES, timeout: float = 180) -> float:
    """Wait until every one of *services* runs and is healthy; how long that took, in seconds.

    Raises:
        RunbookError: some are not after *timeout* seconds; it names them.
    """
    site, started = Site(project), time.monotonic()
    wanted = set(services)
    while True:
        facts = engine.containers(site.target)
        ready = {f.service for f in facts if f.running and f.health == "healthy"}
        if wanted <= ready:
            return round(time.monotonic() - started, 1)
        if time.monotonic() - started > timeout:
            raise RunbookError(
                f"not healthy after {timeout:g} s: {', '.join(sorted(wanted - ready))}",
                f"look at: docker compose -p {project} --project-directory {site.directory} logs",
            )
        time.sleep(0.3)


def answer(site: Site) -> dict[str, Any]:
    """What `/api/matches/generate` answers through the proxy. Changes nothing."""
    try:
        response = httpx.get(site.target.endpoints["matches"].url, timeout=20)
    except httpx.HTTPError as error:
        return {"status": 0, "error": f"{type(error).__name__}: {error}"}
    is_json = response.headers.get("content-type") == "application/json"
    told = response.json().get("error", "") if is_json else response.text
    return {"status": response.status_code, "error": told}


def compose(site: Site, *words: str, timeout: float = 900) -> Completed:
    """Run `docker compose` for the sandbox.

    Raises:
        CommandFailed: it failed.
    """
    return run_checked(site.compose(*words), timeout=timeout, env=environment(site.target))


def psql(site: Site) -> tuple[str, ...]:
    """The argv of psql in the sandbox's server."""
    return site.compose("exec", "-T", "postgres", "psql", "-X", "-U", "connect", "-d", "connect")


def remove_data(site: Site) -> list[str]:
    """Remove the stateful services' containers and exactly the three named volumes; their names."""
    compose(site, "rm", "--stop", "--force", *STATEFUL)
    api = engine.client(site.target).api
    return [name for name in belongings.volumes(site.target) if not api.remove_volume(name)]


def _redis_cli(site: Site, service: str) -> tuple[str, ...]:
    return site.compose("exec", "-T", service, "redis-cli")


def _checked(project: str) -> str:
    if not re.fullmatch(r"[a-z0-9][a-z0-9-]{0,40}", project) or project == "embedded":
        raise BadParameters(f"{project!r} cannot be a sandbox's project", "use small letters, digits and -")
    return project


def _build(site: Site) -> bool:
    """Build the sandbox's images, unless the tags still mean what the last healthy build made."""
    environment_file = (site.directory / ".env").read_text()
    if _remembered(site).get("images") == _images(site) and _remembered(site).get("environment") == environment_file:
        return False
    _forget_times(site)
    compose(site, "build", *BUILT)
    _remember(site, images=_images(site), environment=environment_file)
    return True


def _forget_times(site: Site) -> None:
    """Give the code the time of now: a build context kept by the builder trusts size and time, and may be wrong."""
    for path in sources(site.directory):
        if path.relative_to(site.directory).parts[0] != "proxy":
            os.utime(path)


def _images(site: Site) -> dict[str, str]:
    client = engine.client(site.target)
    return {service: engine.image_id(client, f"{site.project}-{service}") or "none" for service in BUILT}


def _reset_data(site: Site, rows: int) -> bool:
    """Bring database and redis to the seed; False when they were there already."""
    if len(belongings.volumes(site.target)) == len(VOLUMES) and _as_seeded(site, rows):
        return False
    remove_data(site)
    _stateful(site)
    practice.load(psql(site), rows)
    practice.fill(_redis_cli(site, "redis-queue"), "queue")
    practice.fill(_redis_cli(site, "redis-cache"), "cache")
    _remember(site, data=_data(site, rows))
    return True


def _as_seeded(site: Site, rows: int) -> bool:
    try:
        _stateful(site)
        return bool(_remembered(site).get("data") == _data(site, rows))
    except RunbookError:
        return False  # what cannot even be read is made anew


def _data(site: Site, rows: int) -> list[Any]:
    return [rows, practice.content(psql(site)), practice.queue(_redis_cli(site, "redis-queue"))]


def _stateful(site: Site) -> None:
    compose(site, "up", "-d", "--no-build", *STATEFUL)
    wait_healthy(site.project, STATEFUL)


def _recreate_edited(site: Site) -> None:
    """Replace containers whose code was changed in place, and a proxy that is older than its configuration."""
    api = engine.client(site.target).api
    facts = engine.containers(site.target)
    edited = {f.service for f in facts if f.service in BUILT and _edited(api.diff(f.id) or [])}
    configured = (site.directory / "proxy" / "default.conf").stat().st_mtime
    outdated = {f.service for f in facts if f.service == "proxy" and _seconds(f.created) < configured}
    if edited | outdated:
        compose(site, "up", "-d", "--no-build", "--no-deps", "--force-recreate", *sorted(edited | outdated))


def _edited(changes: list[dict[str, Any]]) -> bool:
    return any(change["Path"].startswith("/app") for change in changes)


def _seconds(moment: str) -> float:
    return datetime.fromisoformat(moment).timestamp()


def _remembered(site: Site) -> dict[str, Any]:
    file: Path = site.record
    return json.loads(file.read_text()) if file.is_file() else {}


def _remember(site: Site, **what: Any) -> None:
    site.record.write_text(json.dumps({**_remembered(site), **what}))
