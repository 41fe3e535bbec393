"""The cache map: every cache from source to response, present or not, with the command that clears exactly it."""

from __future__ import annotations

import re
import shlex
from dataclasses import replace
from pathlib import Path

import pytest

from drillbook.decide.caches import Cache, cache_map
from drillbook.observe.facts import (
    BaseFact,
    CachesFact,
    ContainerFact,
    ContextFact,
    DockerfileFact,
    ImageFact,
    Mount,
    ProcessFact,
    ResponseFact,
    ServiceFact,
    Snapshot,
    SourceFact,
)
from drillbook.observe.facts_code import Instruction
from drillbook.observe.facts_signs import BuildRecord, FolderFact

NOW = 1_800_000_000.0
SRC = "/opt/connect"
NEW, OLD = "sha256:" + "a" * 64, "sha256:" + "b" * 64
COMPOSE = ("docker", "compose", "-p", "connect", "--project-directory", SRC, "-f", f"{SRC}/compose.yaml")
ORDER = [
    "host artifacts in the build context", "node_modules/.cache", ".next/cache", "__pycache__", "build-context sync",
    "layer cache", "cache mount", "git checkout", "Dockerfile frontend", "BuildKit's own helpers", "base image",
    "inline or registry cache", "the running container's image", "volume or bind over the code",
    "the process's memory", "proxy cache", "browsers and CDNs",
]  # fmt: skip
RUN = "--mount=type=cache,target=/root/.npm npm ci && \\\n  npm run build"
OWNED = "--mount=type=cache,uid=33,target=/var/cache/pip pip install ."


def record(kind: str, description: str = "", **changes: object) -> BuildRecord:
    fact = BuildRecord(f"{kind}-id", kind, description, 1000, NOW - 3600, NOW - 60, in_use=False, shared=False)
    return replace(fact, **changes)  # type: ignore[arg-type]


def folder(path: str, *, in_context: bool = True, **changes: object) -> FolderFact:
    return replace(FolderFact(f"{SRC}/{path}", "app1", 3, 2000, NOW - 120, in_context), **changes)  # type: ignore[arg-type]


def container(service: str = "app1", **changes: object) -> ContainerFact:
    fact = ContainerFact(
        id=f"{service}-id", name=f"connect-{service}-1", service=service, image_id=NEW, image_ref=f"connect-{service}",
        tag_image_id=NEW, running=True, health="healthy", exit_code=0, started="2027-01-15T07:00:00Z", created="",
        address="", restarts=0,
    )  # fmt: skip
    return replace(fact, **changes)  # type: ignore[arg-type]


def snapshot(caches: CachesFact | None = None, **changes: object) -> Snapshot:
    """A healthy stack of one service behind a proxy, with no cache anywhere but what *caches* says."""
    fact = Snapshot(
        "connect", "0", containers=(container(), container("proxy", ports=(8080,))),
        services=(ServiceFact("app1", "connect-app1", SRC, "Dockerfile"), ServiceFact("proxy", "nginx", "", "")),
        sources={"app1": SourceFact(SRC, "0", {}, {})}, contexts={"app1": ContextFact("app1", SRC, (), (), ())},
        dockerfiles={"app1": dockerfile(RUN, OWNED)},
        bases={"app1": BaseFact("app1", "node:22", NEW, ("l1",), NOW - 99)},
        engine_images={NEW: ImageFact(NEW, "connect-app1", NOW - 60, 5000, ("l1", "l2"))},
        processes=(ProcessFact("app1-id", "connect-app1-1", "app1", NEW, NOW - 500),),
        responses=(ResponseFact("build", "http://127.0.0.1:8080/__build", 200, 200, "{}", 0.01, build_id="b1"),
                   ResponseFact("build", "http://x:3000/__build", 200, 200, "{}", 0.01, build_id="b1", via="app1")),
        caches=caches or CachesFact(compose=COMPOSE),
    )  # fmt: skip
    return replace(fact, **changes)  # type: ignore[arg-type]


def dockerfile(*runs: str) -> DockerfileFact:
    steps = tuple(Instruction(n, n, "RUN", run, 0) for n, run in enumerate(runs, 3))
    return DockerfileFact("app1", f"{SRC}/Dockerfile", steps, "", "", "", has_ignore=False)


def row(seen: Snapshot, key: str) -> Cache:
    """The row whose id begins with *key*."""
    return next(item for item in cache_map(seen, NOW) if item.id.split(":")[0] == key)


def test_every_cache_is_a_row_in_the_order_from_source_to_response() -> None:
    """A healthy stack's map names every cache, the absent ones as absent."""
    items = cache_map(snapshot(), NOW)
    assert [item.what for item in items] == ORDER
    absent = {item.what for item in items if item.present == "no"}
    assert absent == {*ORDER} - {"base image", "the process's memory"}


