"""Freshness is judged by content, at every level."""

from __future__ import annotations

import subprocess
from pathlib import Path

import builders
import pytest
from builders import context, dockerfile

from drillbook.decide.content import differing, matching, named, source_digest
from drillbook.decide.evidence import Evidence
from drillbook.decide.freshness import freshness
from drillbook.observe.facts import ConfigFact, Snapshot

STARTED = builders.process().started_at


def verdicts(snapshot: Snapshot) -> dict[str, str]:
    return {e.id: e.verdict for e in freshness(snapshot)}


def one(snapshot: Snapshot, name: str) -> Evidence:
    return next(e for e in freshness(snapshot) if e.id == name)


COPIES = dockerfile(("FROM", "node"), ("COPY", ". ."), ("RUN", "node build.mjs"))


def test_digest_is_what_a_shell_computes(tmp_path: Path) -> None:
    """An engineer can repeat the digest of the sources with sha256sum and sort."""
    (tmp_path / "b.js").write_text("b")
    (tmp_path / "a.js").write_text("a")
    shell = "sha256sum *.js | LC_ALL=C sort | sha256sum"
    done = subprocess.run(["bash", "-c", shell], cwd=tmp_path, capture_output=True, text=True, check=True, timeout=20)
    assert source_digest({"a.js": builders.digest("a"), "b.js": builders.digest("b")}) == done.stdout.split()[0]


def test_fresh_code_passes_every_level() -> None:
    """When what runs is what the source says, no level fails and none is unknown."""
    assert set(verdicts(builders.healthy()).values()) == {"pass"}


def test_copied_artifact_fails_bundle_and_context() -> None:
    """The incident's image fails by its bundle and its context, although every source file in it is right."""
    seen = verdicts(builders.stale_artifact())
    assert seen["image:app1"] == "pass"
    assert (seen["bundle:app1"], seen["artifact:app1"], seen["context:app1"]) == ("fail", "fail", "fail")


def test_harmless_artifact_in_the_context_passes() -> None:
    """An artifact that gets into the context is no finding as long as the bundle was built from this source."""
    beside = builders.source(artifacts=builders.ARTIFACTS, artifacts_in_context=(".next",))
    seen = verdicts(builders.healthy(sources={"app1": beside}))
    assert seen["context:app1"] == "pass"


def test_an_artifact_kept_out_of_the_context_was_not_copied() -> None:
    """The same bytes on the host prove nothing where .dockerignore keeps them out: the host's build was the same."""
    snapshot = builders.stale_artifact(contexts={"app1": context()})
    assert "artifact:app1" not in verdicts(snapshot)


def test_old_source_in_the_image_fails() -> None:
    """A source file whose content in the image is another fails the image, is named, and is laid to an older layer."""
    old = builders.image(files={**builders.SOURCES, "lib/db.js": builders.digest("old")})
    found = builders.healthy(images=(old,))
    assert (one(found, "image:app1").verdict, "lib/db.js" in one(found, "image:app1").observed) == ("fail", True)
    assert one(found, "layer:app1").verdict == "fail"


def test_same_size_and_time_with_other_content_is_the_context_sync() -> None:
    """A wrong file with the source's size and time never came through BuildKit's sync, and is not laid to a layer."""
    files = {**builders.SOURCES, "lib/db.js": builders.digest("old")}
    old = builders.image(files=files, built_from=files, stamps={"lib/db.js": (10, 77)})
    seen = verdicts(builders.healthy(images=(old,), sources={"app1": builders.source(stamps={"lib/db.js": (10, 77)})}))
    assert seen["synced:app1"] == "fail"
    assert "layer:app1" not in seen
    touched = builders.source(stamps={"lib/db.js": (10, 78)})
    assert "synced:app1" not in verdicts(builders.healthy(images=(old,), sources={"app1": touched}))


def test_a_bundle_of_the_images_own_old_sources_is_not_a_second_finding() -> None:
    """Where the bundle was made from what lies beside it, only the sources in the image are to blame."""
    files = {**builders.SOURCES, "lib/db.js": builders.digest("old")}
    old = builders.image(files=files, built_from=files)
    found = builders.healthy(
        images=(old,), dockerfiles={"app1": dockerfile(("RUN", "--mount=type=cache,target=/c make"))}
    )
    assert "cachemount:app1" not in verdicts(found)
    assert verdicts(found)["bundle:app1"] == "fail"


