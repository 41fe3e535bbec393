"""How a service gets its new containers: beside the old ones, or in their place with an honest downtime."""

from __future__ import annotations

from typing import Any

import builders
import pytest

from drillbook.decide.moves import START_SECONDS, Move, moves, replicas_of
from drillbook.observe.facts import ContainerFact, Mount, ServiceFact
from drillbook.target import Stack

NEW, OLD = builders.NEW, builders.OLD


def move(service: ServiceFact, *there: ContainerFact, stack: dict[str, Any] | None = None, image: str = "") -> Move:
    facts = builders.healthy(containers=(*there, builders.postgres()), services=(service,))
    [found] = moves(Stack.model_validate(stack or builders.stack()), facts, [service.name], {service.name: image})
    return found


def test_one_that_can_be_asked_straight_moves_beside() -> None:
    """A second container can be asked before the first one goes, so nobody waits."""
    found = move(builders.service(), builders.container(), image="new")
    assert (found.alone, found.replicas, found.image, found.down_seconds) == ("", 1, "new", 0.0)
    assert found.old == (builders.container(),)


@pytest.mark.parametrize(
    "why",
    ["it publishes the host's port 80", "its container has a fixed name, app", "it writes to what is mounted at /data"],
)
def test_what_the_compose_file_binds_moves_in_place(why: str) -> None:
    """A host port, a fixed name or a volume that it writes to: the reason is the compose file's own."""
    assert move(builders.service(alone=why), builders.container()).alone == why
    assert move(builders.service(alone=why, replicas=3), *builders.replicas(3)).alone == why


def test_one_that_nobody_can_ask_moves_in_place() -> None:
    """Without a response to ask, two at once of what may be made for one are not tried."""
    silent = builders.stack(services={"app1": {}})
    assert "stack.services.*.response" in move(builders.service(), builders.container(), stack=silent).alone
    assert "stack.services.*.response" in move(builders.service("other"), builders.container("other")).alone


def test_several_are_made_to_run_beside_each_other() -> None:
    """What already runs as three can run as four, asked or not."""
    silent = builders.stack(services={"app1": {}})
    assert move(builders.service(), *builders.replicas(3), stack=silent).alone == ""
    assert move(builders.service(replicas=2), builders.container(), stack=silent).alone == ""


NAMED = Mount("volume", "connect_data", "", "/data")
NAMELESS = Mount("volume", "f" * 64, "", "/scratch", anonymous=True)


@pytest.mark.parametrize(
    ("service", "mounts", "why"),
    [
        (builders.service(), (), ""),
        (builders.service(), (NAMED,), ""),
        (builders.service(), (NAMED, NAMELESS), "it keeps files in a nameless volume at /scratch"),
        (builders.service(named="app"), (NAMELESS,), "its container has a fixed name, app"),
    ],
)
def test_what_only_compose_can_recreate(service: ServiceFact, mounts: tuple[Mount, ...], why: str) -> None:
    """A fixed name can be had once; a nameless volume is handed on to the container that takes the old one's place."""
    found = move(service, builders.container(mounts=mounts))
    assert (found.recreated, found.alone) == (why, why)


def test_needs_are_all_that_it_depends_on() -> None:
    """Near and far, with the number of their containers now; what compose does not know is none of them."""
    services = (
        builders.service(depends=("queue", "gone")), builders.service("queue", depends=("db",)), builders.service("db"),
        builders.service("other"),
    )  # fmt: skip
    there = (*builders.replicas(2, "queue"), builders.container("other"), builders.container())
    facts = builders.healthy(services=services, containers=there)
    [found] = moves(Stack.model_validate(builders.stack()), facts, ["app1"], {})
    assert found.needs == {"queue": 2, "db": 0}


@pytest.mark.parametrize("there", [(), (builders.container(running=False, exit_code=1),)])
def test_one_that_does_not_run_moves_in_place(there: tuple[ContainerFact, ...]) -> None:
    """There is nobody to keep waiting."""
    assert move(builders.service(), *there).alone == "it does not run"


@pytest.mark.parametrize(
    ("service", "seconds"),
    [
        ({"grace_seconds": 5.0, "ready_seconds": 30.0}, 35.0),
        ({"grace_seconds": 60.0, "ready_seconds": 0.0}, 60.0 + START_SECONDS),
    ],
)
def test_downtime_in_place_is_the_stop_and_the_start(service: dict[str, float], seconds: float) -> None:
    """As long as it may take to stop, and to be healthy by its own check; a start is reckoned with where none tells."""
    assert move(builders.service(alone="bound", **service), builders.container()).down_seconds == seconds


@pytest.mark.parametrize(
    ("asked", "images", "stopped", "wanted"),
    [
        (1, (NEW,), (), 1),
        (1, (NEW, NEW, NEW), (), 3),  # by --scale
        (3, (NEW,), (), 3),  # two are gone: the file asks for three
        (1, (OLD, NEW), (), 1),  # a run that was cut: one new beside one old
        (1, (OLD, OLD, OLD, NEW), (), 3),
        (1, (NEW, NEW), (OLD, OLD, OLD), 2),
        (1, (), (OLD, OLD), 1),
        (0, (), (), 1),
        (0, (NEW, NEW), (), 2),
    ],
)
def test_replicas_are_counted_by_image(
    asked: int, images: tuple[str, ...], stopped: tuple[str, ...], wanted: int
) -> None:
    """What the file asks for, or what runs of one image: old and new of a run that was cut are not added up."""
    old = [builders.container(image_id=image) for image in images]
    old += [builders.container(image_id=image, running=False) for image in stopped]
    assert replicas_of(builders.service(replicas=asked), old) == wanted


@pytest.mark.parametrize(
    ("containers", "replicas", "idle"),
    [
        ((builders.container(),), 1, False),
        ((builders.container(running=False, exit_code=0, restart_policy="no"),), 1, True),
        ((builders.container(running=False, exit_code=0, restart_policy="on-failure"),), 1, True),
        ((builders.container(running=False, exit_code=0, restart_policy="unless-stopped"),), 1, False),
        ((builders.container(running=False, exit_code=1, restart_policy="no"),), 1, False),
        ((builders.container(), builders.container(running=False, restart_policy="no")), 1, False),
        ((), 1, False),
        ((), 0, True),
        ((builders.container(),), 0, False),
    ],
)
def test_done_work_is_not_started_again(containers: tuple[ContainerFact, ...], replicas: int, *, idle: bool) -> None:
    """A migration that ended well is done; a service that crashed, or that is restarted by its policy, is not."""
    assert move(builders.service(replicas=replicas), *containers).idle is idle


def test_what_runs_beside_goes_first() -> None:
    """Services that are down for a moment come last, when the others are well on the new code."""
    services = (builders.service("a", alone="bound"), builders.service("b"), builders.service("c", alone="bound"))
    facts = builders.healthy(services=services, containers=tuple(builders.container(s.name) for s in services))
    found = moves(Stack.model_validate(builders.stack("a", "b", "c")), facts, ["a", "b", "c"], {})
    assert [m.name for m in found] == ["b", "a", "c"]


def test_what_is_not_in_the_compose_file_does_not_move() -> None:
    """A name that compose does not know is passed over: compose could not start it."""
    assert moves(Stack.model_validate(builders.stack()), builders.healthy(), ["gone"], {}) == ()
