"""Freshness is judged by content, at every level."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from pathlib import Path

import builders
import pytest

from drillbook.decide.evidence import Evidence
from drillbook.decide.freshness import differing, freshness, identical_artifacts, named, source_digest
from drillbook.observe.facts import Snapshot


def verdicts(snapshot: Snapshot) -> dict[str, str]:
    return {e.id: e.verdict for e in freshness(snapshot)}


def one(snapshot: Snapshot, name: str) -> Evidence:
    return next(e for e in freshness(snapshot) if e.id == name)


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


def test_old_source_in_the_image_fails() -> None:
    """A source file whose content in the image is another fails the image and is named."""
    old = builders.image(files={**builders.SOURCES, "lib/db.js": builders.digest("old")})
    found = one(builders.healthy(images=(old,)), "image:app1")
    assert (found.verdict, "lib/db.js" in found.observed) == ("fail", True)


def test_image_without_sources_is_unknown() -> None:
    """An image that holds no source file cannot pass by it."""
    bare = builders.image(files={"bundle.js": builders.digest("x")}, built_from={})
    assert one(builders.healthy(images=(bare,), processes=()), "image:app1").verdict == "unknown"


@pytest.mark.parametrize(("tag", "verdict"), [(builders.OLD, "fail"), ("", "unknown"), (builders.NEW, "pass")])
def test_container_follows_its_tag(tag: str, verdict: str) -> None:
    """A container fails when its tag means another image now, and is unknown when the tag is gone."""
    there = builders.container(tag_image_id=tag)
    assert one(builders.healthy(containers=(there,)), "container:connect-app1-1").verdict == verdict


def test_edit_inside_the_container_fails_the_process() -> None:
    """A file that was edited in the running container fails the process level."""
    process = replace(builders.image(), subject=builders.container().id)
    edited = replace(process, files={**process.files, "server.js": builders.digest("edited")})
    assert one(builders.healthy(processes=(edited,)), "process:connect-app1-1").verdict == "fail"


def test_unread_process_is_unknown() -> None:
    """A process whose files could not be read is unknown, never pass."""
    unread = replace(builders.image(), subject=builders.container().id, files={})
    assert one(builders.healthy(processes=(unread,)), "process:connect-app1-1").verdict == "unknown"


def test_service_without_a_container_is_unknown() -> None:
    """A service that does not run has no image to look into, so its image is unknown."""
    found = one(builders.healthy(containers=(), images=(), processes=()), "image:app1")
    assert (found.verdict, "no running container" in found.observed) == ("unknown", True)


@pytest.mark.parametrize("built", ["this", "another"])
def test_response_tells_its_build(built: str) -> None:
    """An answer that tells the digest of its sources is held against the sources as deployed."""
    told = source_digest(builders.SOURCES) if built == "this" else builders.digest("another")
    seen = verdicts(builders.healthy(responses=(builders.answer(endpoint="build", source_digest=told),)))
    assert seen["response:build"] == ("pass" if built == "this" else "fail")


def test_missing_file_counts_only_in_copied_folders() -> None:
    """A tracked file may be left out of the image with its whole folder, but not alone."""
    source = builders.source(tracked={"lib/a.js": "1", "lib/b.js": "2", "docs/c.md": "3"})
    assert differing(source, {"lib/a.js": "1"}) == ["lib/b.js"]


def test_identical_artifacts_are_byte_for_byte() -> None:
    """Only an artifact with the same content proves that the host's file was copied."""
    source = builders.source(artifacts={".next/a": "1", ".next/b": "2"})
    assert identical_artifacts(source, {".next/a": "1", ".next/b": "9"}) == [".next/a"]


def test_long_lists_are_cut() -> None:
    """A finding names three paths and counts the rest, so that a line stays readable."""
    assert named(["a", "b", "c", "d", "e"]) == "a, b, c and 2 more"
