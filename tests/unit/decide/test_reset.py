"""The reset's plan: each exact command in its order, what it rests on, and when there is none."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import builders
import pytest

from drillbook.decide.content import source_digest
from drillbook.decide.plan import Object, Plan, Step
from drillbook.decide.reset import plan_reset
from drillbook.errors import NotThisIncident, RunbookError
from drillbook.observe.facts import CachesFact, ConfigFact, Mount, ServiceFact, Snapshot, VolumeFact
from drillbook.observe.facts_signs import FolderFact

DIGEST = source_digest(builders.SOURCES)
KEPT = f"connect-app1:drillbook-kept-{'a' * 12}"
BUILD = f"connect-app1:drillbook-build-{DIGEST[:12]}"
ID = builders.container().id
PROXIED = builders.stack(proxy=builders.PROXY)
BESIDE = ("green-app1-1", "switch-app1-1", "drain-connect-app1-1", "well-app1", "ask-endpoints", "retire-app1")


STRAIGHT = builders.answer(
    endpoint="build@x", via="app1", source_digest=DIGEST, replica="connect-app1-1", build_id=DIGEST[:12]
)
CACHED = builders.answer(endpoint="build", source_digest=builders.digest("another"), build_id="another")


def reset(snapshot: Snapshot, scope: str = "images", **changes: Any) -> Plan:
    target = builders.target(**{"stack": PROXIED, **changes})
    return plan_reset(target, snapshot, scope, builders.backup(), builders.COMMANDS)


def ids(plan: Plan) -> tuple[str, ...]:
    return tuple(step.id for step in plan.steps)


def step(plan: Plan, name: str) -> Step:
    return next(step for step in (*plan.steps, *plan.back) if step.id == name)


def before() -> tuple[Step, ...]:
    """What an images reset does before anything that runs is touched."""
    labels = {
        "drillbook.build-id": DIGEST[:12], "drillbook.source-digest": DIGEST,
        "org.opencontainers.image.revision": "0123456789ab",
    }  # fmt: skip
    over = {"app1": {"image": BUILD, "build": {"args": {"BUILD_ID": DIGEST[:12]}, "labels": labels}}}
    staged = {
        "from": builders.DIRECTORY, "to": "/staging", "digest": DIGEST, "without": [".next"], "extras": [],
        "override": builders.OVERRIDE, "services": over,
    }  # fmt: skip
    return (
        Step("keep-connect-app1-1", "command", KEPT, ("docker", "tag", builders.NEW, KEPT), timeout_seconds=60),
        Step("stage-context", "context.stage", "2 tracked files", args=staged),
        Step("build-images", "image.build", "app1", (*builders.STAGED, "build", "--no-cache", "app1"),
             args={"images": {"app1": BUILD}, "labels": labels}, timeout_seconds=1800),
        Step("prove-app1", "image.prove", BUILD, args={"service": "app1", "image": BUILD}),
        Step("aside-.next", "artifact.set_aside", ".next", args={"path": ".next"},
             destroys=("host artifact .next (moved into the run's folder)",),
             recovers="move it back from aside/ in the run's folder"),
    )  # fmt: skip


def tagged() -> Step:
    return Step(
        "tag-app1", "image.tag", "connect-app1", ("docker", "tag", BUILD, "connect-app1"), args={"image": BUILD},
        destroys=("what the tag connect-app1 means",), recovers=f"docker tag {builders.NEW} connect-app1",
        timeout_seconds=60,
    )  # fmt: skip


def switched(name: str) -> Step:
    args = {
        "service": "proxy",
        "test": ["nginx", "-t", "-q"],
        "reload": ["nginx", "-s", "reload"],
        "or_stays": name == "switch-back",
        "settle_seconds": 3.0,
    }
    return Step(name, "proxy.switch", "proxy", args=args, timeout_seconds=63)


def checked() -> Step:
    args = {"service": "proxy", "test": ["nginx", "-t", "-q"]}
    return Step("test-proxy", "proxy.test", "proxy", args=args, timeout_seconds=60)


def created(scale: str) -> tuple[str, ...]:
    return (
        *builders.COMPOSE,
        "up",
        "--no-start",
        "--pull",
        "never",
        "--no-build",
        "--no-recreate",
        "--scale",
        scale,
        "app1",
    )


def asked(build: str = DIGEST[:12]) -> Step:
    return Step("ask-endpoints", "endpoints.answer", "every endpoint", args={"build_id": build, "times": 10})


def retired() -> Step:
    return Step(
        "retire-app1", "service.retire", "connect-app1-1",
        args={"service": "app1", "was": {"connect-app1-1": ID}, "replicas": 1},
        destroys=("stopped container connect-app1-1 (its log and edited files are kept)",),
        recovers="drillbook run rollback starts a new one from its image, which is kept",
    )  # fmt: skip


def held() -> Step:
    return Step("hold-volumes", "volumes.hold", "1 volumes", args={"names": ["connect_postgres_data"]})


def test_whole_plan_for_images_beside_what_runs() -> None:
    """Test the proxy, keep, stage, build, prove, set aside, a canary; then green, switch, drain, ask; retire last."""
    assert reset(builders.stale_artifact()).steps == (
        checked(),
        *before(),
        Step("canary-app1", "service.canary", "app1", args={"service": "app1", "image": BUILD}, timeout_seconds=60),
        tagged(),
        Step("green-app1-1", "service.green", "app1", created("app1=2"),
             args={"service": "app1", "was": [ID], "count": 1, "image": BUILD}, timeout_seconds=60),
        switched("switch-app1-1"),
        Step("drain-connect-app1-1", "service.drain", "connect-app1-1", ("docker", "stop", ID), args={"id": ID},
             destroys=("container connect-app1-1 (stopped, not removed)",), recovers="docker start connect-app1-1",
             timeout_seconds=70),
        Step("well-app1", "endpoints.hold", "what was well before", args={"service": "app1"}),
        asked(),
        retired(),
        held(),
    )  # fmt: skip


def test_whole_way_back_beside_what_runs() -> None:
    """The old containers and the tag first, then the proxy, then the new ones go, and what was well is well."""
    plan = reset(builders.stale_artifact())
    assert plan.turns == (
        "tag-app1", "green-app1-1", "switch-app1-1", "drain-connect-app1-1", "well-app1", "ask-endpoints",
    )  # fmt: skip
    was = {"tag": "connect-app1", "tag_was": builders.NEW, "ran": [ID], "was": {ID: builders.NEW}, "how": "beside"}
    assert plan.back == (
        Step("back-app1", "service.back", "app1", args={"service": "app1", **was}),
        switched("switch-back"),
        Step("remove-new-app1", "service.remove_new", "app1", args={"service": "app1", "was": [ID], "ran": [ID]}),
        Step("hold-endpoints", "endpoints.hold", "what was well before", args={"service": ""}),
    )


BOUND = builders.service(alone="it publishes the host's port 80", grace_seconds=5)
NAMED = builders.service(alone="its container has a fixed name, app", named="app")


def test_whole_plan_for_images_in_place() -> None:
    """Where no second one can run beside it, one is made that waits, and takes its turn when the old one stopped."""
    plan = reset(builders.stale_artifact(services=(BOUND,)))
    assert plan.steps == (
        checked(),
        *before(),
        tagged(),
        Step("replace-app1", "service.swap", "app1", created("app1=2"),
             args={"service": "app1", "was": [ID], "image": BUILD, "count": 1}, timeout_seconds=180,
             destroys=("container connect-app1-1 (stopped, not removed)",),
             recovers="drillbook run rollback; its image, log and edited files are kept"),
        switched("reload-app1"),
        asked(),
        retired(),
        held(),
    )  # fmt: skip
    assert plan.turns == ("tag-app1", "replace-app1", "reload-app1", "ask-endpoints")
    was = {"tag": "connect-app1", "tag_was": builders.NEW, "ran": [ID], "was": {ID: builders.NEW}, "how": "swap"}
    assert plan.back == (
        Step("back-app1", "service.back", "app1", args={"service": "app1", **was}),
        switched("switch-back"),
        Step("remove-new-app1", "service.remove_new", "app1", args={"service": "app1", "was": [ID], "ran": [ID]}),
        Step("hold-endpoints", "endpoints.hold", "what was well before", args={"service": ""}),
    )
    assert "app1 is replaced in place, down for up to 15 s: it publishes the host's port 80" in plan.notes


def test_whole_plan_for_a_container_that_only_compose_can_recreate() -> None:
    """A fixed name lets no second container be: it is made anew, and the way back makes it anew on the kept image."""
    plan = reset(builders.healthy(services=(NAMED,)), "containers")
    recreate = (*builders.COMPOSE, "up", "-d", "--pull", "never", "--no-build", "--no-deps", "--force-recreate", "app1")
    assert plan.steps == (
        checked(),
        before()[0],
        Step("replace-app1", "service.replace", "app1", recreate,
             args={"service": "app1", "was": [ID], "image": ""}, timeout_seconds=180,
             destroys=("container connect-app1-1 (recreated; its volumes stay)",),
             recovers="drillbook run rollback; its image, log and edited files are kept"),
        switched("reload-app1"),
        asked(""),
        held(),
    )  # fmt: skip
    was = {"tag": "connect-app1", "tag_was": builders.NEW, "ran": [ID], "was": {ID: builders.NEW}, "how": "anew"}
    assert plan.back == (
        Step("back-app1", "service.back", "app1", recreate, args={"service": "app1", **was}),
        switched("switch-back"),
        Step("hold-endpoints", "endpoints.hold", "what was well before", args={"service": ""}),
    )


def test_plan_for_containers_builds_nothing() -> None:
    """When only the container is old, it is replaced on the image that is there; what it ran is kept for a rollback."""
    plan = reset(builders.healthy(), "containers")
    assert ids(plan) == ("test-proxy", "keep-connect-app1-1", "canary-app1", *BESIDE, "hold-volumes")
    assert step(plan, "green-app1-1").args["image"] == ""
    assert step(plan, "ask-endpoints").args["build_id"] == ""
    assert plan.basis["kept"] == {"app1": {KEPT: builders.NEW}}


@pytest.mark.parametrize("scope", ["containers", "images"])
def test_three_replicas_change_one_by_one(scope: str) -> None:
    """A new one comes, the proxy learns of it, an old one goes: capacity never falls below what it was."""
    there = (*builders.replicas(3), builders.postgres())
    facts = builders.healthy(containers=there, services=(builders.service(replicas=3),))
    after = tuple(name for name in ids(reset(facts, scope)) if name.startswith(("green", "switch", "drain", "retire")))
    assert after == (
        "green-app1-1", "switch-app1-1", "drain-connect-app1-1",
        "green-app1-2", "switch-app1-2", "drain-connect-app1-2",
        "green-app1-3", "switch-app1-3", "drain-connect-app1-3", "retire-app1",
    )  # fmt: skip
    scales = [step(reset(facts, scope), f"green-app1-{n}").argv[-2] for n in (1, 2, 3)]
    assert scales == ["app1=4", "app1=5", "app1=6"]


def test_without_a_proxy_nothing_is_switched() -> None:
    """Where the proxy resolves names by itself there is no switch, and the plan says what it rests on instead."""
    plan = reset(builders.healthy(), "containers", stack=builders.stack())
    assert ids(plan) == (
        "keep-connect-app1-1", "canary-app1", "green-app1-1", "drain-connect-app1-1", "well-app1", "ask-endpoints",
        "retire-app1", "hold-volumes",
    )  # fmt: skip
    assert [step.id for step in plan.back] == ["back-app1", "remove-new-app1", "hold-endpoints"]
    assert any(note.startswith("no stack.proxy is declared") for note in plan.notes)


def test_after_a_cut_the_plan_goes_from_both_sides_to_one_new() -> None:
    """An old and a new container of a run that was cut: one new one comes, and both of them go."""
    blue, green = builders.replicas(2)
    facts = builders.healthy(containers=(replace(blue, image_id=builders.OLD), green, builders.postgres()))
    plan = reset(facts, "containers")
    assert ids(plan) == (
        "test-proxy", "keep-connect-app1-1", "keep-connect-app1-2", "canary-app1", "green-app1-1", "switch-app1-1",
        "drain-connect-app1-1", "drain-connect-app1-2", "well-app1", "ask-endpoints", "retire-app1", "hold-volumes",
    )  # fmt: skip
    assert step(plan, "green-app1-1").argv[-2] == "app1=3"


def test_service_that_does_not_run_is_started_on_the_new_image() -> None:
    """One that crashed gets a new container in its place; the way back does not start what did not run."""
    crashed = builders.container(running=False, exit_code=1, restart_policy="unless-stopped")
    plan = reset(builders.healthy(containers=(crashed, builders.postgres())), "containers")
    assert ids(plan) == (
        "test-proxy", "keep-connect-app1-1", "replace-app1", "reload-app1", "ask-endpoints", "retire-app1",
        "hold-volumes",
    )  # fmt: skip
    assert any(note.endswith("it does not run") for note in plan.notes)
    back = step(plan, "back-app1")
    assert (back.args["ran"], back.args["was"]) == ([], {ID: builders.NEW})


def test_way_back_of_a_recreated_one_that_did_not_run_only_creates_it() -> None:
    """What compose must make anew is made anew, and stays as it was: not running."""
    crashed = builders.container(running=False, exit_code=1, restart_policy="unless-stopped")
    plan = reset(builders.healthy(containers=(crashed,), services=(NAMED,)), "containers")
    begins = len(builders.COMPOSE)
    assert step(plan, "replace-app1").argv[begins : begins + 2] == ("up", "-d")
    assert step(plan, "back-app1").argv[begins : begins + 2] == ("up", "--no-start")


def test_service_without_a_container_gets_one() -> None:
    """There is nothing to keep and nothing to bring back."""
    plan = reset(builders.healthy(containers=(builders.postgres(),)), "images")
    assert ids(plan)[-5:] == ("tag-app1", "replace-app1", "reload-app1", "ask-endpoints", "hold-volumes")
    assert step(plan, "back-app1").argv == ()
    assert plan.basis["kept"] == {"app1": {}}


@pytest.mark.parametrize(
    ("there", "replicas"),
    [((builders.container(running=False, exit_code=0, restart_policy="no"),), 1), ((), 0)],
    ids=["a migration that has ended well", "a service that asks for no container"],
)
def test_what_has_nothing_to_run_gets_its_image_alone(there: tuple[Any, ...], replicas: int) -> None:
    """Its tag is renewed; a migration is not run again because of a reset, and the plan says so."""
    facts = builders.healthy(containers=(*there, builders.postgres()), services=(builders.service(replicas=replicas),))
    plan = reset(facts, "images")
    assert plan.turns == ("tag-app1", "ask-endpoints")
    assert "app1 is not started: its work is done, or it asks for no container" in plan.notes
    assert [what for what in plan.objects if what.kind == "container"] == []
    assert plan.basis["kept"] == {}


def test_image_of_a_registry_keeps_its_port_in_every_tag() -> None:
    """The colon of a registry's port is no tag: `registry:5000/app:1` is kept and built as `registry:5000/app`."""
    image = "registry:5000/app:1"
    facts = builders.stale_artifact(
        services=(builders.service(image=image),), containers=(builders.container(image_ref=image),)
    )
    plan = reset(facts)
    assert step(plan, "keep-connect-app1-1").subject == f"registry:5000/app:drillbook-kept-{'a' * 12}"
    build = f"registry:5000/app:drillbook-build-{DIGEST[:12]}"
    assert step(plan, "tag-app1").argv == ("docker", "tag", build, image)


