"""A reset that builds nothing: images by digest from a registry, proven against the source before anything runs."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from engine_images import made, run
from registry import Registry, registry
from rounds import take_backup, take_drill
from there import of_project, tags

import checkout
from drillbook.act import images
from drillbook.act.build import prove
from drillbook.act.executor import Context
from drillbook.act.journal import Journal
from drillbook.act.pull import pull
from drillbook.errors import NotApproved, RunbookError, StepFailed
from drillbook.observe.command import run_checked
from drillbook.observe.registry import registry_facts
from drillbook.observe.workers import workers
from drillbook.run.record import Record, new_run_folder
from drillbook.run.reset import ResetRun
from drillbook.run.runner import run_runbook
from drillbook.target import load_target

__all__ = ["registry"]

PROJECT, PORT = checkout.project("drillpull"), checkout.port(23080)
URL = f"http://127.0.0.1:{PORT}/"
OURS = {"label": f"com.docker.compose.project={PROJECT}"}
SERVER = r"""use IO::Socket::INET;
open(my $file, "/app/BUILD_ID"); my $told = "{\"build_id\": \"" . <$file> . "\"}";
my $server = IO::Socket::INET->new(LocalPort => 3000, Listen => 64, ReuseAddr => 1) or die;
while (my $asked = $server->accept) {
    while (<$asked>) { last if /^\r?$/ }
    print $asked "HTTP/1.0 200 OK\r\nContent-Length: " . length($told) . "\r\n\r\n$told";
}
"""
PROXY = """resolver 127.0.0.11 valid=1s ipv6=off;
server {
    listen 80;
    location / {
        set $app app;
        proxy_pass http://$app:3000;
        proxy_connect_timeout 1s;
        proxy_next_upstream error timeout;
    }
    location /web { proxy_pass http://web:3000; }
}
"""
# perl and nothing else: what is pushed is small
DOCKERFILE = r"""FROM drillbook-redis:{tag} AS full
RUN cp -L --parents /usr/bin/perl $(ldd /usr/bin/perl | grep -o '/[^ ]*') /srv
RUN cp -r --parents /usr/lib/*/perl-base /srv
FROM scratch
COPY --from=full /srv /
COPY . /app/
"""
UNBUILDABLE = "FROM scratch\nCOPY nothing-of-this-name /\n"


class Shop:
    """A stack as production has it: `app` only as an image and its source, `web` to be built, but never here."""

    def __init__(self, site: Path, registry: Registry, engine: Any) -> None:
        self.site, self.registry, self.engine = site, registry, engine
        for name in ("app", "web", "proxy"):
            (site / name).mkdir()
        (site / "app/server.pl").write_text(SERVER)
        (site / "web/Dockerfile").write_text(UNBUILDABLE)
        (site / "proxy/default.conf").write_text(PROXY)
        (site / "compose.yaml").write_text(yaml.safe_dump(self._compose()))
        (site / "target.yaml").write_text(yaml.safe_dump(self._target()))

    def _compose(self) -> dict[str, Any]:
        quick = {"init": True, "stop_grace_period": "2s"}
        proxy = {
            "image": f"drillbook-nginx:{images.tag()}", "ports": [f"127.0.0.1:{PORT}:80"],
            "volumes": ["./proxy/default.conf:/etc/nginx/conf.d/default.conf:ro"], "stop_grace_period": "1s",
            "depends_on": ["web"],
        }  # fmt: skip
        app = {"image": self.reference("app"), "command": ["perl", "/app/server.pl"], **quick}
        web = {"build": "./web", "image": self.reference("web"), "command": ["perl", "/app/server.pl"], **quick}
        web |= {"volumes": ["kept:/kept"], "depends_on": ["app"]}
        return {"services": {"app": app, "web": web, "proxy": proxy}, "volumes": {"kept": None}}

    def _target(self) -> dict[str, Any]:
        app = {"code": {"source": "app", "image": "/app", "build_id": "BUILD_ID"}, "response": "http://{address}:3000/"}
        proxy = {"service": "proxy", "test": ["nginx", "-t", "-q"], "reload": ["nginx", "-s", "reload"]}
        return {
            "name": PROJECT,
            "stack": {"project": PROJECT, "directory": ".", "services": {"app": app}, "proxy": proxy},
            "endpoints": {"build": {"url": URL, "build_id": "build_id"}, "web": {"url": f"{URL}web"}},
            "backup": {"vault": "../vault"},
        }

    def reference(self, name: str) -> str:
        return f"{self.registry.address}/{PROJECT}/{name}:stable"

    def deploy(self, version: str) -> None:
        """The source on this host is *version* from now on."""
        (self.site / "app/BUILD_ID").write_text(version)

    def publish(self, folder: Path, name: str, files: Mapping[str, str]) -> str:
        """Build elsewhere, push, and leave this engine as it was; the digest that the registry's tag means now."""
        reference, ci = self.reference(name), f"{PROJECT}-ci"
        folder.mkdir()
        for file, text in files.items():
            (folder / file).write_text(text)
        was = tags(self.engine, reference).get(reference, "")
        image = made(ci, folder, DOCKERFILE.format(tag=images.tag()))
        run("docker", "tag", ci, reference)
        run("docker", "push", "-q", reference)
        by_digest = run("docker", "image", "inspect", "-f", "{{index .RepoDigests 0}}", image)
        run("docker", "rmi", ci)
        if was:
            run("docker", "tag", was, reference)
            run("docker", "rmi", by_digest)
        return by_digest

    def compose(self, *words: str) -> None:
        run_checked(("docker", "compose", "-p", PROJECT, "--project-directory", str(self.site), *words), timeout=120)

    def answers(self, path: str = "") -> str:
        return str(httpx.get(URL + path, trust_env=False, timeout=5).json()["build_id"])

    def addresses(self) -> dict[str, str]:
        """Each service's address. `web`'s is above `app`'s at first; a new container gets the lowest that is free."""
        containers = [c for c in of_project(self.engine, PROJECT) if c.status == "running"]
        networks = {c.labels["com.docker.compose.service"]: c.attrs["NetworkSettings"]["Networks"] for c in containers}
        return {name: next(iter(known.values()))["IPAddress"] for name, known in networks.items()}

    def runs(self) -> dict[str, Any]:
        """All that a reset might change here: containers and when they started, what the tags mean, volumes."""
        containers = of_project(self.engine, PROJECT)
        stable = tags(self.engine, f"{self.registry.address}/{PROJECT}/")
        return {
            "containers": {c.name: (c.id, c.image.id, c.attrs["State"]["StartedAt"]) for c in containers},
            "tags": {tag: image for tag, image in stable.items() if tag.endswith(":stable")},
            "volumes": [v.name for v in self.engine.volumes.list(filters=OURS)],
        }

    def reset(self, approve: str = "", **given: str) -> Record:
        asked = {"scope": "images", "source": "pull", **given}
        return run_runbook("reset", str(self.site / "target.yaml"), asked, approve=approve, quiet=True)

    def opened(self) -> ResetRun:
        """The runbook's run, here and not in a kernel, with its plan still to be made."""
        folder = new_run_folder(PROJECT, "reset")
        record = Record.create(folder, "reset", PROJECT, parameters={}, mode="papermill", notebook=None)
        run = ResetRun(load_target(str(self.site / "target.yaml")), record, folder)
        run.confirm(run.observe(), "images", "pull")
        return run

    def clean(self) -> None:
        self.compose("down", "--timeout", "1", "--remove-orphans")
        for volume in self.engine.volumes.list(filters=OURS):
            volume.remove()
        for row in self.engine.api.images():
            if any(name.startswith(f"{self.registry.address}/{PROJECT}/") for name in _names(row)):
                self.engine.images.remove(row["Id"], force=True)


def _names(row: dict[str, Any]) -> list[str]:
    return [*(row["RepoTags"] or ()), *(row["RepoDigests"] or ())]


@pytest.fixture(scope="module")
def shop(engine: Any, registry: Registry, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    """Its first version runs, and a proven backup of its volume lies in the vault; the source is the second already."""
    base = tmp_path_factory.mktemp(PROJECT)
    (base / "site").mkdir()
    found = Shop(base / "site", registry, engine)
    found.clean()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DRILLBOOK_OUTPUTS", str(base / "outputs"))
        found.publish(base / "app-1", "app", {"server.pl": SERVER, "BUILD_ID": "one"})
        found.publish(base / "web-1", "web", {"server.pl": SERVER, "BUILD_ID": "one"})
        found.deploy("two")
        found.compose("up", "-d")
        found.compose("exec", "-T", "web", "perl", "-e", "open F, '>/kept/file'; print F 'precious'")
        target = load_target(str(base / "site/target.yaml"))
        assert take_drill(target, take_backup(target))["verdict"] == "pass"
    until = time.monotonic() + 20
    while not _up(found):
        assert time.monotonic() < until
        time.sleep(0.1)
    yield found
    found.clean()


def _up(shop: Shop) -> bool:
    try:
        return shop.answers() == "one"
    except (httpx.HTTPError, ValueError):
        return False


def steps(record: Record) -> list[dict[str, Any]]:
    return list(record.result["plan"]["steps"])


def fact(record: Record) -> str:
    return str(record.error["fact"])


def evidence(record: Record, step: str) -> dict[str, Any]:
    lines = Journal(record.folder / "journal.jsonl").lines()
    return next(line["evidence"] for line in lines if line["event"] == "done" and line["step"] == step)


def begun(record: Record) -> list[str]:
    return [line["step"] for line in Journal(record.folder / "journal.jsonl").lines() if line["event"] == "intent"]


def test_an_image_that_is_not_the_source_never_runs(shop: Shop, tmp_path: Path) -> None:
    """The registry's tag leads to an image of other code: it is pulled, held against the source, and that is all."""
    other = f"{SERVER}# an older one"
    shop.publish(tmp_path / "app", "app", {"server.pl": other, "BUILD_ID": "two"})
    before = shop.runs()
    ended = shop.reset(approve=shop.opened().plan().fingerprint)
    assert (ended.status, ended.exit_code, ended.error["type"]) == ("failed", 1, "StepFailed")
    assert fact(ended) == "the new image of app is not the source: server.pl"
    assert ended.error["hint"].startswith("what runs was not touched; push one that is built from this source")
    assert begun(ended)[-1] == "prove-app"
    assert shop.runs() == before
    assert shop.answers() == "one"


def test_a_tag_that_moves_takes_the_approval_with_it(shop: Shop, tmp_path: Path) -> None:
    """The plan that was read names a digest; once the tag means another, before or after the gate, nothing is done."""
    first = shop.publish(tmp_path / "app", "app", {"server.pl": SERVER, "BUILD_ID": "two", "more": "1"})
    opened = shop.opened()
    planned = opened.plan()
    assert ("docker", "pull", first) in [step.argv for step in planned.steps]
    opened.approve(planned, planned.fingerprint)
    second = shop.publish(tmp_path / "again", "app", {"server.pl": SERVER, "BUILD_ID": "two", "more": "2"})
    before = shop.runs()
    with pytest.raises(NotApproved, match="is not for this plan"):
        opened.act(planned)
    ended = shop.reset(approve=planned.fingerprint)
    assert (ended.status, ended.exit_code) == ("refused", 3)
    assert "is not for this plan" in fact(ended)
    assert ("docker", "pull", second) in [tuple(step["argv"]) for step in steps(ended)]
    assert begun(ended) == []
    assert shop.runs() == before


def test_a_registry_that_is_down_stops_the_reset_before_its_plan(shop: Shop) -> None:
    """Exit 1, the fact names the registry, the hint says what to look at, and nothing was changed."""
    before = shop.runs()
    shop.registry.stop()
    try:
        ended = shop.reset()
    finally:
        shop.registry.start()
    assert (ended.status, ended.exit_code) == ("failed", 1)
    assert fact(ended).startswith(f"registry {shop.registry.address} does not tell what {shop.reference('app')} is")
    assert f"docker login {shop.registry.address}" in ended.error["hint"]
    assert begun(ended) == []
    assert shop.runs() == before


def test_a_pull_looks_at_what_came(shop: Shop, tmp_path: Path) -> None:
    """Once it is there it is not fetched again; another machine's image, or another digest, is never handed on."""
    shop.publish(tmp_path / "app", "app", {"server.pl": SERVER, "BUILD_ID": "two", "more": "3"})
    step = next(step for step in shop.opened().plan().steps if step.id == "pull-app")
    context = Context(load_target(str(shop.site / "target.yaml")), tmp_path)
    assert "seen" not in pull(step, context)
    assert pull(step, context)["seen"] == "there before"
    tag = shop.engine.images.get(step.args["tag"])
    assert step.subject in tag.attrs["RepoDigests"]
    with pytest.raises(StepFailed, match=r"is for linux/.*, the engine runs plan9/mips"):
        pull(replace(step, args={**step.args, "platform": "plan9/mips"}), context)
    with pytest.raises(StepFailed, match=f"is not sha256:{'0' * 64}"):
        pull(replace(step, subject=f"x@sha256:{'0' * 64}"), context)


def test_an_image_that_says_nothing_of_its_source_is_not_proven(shop: Shop, tmp_path: Path) -> None:
    """No file of it differs from the source, for no file of it is there: that is no proof."""
    shop.publish(tmp_path / "app", "app", {"compiled": "who knows from what"})
    steps = {step.id: step for step in shop.opened().plan().steps}
    context = Context(load_target(str(shop.site / "target.yaml")), tmp_path)
    pull(steps["pull-app"], context)
    with pytest.raises(StepFailed, match="nothing in the pulled image of app can be held against the source"):
        prove(steps["prove-app"], context)


def test_a_tag_that_its_registry_does_not_have(shop: Shop) -> None:
    """The fact names the registry and what was asked for."""
    target, reference = load_target(str(shop.site / "target.yaml")), f"{shop.registry.address}/{PROJECT}/app:gone"
    with pytest.raises(RunbookError) as caught:
        registry_facts(target, {"app": reference})
    assert caught.value.fact == f"registry {shop.registry.address} has no {reference}"
    assert "push it there" in caught.value.hint


def test_the_image_that_was_approved_runs(shop: Shop, tmp_path: Path) -> None:
    """Nothing is built, the volume stays, and what runs is the very digest of the plan.

    No request to `app` fails. `web` cannot run twice: it is down for a moment, and the proxy, which looked up its
    address once and for all, learns of the new one.
    """
    digests = {
        "app": shop.publish(tmp_path / "app", "app", {"server.pl": SERVER, "BUILD_ID": "two"}),
        "web": shop.publish(tmp_path / "web", "web", {"server.pl": SERVER, "BUILD_ID": "two"}),
    }
    before, web = shop.runs(), shop.addresses()["web"]
    planned = shop.reset()
    assert (planned.status, planned.exit_code) == ("refused", 3), planned.error
    assert shop.runs() == before
    assert f"app, web: taken by digest from {shop.registry.address}, nothing is built here" in _notes(planned)
    assert "web: no code is declared, so the digest alone is the proof" in _notes(planned)
    ended = shop.reset(approve=planned.result["plan"]["fingerprint"])
    assert (ended.status, ended.exit_code) == ("succeeded", 0), ended.error
    assert {step["verb"] for step in steps(ended)}.isdisjoint({"image.build", "context.stage"})
    assert ended.result["verdict"] == "pass"
    assert [said for said in ended.result["failures"] if not said.startswith("web: ")] == []
    assert shop.addresses()["web"] != web
    for step in ("switch-app-1", "reload-web"):  # nginx' old workers take requests after the reload's command has ended
        told = evidence(ended, step)
        assert told["workers"] > told["not_replaced"] == 0
        assert told["let_go"] == "seen"
    assert (shop.answers(), shop.answers("web")) == ("two", "two")
    for name, digest in digests.items():
        assert digest in shop.engine.containers.get(f"{PROJECT}-{name}-1").image.attrs["RepoDigests"]
    assert shop.runs()["volumes"] == before["volumes"]
    told = shop.engine.containers.get(f"{PROJECT}-web-1").exec_run(["perl", "-pe", "1", "/kept/file"]).output
    assert told == b"precious"


def test_workers_are_told_while_the_proxy_runs(shop: Shop) -> None:
    """By their titles, without the master; of a container that is stopped nothing can be told."""
    target, proxy = load_target(str(shop.site / "target.yaml")), shop.engine.containers.get(f"{PROJECT}-proxy-1")
    assert set((workers(target, proxy.id) or {}).values()) == {"nginx: worker process"}
    proxy.stop()
    assert workers(target, proxy.id) is None


def _notes(record: Record) -> list[str]:
    return list(record.result["plan"]["notes"])
