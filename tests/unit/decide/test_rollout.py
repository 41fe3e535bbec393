"""New containers for old ones: in which order, and the way back from each step."""

from __future__ import annotations

from dataclasses import replace

import builders
import pytest

from drillbook.decide.moves import Move
from drillbook.decide.rollout import Rollout, rollout
from drillbook.target import Proxy

PROXY = Proxy.model_validate(builders.PROXY)
NEW, OLD = builders.NEW, builders.OLD


def moving(name: str = "app1", number: int = 1, alone: str = "", image: str = "") -> Move:
    old = builders.replicas(number, name)
    return Move(builders.service(name, replicas=max(number, 1)), old, image, alone, max(number, 1))


def rolled(*moves: Move, proxy: Proxy | None = PROXY) -> Rollout:
    return rollout(moves, builders.COMPOSE, proxy, ["connect_data"], "b1")


def ids(found: Rollout) -> list[str]:
    return [step.id for step in (*found.checks, *found.steps)]


def test_all_canaries_sing_before_anything_moves() -> None:
    """No service is on the new image before every one's canary was healthy."""
    names = ids(rolled(moving("a", image="a:new"), moving("b", image="b:new")))
    assert names[:3] == ["test-proxy", "canary-a", "canary-b"]
    assert names.index("canary-b") < names.index("tag-a")


def test_nothing_old_is_removed_before_everything_was_asked() -> None:
    """Every retirement comes after the last service has moved and every endpoint has answered."""
    names = ids(rolled(moving("a"), moving("b"), moving("c", alone="bound")))
    assert names.index("ask-endpoints") > names.index("replace-c") > names.index("drain-connect-b-1")
    assert names[names.index("ask-endpoints") + 1 :] == ["retire-a", "retire-b", "retire-c", "hold-volumes"]


def test_proxy_learns_of_what_is_replaced_in_place() -> None:
    """It keeps its name and gets another address: tested before, reloaded after it, and again on the way back."""
    found = rolled(moving(alone="bound"))
    assert ids(found)[:3] == ["test-proxy", "replace-app1", "reload-app1"]
    assert [step.id for step in found.back] == ["back-app1", "switch-back", "remove-new-app1", "hold-endpoints"]


@pytest.mark.parametrize("how", ["itself", "done"])
def test_proxy_is_left_alone_where_nothing_has_moved_behind_it(how: str) -> None:
    """It reads its configuration as it starts; what only gets its tag has no new container."""
    idle = Move(builders.service(replicas=0), (), "app:new", "it does not run", 1)
    found = rolled(moving("proxy", alone="bound") if how == "itself" else idle)
    assert not any(step.verb.startswith("proxy.") for step in (*found.checks, *found.steps, *found.back))


def test_proxy_that_this_rollout_starts_cannot_be_tested_before() -> None:
    """It does not run: what comes after its start is told to it all the same."""
    stopped = tuple(replace(c, running=False) for c in builders.replicas(1, "proxy"))
    found = rolled(Move(builders.service("proxy"), stopped, "", "it does not run"), moving(alone="bound"))
    assert ids(found)[:3] == ["replace-proxy", "replace-app1", "reload-app1"]
    assert "proxy does not run: its configuration is tested only as it starts" in found.notes


def test_more_old_ones_than_replicas_all_go_with_the_last_new_one() -> None:
    """Old ones beyond the number, those that run first, are drained once the last new one serves."""
    running, stopped = builders.replicas(2)[0], replace(builders.replicas(2)[1], running=False)
    third = replace(running, id="third", name="connect-app1-3")
    found = rolled(Move(builders.service(), (stopped, running, third), replicas=2))
    names = [name for name in ids(found) if name.startswith(("green", "drain"))]
    first, rest = ["green-app1-1", "drain-connect-app1-1"], ["drain-connect-app1-3", "drain-connect-app1-2"]
    assert names == [*first, "green-app1-2", *rest]


def test_fewer_old_ones_than_replicas_are_made_up_for() -> None:
    """The file asks for three and one runs: three new ones come, one old one goes."""
    found = rolled(Move(builders.service(replicas=3), builders.replicas(1), replicas=3))
    greens = [name for name in ids(found) if name.startswith(("green", "drain"))]
    assert greens == ["green-app1-1", "drain-connect-app1-1", "green-app1-2", "green-app1-3"]