def test_image_that_runs_by_its_bare_id_is_kept_under_a_name_of_ours() -> None:
    """An id is no repository that a tag could be given in; the service's own tag is not said to have meant it."""
    facts = builders.healthy(containers=(builders.container(image_ref=builders.NEW),))
    plan = reset(facts, "containers")
    kept = f"drillbook/unnamed:drillbook-kept-{'a' * 12}"
    assert step(plan, "keep-connect-app1-1").argv == ("docker", "tag", builders.NEW, kept)
    assert step(plan, "back-app1").args["tag_was"] == ""


def test_tag_of_another_name_is_no_way_back() -> None:
    """When the compose file has another image name by now, nothing tells what that name meant."""
    facts = builders.stale_artifact(containers=(builders.container(image_ref="connect-old"),))
    plan = reset(facts)
    assert step(plan, "back-app1").args["tag_was"] == ""
    assert step(plan, "tag-app1").recovers == "no container was made from what it meant"


def test_service_that_shares_a_built_image_is_replaced_with_it() -> None:
    """A worker on the app's image gets the same build: the tag that moves would leave it stale behind."""
    worker = builders.container("worker", image_ref="connect-app1")
    shared = ServiceFact("worker", "connect-app1", "", "")
    facts = builders.stale_artifact(containers=(builders.container(), worker), services=(builders.service(), shared))
    plan = reset(facts)
    assert step(plan, "build-images").argv[-1] == "app1"
    assert step(plan, "tag-worker").argv == ("docker", "tag", BUILD, "connect-app1")
    assert step(plan, "replace-worker").args["image"] == BUILD
    assert set(plan.basis["kept"]) == {"app1", "worker"}


