"""What holds of every plan that a reset or a rollback makes, whatever the stack looks like."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import builders
import pytest
from hypothesis import HealthCheck, assume, event, given, settings
from hypothesis import strategies as st
from stacks import OWN, Site, measured_again, sites

from drillbook.decide.plan import Plan, Step
from drillbook.decide.reset import plan_reset
from drillbook.decide.reset_cache import diagnosed
from drillbook.decide.rollback import plan_rollback
from drillbook.errors import NotThisIncident, RunbookError, SchemaMovedOn
from drillbook.observe.facts import Snapshot

FORBIDDEN = {
    "down", "-v", "--volumes", "-V", "--renew-anon-volumes", "-y", "--yes", "rm", "rmi", "--rmi", "prune", "kill",
    "--remove-orphans", "-f", "--force", "system", "--all", "-a",
}  # fmt: skip
ACTING = {
    "image.tag", "service.green", "proxy.switch", "service.drain", "endpoints.hold", "service.replace",
    "service.swap", "endpoints.answer",
}  # fmt: skip
MOVING = {"service.canary", "service.green", "service.replace", "service.swap", "service.retire"}
many = settings(
    max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much]
)
HOW = ("containers", "images", "build-cache", "artifacts", "rollback", "rollback")
scopes = st.sampled_from(HOW[:4])


def reset(site: Site, scope: str, snapshot: Snapshot | None = None) -> Plan | None:
    """The plan; None where there is nothing in the scope."""
    try:
        return plan_reset(site.target, snapshot or site.snapshot, scope, site.backup, builders.COMMANDS)
    except NotThisIncident:
        return None


def rollback(site: Site) -> Plan | None:
    """The plan that undoes an images reset of the same stack, whose tags and containers have moved on since."""
    earlier = reset(site, "images")
    if earlier is None:
        return None
    moved = [replace(c, image_id="sha256:" + "9" * 64, tag_image_id="sha256:" + "9" * 64, image_ref=image)
             for c in site.snapshot.containers for image in [_image(site, c.service)]]  # fmt: skip
    after = replace(site.snapshot, containers=tuple(moved))
    told = json.loads(json.dumps(earlier.as_json()))
    try:
        return plan_rollback(site.target, after, told, "b2", builders.COMPOSE)
    except (NotThisIncident, SchemaMovedOn):
        return None


def _image(site: Site, service: str) -> str:
    return next(s.image for s in site.snapshot.services if s.name == service)


@st.composite
def planned(draw: st.DrawFn) -> tuple[Site, Plan]:
    """A stack, and a plan for it: a reset in any scope, or the rollback of one."""
    site = draw(sites())
    first = draw(st.sampled_from(HOW))
    for how in (first, "images", "containers"):
        plan = rollback(site) if how == "rollback" else reset(site, how)
        if plan is not None:
            event(how)
            return site, plan
    raise AssertionError("one service is built, so there is always something to replace")


def every(plan: Plan) -> tuple[Step, ...]:
    return (*plan.steps, *plan.back)


def texts(value: Any) -> Iterator[str]:
    """Every text in *value*, the keys of mappings too."""
    match value:
        case str():
            yield value
        case dict():
            yield from (text for pair in value.items() for part in pair for text in texts(part))
        case list() | tuple():
            yield from (text for part in value for text in texts(part))


@many
@given(planned())
def test_no_command_removes_what_is_stored(made: tuple[Site, Plan]) -> None:
    """No `down`, `-v`, `-V`, `rm` or `prune`; a cache record alone goes, by its own id, and never one in use."""
    site, plan = made
    caches = site.snapshot.caches
    assert caches is not None
    idle = {record.id for record in caches.records if not record.in_use}
    for step in every(plan):
        assert step.sql == ""
        if step.id.startswith("cache-"):
            begins = len(caches.engine)
            assert step.argv[:begins] == caches.engine
            *words, name = step.argv[begins:]
            assert words == ["buildx", "prune", "--force", "--filter"]
            assert name.removeprefix("id=") in idle
            continue
        commands = [step.argv, *(step.args[key] for key in ("test", "reload") if key in step.args)]
        words = [word for argv in commands for word in argv if word != builders.OVERRIDE]
        if step.verb == "image.build":  # its -f names the override beside the staged folder, and nothing else
            words.remove("-f")
        assert FORBIDDEN.isdisjoint(words)


@many
@given(planned())
def test_every_object_was_seen_or_is_the_plans_own(made: tuple[Site, Plan]) -> None:
    """Containers, images, volumes and services as they were seen; else a tag of the plan's own making."""
    site, plan = made
    facts = site.snapshot
    services = {service.name for service in facts.services}
    containers = {c.name: c.id for c in facts.containers}
    images = {i for c in facts.containers for i in (c.image_id, c.tag_image_id)} | {"sha256:" + "9" * 64, ""}
    own = {tag for step in plan.steps for tag in _own_tags(step)} | {""}
    for step in every(plan):
        args = step.args
        assert args.get("service", "") in services | {"proxy", ""}
        assert set(_ids(args)) <= set(containers.values())
        assert {text for text in texts([step.argv, args]) if _is_image(text)} <= images
        match step.verb:
            case "image.tag":
                assert step.argv == ("docker", "tag", args["image"], step.subject)
                assert args["image"] in own
                assert step.subject in {service.image for service in facts.services}
            case "command" if step.id.startswith("keep-"):
                assert step.argv[2] in images
                assert containers[step.id.removeprefix("keep-")]
            case "service.drain":
                assert step.argv == ("docker", "stop", containers[step.subject])
            case "service.canary" | "service.green" | "service.replace" | "service.swap":
                assert args["image"] in own
                assert step.verb == "service.canary" or step.argv[-1] == args["service"]
            case "service.retire":
                assert args["was"].items() <= containers.items()
            case "volumes.hold":
                assert args["names"] == [volume.name for volume in facts.volumes]
            case "artifact.set_aside":
                assert args["path"] == ".next"
            case "service.back":
                assert {args["tag_was"], *args["was"].values()} <= images
                assert args["tag"] in {service.image for service in facts.services}