def test_what_was_not_observed_is_unknown() -> None:
    """Nothing is called absent that nobody looked for."""
    items = cache_map(Snapshot("connect", "0"), NOW)
    assert {item.present for item in items} == {"unknown"}
    assert len(items) == len(ORDER)
    assert all(item.note for item in items)


def test_an_unlisted_build_cache_is_unknown_with_its_reason() -> None:
    """Without buildx the engine's rows are unknown and say why; the host's are still known."""
    seen = snapshot(CachesFact(compose=COMPOSE, unlisted="the build cache cannot be listed: no buildx"))
    for key in ("source.local", "layers", "exec.cachemount", "source.git.checkout", "frontend", "internal"):
        assert (row(seen, key).present, "no buildx" in row(seen, key).note) == ("unknown", True)
    assert row(seen, "pycache").present == "no"


def test_an_unseen_context_is_unknown() -> None:
    """Whether a folder gets into a build cannot be told without that build's context."""
    seen = snapshot(contexts={}, unknown={"build context of app1": "no Dockerfile"})
    assert row(seen, "host-artifact").present == "unknown"
    assert "app1: no Dockerfile" in row(seen, "next-cache").note


def test_a_host_artifact_is_moved_aside() -> None:
    """An artifact that the build is given is named with its bytes, and the command moves it: it deletes nothing."""
    seen = snapshot(CachesFact(folders=(folder(".next"), folder("my dist")), compose=COMPOSE))
    first, second = (item for item in cache_map(seen, NOW) if item.id.startswith("host-artifact:"))
    assert (first.present, first.bytes, first.age_seconds, first.no_cache) == ("yes", 2000, 120, False)
    assert first.clears == f'mv {SRC}/.next "$(mktemp -d -p /var/tmp)"'
    assert second.clears.startswith(f"mv '{SRC}/my dist' ")


def test_an_ignored_artifact_is_absent_from_the_build() -> None:
    """What .dockerignore keeps out is no cache between source and response; where it lies is said."""
    seen = snapshot(CachesFact(folders=(folder(".next", in_context=False), folder(".next/cache", in_context=False))))
    assert (row(seen, "host-artifact").present, row(seen, "next-cache").present) == ("no", "no")
    assert f"kept out of the context: {SRC}/.next" in row(seen, "host-artifact").note


def test_tools_caches_are_removed_by_name() -> None:
    """Bytecode of several folders is one row; the command names each of them and nothing else."""
    found = (folder("__pycache__"), folder("a b/__pycache__", newest=NOW - 900))
    item = row(snapshot(CachesFact(folders=found)), "pycache")
    assert (item.present, item.bytes, item.age_seconds) == ("yes", 4000, 900)
    assert item.clears == f"rm -rf -- {SRC}/__pycache__ '{SRC}/a b/__pycache__'"


def test_layers_are_passed_over_by_no_cache() -> None:
    """The layer cache is the one that --no-cache is for; the command builds this target's services alone."""
    item = row(snapshot(CachesFact(records=(record("regular"),), compose=COMPOSE)), "layers")
    assert (item.present, item.bytes, item.age_seconds, item.no_cache) == ("yes", 1000, 3600, True)
    assert item.clears == shlex.join((*COMPOSE, "build", "--no-cache", "app1"))


def test_the_context_sync_outlives_no_cache() -> None:
    """What trusts size and time stays through --no-cache; the note says that other projects' goes too."""
    item = row(snapshot(CachesFact(records=(record("source.local"),))), "source.local")
    assert (item.present, item.no_cache) == ("yes", False)
    assert item.clears == "docker buildx prune --force --filter type=source.local"
    assert "other projects" in item.note


@pytest.mark.parametrize(
    ("description", "present", "cleared", "said"),
    [
        ("cached mount /root/.npm from exec /bin/sh -c npm ci &&   npm run build", "yes", True, "app1: /opt/connect/"),
        ("cached mount /var/cache/pip from exec /bin/sh -c pip install .", "yes", False, "makes it outlive --no-cache"),
        ("cached mount /root/.npm from exec /bin/sh -c npm test", "yes", False, "an earlier command of /opt"),
        ("cached mount /go from exec /bin/sh -c go build", "no", False, "another project's"),
        ("", "yes", False, "or another project's"),
    ],
)  # fmt: skip
def test_each_cache_mount_is_cleared_alone(description: str, present: str, said: str, *, cleared: bool) -> None:
    """A mount is named with its line and cleared by its id; --no-cache is promised only where it holds."""
    items = cache_map(snapshot(CachesFact(records=(record("exec.cachemount", description, id="abc"),))), NOW)
    item = next(item for item in items if item.id == "exec.cachemount:abc")
    assert item.clears == "docker buildx prune --force --filter id=abc"
    assert (item.present, item.no_cache, said in item.note) == (present, cleared, True)