def test_scaled_service_keeps_its_number() -> None:
    """Three by `--scale` stay three: `up` without it would remove two."""
    nameless = Mount("volume", "f" * 64, "", "/data", anonymous=True)
    facts = builders.healthy(containers=builders.replicas(3, mounts=(nameless,)), services=(BOUND,))
    plan = reset(facts, "containers")
    for name in ("replace-app1", "back-app1"):
        assert step(plan, name).argv[-4:] == ("--force-recreate", "--scale", "app1=3", "app1")
    several = reset(builders.healthy(containers=builders.replicas(3), services=(BOUND,)), "containers")
    assert step(several, "replace-app1").argv == created("app1=6")


def test_dependencies_keep_their_numbers_while_new_ones_are_made() -> None:
    """Compose removes what is beyond the file's number, the newest first: so each dependency is told its own number.

    The app has two containers by then, an old one that is drained and a new one that serves, and the queue three.
    """
    proxy = builders.service("proxy", context="", alone="it publishes the host's port 80", depends=("app1", "gone"))
    app, queue = builders.service(depends=("queue", "db")), builders.service("queue", context="")
    services = (app, proxy, queue, builders.service("db", context=""))
    there = (builders.container(), builders.container("proxy", ports=(80,)), *builders.replicas(3, "queue"))
    facts = builders.healthy(containers=there, services=services, responses=(STRAIGHT, CACHED))
    plan = reset(facts, "containers")
    pins = {name: step(plan, name).argv[len(builders.COMPOSE) + 4 : -1] for name in ("green-app1-1", "replace-proxy")}
    scale = {name: dict(word.split("=") for word in words if "=" in word) for name, words in pins.items()}
    assert scale["green-app1-1"] == {"app1": "2", "queue": "3", "db": "0"}
    assert scale["replace-proxy"] == {"proxy": "2", "app1": "2", "queue": "3", "db": "0"}


