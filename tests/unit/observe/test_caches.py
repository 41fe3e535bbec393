"""Build records as buildx prints them, and folders of the host that a build may reuse."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from drillbook.errors import RunbookError
from drillbook.observe import build_cache, caches
from drillbook.observe.facts import ContextFact, ServiceFact, SourceFact
from drillbook.target import Target, parse_target

NOW = 1_800_000_000.0
VERBOSE = """ID:\t\tvhspf91fv49zqakjyqswm24h0
Created at:\t2026-11-24 02:33:34.225357106 +0000 UTC
Mutable:\ttrue
Reclaimable:\tfalse
Shared:\t\tfalse
Size:\t\t2.215kB
Description:\tcached mount /root/.npm from exec /bin/sh -c <<EOF
npm ci

npm run build
EOF
Usage count:\t2
Last used:\tLess than a second ago
Type:\t\texec.cachemount

ID:\t\tun92mwztac0c30ieffn22r3b9
Parent:\t\tvhspf91fv49zqakjyqswm24h0
Created at:\t2026-11-24 02:33:34 +0000 UTC
Mutable:\ttrue
Reclaimable:\ttrue
Shared:\t\ttrue
Size:\t\t5B
Description:\tlocal source for context
Usage count:\t2
Last used:\t3 days ago
Type:\t\tsource.local

Shared:\t\t803.3MB
Reclaimable:\tfalse
Total:\t\t803.3MB
"""
LINES = (
    '{"CreatedAt":"2025-07-29T12:36:01Z","Description":"pulled from rust","ID":"ic1gf",'
    '"LastUsedAt":"2025-07-29T12:36:01Z","Mutable":false,"Parents":["hmpdh"],"Reclaimable":true,"Shared":true,'
    '"Size":"829889526","Type":"regular","UsageCount":1}\n'
    '{"CreatedAt":"2025-08-05 09:24:09.5 +0000 UTC","Description":"","ID":"jsw7f","LastUsedAt":"2 weeks ago",'
    '"Mutable":true,"Reclaimable":false,"Shared":false,"Size":"1.7GB","Type":"frontend","UsageCount":0}\n'
)


def target(file: Path = Path("/opt/connect/target.yaml"), host: str = "") -> Target:
    """A target whose compose project lies beside its file."""
    service = {"code": {"image": "/app", "artifacts": [".next"]}}
    stack = {"project": "connect", "directory": ".", "docker_host": host, "services": {"app1": service}}
    return parse_target({"name": "connect", "stack": stack}, file)


def docker(folder: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    """A `docker` on the PATH that does what *script* says."""
    program = folder / "bin" / "docker"
    program.parent.mkdir()
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("0B", 0), ("5B", 5), ("2.215kB", 2215), ("12.3MB", 12_300_000), ("1GiB", 1024**3), ("406.1MB*", 406_100_000),
        ("829889526", 829889526), ("1.5TB", 1_500_000_000_000), ("many", 0), ("", 0),
    ],
)  # fmt: skip
def test_sizes(text: str, size: int) -> None:
    """Every way in which docker writes a size is understood; what is no size is 0."""
    assert build_cache.size(text) == size


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("2025-07-29T12:36:01Z", 1753792561), ("2025-07-29 12:36:01.715795569 +0000 UTC", 1753792561.715795),
        ("2025-07-29T14:36:01+02:00", 1753792561), ("3 days ago", NOW - 3 * 86400), ("About an hour ago", NOW - 3600),
        ("Less than a second ago", NOW), ("About a minute ago", NOW - 60), ("2 weeks ago", NOW - 1209600),
        ("", 0), (None, 0), ("<nil>", 0), ("yesterday", 0),
    ],
)  # fmt: skip
def test_moments(text: str | None, seconds: float) -> None:
    """A time stands as RFC 3339, in Go's own form, or as so long ago; 0 where none is told."""
    assert build_cache.moment(text, NOW) == pytest.approx(seconds, abs=0.001)


