"""What breakages put beside the practice stack, taken away again: volumes, images, a disk, a server, a cache."""

from __future__ import annotations

import os
import time
from contextlib import suppress

from drillbook.act import belongings
from drillbook.act.site import Site
from drillbook.observe import engine
from drillbook.observe.build_cache import build_records
from drillbook.observe.command import environment, run_checked


def clear(site: Site, built: bool) -> None:
    """Remove what the healthy stack does not have; its builder's cache mounts only after it *built*.

    Changes nothing of the stack itself; what a container still uses stays.
    """
    import docker

    api = engine.client(site.target).api
    with suppress(docker.errors.NotFound):
        api.remove_container(releases(site), force=True)
    for name in belongings.spare_volumes(site.target):
        with suppress(docker.errors.APIError):
            api.remove_volume(name)
    for image in belongings.spare_images(site.target):
        with suppress(docker.errors.APIError):
            api.remove_image(image)
    if built:
        _forget_cache_mounts(site)


def releases(site: Site) -> str:
    """The container that serves the site's releases to builds."""
    return f"{site.project}-releases"


def bundle(site: Site) -> str:
    """The folder in which a build keeps its bundle beside a cache mount; it names the sandbox to the builder."""
    return f"/tmp/{site.project}-bundle"  # noqa: S108 - a path inside an image


def mount_disk(site: Site, megabytes: int) -> None:
    """A disk of its own for the sandbox's vault; one that is there stays.

    Raises:
        CommandFailed: it cannot be mounted here.
    """
    site.disk.mkdir(mode=0o700, exist_ok=True)
    if not os.path.ismount(site.disk):
        options = f"size={megabytes}m,mode=0700"
        argv = ("mount", "-t", "tmpfs", "-o", options, f"drillbook-{site.project}", str(site.disk))
        hint = "the other breakages need no mount; a container needs CAP_SYS_ADMIN for this one"
        run_checked(argv, timeout=30, hint=hint)


def remove_disk(site: Site) -> None:
    """Unmount the vault's disk, with all that lies on it; quiet when there is none.

    Raises:
        CommandFailed: someone works on it.
    """
    if os.path.ismount(site.disk):
        run_checked(("umount", str(site.disk)), timeout=30, hint=f"whose is it? fuser -vm {site.disk}")
    if site.disk.is_dir():
        site.disk.rmdir()


def _forget_cache_mounts(site: Site) -> None:
    """Remove the cache mounts of this sandbox's builds, each by its id."""
    for record in build_records(site.target, time.time()):
        ours = f"{bundle(site)} " in f"{record.description} "
        if record.type == "exec.cachemount" and ours and not record.in_use:
            argv = ("docker", "buildx", "prune", "--force", "--filter", f"id={record.id}")
            run_checked(argv, timeout=60, env=environment(site.target))