def test_right_sources_and_a_wrong_bundle_built_in_a_cache_mount() -> None:
    """Nothing of the host is in the image, its sources are right: the cache mount of the build is to blame, by line."""
    built = {**builders.SOURCES, "lib/db.js": builders.digest("old db")}
    lines = dockerfile(
        ("FROM", "node"), ("COPY", ". ."), ("RUN", "--mount=type=cache,target=/app/.next node build.mjs")
    )
    found = builders.healthy(images=(builders.image(built_from=built),), dockerfiles={"app1": lines})
    assert "line 3" in one(found, "cachemount:app1").observed
    without = builders.healthy(images=(builders.image(built_from=built),), dockerfiles={"app1": COPIES})
    assert verdicts(without)["layer:app1"] == "fail"


def test_image_without_sources_is_unknown() -> None:
    """An image that holds no source file cannot pass by it."""
    bare = builders.image(files={"bundle.js": builders.digest("x")}, built_from={})
    assert one(builders.healthy(images=(bare,), processes=()), "image:app1").verdict == "unknown"


@pytest.mark.parametrize(
    ("label", "verdict"), [("0123456789ab", "pass"), ("0123456", "pass"), ("fedcba987654", "fail"), ("v1.2", "unknown")]
)
def test_a_revision_label_speaks_for_an_image_without_sources(label: str, verdict: str) -> None:
    """A label that is a revision is held against the source's; any other tells nothing."""
    labels = {"org.opencontainers.image.revision": label}
    bare = builders.image(files={"bundle.js": "x"}, built_from={}, labels=labels)
    assert one(builders.healthy(images=(bare,), processes=()), "image:app1").verdict == verdict


def test_a_new_file_that_the_image_lacks_fails_where_the_context_is_copied_whole() -> None:
    """A route that was added after the build is missing from the image, and that is why it answers 404."""
    source = builders.source(tracked={**builders.SOURCES, "app/oauth/route.js": builders.digest("new route")})
    got = context(tracked=tuple(source.tracked))
    found = builders.healthy(sources={"app1": source}, contexts={"app1": got}, dockerfiles={"app1": COPIES})
    assert "app/oauth/route.js" in one(found, "image:app1").observed
    parts = dockerfile(("FROM", "node"), ("COPY", "lib server.js /app/"))
    assert verdicts(builders.healthy(sources={"app1": source}, contexts={"app1": got}, dockerfiles={"app1": parts}))[
        "image:app1"
    ] == "pass"  # fmt: skip


def test_files_that_dockerignore_drops_are_not_missed() -> None:
    """A tracked file that the ignore file keeps out of the context is not missing from the image."""
    source = builders.source(tracked={**builders.SOURCES, "lib/notes.md": builders.digest("notes")})
    got = context(dropped=("lib/notes.md",))
    for lines in ({"app1": COPIES}, {}):
        found = builders.healthy(sources={"app1": source}, contexts={"app1": got}, dockerfiles=lines)
        assert verdicts(found)["image:app1"] == "pass"


def test_generated_files_may_differ() -> None:
    """A file that the target declares as generated is held against nothing, in image and process alike."""
    files = {**builders.SOURCES, "lib/db.js": builders.digest("generated")}
    changed = builders.process(changed={"lib/db.js": builders.digest("again"), "cache/x.js": "1"})
    found = {"images": (builders.image(files=files, built_from={}),), "processes": (changed,)}
    assert "fail" in verdicts(builders.healthy(**found)).values()
    assert set(verdicts(builders.healthy(**found, generated={"app1": ("lib/db.js",)})).values()) == {"pass"}


@pytest.mark.parametrize(("tag", "verdict"), [(builders.OLD, "fail"), ("", "unknown"), (builders.NEW, "pass")])
def test_container_follows_its_tag(tag: str, verdict: str) -> None:
    """A container fails when its tag means another image now, and is unknown when the tag is gone."""
    there = builders.container(tag_image_id=tag)
    assert one(builders.healthy(containers=(there,)), "container:connect-app1-1").verdict == verdict


