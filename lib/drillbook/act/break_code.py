"""Breakages of what runs: containers and processes that are not what their image or their source says."""

from __future__ import annotations

import time

from drillbook.act.release import (
    APPS,
    DATABASE_MODULE,
    RIGHT,
    WRONG,
    buggy,
    build,
    edited,
    mended,
    recreate,
    release,
    remarked,
)
from drillbook.act.services import compose, wait_healthy
from drillbook.act.site import Site

COMPOSE = "compose.yaml"
CHUNK = ".next/chunks/lib-db.js"


def stale_container(site: Site) -> None:
    """A mended release is committed and built, and nobody brings it up: the containers keep the buggy image."""
    release(site, buggy(site), "Rename a model")
    build(site, *APPS)
    recreate(site, *APPS)
    release(site, mended(site), "Mend the model's name")
    build(site, *APPS)


def masked_by_mount(site: Site) -> None:
    """A named volume over .next was filled by a buggy image, once; it covers what every newer image brings."""
    changes = edited(site, COMPOSE, "x-app: &app\n", 'x-app: &app\n  volumes: ["code:/app/.next"]\n')
    volume = '\n  code: {labels: {drillbook.sandbox: "1"}}\n'
    changes[COMPOSE] = changes[COMPOSE].removesuffix(volume).rstrip() + volume
    release(site, {**changes, **buggy(site)}, "Keep the bundle on a volume")
    build(site, "app1")
    compose(site, "up", "--no-start", "--no-build", "--no-deps", "app1")  # the engine fills a new volume from the image
    release(site, mended(site), "Mend the model's name")
    build(site, *APPS)
    recreate(site, *APPS)


def edited_in_place(site: Site) -> None:
    """Someone edited both replicas' code inside their containers, and restarted them."""
    for app in APPS:
        compose(site, "exec", "-T", app, "sed", "-i", f"s/{_pattern(RIGHT)}/{WRONG}/", DATABASE_MODULE, CHUNK)
    compose(site, "restart", "--timeout", "5", *APPS)
    wait_healthy(site.project, APPS, timeout=60)


def process_older_than_code(site: Site) -> None:
    """The scraper's code is mounted from the deployed folder; a release came after its process had started."""
    service = "  scraper:\n"
    changes = edited(site, COMPOSE, service, f'{service}    volumes: ["./scraper:/app:ro"]\n')
    release(site, changes, "Run the scraper from the deployed folder")
    recreate(site, "scraper")
    time.sleep(1.1)  # times of files are told in whole seconds
    release(site, remarked(site, "scraper/scraper.js"), "Release the scraper")


def _pattern(text: str) -> str:
    return text.replace("[", r"\[")
