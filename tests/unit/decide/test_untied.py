"""Build output is fresh by proof alone: what nothing ties to its sources is unknown; what is no output is let be."""

from __future__ import annotations

import builders
import pytest
from builders import context, dockerfile

from drillbook.decide.diagnose import diagnose
from drillbook.observe.facts import FilesFact, Snapshot

COPIES = dockerfile(("FROM", "node"), ("COPY", ". ."), ("RUN", "node build.mjs"))
OUTPUT = {"dist/app.js": builders.digest("made")}
MODULES = {"node_modules/left-pad/dist/index.js": builders.digest("left-pad")}


def image(files: dict[str, str], **changes: object) -> FilesFact:
    """An image of the right sources and *files*, with no manifest."""
    return builders.image(**{"files": {**builders.SOURCES, **files}, "built_from": {}, **changes})


def shipped(files: dict[str, str], *, made: int = 200, revised: float = 100.0, **changes: object) -> Snapshot:
    """The image holds *files* as they lie untracked on the host, changed at *made*; *revised* is the newest commit."""
    let_in = context(untracked=tuple(files), identical=files, stamps=dict.fromkeys(files, (1, made)))
    there = {
        "images": (image(files),), "contexts": {"app1": let_in}, "dockerfiles": {"app1": COPIES},
        "sources": {"app1": builders.source(revised=revised)}, "processes": (builders.process(built_from={}),),
    }  # fmt: skip
    return builders.healthy(**{**there, **changes})


def test_output_of_the_host_that_nothing_ties_to_its_sources_is_unknown() -> None:
    """It may be of these sources or of older ones, whatever its time: no pass, no cause, and what would settle it."""
    found = diagnose(shipped(OUTPUT))
    assert (found.verdict, found.causes) == ("unknown", ())
    untied = next(e for e in found.evidence if e.id == "untied:app1")
    assert (untied.verdict, "dist/app.js" in untied.observed) == ("unknown", True)
    assert "manifest" in untied.expected


def test_output_of_the_host_that_is_older_than_the_newest_commit_is_stale() -> None:
    """Then it cannot have been made from it."""
    found = diagnose(shipped(OUTPUT, made=50))
    assert [c.id for c in found.causes] == ["stale-artifact"]


@pytest.mark.parametrize("made", [50, 200])
def test_what_a_package_manager_fetched_is_no_output(made: int) -> None:
    """`node_modules` that get in are a finding on the ignore file, never stale code: they are made of no source."""
    assert diagnose(shipped(MODULES, made=made)).verdict == "pass"


def test_a_file_that_is_no_output_is_no_finding() -> None:
    """Settings of this host, untracked on purpose, are older than the commit and harmless."""
    assert diagnose(shipped({"local_settings.py": builders.digest("mine")}, made=50)).verdict == "pass"


def test_a_manifest_ties_it() -> None:
    """The same bytes on the host are fine where a manifest says that they were made from these sources."""
    tied = image(OUTPUT, built_from=dict(builders.SOURCES))
    found = shipped(OUTPUT, made=50, images=(tied,), processes=(builders.process(),))
    assert diagnose(found).verdict == "pass"


OLD = {**builders.SOURCES, "lib/db.js": builders.digest("old db")}
CACHED = dockerfile(("FROM", "node"), ("COPY", ". ."), ("RUN", "--mount=type=cache,target=/app/.next npm run build"))
PACKAGES = dockerfile(("FROM", "node"), ("RUN", "--mount=type=cache,target=/root/.npm npm ci && npm run build"))


def test_an_old_bundle_is_not_laid_to_host_files_that_are_not_its_own() -> None:
    """`node_modules` and settings of the host are in the image too; the wrong bundle is of the cache mount."""
    for beside in (MODULES, {"local_settings.py": builders.digest("mine")}):
        manifest = {".next/m.json": builders.digest("m")}
        wrong = image({**beside, **manifest}, built_from=OLD, manifest=".next/m.json")
        found = shipped(beside, images=(wrong,), dockerfiles={"app1": CACHED})
        assert [c.id for c in diagnose(found).causes] == ["stale-cache-mount"]


def test_an_old_bundle_of_the_hosts_is_its_artifact_although_a_cache_mount_is_there() -> None:
    """The manifest itself is the host's, byte for byte."""
    files = {".next/m.json": builders.digest("m"), ".next/bundle.js": builders.digest("b")}
    wrong = image({**files, **MODULES}, built_from=OLD, manifest=".next/m.json")
    found = diagnose(shipped({**files, **MODULES}, images=(wrong,), dockerfiles={"app1": CACHED}))
    assert [c.id for c in found.causes] == ["stale-artifact"]
    proof = next(e for e in found.evidence if e.id == "artifact:app1")
    assert proof.observed == "1 are byte-identical to untracked files of the host: .next/bundle.js"


def test_output_of_a_cache_mount_is_unknown_without_a_manifest() -> None:
    """What an earlier build left there may be in it; a package manager's cache leaves nothing."""
    made = {".next/bundle.js": builders.digest("made")}
    found = shipped({}, images=(image(made),), dockerfiles={"app1": CACHED})
    untied = next(e for e in diagnose(found).evidence if e.id == "untied:app1")
    assert (untied.verdict, "line 3" in untied.observed) == ("unknown", True)
    assert diagnose(shipped({}, images=(image(made),), dockerfiles={"app1": PACKAGES})).verdict == "pass"


def test_a_package_managers_cache_is_not_to_blame_for_an_old_bundle() -> None:
    """Its mount keeps nothing of the bundle: an older layer does."""
    wrong = image({}, built_from=OLD)
    found = diagnose(shipped({}, images=(wrong,), dockerfiles={"app1": PACKAGES}))
    assert [c.id for c in found.causes] == ["stale-layer"]