def _own_tags(step: Step) -> list[str]:
    match step.verb:
        case "image.build":
            return list(step.args["images"].values())
        case "image.recall":
            return [step.args["image"]]
        case _:
            return []


def _ids(args: Any) -> Iterator[str]:
    yield from (args["id"],) if len(args.get("id", "")) == 64 else ()
    was = args.get("was", {})
    yield from (text for text in texts(was) if len(text) == 64)


def _is_image(text: str) -> bool:
    return text.startswith("sha256:") and len(text) == 71


@many
@given(planned())
def test_no_stranger_is_named(made: tuple[Site, Plan]) -> None:
    """Cache records of a type that nothing diagnosed stay, but for the cache mounts of this target's own builds."""
    site, plan = made
    caches, named = site.snapshot.caches, diagnosed(site.snapshot)
    assert caches is not None
    gone = {step.id.removeprefix("cache-") for step in plan.steps if step.id.startswith("cache-")}
    for record in caches.records:
        mine = record.type == "exec.cachemount" and record.description == OWN
        assert record.id not in gone or mine or record.type in named
        assert record.id not in gone or not record.in_use
    assert {what.name.split()[0] for what in plan.objects if what.kind == "cache record"} == gone
    assert {what.name for what in plan.objects if what.kind == "container"} <= {
        c.name for c in site.snapshot.containers
    }


@many
@given(planned())
def test_what_destroys_says_what_brings_it_back(made: tuple[Site, Plan]) -> None:
    """Each step that destroys tells its remedy, and each object the step that touches it."""
    _, plan = made
    assert all(step.recovers for step in every(plan) if step.destroys)
    assert all(what.recovers and what.destroys for what in plan.objects)
    assert {what.step for what in plan.objects} <= {step.id for step in plan.steps}


