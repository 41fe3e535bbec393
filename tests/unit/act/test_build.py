"""New images: clean sources staged beside nothing else, a build whose log is kept, a proof against the source."""

from __future__ import annotations

import json
import os
import stat
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import builders
import pytest
from engines import serving_engine

from drillbook.act import build
from drillbook.act.executor import Context
from drillbook.decide.content import source_digest
from drillbook.decide.plan import Step
from drillbook.errors import CommandFailed, StepFailed
from drillbook.observe.facts import FilesFact
from drillbook.observe.source import source_tree

LABELS = {"drillbook.build-id": "b1", "drillbook.source-digest": "d1"}
IMAGE = "connect-app1:drillbook-build-b1"


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """A deployed folder without git: sources, and an old `.next` beside them."""
    folder = tmp_path / "site"
    (folder / "lib").mkdir(parents=True)
    (folder / ".next").mkdir()
    (folder / "lib" / "db.js").write_text("new")
    (folder / "lib" / "link.js").symlink_to("db.js")
    (folder / ".next" / "bundle.js").write_text("old")
    os.utime(folder / "lib" / "db.js", (0, 0))
    return folder


def context(site: Path, host: str = "", **more: Any) -> Context:
    run = site.parent / "run"
    run.mkdir(exist_ok=True)
    stack = builders.stack(**({"docker_host": host} if host else {}))
    return Context(builders.target(site / "target.yaml", stack=stack), run, **more)


def step(site: Path, digest: str = "", **more: Any) -> Step:
    tracked = source_tree(site, (".next",)).tracked
    args = {
        "from": str(site), "to": str(site.parent / "staging"), "digest": digest or source_digest(tracked),
        "without": [".next"], "extras": [], "override": str(site.parent / "staging.override.json"),
        "services": {"app1": {"image": IMAGE}},
    }  # fmt: skip
    return Step("stage-context", "context.stage", "sources", args={**args, **more})


def staged(site: Path) -> list[str]:
    folder = site.parent / "staging"
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if not path.is_dir() or path.is_symlink())


def in_git(site: Path, *names: str) -> None:
    for words in (["init", "-q"], ["add", *names]):
        subprocess.run(["git", "-C", str(site), *words], check=True, timeout=30)


def test_staging_leaves_artifacts_behind(site: Path) -> None:
    """What is built from holds the sources and nothing that was derived from older ones."""
    told = build.stage(step(site), context(site))
    assert staged(site) == ["lib/db.js", "lib/link.js"]
    assert (site.parent / "staging" / "lib" / "link.js").is_symlink()
    assert told == {"files": 2, "extras": 0, "digest": source_digest(source_tree(site, (".next",)).tracked)}


def test_staging_with_git_takes_tracked_files_only(site: Path) -> None:
    """With git an untracked file is no source."""
    (site / "notes.txt").write_text("mine")
    in_git(site, "lib")
    build.stage(step(site), context(site))
    assert staged(site) == ["lib/db.js", "lib/link.js"]


def test_staged_files_are_new_and_nobody_elses(site: Path) -> None:
    """They carry the time of staging, so that no cache that trusts times takes them for old; others do not see them."""
    build.stage(step(site), context(site))
    folder = site.parent / "staging"
    assert (folder / "lib" / "db.js").stat().st_mtime > 1
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_staging_again_starts_clean(site: Path) -> None:
    """What an earlier, cut run staged is not mixed in."""
    (site.parent / "staging").mkdir()
    (site.parent / "staging" / "left.js").write_text("over")
    build.stage(step(site), context(site))
    assert "left.js" not in staged(site)


def test_changed_source_stops_the_staging(site: Path) -> None:
    """A deployment that goes on meanwhile stops the reset before anything is built."""
    with pytest.raises(StepFailed, match="source changed"):
        build.stage(step(site, digest="0" * 64), context(site))
    assert not (site.parent / "staging.override.json").exists()


def test_override_lies_beside_the_staged_folder(site: Path) -> None:
    """Not in it, where it would get into the image; it is whole JSON that compose reads, mode 0600."""
    build.stage(step(site), context(site))
    file = site.parent / "staging.override.json"
    assert json.loads(file.read_text()) == {"services": {"app1": {"image": IMAGE}}}
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert not any("override" in name for name in staged(site))


def test_extras_are_staged_too(site: Path) -> None:
    """A file, and a folder with all that is in it, links as links; nothing else that is untracked."""
    vendor = site / "vendor" / "deep"
    vendor.mkdir(parents=True)
    (vendor / "licensed.so").write_bytes(b"\x7fELF")
    (vendor / "link.so").symlink_to("licensed.so")
    (site / "vendor" / "alias").symlink_to("deep")
    (site / "vendor" / "tracked.js").symlink_to("../lib/db.js")
    (site / "key.pem").write_text("k")
    (site / "notes.txt").write_text("mine")
    in_git(site, "lib", "vendor/tracked.js")
    told = build.stage(step(site, extras=["vendor", "key.pem"]), context(site))
    assert staged(site) == [
        "key.pem", "lib/db.js", "lib/link.js", "vendor/alias", "vendor/deep/licensed.so", "vendor/deep/link.so",
        "vendor/tracked.js",
    ]  # fmt: skip
    assert (site.parent / "staging" / "vendor" / "alias").is_symlink()
    assert (told["files"], told["extras"]) == (3, 5)


