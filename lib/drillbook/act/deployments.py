"""What happens to a stack that is well, and leaves it well: for whoever must not cry wolf."""

from __future__ import annotations

import os
from pathlib import PurePosixPath

from drillbook.act.release import APPS, build, build_on_the_host, read, recreate, release, remarked
from drillbook.act.services import compose, wait_healthy
from drillbook.act.site import Site, sources

GENERATED = ("/app/.next/cache/fetch/0a1b2c", "/app/server.log", "/app/lib/__pycache__/tool.cpython-311.pyc")
KEPT_OUT = ("node_modules/.cache/webpack/0.pack", ".next/cache/trace")


def normal_deploy(site: Site) -> None:
    """A new release of the app: sources committed, both replicas built and replaced."""
    release(site, remarked(site, "server.js"), "Release the site")
    build(site, *APPS)
    recreate(site, *APPS)


def restart(site: Site) -> None:
    """Both replicas restarted, one after the other's grace."""
    compose(site, "restart", "--timeout", "5", *APPS)
    wait_healthy(site.project, APPS)


def touch(site: Site) -> None:
    """Every source has the time of now, and no other content."""
    for path in sources(site.directory):
        os.utime(path)


def generated(site: Site) -> None:
    """The processes wrote caches and a log; on the host lie files that no build context takes in."""
    script = "".join(f"mkdir -p {PurePosixPath(path).parent} && date > {path} && " for path in GENERATED) + "true"
    for app in APPS:
        compose(site, "exec", "-T", app, "sh", "-c", script)
    for name in KEPT_OUT:
        path = site.directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"made beside {len(read(site, 'server.js'))} bytes\n")


def built_on_the_host(site: Site) -> None:
    """A developer ran the bundler in the deployed folder; `.dockerignore` keeps what it made out of every image."""
    build_on_the_host(site)