def test_a_mount_at_a_variables_path_is_nobody_elses() -> None:
    """Where a Dockerfile mounts at a path that it takes from a variable, no mount is called a stranger's."""
    seen = snapshot(
        CachesFact(records=(record("exec.cachemount", "cached mount /go from x"),)),
        dockerfiles={"app1": dockerfile("--mount=type=cache,target=$CACHE go build")},
    )
    assert row(seen, "exec.cachemount").present == "yes"


def test_mounts_of_an_unread_dockerfile_are_nobodys_yet() -> None:
    """Where a Dockerfile was not read, nobody claims that a mount is a stranger's."""
    seen = snapshot(CachesFact(records=(record("exec.cachemount", "cached mount /c from x"),)), dockerfiles={})
    assert "the Dockerfile of app1 was not read" in row(seen, "exec.cachemount").note


def test_other_records_by_type() -> None:
    """A type of record that nobody knows yet is shown, too."""
    seen = snapshot(CachesFact(records=(record("source.git.checkout"), record("source.http"))))
    assert row(seen, "source.git.checkout").present == "yes"
    assert row(seen, "source.http").clears == "docker buildx prune --force --filter type=source.http"


def test_the_base_image_says_whether_it_is_stood_on() -> None:
    """A base that moved on is told from one that the image stands on; the age is the base's own."""
    fresh = row(snapshot(), "base")
    assert (fresh.where, fresh.age_seconds, fresh.note) == ("node:22", 99, "app1 stands on it")
    moved = snapshot(bases={"app1": BaseFact("app1", "node:22", OLD, ("l9",), NOW - 10)})
    assert "app1 stands on an older one" in row(moved, "base").note
    assert row(moved, "base").clears.endswith("build --pull app1")
    gone = snapshot(bases={"app1": BaseFact("app1", "node:22", "", ())})
    assert row(gone, "base").present == "no"
    assert row(snapshot(services=(ServiceFact("db", "postgres", "", ""),), bases={}), "base").present == "no"


def test_declared_cache_sources() -> None:
    """A cache that is only written to is none that a build reads."""
    written = snapshot(CachesFact(declared={"app1": ("to type=inline",)}))
    assert row(written, "cache-from").present == "no"
    read = row(snapshot(CachesFact(declared={"app1": ("from reg/app:cache", "to type=inline")})), "cache-from")
    assert (read.present, read.where, read.no_cache) == ("yes", "app1: from reg/app:cache", True)


def test_a_container_on_an_older_image() -> None:
    """Where the tag moved on, the container is named with both ids, and it alone is replaced."""
    seen = snapshot(containers=(container(image_id=OLD), container("proxy")), caches=CachesFact(compose=COMPOSE))
    item = row(seen, "running-image")
    assert (item.present, item.where) == ("yes", "connect-app1-1")
    assert f"runs {OLD[7:19]}, but connect-app1 is {NEW[7:19]} now" in item.note
    assert item.clears == shlex.join(
        (*COMPOSE, "up", "-d", "--no-build", "--no-deps", "--force-recreate", "app1")
    )  # fmt: skip
    assert row(snapshot(containers=(container(tag_image_id=""),)), "running-image").present == "unknown"
    assert row(snapshot(containers=(container(running=False),)), "running-image").present == "unknown"


def test_a_mask_over_the_code() -> None:
    """A volume over the code is named; the way out keeps what it holds, an anonymous one's content included."""
    named = ProcessFact("app1-id", "connect-app1-1", "app1", NEW, 0, covers={"lib": "volume code"})
    item = row(snapshot(processes=(replace(named, changed_at={"lib/db.js": NOW - 50, "server.js": NOW - 90}),)), "mask")
    assert (item.present, item.where, item.age_seconds) == ("yes", "volume code over lib of connect-app1-1", 50)
    assert "take the mount out of the compose file" in item.note
    mount = Mount("volume", "f" * 64, "", "/app/lib", anonymous=True)
    seen = snapshot(
        containers=(container(mounts=(mount,)),), processes=(replace(named, covers={"lib": f"volume {'f' * 64}"}),)
    )
    assert " rm --stop --force app1 && " in row(seen, "mask").clears