def test_the_image_is_the_one_that_the_tag_means() -> None:
    """A container left on an old image fails by itself; the image that was built since is fresh and passes."""
    old = builders.image(subject=builders.OLD, files={**builders.SOURCES, "lib/db.js": "old"}, built_from={})
    there = builders.container(image_id=builders.OLD)
    process = builders.process(image_id=builders.OLD)
    seen = verdicts(builders.healthy(containers=(there,), images=(builders.image(), old), processes=(process,)))
    assert (seen["image:app1"], seen["container:connect-app1-1"]) == ("pass", "fail")
    assert seen["process:connect-app1-1"] == "pass"


@pytest.mark.parametrize(
    ("wanted", "differs", "verdict"),
    [("1", (), "pass"), ("2", (), "fail"), ("1", ("file /etc/x",), "fail"), ("", (), "unknown")],
)
def test_configuration_is_the_compose_files(wanted: str, differs: tuple[str, ...], verdict: str) -> None:
    """Another hash, or a file that the container sees in an older version, is a drift; no hash is unknown."""
    fact = ConfigFact("connect-app1-1", "app1", wanted, "1", differs)
    unread = ConfigFact("connect-app1-1", "app1", "1", "1", (), {"/etc/x": "only root sees it"})
    assert one(builders.healthy(configs=(unread,)), "config:connect-app1-1").verdict == "unknown"
    assert one(builders.healthy(configs=(fact,)), "config:connect-app1-1").verdict == verdict


def test_edit_inside_the_container_fails_the_process() -> None:
    """A file that was edited in the running container fails the process level."""
    edited = builders.process(changed={"server.js": builders.digest("edited")})
    assert one(builders.healthy(processes=(edited,)), "process:connect-app1-1").verdict == "fail"


def test_touched_and_added_files_are_no_edit() -> None:
    """A file with the same content and new times is not edited, nor is one that the process wrote beside the code."""
    fine = builders.process(changed={"server.js": builders.SOURCES["server.js"], "data/out.json": "1"})
    assert one(builders.healthy(processes=(fine,)), "process:connect-app1-1").verdict == "pass"


def test_an_edit_after_the_start_was_not_even_loaded() -> None:
    """The evidence says when an edit came too late for the process that runs."""
    edited = builders.process(changed={"server.js": "x"}, changed_at={"server.js": STARTED + 60})
    assert "not even loaded" in one(builders.healthy(processes=(edited,)), "process:connect-app1-1").observed


def test_unread_process_is_unknown() -> None:
    """A process whose files could not be read is unknown, never pass."""
    unread = builders.process(unread={"lib/big.bin": "over 32 MB"})
    assert one(builders.healthy(processes=(unread,)), "process:connect-app1-1").verdict == "unknown"
    elsewhere = builders.process(image_id=builders.OLD)
    assert one(builders.healthy(processes=(elsewhere,)), "process:connect-app1-1").verdict == "unknown"


def test_a_mount_with_other_code_masks_the_image() -> None:
    """A volume over the bundle whose manifest was made from other sources fails; one with uploads does not."""
    built = {**builders.SOURCES, "lib/db.js": "old"}
    old = builders.process(
        covers={".next": "volume code"}, mounted={".next/bundle.js": "old"}, built_from=built
    )  # fmt: skip
    assert one(builders.healthy(processes=(old,)), "mount:connect-app1-1").verdict == "fail"
    uploads = builders.process(covers={"uploads": "volume uploads"}, mounted={"uploads/a.png": "1"})
    assert one(builders.healthy(processes=(uploads,)), "mount:connect-app1-1").verdict == "pass"


def test_mounted_code_that_is_the_source_masks_nothing() -> None:
    """Code that is mounted from the deployed folder decides what runs; the old image beneath it does not matter."""
    old = builders.image(files=dict.fromkeys(builders.SOURCES, "old"), built_from={})
    mounted = builders.process(covers={".": "bind /opt/connect"}, mounted=dict(builders.SOURCES), built_from={})
    seen = verdicts(builders.healthy(images=(old,), processes=(mounted,)))
    assert seen["mount:connect-app1-1"] == "pass"
    assert "fail" not in seen.values()


