"""Breakages around the code: the proxy, the configuration, a dependency, the disk."""

from __future__ import annotations

import os

import httpx
import yaml

from drillbook.act.deployments import normal_deploy
from drillbook.act.leftovers import mount_disk
from drillbook.act.release import edited, read, recreate, release
from drillbook.act.services import compose
from drillbook.act.site import Site, write
from drillbook.errors import BadParameters

PROXY = "proxy/default.conf"
DISK_MEGABYTES = 16
FULL = 0.985
STORE = """proxy_cache_path /var/lib/nginx/site keys_zone=site:1m inactive=1d;

server {
"""
KEEP = """        proxy_pass http://$app:3000;
        proxy_cache site;
        proxy_cache_valid 200 12h;
        proxy_ignore_headers Cache-Control Expires Set-Cookie Vary;
        add_header X-Cache-Status $upstream_cache_status always;
"""


def stale_proxy(site: Site) -> None:
    """The proxy keeps answers for hours whatever they say of it, and a release came after it had filled."""
    text = read(site, PROXY)
    if "proxy_cache_path" not in text:
        text = text.replace("server {\n", STORE, 1).replace("        proxy_pass http://$app:3000;\n", KEEP, 1)
    release(site, {PROXY: text}, "Cache in the proxy")
    recreate(site, "proxy", force=True)
    for endpoint in site.target.endpoints.values():
        httpx.get(endpoint.url, timeout=20)
    normal_deploy(site)


def config_drift(site: Site) -> None:
    """The organization that the site answers for was changed in compose.yaml, and nobody brought it up."""
    old, new = "DEFAULT_ORGANIZATION: hanbit-robotics", "DEFAULT_ORGANIZATION: daejeon-ai"
    release(site, edited(site, "compose.yaml", old, new), "Answer for another organization")


def dependency_unhealthy(site: Site) -> None:
    """The queue's container was stopped; the scraper finds no jobs."""
    compose(site, "stop", "--timeout", "5", "redis-queue")


def disk_full(site: Site) -> None:
    """The vault lies on a small disk of its own, which is full.

    Raises:
        BadParameters: we are not root, who alone may mount.
    """
    if os.geteuid() != 0:
        raise BadParameters(
            "disk-full mounts a small disk, which only root may", "choose another breakage, or use sudo"
        )
    mount_disk(site, DISK_MEGABYTES)
    described = yaml.safe_load(site.target_file.read_text())
    described["backup"] = {**described.get("backup", {}), "vault": f"../{site.disk.name}"}
    write(site.target_file, yaml.safe_dump(described, sort_keys=False, allow_unicode=True))
    (site.disk / site.target.name).mkdir(exist_ok=True)
    (site.disk / "ballast").write_bytes(b"\1" * int(FULL * (DISK_MEGABYTES << 20)))
