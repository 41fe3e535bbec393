"""The rehearsal's plan: what is made first, what it says of the copy, and when it is refused."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import builders
import manifests
import pytest

from drillbook.decide.plan import Plan
from drillbook.decide.rehearse import containers_by_service, plan_rehearse
from drillbook.decide.rehearse_config import copied
from drillbook.decide.rehearse_making import Making
from drillbook.decide.rehearse_planned import Planned
from drillbook.decide.rehearse_room import disk_needed, mb, refuse_crowded
from drillbook.decide.rehearse_state import meant, runs, scale, waves
from drillbook.errors import Refused
from drillbook.observe.facts import DiskFact, Snapshot
from drillbook.observe.footprint import Footprint
from drillbook.target import Target

COPY = "connect-rehearsal-0a1b2c"
APP = {"image": "connect-app1", "build": {"context": builders.DIRECTORY}, "volumes": []}
DATA = {"type": "volume", "source": "postgres_data", "target": "/var/lib/postgresql/data"}
QUEUE = {"type": "volume", "source": "queue", "target": "/data"}
LOOSE = {"type": "volume", "source": "loose", "target": "/loose"}
CONFIG: dict[str, Any] = {
    "name": "connect", "networks": {"default": {}},
    "services": {"app1": {**APP, "ports": [{"target": 80, "published": "8080"}]},
                 "postgres": {"image": "postgres:16", "volumes": [DATA]}, "redis": {"volumes": [QUEUE, LOOSE]}},
    "volumes": {key: {"name": f"connect_{key}"} for key in ("postgres_data", "queue", "loose")},
}  # fmt: skip
SERVICES = (
    builders.service("app1"),
    builders.service("postgres", image="postgres:16", context=""),
    builders.service("redis"),
)
FACTS = builders.healthy(
    containers=(builders.container(), builders.postgres(), builders.container("redis")),
    services=SERVICES, databases=(builders.database(service="postgres"),),
)  # fmt: skip


def planned(
    facts: Snapshot = FACTS, target: Target | None = None, config: dict[str, Any] = CONFIG, **changes: Any
) -> Plan:
    """The plan of a rehearsal of `images`; *changes* are of what it is made of."""
    there = containers_by_service(facts)
    making = Making(COPY, builders.DIRECTORY, "/copy/source", "/copy/scratch", there=there)
    parts: dict[str, Any] = {
        "scope": "images", "keep": False, "making": making, "made": copied(config, making),
        "manifest": manifests.manifest(), "footprint": Footprint(200 << 20, 8 << 30), "needed": 1 << 30,
    }  # fmt: skip
    return plan_rehearse(target or builders.target(), facts, config, Planned(**{**parts, **changes}))


def ids(plan: Plan) -> list[str]:
    return [step.id for step in plan.steps]


def test_content_comes_before_anything_that_could_write_to_it() -> None:
    """The backup is read whole first; databases are restored and compared before the apps run; then the reset."""
    assert ids(planned()) == [
        "sweep", "checksums", "sources", "images", "networks", "volumes", "volume-queue", "server-main", "roles-main",
        "restore-main", "compare-main", "start-1", "well", "reset", "end",
    ]  # fmt: skip


def test_it_destroys_nothing_and_needs_no_approval() -> None:
    """No step names anything of the target to be gone."""
    found = planned()
    assert found.destroys == ()
    assert found.steps[-1].verb == "rehearse.remove"
    assert planned(keep=True).steps[-1].verb == "rehearse.keep"


def test_no_value_of_the_compose_file_is_in_the_plan() -> None:
    """The plan is kept and shown; what variables were filled in with is not for everybody."""
    secret = {**APP, "environment": {"TOKEN": "t0ken"}, "command": ["--password", "pa55"]}
    text = str(planned(config={**CONFIG, "services": {**CONFIG["services"], "app1": secret}}).as_json())
    assert "t0ken" not in text
    assert "pa55" not in text


def test_it_says_what_it_takes_and_where_the_copy_is_unlike() -> None:
    """In plain lines: memory, disk, the cut, what starts empty, which endpoint is not asked."""
    services = {**CONFIG["services"], "agent": {"privileged": True}}
    endpoints = {"tls": {"url": "https://example.com/"}, "matches": {"url": "http://127.0.0.1:8080/"}}
    found = planned(target=builders.target(endpoints=endpoints), config={**CONFIG, "services": services})
    assert found.notes == (
        f"filled from proven backup {manifests.NAME}; changes nothing of connect",
        "takes 210 MB of memory (of 8.6 GB free) and about 1.1 GB of disk, until it ends",
        "cut off: what runs in the copy reaches neither the target, nor this host, nor the world",
        "not cut off: the build fetches what the real build fetches",
        "volume connect_loose: starts empty, no backup holds it",
        "service agent: not in the copy, it is privileged",
        "endpoint tls: not asked, https at an address has no certificate that fits",
    )


def test_what_is_left_open_is_said() -> None:
    """Without root's means the host's own addresses stay open."""
    making = Making(COPY, builders.DIRECTORY, "/s", "/s", closed=False, there=containers_by_service(FACTS))
    [line] = [note for note in planned(making=making).notes if note.startswith("left open:")]
    assert "this host's own addresses" in line


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"target": builders.database_target()}, "database main is at /run/postgresql, not in a service"),
        ({"manifest": manifests.manifest(databases={})}, "does not hold database main"),
        (
            {"config": {**CONFIG, "services": {**CONFIG["services"], "app1": {"privileged": True}}}},
            "service app1 cannot",
        ),
        ({"facts": replace(FACTS, containers=())}, "connect has no containers"),
    ],
)
def test_a_copy_that_could_not_be_like_the_target_is_refused(changes: dict[str, Any], said: str) -> None:
    """Before anything is made, with the next safe action."""
    if "target" in changes:
        base = builders.target().model_copy(update={"databases": changes["target"].databases})
        changes = {**changes, "target": base}
    with pytest.raises(Refused, match=said) as caught:
        planned(**changes)
    assert caught.value.hint


def test_a_copy_that_would_crowd_the_target_is_refused() -> None:
    """Memory and disk must be left over; where they are not known, nothing can be said."""
    disks = [DiskFact("/", 5 << 30, 100 << 30, "engine")]
    refuse_crowded("connect", Footprint(1 << 30, 2 << 30), 1 << 30, disks)
    refuse_crowded("connect", Footprint(None, None), 1 << 30, [])
    with pytest.raises(Refused, match=r"takes 1\.1 GB of memory, and 1\.2 GB are free"):
        refuse_crowded("connect", Footprint(1 << 30, 1_150 << 20), 0, disks)
    with pytest.raises(Refused, match=r"takes 4\.8 GB of disk, and / has 5\.4 GB free"):
        refuse_crowded("connect", Footprint(0, 9 << 30), 4_600 << 20, disks)
    assert (mb(117_500_000), mb(1_500_000_000)) == ("118 MB", "1.5 GB")


def test_disk_is_counted_once_for_layers_that_images_share() -> None:
    """Databases with room for their WAL, volumes, the layers of each image, the copy's folder."""
    facts = replace(FACTS, databases=(builders.database(bytes=1000),))
    assert disk_needed(facts, manifests.manifest(), 50) == 1200 + 18 + 50