@pytest.mark.parametrize(("seconds", "verdict"), [(-60.0, "pass"), (60.0, "fail")])
def test_mounted_code_that_changed_after_the_start_was_not_loaded(seconds: float, verdict: str) -> None:
    """A process that started before its mounted code changed runs what it loaded then."""
    fact = builders.process(
        covers={".": "bind /opt/connect"}, mounted=dict(builders.SOURCES), built_from={},
        changed_at=dict.fromkeys(builders.SOURCES, STARTED + seconds),
    )  # fmt: skip
    old = builders.image(files=dict.fromkeys(builders.SOURCES, "old"), built_from={})
    assert one(builders.healthy(images=(old,), processes=(fact,)), "started:connect-app1-1").verdict == verdict


def test_touching_mounted_code_is_no_change() -> None:
    """Code with the image's content was there when the process started, whatever its times say."""
    fact = builders.process(
        covers={".": "bind"}, mounted=dict(builders.SOURCES), changed_at=dict.fromkeys(builders.SOURCES, STARTED + 60)
    )
    assert one(builders.healthy(processes=(fact,)), "started:connect-app1-1").verdict == "pass"


def test_service_without_a_container_is_unknown() -> None:
    """A service that does not run has no image to look into, so its image is unknown."""
    found = one(builders.healthy(containers=(), images=(), processes=()), "image:app1")
    assert (found.verdict, "no container" in found.observed) == ("unknown", True)


@pytest.mark.parametrize("built", ["this", "another"])
def test_response_tells_its_build(built: str) -> None:
    """An answer that tells the digest of its sources is held against the sources as deployed."""
    told = source_digest(builders.SOURCES) if built == "this" else builders.digest("another")
    seen = verdicts(builders.healthy(responses=(builders.answer(endpoint="build", source_digest=told),)))
    assert seen["response:build"] == ("pass" if built == "this" else "fail")


def answers(proxy: str, replica: str, **headers: str) -> Snapshot:
    through = builders.answer(endpoint="build", build_id=proxy, source_digest=builders.digest(proxy), headers=headers)
    straight = builders.answer(
        endpoint="build@connect-app1-1", build_id=replica, source_digest=builders.digest(replica), via="app1",
        replica="connect-app1-1",
    )  # fmt: skip
    return builders.healthy(responses=(through, straight))


def test_a_proxy_that_answers_what_no_replica_says_is_stale() -> None:
    """The proxy's build must be one that a replica tells when asked straight; its cache headers are quoted."""
    stale = one(answers("old", "new", age="31", **{"x-cache-status": "HIT"}), "proxy:build")
    assert (stale.verdict, "age: 31" in stale.observed, "HIT" in stale.observed) == ("fail", True, True)
    assert one(answers("new", "new"), "proxy:build").verdict == "pass"


def test_a_replica_that_answers_another_build_than_its_files_was_not_restarted() -> None:
    """What a process answers is what it loaded; its files say what it would load now."""
    seen = verdicts(answers("old", "old"))
    assert seen["started:build@connect-app1-1"] == "fail"


def test_missing_file_counts_only_in_copied_folders() -> None:
    """A tracked file may be left out of the image with its whole folder, but not alone."""
    source = builders.source(tracked={"lib/a.js": "1", "lib/b.js": "2", "docs/c.md": "3"})
    assert differing(source, {"lib/a.js": "1"}) == ["lib/b.js"]


def test_long_lists_are_cut() -> None:
    """A finding names three paths and counts the rest, so that a line stays readable."""
    assert named(["a", "b", "c", "d", "e"]) == "a, b, c and 2 more"


def test_patterns_are_gitignores() -> None:
    """A pattern without a slash holds at every depth, one with a slash at the end for a whole folder."""
    is_generated = matching(("*.log", "uploads/"))
    assert [is_generated(p) for p in ("a/b.log", "uploads/x/y", "lib/db.js")] == [True, True, False]
