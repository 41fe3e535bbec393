"""New images from a registry: by digest, proven against the source, and never for what cannot be pulled or undone."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import builders
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drillbook.decide.plan import Plan, Step
from drillbook.decide.reset import plan_reset
from drillbook.decide.reset_pull import pulled_services, references, speaks
from drillbook.errors import RunbookError
from drillbook.observe.facts import ServiceFact, Snapshot
from drillbook.observe.registry import RegistryFact, registry_of

HOUSE = "registry.example.com:5000/shop/app1"
DIGEST, MOVED = "sha256:" + "c" * 64, "sha256:" + "d" * 64
OWN = f"{HOUSE}:drillbook-pull-cccccccccccc"
AMD = ("linux/amd64",)


def service(image: str = f"{HOUSE}:1.4", context: str = "", **changes: Any) -> ServiceFact:
    return replace(ServiceFact("app1", image, context, ""), **changes)


def seen(*services: ServiceFact, **changes: Any) -> Snapshot:
    """A healthy stack whose `app1` comes from a registry, and runs from there."""
    there = builders.container(image_ref=f"{HOUSE}:1.4")
    found = services or (service(),)
    database = ServiceFact("postgres", "postgres:16", "", "")
    return builders.healthy(**{"services": (*found, database), "containers": (there, builders.postgres()), **changes})


def told(digest: str = DIGEST, reference: str = f"{HOUSE}:1.4", platforms: tuple[str, ...] = AMD) -> RegistryFact:
    return RegistryFact(reference, digest, platforms, "linux/amd64")


def reset(snapshot: Snapshot, **facts: RegistryFact) -> Plan:
    registry = facts or {"app1": told()}
    return plan_reset(builders.target(), snapshot, "images", builders.backup(), builders.COMMANDS, registry)


def asked(snapshot: Snapshot) -> dict[str, str]:
    stack = builders.target().stack
    assert stack
    return references(stack, snapshot)


def refused(snapshot: Snapshot, **facts: RegistryFact) -> RunbookError:
    with pytest.raises(RunbookError) as caught:
        reset(snapshot, **facts)
    return caught.value


def test_steps_before_anything_runs() -> None:
    """What runs is kept, the digest is pulled to a tag of its own and held against the source; then the rollout."""
    kept = f"{HOUSE}:drillbook-kept-{'a' * 12}"
    args = {"service": "app1", "image": f"{HOUSE}@{DIGEST}", "tag": OWN, "platform": "linux/amd64"}
    plan = reset(seen())
    assert plan.steps[:3] == (
        Step("keep-connect-app1-1", "command", kept, ("docker", "tag", builders.NEW, kept), timeout_seconds=60),
        Step("pull-app1", "image.pull", f"{HOUSE}@{DIGEST}", ("docker", "pull", f"{HOUSE}@{DIGEST}"), args=args,
             timeout_seconds=1800),
        Step("prove-app1", "image.prove", OWN, args={"service": "app1", "image": OWN, "pulled": True}),
    )  # fmt: skip
    canary, tag = (next(step for step in plan.steps if step.id == f"{name}-app1") for name in ("canary", "tag"))
    assert canary.args["image"] == OWN
    assert tag.argv == ("docker", "tag", OWN, f"{HOUSE}:1.4")
    assert plan.steps.index(canary) > 2


def test_nothing_is_built_staged_or_set_aside() -> None:
    """What lies on the host takes no part in it, artifacts and caches of builds neither."""
    beside = builders.source(artifacts=builders.ARTIFACTS, artifacts_in_context=(".next",))
    plan = reset(seen(service(context=builders.DIRECTORY), sources={"app1": beside}))
    verbs = {step.verb for step in plan.steps}
    assert verbs.isdisjoint({"context.stage", "image.build", "artifact.set_aside"})
    assert not [step for step in plan.steps if "build" in step.argv or "prune" in step.argv]
    assert plan.notes[2] == "app1: taken by digest from registry.example.com:5000, nothing is built here"


def test_the_plan_rests_on_the_digest() -> None:
    """The same tag that means another image gives another fingerprint, so the approval dies."""
    plan = reset(seen())
    assert plan.basis["pulled"] == {"app1": f"{HOUSE}@{DIGEST}"}
    assert reset(seen()).fingerprint == plan.fingerprint
    assert reset(seen(), app1=told(MOVED)).fingerprint != plan.fingerprint


def test_a_service_without_declared_code_is_proven_by_its_digest_alone() -> None:
    """It is pulled as the others are, nothing pretends to have proven its content, and the plan says so."""
    mailer = replace(service("registry.example.com:5000/shop/mailer:2", "/opt/mailer"), name="mailer")
    plan = reset(seen(service(), mailer), app1=told(), mailer=told(reference=mailer.image))
    assert [step.id for step in plan.steps if step.verb == "image.pull"] == ["pull-app1", "pull-mailer"]
    assert [step.id for step in plan.steps if step.verb == "image.prove"] == ["prove-app1"]
    assert "mailer: no code is declared, so the digest alone is the proof" in plan.notes


def test_what_is_bought_or_unknown_to_the_target_is_left_alone() -> None:
    """A database's image, and a service that is built to a local name and whose code is declared nowhere."""
    tool = replace(service("connect-tool", "/opt/tool"), name="tool")
    assert asked(seen(service(), tool)) == {"app1": f"{HOUSE}:1.4"}