def test_a_process_older_than_its_code() -> None:
    """The memory row names the process that started before its code changed, and restarts it alone."""
    late = ProcessFact("app1-id", "connect-app1-1", "app1", NEW, NOW - 500, changed_at={"lib/db.js": NOW - 5})
    assert "connect-app1-1 started before its code last changed" in row(snapshot(processes=(late,)), "memory").note
    item = row(snapshot(), "memory")
    assert (item.present, item.age_seconds) == ("yes", NOW - 1799996400)
    assert item.clears.endswith(" restart app1")
    assert "nothing that was seen changed" in item.note


def test_a_proxy_that_caches() -> None:
    """A hit, an age, or a build that no replica runs tells of a cache in the proxy; it alone is replaced."""
    through, straight = snapshot().responses
    for hit in ({"x-cache": "HIT"}, {"age": "30"}, {"cf-cache-status": "STALE"}):
        item = row(snapshot(responses=(replace(through, headers=hit), straight)), "proxy")
        assert (item.present, item.where) == ("yes", "connect-proxy-1")
        assert item.clears.endswith("--force-recreate proxy")
    assert row(snapshot(responses=(replace(through, headers={"age": "30"}), straight)), "proxy").age_seconds == 30
    for miss in ({"x-cache": "MISS"}, {"age": "0"}, {"via": "1.1 nginx"}, {}):
        assert row(snapshot(responses=(replace(through, headers=miss), straight)), "proxy").present == "no"
    other = row(snapshot(responses=(replace(through, build_id="b0"), straight)), "proxy")
    assert (other.present, "answers build b0, which no replica runs" in other.note) == ("yes", True)


@pytest.mark.parametrize(
    ("headers", "present"),
    [
        ({"cache-control": "public, max-age=600"}, "yes"), ({"etag": '"1"'}, "yes"), ({"expires": "Thu"}, "yes"),
        ({"cache-control": "private, max-age=60"}, "yes"),
        ({"cache-control": "no-store"}, "no"), ({"cache-control": "max-age=0", "etag": '"1"'}, "no"), ({}, "no"),
    ],
)  # fmt: skip
def test_headers_that_let_browsers_keep_an_answer(headers: dict[str, str], present: str) -> None:
    """Each endpoint's headers say whether a browser or a CDN may keep the answer."""
    item = row(snapshot(responses=(replace(snapshot().responses[0], headers=headers),)), "http")
    assert (item.id, item.present) == ("http:build", present)
    assert all(name in item.note for name in headers)


def test_an_endpoint_that_does_not_answer_tells_nothing() -> None:
    """No answer, no word about the proxy's cache or the headers."""
    down = replace(snapshot().responses[0], status=0, error="refused")
    assert {row(snapshot(responses=(down,)), key).present for key in ("proxy", "http")} == {"unknown"}


def everything() -> Snapshot:
    """A stack with every cache there is."""
    through, straight = snapshot().responses
    kinds = ("regular", "source.local", "exec.cachemount", "source.git.checkout", "frontend", "internal")
    caches = CachesFact(
        records=tuple(record(kind) for kind in kinds), compose=COMPOSE, declared={"app1": ("from x",)},
        folders=(folder(".next"), folder(".next/cache"), folder("node_modules/.cache"), folder("__pycache__")),
    )  # fmt: skip
    held = {"age": "9", "cache-control": "max-age=60"}
    return snapshot(
        caches, containers=(container(image_id=OLD), container("proxy", ports=(8080,))),
        processes=(ProcessFact("app1-id", "connect-app1-1", "app1", NEW, 0, covers={".": f"bind {SRC}"}),),
        responses=(replace(through, headers=held), straight),
    )  # fmt: skip


def test_no_command_destroys_what_cannot_be_made_again() -> None:
    """Whatever is there, no command prunes all, takes a volume, or reaches beyond what it names."""
    for seen in (everything(), snapshot(), Snapshot("connect", "0")):
        for item in cache_map(seen, NOW):
            words = item.clears.split()
            assert not {"-a", "--all", "system", "-v", "-V", "--volumes", "volume", "down"} & set(words), item.clears
            assert "prune" not in words or "--filter" in words
    assert all(item.present == "yes" for item in cache_map(everything(), NOW))


def test_the_guide_has_the_same_caches() -> None:
    """The guide's table names every cache of the map, with the same word about --no-cache."""
    page = (Path(__file__).resolve().parents[3] / "docs" / "cache-pollution.md").read_text()
    told = dict(re.findall(r"^\| ([^|]+?) \| [^|]+ \| (yes|no)[^|]* \|$", page, re.MULTILINE))
    plain = snapshot(CachesFact(compose=COMPOSE))
    assert list(told) == ORDER
    for item in cache_map(plain, NOW):
        if item.what != "cache mount":  # it depends on the mount's options, which the page says
            assert told[item.what] == ("yes" if item.no_cache else "no"), item.what
