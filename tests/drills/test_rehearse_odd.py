"""A rehearsal of a stack that is bound to its host in every way that compose knows, on real containers."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from rounds import take_backup, take_drill
from there import containers, tags

import checkout
from drillbook.act import images
from drillbook.act.rehearsal import LABEL
from drillbook.observe.command import run_checked
from drillbook.run.record import Record, new_run_folder
from drillbook.run.rehearse import RehearseRun
from drillbook.target import Target, load_target

pytestmark = [pytest.mark.docker, pytest.mark.matrix]
PROJECT, PORT = checkout.project("drillbound"), checkout.port(24080)
MARK = f"of-{PROJECT}"
COMPOSE = """services:
  web: &web
    build: {context: ., tags: ["PROJECT-released:7"]}
    image: PROJECT-web:7
    container_name: PROJECT-the-web
    ports: ["127.0.0.1:PORT:3000"]
    networks: {front: {ipv4_address: 10.231.7.9}, back: {}}
    volumes: ["./uploads:/uploads", "/var/run/docker.sock:/var/run/docker.sock", "kept:/kept"]
    labels: {traefik.enable: "true", "traefik.http.routers.web.rule": "Host(`example.com`)"}
    environment: {PGHOST: postgres, PGUSER: connect, PGPASSWORD: changed-since, PGDATABASE: shop}
    depends_on: {postgres: {condition: service_healthy}, watcher: {condition: service_started}}
    restart: always
  worker:
    image: PROJECT-web:7
    command: [sleep, infinity]
    init: true
    networks: [back]
  watcher:
    image: drillbook-redis:TAG
    command: [sleep, infinity]
    init: true
    network_mode: host
  postgres:
    image: drillbook-postgres:TAG
    environment: {POSTGRES_USER: connect, POSTGRES_PASSWORD: as-it-was-born}
    volumes: ["pg:/var/lib/postgresql/data"]
    networks: [back]
    healthcheck: {test: [CMD, pg_isready, -h, 127.0.0.1, -U, connect], interval: 300ms, retries: 100}
networks:
  front: {ipam: {config: [{subnet: 10.231.7.0/24}]}}
  back: {internal: true}
volumes:
  pg:
  kept: {driver_opts: {type: none, o: bind, device: FOLDER/shared}}
"""
SERVER = """const { writeFileSync } = require("node:fs");
const { Pool } = require("pg");
const pool = new Pool();
writeFileSync("/scratch/MARK", "");
require("node:http").createServer(async (_, answer) => {
  const found = await pool.query("SELECT count(*)::int AS n FROM goods").catch(() => ({ rows: [{ n: 0 }] }));
  answer.writeHead(found.rows[0].n === 3 ? 200 : 500).end();
}).listen(3000);
process.on("SIGTERM", () => process.exit(0));
"""
TARGET = """name: PROJECT
stack:
  project: PROJECT
  directory: .
  services: {web: {code: {source: ., image: /app, artifacts: [uploads, shared, target.yaml]}}}
databases: {main: {service: postgres, dbname: shop, user: connect, password: "env:SHOP_PASSWORD"}}
endpoints: {site: {url: "http://127.0.0.1:PORT/"}, named: {url: "https://example.com/"}}
backup: {vault: FOLDER/../vault}
"""


@pytest.fixture
def target(engine: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Target]:
    """The stack, up, with three rows and a proven backup; its server's password is not any more the file's."""
    folder = tmp_path / "stack"
    words = {"PROJECT": PROJECT, "PORT": str(PORT), "TAG": images.tag(), "FOLDER": str(folder), "MARK": MARK}
    files = {"compose.yaml": COMPOSE, "server.js": SERVER, "target.yaml": TARGET, ".dockerignore": "shared\nuploads\n"}
    dockerfile = "FROM drillbook-node:TAG\nWORKDIR /app\nVOLUME /scratch\nCOPY . .\nCMD [node, server.js]\n"
    for name, text in {**files, "Dockerfile": dockerfile.replace("[node, server.js]", '["node", "server.js"]')}.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(filled(text, words))
    for name in ("uploads", "shared"):
        (folder / name).mkdir()
        (folder / name / "precious").write_text("precious")
    monkeypatch.setenv("SHOP_PASSWORD", "changed-since")
    compose = ("docker", "compose", "-p", PROJECT, "--project-directory", str(folder))
    try:
        yield started(compose, folder)
    finally:
        run_checked((*compose, "down", "--timeout", "1", "--volumes"), timeout=120)
        for tag in tags(engine, PROJECT):
            engine.images.remove(tag)


def started(compose: tuple[str, ...], folder: Path) -> Target:
    run_checked((*compose, "up", "-d", "--build", "--wait", "postgres"), timeout=300)
    queries = [("postgres", "CREATE DATABASE shop"), ("postgres", "ALTER ROLE connect PASSWORD 'changed-since'")]
    for dbname, query in (*queries, ("shop", "CREATE TABLE goods AS SELECT generate_series(1, 3) AS id")):
        words = ("exec", "-T", "postgres", "psql", "-U", "connect", "-d", dbname, "-c", query)
        run_checked((*compose, *words), timeout=60)
    run_checked((*compose, "up", "-d", "--build"), timeout=300)
    found = load_target(str(folder / "target.yaml"))
    assert take_drill(found, take_backup(found))["verdict"] == "pass"
    return found


def filled(text: str, words: dict[str, str]) -> str:
    for word, value in words.items():
        text = text.replace(word, value)
    return text


def nameless(engine: Any) -> int:
    """How many volumes without a name were begun by this stack's web server, or by a copy's."""
    folders = [Path(v.attrs["Mountpoint"]) for v in engine.volumes.list() if len(v.name) == 64]
    return sum((folder / MARK).exists() for folder in folders)


def test_what_is_bound_to_its_host_is_rehearsed_in_place(target: Target, engine: Any) -> None:
    """One container with a port: it is down meanwhile, and the answer says so; what leads to the host stays behind."""
    web = engine.containers.get(f"{PROJECT}-the-web")
    tagged = tags(engine, PROJECT)
    before = nameless(engine)
    folder = new_run_folder(target.name, "rehearse")
    run = RehearseRun(target, Record.create(folder, "rehearse", target.name, parameters={}), folder)
    run.confirm(run.observe(), "images")
    run.act(run.plan())
    run.verify()
    result = run.record.result
    assert result is not None
    assert (result["verdict"], result["not_rehearsed"]) == ("pass", [])
    assert {name: seconds > 0 for name, seconds in result["would"]["services_down"].items()} == {
        "web": True, "worker": True,
    }  # fmt: skip
    assert "replace-web" in [step["step"] for step in result["steps"]]
    notes = "\n".join(json.loads((folder / "plan.json").read_text())["notes"])
    for said in (
        "/var/run/docker.sock: left out: it leads to the host", "/uploads: holds the source files alone",
        "service watcher: not in the copy, its network_mode is host",
        "endpoint named: not asked, https at an address",
    ):  # fmt: skip
        assert said in notes
    web.reload()
    assert (web.status, web.attrs["RestartCount"]) == ("running", 0)
    assert tags(engine, PROJECT) == tagged
    assert (target.directory / "shared/precious").read_text() == (target.directory / "uploads/precious").read_text()
    assert nameless(engine) == before
    assert containers(engine, f"{LABEL}={target.identity}") == []
    with socket.create_connection(("127.0.0.1", PORT), timeout=5):
        pass