def changed(plan: Plan) -> list[str]:
    return [s.args["service"] for s in plan.steps if s.verb == "service.retire"]


def test_proxy_that_serves_old_answers_is_replaced_after_the_code() -> None:
    """The code's containers first, then what publishes a port; every step has an id of its own all the same."""
    proxy = builders.container("proxy", ports=(8080,))
    services = (builders.service(), ServiceFact("proxy", "nginx", "", "", alone="it publishes the host's port 8080"))
    there = (*builders.healthy().containers, proxy)
    plan = reset(builders.healthy(containers=there, services=services, responses=(STRAIGHT, CACHED)), "containers")
    assert sorted(changed(plan)) == ["app1", "proxy"]
    assert [step.id for step in plan.back] == [
        "back-app1", "back-proxy", "switch-back", "remove-new-app1", "remove-new-proxy", "hold-endpoints",
    ]  # fmt: skip


def test_artifact_of_a_folder_below_is_found_there() -> None:
    """An artifact beside sources in `web/` is set aside from `web/`, and left out of what is staged."""
    code = {"source": "web", "image": "/app", "artifacts": [".next"]}
    plan = reset(builders.stale_artifact(), stack={**PROXIED, "services": {"app1": {"code": code}}})
    assert step(plan, "aside-web/.next").args == {"path": "web/.next"}
    assert step(plan, "stage-context").args["without"] == ["web/.next"]