def test_an_image_without_a_build_may_lie_on_docker_hub() -> None:
    """A name without a registry that is not built here can come from nowhere else."""
    plan = reset(seen(service("shop/app:1.4")), app1=told(reference="shop/app:1.4"))
    assert f"docker pull shop/app@{DIGEST}" in [" ".join(step.argv) for step in plan.steps]
    assert "app1: taken by digest from docker.io, nothing is built here" in plan.notes


@pytest.mark.parametrize("image", ["connect-app1", "shop/app:1.4"])
def test_an_image_that_is_built_here_to_a_local_name_is_refused(image: str) -> None:
    """It is at no registry, and the hint has both ways out."""
    error = refused(seen(service(image, builders.DIRECTORY)))
    assert error.fact == f"image {image} of app1 is built here and has no registry, so it cannot be pulled"
    assert "source=build" in error.hint
    assert "image: registry.example.com/…" in error.hint


def test_code_whose_source_could_not_be_read_is_refused() -> None:
    """Without its source here a pulled image would be proven by nobody, though the target says where it lies."""
    error = refused(seen(sources={}, unknown={"source of app1": "the source folder /opt/x is not there"}))
    assert error.fact.endswith("could not be held against its source: the source folder /opt/x is not there")


@pytest.mark.parametrize("platforms", [("linux/arm64",), ("linux/arm64", "windows/amd64")])
def test_an_image_for_another_machine_is_refused(platforms: tuple[str, ...]) -> None:
    """The fact names both."""
    error = refused(seen(), app1=told(platforms=platforms))
    assert error.fact == (
        f"{HOUSE}:1.4 of app1 is there for {', '.join(platforms)}, the engine runs linux/amd64"
    )  # fmt: skip


@pytest.mark.parametrize("platforms", [(), AMD, ("linux/amd64", "linux/arm64")])
def test_an_image_for_this_machine_among_others_is_taken(platforms: tuple[str, ...]) -> None:
    """A registry that does not tell is no reason to refuse: the pull looks again."""
    assert reset(seen(), app1=told(platforms=platforms)).steps


@pytest.mark.parametrize("image", [f"{HOUSE}@{DIGEST}", f"{HOUSE}:1.4@{DIGEST}"])
def test_a_digest_in_the_compose_file_is_used_and_never_tagged(image: str) -> None:
    """Compose finds the pulled image by it; docker refuses to make a digest a tag, forth and back."""
    there = builders.container(image_ref=image, tag_image_id=builders.OLD)
    snapshot = seen(service(image), containers=(there, builders.postgres()))
    assert asked(snapshot) == {"app1": f"{HOUSE}@{DIGEST}"}
    plan = reset(snapshot, app1=told(reference=f"{HOUSE}@{DIGEST}"))
    assert "canary-app1" in [step.id for step in plan.steps]
    assert "tag-app1" not in [step.id for step in plan.steps]
    assert next(step for step in plan.back if step.id == "back-app1").args["tag_was"] == ""