def test_services_start_on_what_runs_not_on_what_the_tag_means() -> None:
    """A rebuilt tag that nobody started is what makes a container stale; the copy must be as stale."""
    stale = builders.container(image_id=builders.OLD)
    there = {"app1": (stale,), "redis": (builders.container("redis"),)}
    names = {"app1": f"{COPY}-app1", "redis": f"{COPY}-redis"}
    services = {service.name: service for service in SERVICES}
    assert [wave.images for wave in waves(names, there)] == [{"app1": builders.OLD, "redis": builders.NEW}]
    assert meant(names, there, services) == {"app1": builders.NEW}
    assert ids(planned(replace(FACTS, containers=(stale, builders.postgres()))))[-5:] == [
        "start-1", "well", "moved", "reset", "end",
    ]  # fmt: skip


def test_services_of_one_image_that_run_different_ones_start_one_after_the_other() -> None:
    """A tag means one image at a time."""
    there = {"app1": (builders.container(),), "job": (builders.container("job", image_id=builders.OLD),)}
    found = waves({"app1": "shared", "job": "shared"}, there)
    assert [wave.services for wave in found] == [["app1"], ["job"]]


def test_as_many_run_as_on_the_target() -> None:
    """Also when that is not what the file asks for; most of them tell the image."""
    old = builders.replicas(1, image_id=builders.OLD)
    three = (*builders.replicas(2), replace(old[0], name="connect-app1-3"))
    assert runs(three) == builders.NEW
    assert runs(tuple(replace(c, running=False) for c in old)) == builders.OLD
    assert scale({"app1": three}, {"app1": builders.service("app1")}) == {"app1": 3}
    found = planned(replace(FACTS, containers=(*three, builders.postgres())))
    [start] = [step for step in found.steps if step.id == "start-1"]
    assert start.args["scale"] == ["app1=3"]