def test_artifacts_alone() -> None:
    """The scope of artifacts moves them, and touches nothing that runs; the folder is told with its size and age."""
    folder = FolderFact(f"{builders.DIRECTORY}/.next", "app1", 3, 2000, 1_760_000_000.0, True)
    plan = reset(builders.stale_artifact(caches=CachesFact(folders=(folder,))), "artifacts")
    assert ids(plan) == ("aside-.next",)
    assert (plan.back, plan.turns) == ((), ())
    told = plan.objects[0]
    assert told == Object("artifacts", "folder", ".next", "aside-.next", told.destroys, "move it back", 2000, 1.76e9)


@pytest.mark.parametrize(
    ("scope", "snapshot"),
    [
        ("artifacts", builders.healthy()),
        ("build-cache", builders.healthy(caches=CachesFact())),
        ("images", builders.healthy(services=(ServiceFact("postgres", "postgres:16", "", ""),))),
        ("containers", builders.healthy(services=())),
    ],
)
def test_nothing_in_scope_is_not_this_incident(scope: str, snapshot: Snapshot) -> None:
    """A plan without steps is none: the scope is named, and what to do instead."""
    with pytest.raises(NotThisIncident, match=f"nothing in scope {scope} to reset") as caught:
        reset(snapshot, scope)
    assert caught.value.hint