def test_a_digest_in_the_compose_file_needs_a_second_container() -> None:
    """In its place it would have no way back, so it is not begun."""
    error = refused(seen(service(f"{HOUSE}@{DIGEST}", alone="it publishes the host's port 80")))
    assert error.fact == (
        "app1 is pinned by digest and can only be replaced in place (it publishes the host's port 80)"
    )  # fmt: skip


@pytest.mark.parametrize(
    ("reference", "registry"),
    [
        ("localhost/app", "localhost"),
        ("localhost:5000/app", "localhost:5000"),
        ("127.0.0.1:5000/shop/app:1@sha256:0", "127.0.0.1:5000"),
        ("ghcr.io/shop/app", "ghcr.io"),
        ("shop/app:1.4", ""),
        ("postgres:16", ""),
        ("app.v2:1", ""),
        ("connect-app1", ""),
        ("", ""),
    ],
)
def test_the_registry_that_a_reference_names(reference: str, registry: str) -> None:
    """By docker's own rule: what stands before the first slash, when it looks like a host."""
    assert registry_of(reference) == registry


@pytest.mark.parametrize(
    ("changes", "heard"),
    [
        ({}, True),
        ({"files": {"main": builders.digest("a compiled program")}, "built_from": {}}, False),
        ({"files": {"main": builders.digest("a compiled program")}, "built_from": builders.SOURCES}, True),
        ({"files": {}, "built_from": {}, "labels": {"org.opencontainers.image.revision": "0123456789abcdef"}}, True),
        ({"files": {}, "built_from": {}, "labels": {"org.opencontainers.image.revision": "0123456"}}, True),
        ({"files": {}, "built_from": {}, "labels": {"org.opencontainers.image.revision": "0123"}}, False),
        ({"files": {}, "built_from": {}, "labels": {"org.opencontainers.image.revision": "fedcba9876543210"}}, False),
    ],
)
def test_an_image_must_say_something_about_its_source(changes: dict[str, Any], heard: bool) -> None:
    """A file, a manifest or a revision; an image that holds none of them is not proven by having no differences."""
    assert speaks(builders.source(), builders.image(**changes)) is heard


def test_a_revision_label_says_nothing_without_git() -> None:
    """An empty revision is the beginning of every label."""
    silent = builders.image(files={}, built_from={}, labels={"org.opencontainers.image.revision": "0123456789abcdef"})
    assert not speaks(builders.source(revision=""), silent)


NAMES = st.lists(st.sampled_from("abcdef"), min_size=1, unique=True)


@given(NAMES, st.sets(st.sampled_from("abcdef")), st.sampled_from(["", builders.DIRECTORY]))
def test_everything_that_is_pulled_is_pulled_by_a_digest(names: list[str], coded: set[str], context: str) -> None:
    """Each service once, before its canary or its place is touched; nothing is ever built beside it."""
    found = tuple(replace(service(f"{HOUSE}-{name}:1", context), name=name) for name in names)
    stack = {"project": "connect", "directory": ".", "services": {n: {"code": {"image": "/app"}} for n in coded}}
    target = builders.target(stack=stack)
    snapshot = seen(*found, sources=dict.fromkeys(coded, builders.source()), containers=())
    assert target.stack
    wanted = pulled_services(target.stack, snapshot)
    assert wanted == [name for name in names if name in coded or context]
    if not wanted:
        return
    facts = {name: told(reference=f"{HOUSE}-{name}:1") for name in wanted}
    plan = plan_reset(target, snapshot, "images", builders.backup(), builders.COMMANDS, facts)
    pulls = [step for step in plan.steps if step.verb == "image.pull"]
    assert [step.args["service"] for step in pulls] == wanted
    assert all(step.argv == ("docker", "pull", step.subject) and DIGEST in step.subject for step in pulls)
    assert {step.verb for step in plan.steps}.isdisjoint({"context.stage", "image.build"})
