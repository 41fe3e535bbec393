"""The practice stack: made, kept healthy, taken down. It never touches anything else on the engine."""

from __future__ import annotations

import os
import re
import shutil
import time
from datetime import datetime
from typing import Any

from drillbook.act import belongings, leftovers, practice
from drillbook.act.belongings import BUILT
from drillbook.act.images import ensure_images
from drillbook.act.install import answers, stop_engine, tell
from drillbook.act.seed import reset_data
from drillbook.act.services import answer, compose, psql, wait_healthy
from drillbook.act.site import Site, deploy, remember, remembered, sources, state
from drillbook.errors import BadParameters, EngineDown
from drillbook.observe import engine, layer

__all__ = ["all_sandboxes", "answer", "clean", "compose", "down", "psql", "up", "wait_healthy"]


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
    loaded = reset_data(site, rows)
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


def _checked(project: str) -> str:
    if not re.fullmatch(r"[a-z0-9][a-z0-9-]{0,40}", project) or project == "embedded":
        raise BadParameters(f"{project!r} cannot be a sandbox's project", "use small letters, digits and -")
    return project


def _build(site: Site) -> bool:
    """Build the sandbox's images, unless the tags still mean what the last healthy build made."""
    environment_file = (site.directory / ".env").read_text()
    if remembered(site).get("images") == _images(site) and remembered(site).get("environment") == environment_file:
        return False
    _forget_times(site)
    compose(site, "build", *BUILT)
    remember(site, images=_images(site), environment=environment_file)
    return True


def _forget_times(site: Site) -> None:
    """Give the code the time of now: a build context kept by the builder trusts size and time, and may be wrong."""
    for path in sources(site.directory):
        if path.relative_to(site.directory).parts[0] != "proxy":
            os.utime(path)


def _images(site: Site) -> dict[str, str]:
    client = engine.client(site.target)
    return {service: engine.image_id(client, f"{site.project}-{service}") or "none" for service in BUILT}


def _recreate_edited(site: Site) -> None:
    """Replace containers whose code was changed in place, and a proxy that is older than its configuration."""
    client = engine.client(site.target)
    every = engine.containers(site.target)
    edited = {f.service for f in every if f.service in BUILT and layer.changes(client, f.id, "/app", here=True)}
    configured = (site.directory / "proxy" / "default.conf").stat().st_mtime
    stale = edited | {f.service for f in every if f.service == "proxy" and _seconds(f.created) < configured}
    if stale:
        compose(site, "up", "-d", "--no-build", "--force-recreate", *sorted(stale))


def _seconds(moment: str) -> float:
    return datetime.fromisoformat(moment).timestamp()