@pytest.mark.parametrize("scope", ["containers", "images", "build-cache", "artifacts"])
def test_scope_needs_a_stack(scope: str) -> None:
    """A target that is only a database has no images to reset, and the hint says what it has."""
    with pytest.raises(RunbookError) as caught:
        plan_reset(builders.database_target(), builders.healthy(), scope, builders.backup(), builders.COMMANDS)
    assert caught.value.hint == "choose scope=database"


def test_plan_tells_every_object_that_it_touches() -> None:
    """The images that lose their tags, the artifact that is moved, the container that goes."""
    plan = reset(builders.stale_artifact())
    assert [(what.kind, what.step) for what in plan.objects] == [
        ("image", "tag-app1"), ("folder", "aside-.next"), ("container", "retire-app1"),
    ]  # fmt: skip


def test_basis_names_what_the_plan_rests_on() -> None:
    """Whoever reads the record sees which facts an approval died with."""
    basis = reset(builders.healthy(databases=(builders.database(oid="16384", columns={"a.b.c": "text"}),))).basis
    assert basis | {"artifacts": {}, "schemas": {}, "sources": {}} == {
        "scope": "images", "backup": builders.backup().name, "volumes": ["connect_postgres_data"],
        "containers": {c.name: [c.id, c.image_id] for c in builders.healthy().containers},
        "databases": {"main": ["connect", "16384", 2]}, "kept": {"app1": {KEPT: builders.NEW}},
        "artifacts": {}, "schemas": {}, "sources": {},
    }  # fmt: skip
    assert (basis["sources"], list(basis["artifacts"])) == ({"app1": DIGEST}, ["app1"])
    assert basis["schemas"] == {"main": source_digest({"a.b.c": "text"})[:16]}