@many
@given(planned())
def test_check_then_act_then_remove(made: tuple[Site, Plan]) -> None:
    """Proofs and canaries come before the first thing that moves; nothing is removed before every endpoint answered."""
    _, plan = made
    at = {step.id: number for number, step in enumerate(plan.steps)}
    checks = [at[s.id] for s in plan.steps if s.verb in ("image.prove", "image.recall", "service.canary", "proxy.test")]
    moves = [at[s.id] for s in plan.steps if s.verb in ACTING]
    assert max(checks, default=-1) < min(moves, default=len(plan.steps))
    kept = [at[s.id] for s in plan.steps if s.id.startswith("keep-")]
    changes = [at[s.id] for s in plan.steps if s.verb in (*ACTING, "image.build", "image.pull", "artifact.set_aside")]
    assert max(kept, default=-1) < min(changes, default=len(plan.steps))
    gone = [at[s.id] for s in plan.steps if s.verb == "service.retire"]
    assert all(place > at["ask-endpoints"] for place in gone)
    assert not gone or max(place for place in at.values()) == at["hold-volumes"]


@many
@given(planned())
def test_an_old_one_goes_only_when_a_new_one_serves(made: tuple[Site, Plan]) -> None:
    """Before each drain as many new ones have come, and the proxy has learnt of the last; so capacity never falls."""
    site, plan = made
    proxied = any(step.verb == "proxy.test" for step in plan.steps)
    containers = {c.id: c for c in site.snapshot.containers}
    for name in {step.args["service"] for step in plan.steps if step.verb == "service.green"}:
        there = [c for c in containers.values() if c.service == name]
        wanted = max(step.args["count"] for step in plan.steps if step.id.startswith(f"green-{name}-")
                     and step.args["service"] == name)  # fmt: skip
        capacity = min(sum(c.running for c in there), wanted)
        running, new, switched = sum(c.running for c in there), 0, 0
        for step in plan.steps:
            if step.verb == "service.green" and step.args["service"] == name:
                new += 1
            elif step.verb == "proxy.switch" and step.id == f"switch-{name}-{new}":
                switched = new
            elif step.verb == "service.drain" and containers[step.args["id"]].service == name:
                assert new > 0
                assert switched == new or not proxied
                running -= containers[step.args["id"]].running
                assert running + new >= capacity
        drained = [step.args["id"] for step in plan.steps if step.verb == "service.drain"]
        assert {c.id for c in there} <= set(drained)


@many
@given(planned())
def test_no_command_makes_a_dependency_fewer(made: tuple[Site, Plan]) -> None:
    """Compose removes what is beyond a number, the newest first: a command with dependencies tells each its own."""
    site, plan = made
    services = {service.name: service for service in site.snapshot.services}
    now = Counter(c.service for c in site.snapshot.containers)
    for step in (s for s in plan.steps if s.verb in ("service.green", "service.swap", "service.replace")):
        name = step.args["service"]
        told = {word.split("=")[0]: int(word.split("=")[1]) for word in step.argv if "=" in word}
        if step.verb == "service.replace":
            assert "--no-deps" in step.argv
            now[name] = told.get(name, services[name].replicas)
            continue
        assert {needed: told[needed] for needed in _closure(services, name)} == {
            needed: now[needed] for needed in _closure(services, name)
        }
        now[name] = told[name]
        assert now[name] == len(step.args["was"]) + step.args["count"]


def _closure(services: dict[str, Any], name: str) -> set[str]:
    found: set[str] = set()
    left = [name]
    while left:
        left += [n for n in services[left.pop()].depends if n not in found]
        found |= set(left)
    return found


@many
@given(planned())
def test_turns_are_exactly_the_steps_that_act(made: tuple[Site, Plan]) -> None:
    """From every step that touches what runs there is a way back, and from no other."""
    _, plan = made
    assert list(plan.turns) == [step.id for step in plan.steps if step.verb in ACTING]
    assert bool(plan.turns) == bool(plan.back)