def test_missing_extra_is_a_clear_error(site: Path) -> None:
    """What the target declares and is not there stops the reset before a build that would fail without it."""
    with pytest.raises(StepFailed, match=r"the declared extra vendor/licensed is not in .*/site") as caught:
        build.stage(step(site, extras=["vendor/licensed"]), context(site))
    assert "stack.extras" in caught.value.hint


def test_failed_command_is_not_taken_for_done(site: Path) -> None:
    """A step's command that ends with another code than 0 fails the step; what a good one says is evidence."""
    with pytest.raises(CommandFailed, match="ended with 3"):
        build.command(Step("x", "command", "x", ("sh", "-c", "exit 3")), context(site))
    assert build.command(Step("x", "command", "x", ("echo", "gone")), context(site)) == {"code": 0, "said": "gone"}


def image(**changes: Any) -> dict[str, Any]:
    return {"Id": builders.NEW, "Config": {"Labels": {**LABELS, **changes}}}


def building(script: str, **images: str) -> Step:
    args = {"images": images or {"app1": IMAGE}, "labels": LABELS}
    return Step("build-images", "image.build", "app1", ("sh", "-c", script), args=args)


def built(site: Path, step: Step, seen: dict[str, Any] | None, resumes: str = "") -> Any:
    """Carry out *step* beside an engine that has *seen* as the new image, none for None."""
    answers = {f"/images/{IMAGE}/json": (200, seen)} if seen else {}
    with serving_engine(site.parent / "engine.sock", answers) as host:
        return build.build(step, context(site, host, resumes=resumes))


def test_build_tells_its_images_and_keeps_its_log(site: Path) -> None:
    """The new image by its short id; what the builder said lies in the run's folder, for its owner alone."""
    told = built(site, building("echo out; echo err >&2"), image())
    assert told["images"] == {"app1": "a" * 12}
    log = site.parent / "run" / "build.log"
    assert log.read_text() == "out\nerr\n"
    assert stat.S_IMODE(log.stat().st_mode) == 0o600


def test_failed_build_keeps_its_log_too(site: Path) -> None:
    """That is when somebody wants to read it; nothing that runs was touched."""
    with pytest.raises(CommandFailed, match="the build ended with 17: no space left") as caught:
        built(site, building("echo step 1; echo no space left >&2; exit 17"), image())
    assert (site.parent / "run" / "build.log").read_text() == "step 1\nno space left\n"
    assert caught.value.hint.startswith("nothing that runs was touched")


@pytest.mark.parametrize("seen", [None, image(**{"drillbook.build-id": "another"}), {**image(), "Config": {}}])
def test_image_without_its_labels_is_not_this_build(site: Path, seen: Any) -> None:
    """A build that ended well and made something else, or nothing, is no success."""
    with pytest.raises(StepFailed, match="do not carry this plan's labels"):
        built(site, building("true"), seen)


def test_resumed_build_takes_what_was_built_before_the_cut(site: Path) -> None:
    """When the labels are this plan's; a run that resumes nothing builds in any case."""
    told = built(site, building("exit 1"), image(), resumes="earlier")
    assert told == {"images": {"app1": "a" * 12}, "seen": "built before the cut"}
    with pytest.raises(CommandFailed):
        built(site, building("exit 1"), image())


def test_resumed_build_builds_what_is_missing(site: Path) -> None:
    """One of two images is not all of them."""
    with pytest.raises(CommandFailed, match="ended with 9"):
        built(site, building("exit 9", app1=IMAGE, app2="connect-app2:drillbook-build-b1"), image(), resumes="earlier")


def found(**changes: Any) -> FilesFact:
    """What lies in the new image: by default the sources of *site* and a bundle that was made from them."""
    files = {"lib/db.js": builders.digest("new"), "lib/link.js": builders.digest("new")}
    fact = FilesFact(builders.NEW, "app1", "/app", files, {}, {"lib/db.js": builders.digest("new")}, build_id="b1")
    return replace(fact, **changes)


def proven(site: Path, monkeypatch: pytest.MonkeyPatch, image: FilesFact, **code: Any) -> tuple[Any, Context]:
    """Prove *image* as what the engine has under the new tag."""
    asked: list[str] = []

    def image_files(client: Any, reference: str, *_: Any) -> FilesFact:
        asked.append(reference)
        return image

    monkeypatch.setattr(build, "image_files", image_files)
    services = {"app1": {"code": {"image": "/app", "artifacts": [".next"], **code}}}
    with serving_engine(site.parent / "engine.sock", {}) as host:
        stack = builders.stack(services=services, docker_host=host)
        here = Context(builders.target(site / "target.yaml", stack=stack), site.parent)
        told = build.prove(Step("prove-app1", "image.prove", IMAGE, args={"service": "app1", "image": IMAGE}), here)
    assert asked == [IMAGE]
    return told, here