def test_plan_rests_on_its_backup() -> None:
    """The backup is named in the notes and in the facts."""
    plan = reset(builders.healthy(), "containers")
    assert plan.notes[0] == f"rests on proven backup {builders.backup().name}"
    assert plan.basis["backup"] == builders.backup().name


def test_fingerprint_survives_a_second_look() -> None:
    """Looking again gives the same plan: answers, seconds, ages and sizes are not part of it."""
    folder = FolderFact(f"{builders.DIRECTORY}/.next", "app1", 3, 2000, 9.0, True)
    later = builders.stale_artifact(
        responses=(builders.answer(seconds=9.0),), backups=(builders.backup(age_seconds=9.0),),
        caches=CachesFact(folders=(folder,)),
    )  # fmt: skip
    assert reset(later).fingerprint == reset(builders.stale_artifact()).fingerprint
    assert reset(later).objects != reset(builders.stale_artifact()).objects


@pytest.mark.parametrize(
    "changes",
    [
        {"containers": (builders.container(image_id=builders.OLD), builders.postgres())},
        {"containers": (builders.container(id="recreated"), builders.postgres())},
        {"containers": (builders.container(tag_image_id=builders.OLD), builders.postgres())},
        {"containers": (builders.container(), builders.postgres(id="restarted"))},
        {"volumes": ()},
        {"volumes": (*builders.healthy().volumes, VolumeFact("connect_new", "new", "", ""))},
        {"databases": (builders.database(rows={"public.users": 10}),)},
        {"databases": (builders.database(oid="16385"),)},  # restored since: the same content in another database
        {"databases": (builders.database(columns={"public.users.id": "bigint"}),)},
        {"sources": {"app1": builders.source(tracked={"server.js": "edited"})}},
        {"sources": {"app1": builders.source(artifacts={".next/bundle.js": "another"})}},
        {"services": (builders.service(ready_seconds=30.0),)},
    ],
)
def test_fingerprint_dies_with_its_facts(changes: dict[str, Any]) -> None:
    """A container, a tag, a volume, a table, a column or a source that changed kills the approval."""
    plan = reset(builders.healthy(), "containers")
    assert reset(builders.healthy(**changes), "containers").fingerprint != plan.fingerprint


def test_fingerprint_dies_with_the_proxy_and_the_backup() -> None:
    """Another reload, or another backup to rest on, is another plan."""
    plan = reset(builders.healthy(), "containers")
    other = {**PROXIED, "proxy": {**builders.PROXY, "reload": ["nginx", "-s", "quit"]}}
    assert reset(builders.healthy(), "containers", stack=other).fingerprint != plan.fingerprint
    newer = plan_reset(builders.target(stack=PROXIED), builders.healthy(), "containers",
                       builders.backup(name="newer"), builders.COMMANDS)  # fmt: skip
    assert newer.fingerprint != plan.fingerprint


def test_config_drift_beside_the_code_is_told_in_the_plan() -> None:
    """A service without code on an old configuration is replaced in place, after the code, with its image kept."""
    mailer = builders.container("mailer")
    drift = ConfigFact(mailer.name, "mailer", "2", "1", ("environment X",))
    facts = builders.healthy(
        containers=(*builders.healthy().containers, mailer), configs=(drift,),
        services=(builders.service(), ServiceFact("mailer", "mail", "", "")),
    )  # fmt: skip
    plan = reset(facts, "containers")
    assert sorted(changed(plan)) == ["app1", "mailer"]
    assert "keep-connect-mailer-1" in ids(plan)