def test_records_of_an_old_buildx(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A buildx without --format is read record by record; lines of a description and the summary confuse nothing."""
    (tmp_path / "du.txt").write_text(VERBOSE)
    docker(tmp_path, monkeypatch, f'[ "$3" = --verbose ] || exit 125\ncat {tmp_path}/du.txt')
    mount, context = build_cache.build_records(target(), NOW)
    assert (mount.id, mount.type, mount.bytes) == ("vhspf91fv49zqakjyqswm24h0", "exec.cachemount", 2215)
    assert mount.description.endswith("<<EOF\nnpm ci\n\nnpm run build\nEOF")
    assert (mount.in_use, mount.shared, mount.last_used) == (True, False, NOW)
    assert (context.type, context.in_use, context.shared) == ("source.local", False, True)
    assert context.last_used == NOW - 3 * 86400


def test_records_of_a_new_buildx(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where buildx speaks JSON, that is read: sizes as bytes or as people say them, times in both forms."""
    (tmp_path / "du.json").write_text(LINES)
    docker(tmp_path, monkeypatch, f'[ "$4" = json ] || exit 1\ncat {tmp_path}/du.json')
    layer, frontend = build_cache.build_records(target(), NOW)
    assert (layer.bytes, layer.shared, layer.in_use, layer.last_used) == (829889526, True, False, 1753792561)
    assert (frontend.type, frontend.bytes, frontend.in_use) == ("frontend", 1_700_000_000, True)


def test_no_buildx_is_a_fact(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without buildx the records are not known, and that is said; the rest of the map is still there."""
    docker(tmp_path, monkeypatch, "echo \"docker: 'buildx' is not a docker command.\" >&2; exit 1")
    with pytest.raises(RunbookError, match=r"cannot be listed.*not a docker command") as told:
        build_cache.build_records(target(), NOW)
    assert "install the buildx plugin" in told.value.hint
    seen = caches.caches(target(), (), {}, {})
    assert seen.records == ()
    assert "not a docker command" in seen.unlisted


def test_a_docker_that_hangs_is_a_fact(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An engine that does not answer holds nobody up."""
    docker(tmp_path, monkeypatch, "sleep 30")
    monkeypatch.setattr(build_cache, "TIMEOUT_SECONDS", 0.2)
    assert "was still running" in caches.caches(target(), (), {}, {}).unlisted


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A source tree with artifacts beside it, and a `build` folder that is source."""
    for path in (
        ".next/server.js", ".next/cache/webpack/0.pack", "node_modules/left-pad/index.js", "a/b/c/d/dist/x",
        "node_modules/left-pad/dist/x", "node_modules/.cache/babel/x.json", "pkg/__pycache__/a.pyc", "build/Makefile",
        "a/b/dist/x.js", ".git/build/x", "lib/db.js",
    ):  # fmt: skip
        file = tmp_path / "src" / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("12345")
        os.utime(file, (1_700_000_000, 1_700_000_000))
    (tmp_path / "src" / "target").symlink_to("/usr")
    return tmp_path / "src"


def map_of(tree: Path, context: ContextFact | None) -> caches.CachesFact:
    source = SourceFact(str(tree), "0", {"lib/db.js": "0", "build/Makefile": "0"}, {})
    return caches.caches(target(tree / "t.yaml"), (), {"app1": source}, {"app1": context} if context else {})


@pytest.fixture
def engineless(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    docker(tmp_path, monkeypatch, "exit 1")


@pytest.mark.usefixtures("engineless")
def test_folders_that_a_build_may_reuse(tree: Path) -> None:
    """Well-known folders are found, three deep; none that holds sources, none by a link, none of a package's own."""
    found = {os.path.relpath(f.path, tree) for f in map_of(tree, None).folders}
    assert found == {
        ".next", ".next/cache", "node_modules", "node_modules/.cache", "pkg/__pycache__", "a/b/dist",
    }  # fmt: skip


@pytest.mark.usefixtures("engineless")
def test_a_folder_is_measured(tree: Path) -> None:
    """Files, bytes and the newest change of a folder are those of everything below it."""
    os.utime(tree / ".next/cache/webpack/0.pack", (1_700_000_500, 1_700_000_500))
    there = {os.path.relpath(f.path, tree): f for f in map_of(tree, None).folders}
    assert (there[".next"].files, there[".next"].bytes, there[".next"].newest) == (2, 10, 1_700_000_500)
    assert (there["a/b/dist"].files, there["a/b/dist"].cut) == (1, False)


@pytest.mark.usefixtures("engineless")
def test_in_context_is_what_a_build_is_given(tree: Path) -> None:
    """A folder is in the context when an untracked file below it is, and not for a name that only begins alike."""
    context = ContextFact("app1", str(tree), (), (), (".next/server.js", "node_modules.tar"))
    there = {os.path.relpath(f.path, tree): f.in_context for f in map_of(tree, context).folders}
    assert there[".next"]
    assert not there["node_modules"]
    assert not there[".next/cache"]


@pytest.mark.usefixtures("engineless")
def test_counting_stops(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """However large node_modules is, the map takes no longer; what was cut says so."""
    monkeypatch.setattr(caches, "MOST_FILES", 1)
    there = map_of(tree, None).folders
    assert sum(f.files for f in there) == 1
    assert there[-1].cut


@pytest.mark.usefixtures("engineless")
def test_declared_caches_and_commands(tree: Path) -> None:
    """What a build names as its caches is told; a command begins with this target's engine, project and files."""
    service = ServiceFact("app1", "app1", str(tree), "Dockerfile", cache_from=("reg/app:cache",), cache_to=("inline",))
    plain = replace(service, name="db", cache_from=(), cache_to=())
    seen = caches.caches(target(tree / "t.yaml", "ssh://far"), (service, plain), {}, {})
    assert seen.declared == {"app1": ("from reg/app:cache", "to inline")}
    assert seen.compose[:6] == ("docker", "-H", "ssh://far", "compose", "-p", "connect")
    assert seen.engine == ("docker", "-H", "ssh://far")


def test_a_target_without_a_stack_has_no_caches() -> None:
    """A database alone says that it has no stack."""
    place = {"host": "/run/postgresql", "dbname": "connect", "user": "connect"}
    with pytest.raises(RunbookError, match="has no stack"):
        caches.caches(parse_target({"name": "embedded", "databases": {"main": place}}, Path("t.yaml")), (), {}, {})