def link_is_file(site: Path) -> None:
    (site / "lib" / "link.js").unlink()
    (site / "lib" / "link.js").write_text("new")


def test_image_that_is_the_source_is_proven(site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By its new tag, file by file; which build it tells is what must answer later."""
    link_is_file(site)
    told, here = proven(site, monkeypatch, found())
    assert told == {
        "verdict": "pass", "image": IMAGE, "files": 2, "bundled": 1, "differing": 0, "build_id": "b1",
    }  # fmt: skip
    assert here.state["builds"] == {"app1": "b1"}


def test_image_in_which_nothing_can_be_compared_is_unknown(site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A bundle without a manifest: nothing in it differs from the source, and nothing says that it is the source."""
    told, _ = proven(site, monkeypatch, found(files={"bundle.js": builders.digest("bundle")}, built_from={}))
    assert (told["verdict"], told["files"], told["differing"]) == ("unknown", 1, 0)


@pytest.mark.parametrize(
    ("changes", "fact"),
    [
        ({"files": {"lib/db.js": "old", "lib/link.js": builders.digest("new")}}, "is not the source: lib/db.js"),
        ({"files": {"lib/db.js": builders.digest("new")}}, "is not the source: lib/link.js"),
        ({"files": {}, "built_from": {}}, "is not the source: no files"),
        ({"built_from": {"lib/db.js": "old"}}, "is not the source: lib/db.js"),
        ({"built_from": {"lib/gone.js": "old"}}, "is not the source: lib/gone.js"),
    ],
)
def test_image_that_is_not_the_source_is_refused(
    site: Path, monkeypatch: pytest.MonkeyPatch, changes: dict[str, Any], fact: str
) -> None:
    """A file that is another, one that is missing, no file at all, a bundle of older sources."""
    link_is_file(site)
    with pytest.raises(StepFailed, match=fact) as caught:
        proven(site, monkeypatch, found(**changes))
    assert caught.value.hint.startswith("what runs was not touched; mend the Dockerfile")


def test_what_a_build_makes_anew_may_differ(site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a diagnosis: what the target calls generated, and what every tool writes by itself."""
    link_is_file(site)
    (site / "lib" / "version.json").write_text("{}")
    (site / "next-env.d.ts").write_text("x")
    files = {**found().files, "lib/version.json": "made", "next-env.d.ts": "made"}
    with pytest.raises(StepFailed, match=r"is not the source: lib/version\.json\n"):
        proven(site, monkeypatch, found(files=files))
    assert proven(site, monkeypatch, found(files=files), generated=["lib/version.json"])[0]["differing"] == 0


def tagging(site: Path, means: str, image: str = builders.NEW) -> Any:
    """Tag an image that is *image* with a command that does nothing, where the tag then means *means*."""
    known = {f"/images/{name}/json": (200, {"Id": i}) for name, i in ((IMAGE, image), ("connect-app1", means)) if i}
    with serving_engine(site.parent / "engine.sock", known) as host:
        step = Step("tag-app1", "image.tag", "connect-app1", ("true",), args={"image": IMAGE})
        return build.tag(step, context(site, host))


def test_tag_is_looked_at_after_it_was_given(site: Path) -> None:
    """The name that compose starts containers from means the proven image, or the step fails."""
    assert tagging(site, builders.NEW) == {"image": "a" * 12}
    for means, image in ((builders.OLD, builders.NEW), ("", builders.NEW), ("", "")):
        with pytest.raises(StepFailed, match=r"connect-app1 is .*, not"):
            tagging(site, means, image)


def recalling(site: Path, means: str) -> tuple[Any, Context]:
    known = {f"/images/{IMAGE}/json": (200, {"Id": means})} if means else {}
    with serving_engine(site.parent / "engine.sock", known) as host:
        here = context(site, host)
        step = Step("recall-x", "image.recall", IMAGE, args={"service": "queue", "image": IMAGE, "id": builders.OLD})
        return build.recall(step, here), here


def test_kept_image_is_recalled_by_its_id(site: Path) -> None:
    """The tag under which it was kept must mean the very image that ran; a service without code tells no build."""
    told, here = recalling(site, builders.OLD)
    assert told == {"image": "b" * 12, "build_id": ""}
    assert here.state["builds"] == {"queue": ""}


@pytest.mark.parametrize(("means", "said"), [(builders.NEW, "a" * 12), ("", "gone")])
def test_kept_tag_that_means_another_image_stops_the_rollback(site: Path, means: str, said: str) -> None:
    """Moved or removed since: nothing was touched."""
    with pytest.raises(StepFailed, match=f"is {said}, not the {'b' * 12} that ran") as caught:
        recalling(site, means)
    assert caught.value.hint.startswith("nothing was touched")