@many
@given(planned())
def test_way_back_names_each_moving_service_once(made: tuple[Site, Plan]) -> None:
    """Each service that moves comes back once, and where new ones stood beside old ones these go once."""
    _, plan = made
    moving = {step.args["service"] for step in plan.steps if step.verb in MOVING}
    moving |= {step.id.removeprefix("tag-") for step in plan.steps if step.verb == "image.tag"}
    back = Counter(step.args["service"] for step in plan.back if step.verb == "service.back")
    assert moving <= set(back)
    assert set(back.values()) <= {1}
    beside = {step.args["service"] for step in plan.steps if step.verb == "service.retire"}
    gone = [step.args["service"] for step in plan.back if step.verb == "service.remove_new"]
    assert (set(gone), len(gone)) == (beside, len(beside))


@many
@given(planned())
def test_every_step_has_an_id_of_its_own(made: tuple[Site, Plan]) -> None:
    """The journal tells by the id what was done, on the way there and back."""
    names = [step.id for step in every(made[1])]
    assert len(names) == len(set(names))


@many
@given(planned())
def test_plan_comes_back_from_json_as_it_was(made: tuple[Site, Plan]) -> None:
    """A run that was cut goes on with the very plan that was approved."""
    _, plan = made
    again = Plan.from_json(json.loads(json.dumps(plan.as_json())))
    assert again == plan
    assert again.fingerprint == plan.fingerprint == plan.as_json()["fingerprint"]


@many
@given(sites(), scopes)
def test_fingerprint_ignores_what_changes_by_itself(site: Site, scope: str) -> None:
    """Sizes, ages, times and answers are others a moment later; the plan is the same."""
    plan = reset(site, scope)
    assume(plan is not None)
    later = reset(site, scope, measured_again(site.snapshot))
    assert plan is not None
    assert later is not None
    assert later.fingerprint == plan.fingerprint
    assert replace(plan, objects=(), notes=()).fingerprint == plan.fingerprint


@many
@given(sites(), scopes, st.data())
def test_fingerprint_dies_with_what_it_rests_on(site: Site, scope: str, data: st.DataObject) -> None:
    """A container or an image that is another, a source, a schema or a step of the way back that changed."""
    plan, facts = reset(site, scope), site.snapshot
    assume(plan is not None)
    assert plan is not None
    changes: list[Snapshot] = [
        replace(facts, sources={n: replace(s, tracked={**s.tracked, "new.js": "1"}) for n, s in facts.sources.items()}),
        replace(facts, volumes=(*facts.volumes, replace(builders.healthy().volumes[0], name="one_more"))),
    ]
    for number, container in enumerate(facts.containers):
        others = [c for n, c in enumerate(facts.containers) if n != number]
        changes += [replace(facts, containers=(*others, replace(container, **change)))
                    for change in ({"id": "0" * 64}, {"image_id": "sha256:" + "0" * 64})]  # fmt: skip
    if facts.databases:
        changes.append(replace(facts, databases=(builders.database(columns={"a.b.c": "text"}, service="postgres"),)))
    changed = data.draw(st.sampled_from(changes))
    assume(bool(facts.sources) or changed is not changes[0])
    try:
        again = reset(site, scope, changed)
    except RunbookError:
        return
    assert again is None or again.fingerprint != plan.fingerprint
    for step in plan.back:
        other = tuple(replace(s, subject=f"{s.subject}!") if s is step else s for s in plan.back)
        assert replace(plan, back=other).fingerprint != plan.fingerprint
    assert not plan.back or replace(plan, turns=plan.turns[1:]).fingerprint != plan.fingerprint


def test_forbidden_words_are_words_that_destroy() -> None:
    """The property would see them: a command that holds one fails it."""
    bad = Step("x", "command", "x", ("docker", "compose", "down", "-v"))
    with pytest.raises(AssertionError):
        assert FORBIDDEN.isdisjoint(bad.argv)
