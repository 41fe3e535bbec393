"""New images before anything that runs is touched: kept tags, a clean context, a build to its own name, a proof."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import builders
import pytest

from drillbook.decide.content import source_digest
from drillbook.decide.plan import Object, Step
from drillbook.decide.reset_images import Commands, NewImages, built, keep, objects
from drillbook.errors import RunbookError
from drillbook.observe.facts import ImageFact, Snapshot
from drillbook.target import Stack

DIGEST = source_digest(builders.SOURCES)
SHORT = DIGEST[:12]


def make(snapshot: Snapshot, *names: str, commands: Commands = builders.COMMANDS, **stack: Any) -> NewImages:
    described = Stack.model_validate(builders.stack(*names, **stack))
    return built(described, snapshot, names or ("app1",), commands)


def args(found: NewImages, verb: str) -> Any:
    return next(step.args for step in found.steps if step.verb == verb)


def test_each_image_gets_a_tag_of_its_own_first() -> None:
    """The build does not touch the tag that compose starts containers from: until the proof nothing can start it."""
    facts = builders.healthy(services=(builders.service(), builders.service("app2", image="registry:5000/web:7")))
    found = make(facts, "app1", "app2")
    images = {
        "app1": f"connect-app1:drillbook-build-{SHORT}",
        "app2": f"registry:5000/web:drillbook-build-{SHORT}",
    }
    assert (found.images, found.build_id) == (images, SHORT)
    assert [step.id for step in found.steps] == ["stage-context", "build-images", "prove-app1", "prove-app2"]
    assert found.steps[1].subject == "app1, app2"
    over = args(found, "context.stage")["services"]
    assert {name: part["image"] for name, part in over.items()} == images
    assert not set(images.values()) & {s.image for s in facts.services}


def test_build_says_what_it_was_made_from() -> None:
    """The build's id, the digest of its sources and their revision are labels; the id is an argument too."""
    found = make(builders.healthy())
    labels = {
        "drillbook.build-id": SHORT, "drillbook.source-digest": DIGEST,
        "org.opencontainers.image.revision": "0123456789ab",
    }  # fmt: skip
    assert args(found, "image.build")["labels"] == labels
    part = args(found, "context.stage")["services"]["app1"]["build"]
    assert part == {"args": {"BUILD_ID": SHORT}, "labels": labels}


def test_sources_without_git_have_no_revision_to_tell() -> None:
    """The label says so instead of being empty."""
    found = make(builders.healthy(deployed=builders.source(revision="")))
    assert args(found, "image.build")["labels"]["org.opencontainers.image.revision"] == "unknown"


def test_other_sources_are_another_build() -> None:
    """One file that changed gives another tag, another label and another id."""
    other = builders.source(tracked={**builders.SOURCES, "server.js": builders.digest("mended")})
    assert make(builders.healthy(deployed=other)).build_id != SHORT


def test_every_artifact_of_every_service_is_left_out_of_the_context() -> None:
    """Also of a service that is not built now: it lies in the same folder."""
    code = {"source": "web", "image": "/app", "artifacts": ["dist"]}
    services = {**builders.stack()["services"], "other": {"code": code}}
    found = built(
        Stack.model_validate(builders.stack(services=services)), builders.healthy(), ("app1",), builders.COMMANDS
    )
    assert args(found, "context.stage")["without"] == [".next", "web/dist"]


def test_extras_are_staged_as_the_target_names_them() -> None:
    """What no commit knows and a build needs is named in the plan."""
    assert args(make(builders.healthy(), extras=["vendor/licensed"]), "context.stage")["extras"] == ["vendor/licensed"]


def test_build_runs_in_the_staged_folder_alone() -> None:
    """Its command is the staged one, with no cache, for the services that are built and no other."""
    argv = next(step.argv for step in make(builders.healthy(), "app1").steps if step.verb == "image.build")
    assert argv == (*builders.STAGED, "build", "--no-cache", "app1")
    assert argv[argv.index("-f") + 1] == builders.OVERRIDE


@pytest.mark.parametrize(
    "context", ["/srv/other", "/opt/connect-2", "/opt/connect/../other", "https://h/x.git#main", "", "relative"]
)
def test_context_outside_the_folder_is_refused(context: str) -> None:
    """A service that builds from elsewhere cannot be built from the staged folder, and the plan says so."""
    with pytest.raises(RunbookError, match="cannot be staged"):
        make(builders.healthy(services=(builders.service(context=context),)))


@pytest.mark.parametrize("context", [builders.DIRECTORY, f"{builders.DIRECTORY}/web", f"{builders.DIRECTORY}/./web/.."])
def test_context_inside_the_folder_is_staged(context: str) -> None:
    """The folder itself or one below it, however it is written."""
    assert make(builders.healthy(services=(builders.service(context=context),))).images


def test_folder_that_could_not_be_read_is_refused() -> None:
    """Without the deployed folder there is nothing to stage."""
    with pytest.raises(RunbookError, match="cannot be staged"):
        make(builders.healthy(deployed=None))


def test_what_runs_is_kept_by_its_id() -> None:
    """Each container's image by its own id, not by a tag that may mean another one by now; data is not kept so."""
    one, two = builders.replicas(2)
    facts = builders.healthy(containers=(one, replace(two, image_id=builders.OLD), builders.postgres()))
    new, old = (f"connect-app1:drillbook-kept-{letter * 12}" for letter in "ab")
    assert keep(facts, ["app1"]) == (
        Step("keep-connect-app1-1", "command", new, ("docker", "tag", builders.NEW, new), timeout_seconds=60),
        Step("keep-connect-app1-2", "command", old, ("docker", "tag", builders.OLD, old), timeout_seconds=60),
    )
    assert keep(facts, []) == ()


def test_replaced_images_are_told_with_size_and_age() -> None:
    """Each image once, however many containers run it; what nobody measured is unknown, not zero."""
    known = ImageFact(builders.NEW, "connect-app1", 1_760_000_000.0, 5000, ())
    there = (*builders.replicas(2), builders.container("app2", image_id=builders.OLD))
    facts = builders.healthy(containers=there, engine_images={builders.NEW: known})
    kept, other = (f"connect-{app}:drillbook-kept-{letter * 12}" for app, letter in (("app1", "a"), ("app2", "b")))
    assert objects(facts, ["app1", "app2"]) == (
        Object("images", "image", "connect-app1 aaaaaaaaaaaa", "tag-app1",
               f"loses the tag connect-app1; stays as {kept}", f"docker tag {kept} connect-app1", 5000, 1.76e9),
        Object("images", "image", "connect-app2 bbbbbbbbbbbb", "tag-app2",
               f"loses the tag connect-app2; stays as {other}", f"docker tag {other} connect-app2", None, 0.0),
    )  # fmt: skip
