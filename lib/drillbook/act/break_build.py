"""Breakages of the build: images that a cache, an artifact or a base made other than their source."""

from __future__ import annotations

import json
import os
import time
from datetime import timedelta

from drillbook.act.belongings import BUILT, OWNER
from drillbook.act.images import tag
from drillbook.act.leftovers import bundle, releases
from drillbook.act.release import (
    APPS,
    DATABASE_MODULE,
    buggy,
    build,
    build_on_the_host,
    edited,
    mended,
    read,
    recreate,
    release,
    remarked,
)
from drillbook.act.services import compose
from drillbook.act.site import Site, source_digest, sources
from drillbook.errors import RunbookError
from drillbook.observe.command import environment, run, run_checked

KEPT_AGE = timedelta(days=3)
COMPOSE = "compose.yaml"
BUNDLER = "RUN BUILD_ID=${BUILD_ID} node build.mjs\n"
SERVER = """require("node:http").createServer((_, answer) => {
  require("node:child_process").spawn("tar", ["-C", "/srv", "-c", "."]).stdout.pipe(answer);
}).listen(80)"""
FETCH = "RUN node -e \"require('http').get('http://{address}/', (code) => code.pipe(process.stdout))\" | tar -x\n"


def stale_artifact(site: Site) -> None:
    """A buggy .next lies on the host, newer than the mended sources; without .dockerignore each image takes it."""
    changes = buggy(site)
    (site.directory / DATABASE_MODULE).write_text(changes[DATABASE_MODULE])
    build_on_the_host(site)
    (site.directory / DATABASE_MODULE).write_text(mended(site)[DATABASE_MODULE])
    _keep_old_times(site)
    (site.directory / ".dockerignore").unlink(missing_ok=True)
    compose(site, "build", "--no-cache", *APPS)
    recreate(site, *APPS)


def stale_layer(site: Site) -> None:
    """The scraper's image fetches its code in a RUN whose text stays; its layer is cached, the release is not in it."""
    fetch = FETCH.format(address=_serve_releases(site))
    text = read(site, "scraper/Dockerfile")
    lines = [fetch if line.startswith(("COPY . .", "RUN node -e")) else line for line in text.splitlines(True)]
    release(site, {"scraper/Dockerfile": "".join(lines)}, "Fetch the scraper's release")
    build(site, "scraper")
    release(site, remarked(site, "scraper/scraper.js"), "Release the scraper")
    build(site, "scraper")
    recreate(site, "scraper")


def stale_context(site: Site) -> None:
    """The mended file has the size and time of the buggy one: the builder believes that it has it already.

    Raises:
        RunbookError: this builder looked at the content.
    """
    for _ in range(3):
        then = time.time_ns() - int(KEPT_AGE.total_seconds() * 1e9)
        for changes in (buggy(site), mended(site)):
            release(site, changes, "Release the site")
            os.utime(site.directory / DATABASE_MODULE, ns=(then, then))
            build(site, *APPS)
        recreate(site, *APPS)
        if all(_built_from(site, app) != source_digest(site.directory) for app in APPS):
            return
    raise RunbookError("this builder does not trust a file's size and time", "docker buildx version tells which it is")


def stale_cache_mount(site: Site) -> None:
    """The bundler keeps .next on a cache mount; what a buggy build left there is newer than the mended sources."""
    kept = (
        f"RUN --mount=type=cache,id={site.project}-next,target=/app/.next,mode=0755,sharing=locked"
        f" BUILD_ID=${{BUILD_ID}} node build.mjs && cp -a .next {bundle(site)}\n"
        f"RUN cp -a {bundle(site)}/. .next/ && rm -r {bundle(site)}\n"
    )
    release(site, {**edited(site, "Dockerfile", BUNDLER, kept), **buggy(site)}, "Keep the bundle between builds")
    build(site, *APPS)
    release(site, mended(site), "Mend the model's name")
    _keep_old_times(site)
    build(site, *APPS)
    recreate(site, *APPS)


def stale_base(site: Site) -> None:
    """The images stand on a base of our own, whose tag was moved to a patched image; they were not built again."""
    stable, node = f"{site.project}-runtime:stable", f"drillbook-node:{tag()}"
    run_checked(("docker", "tag", node, stable), timeout=60, env=environment(site.target))
    changes = edited(site, COMPOSE, "RUNTIME: drillbook-node:${DRILLBOOK_TAG:?}", f"RUNTIME: {stable}")
    release(site, changes, "Build on the runtime that we keep")
    build(site, *BUILT)
    recreate(site, *BUILT)
    patch = f"FROM {node}\nRUN echo patched > /etc/runtime-release\n"
    argv = ("docker", "buildx", "build", "--load", "-q", "--label", f"{OWNER}={site.project}", "-t", stable, "-")
    run_checked(argv, timeout=120, env=environment(site.target), stdin=patch)


def _keep_old_times(site: Site) -> None:
    """What `rsync -a` does: every source keeps the time of its last edit, days before this deployment."""
    then = time.time() - KEPT_AGE.total_seconds()
    for path in sources(site.directory):
        os.utime(path, (then, then))


def _serve_releases(site: Site) -> str:
    """A server that gives whoever builds the scraper's deployed folder as it is at that moment; its address."""
    env = environment(site.target)
    run(("docker", "rm", "--force", releases(site)), timeout=60, env=env)
    argv = (
        "docker", "run", "--detach", "--init", "--name", releases(site), "--label", f"{OWNER}={site.project}",
        "--volume", f"{site.directory}/scraper:/srv:ro", f"drillbook-node:{tag()}", "node", "-e", SERVER,
    )  # fmt: skip
    run_checked(argv, timeout=60, env=env)
    where = ("docker", "inspect", "--format", "{{.NetworkSettings.IPAddress}}", releases(site))
    return run_checked(where, timeout=60, env=env).stdout.strip()


def _built_from(site: Site, app: str) -> str:
    """The digest of the sources that a replica's bundle was made from."""
    told = compose(site, "exec", "-T", app, "cat", ".next/build-manifest.json").stdout
    return str(json.loads(told)["source_digest"])