def test_turns_are_what_touches_what_runs() -> None:
    """From the first tag to the last answer a failure leads back; before it nothing was touched."""
    found = rolled(moving("a", image="a:new"), moving("b", alone="bound", image="b:new"))
    assert found.turns == (
        "tag-a", "green-a-1", "switch-a-1", "drain-connect-a-1", "well-a", "tag-b", "replace-b", "reload-b",
        "ask-endpoints",
    )  # fmt: skip


def test_way_back_brings_the_old_before_it_removes_the_new() -> None:
    """Old containers of all services, then the proxy, then the new ones go, then what was well is asked."""
    found = rolled(moving("a"), moving("b"), moving("c", alone="bound"))
    assert [step.id for step in found.back] == [
        "back-a", "back-b", "back-c", "switch-back", "remove-new-a", "remove-new-b", "remove-new-c", "hold-endpoints",
    ]  # fmt: skip


def test_way_back_starts_what_ran_and_nothing_else() -> None:
    """An old one that was stopped before stays stopped; its new neighbours are told from it all the same."""
    running, stopped = builders.replicas(2)[0], replace(builders.replicas(2)[1], running=False)
    found = rolled(Move(builders.service(), (running, stopped)))
    back, remove = found.back[0], found.back[2]
    assert back.args["was"] == {running.id: running.image_id}
    assert remove.args["was"] == [running.id, stopped.id]


@pytest.mark.parametrize("name", ["proxy", "endpoints", "volumes", "back", "ask", "new-app1", "app1-1"])
def test_ids_are_unique_whatever_a_service_is_called(name: str) -> None:
    """The journal tells by its id what was done: a service called `proxy` has its own."""
    for other in (moving(name, image="n"), moving(name, image="n", alone="bound")):
        found = rolled(moving("app1", 2, image="n"), other)
        names = [step.id for step in (*found.checks, *found.steps, *found.back)]
        assert len(names) == len(set(names))


def test_digest_in_the_compose_file_is_no_tag() -> None:
    """What is pinned by digest cannot be given to another image, on the way there nor back."""
    pinned = replace(moving(image="new"), service=builders.service(image=f"app@{NEW}"))
    found = rolled(pinned)
    assert not any(step.verb == "image.tag" for step in found.steps)
    assert found.back[0].args["tag_was"] == ""


def test_notes_tell_who_waits_and_for_how_long() -> None:
    """One line for those without a downtime, one for each that has one."""
    quiet, bound = moving("a"), moving("b", alone="it publishes the host's port 80")
    notes = rolled(quiet, bound).notes
    assert notes == (
        "a: green beside blue, no downtime planned",
        "b is replaced in place, down for up to 20 s: it publishes the host's port 80",
    )
    assert rolled(bound, proxy=None).notes == notes[1:]


def test_objects_are_the_containers_with_the_step_that_ends_them() -> None:
    """Each old container is told once, with its age."""
    found = rolled(moving("a", 2), moving("b", alone="bound"))
    assert [(what.name, what.step) for what in found.objects] == [
        ("connect-a-1", "retire-a"), ("connect-a-2", "retire-a"), ("connect-b-1", "retire-b"),
    ]  # fmt: skip
    assert {what.created for what in found.objects} == {1_760_320_800.0}


@pytest.mark.parametrize(
    ("changes", "meant"),
    [({}, NEW), ({"tag_image_id": OLD}, OLD), ({"tag_image_id": ""}, ""), ({"image_ref": "another"}, "")],
)
def test_what_the_tag_meant_is_told_by_its_own_containers(changes: dict[str, str], meant: str) -> None:
    """By one that was made from that very name; nothing is guessed."""
    assert Move(builders.service(), (builders.container(**changes),)).tag_was == meant


@pytest.mark.parametrize(("asked", "said"), [(1, True), (2, False)])
def test_other_number_of_containers_than_the_file_asks_for_is_said(asked: int, said: bool) -> None:
    """Somebody scaled it, or a run was cut: the plan keeps the number, and whoever approves it reads so."""
    move = Move(builders.service("app1", replicas=asked), builders.replicas(2, "app1"), replicas=2)
    told = [note for note in rolled(move).notes if "asks for" in note]
    assert told == ([f"app1 stays at 2 containers, where the compose file asks for {asked}"] if said else [])
