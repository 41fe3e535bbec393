"""What a reset may touch: what the diagnosis calls for, and around the code what stands stale, never data."""

from __future__ import annotations

from typing import Any

import builders
import pytest

from drillbook.decide.content import source_digest
from drillbook.decide.diagnose import diagnose
from drillbook.decide.scope import SCOPES, built_services, scope_of, services
from drillbook.errors import NotThisIncident
from drillbook.observe.facts import ConfigFact, ContainerFact, Mount, ServiceFact, Snapshot

VOLUME, BIND = Mount("volume", "connect_data", "", "/data"), Mount("bind", "", "/srv/x", "/x")
STRAIGHT = builders.answer(
    endpoint="build@x", via="app1", source_digest=source_digest(builders.SOURCES), replica="connect-app1-1",
    build_id="b1",
)  # fmt: skip
CACHED = builders.answer(endpoint="build", source_digest=builders.digest("another"), build_id="another")


def with_one_more(there: ContainerFact, **changes: Any) -> Snapshot:
    return builders.healthy(containers=(*builders.healthy().containers, there), **changes)


def replaced(snapshot: Snapshot) -> list[str]:
    return services(snapshot, built_services(snapshot))


def test_auto_does_no_more_than_the_diagnosis_calls_for() -> None:
    """`auto` builds only when an image is stale, and recreates when only a container is."""
    old = builders.container(tag_image_id=builders.OLD)
    assert scope_of("auto", diagnose(builders.stale_artifact())) == "images"
    assert scope_of("auto", diagnose(builders.healthy(containers=(old,)))) == "containers"


@pytest.mark.parametrize("scope", SCOPES)
def test_named_scope_is_the_engineers_own_word(scope: str) -> None:
    """What is asked for by name is not second-guessed by the diagnosis."""
    assert scope_of(scope, diagnose(builders.healthy())) == scope


def test_auto_refuses_what_a_reset_cannot_mend() -> None:
    """Lost data is not resolved by a reset: the hint names the restore."""
    with pytest.raises(NotThisIncident, match="no stale code was found on connect") as caught:
        scope_of("auto", diagnose(builders.lost_schema()))
    assert caught.value.hint.startswith("next: restore")
    assert caught.value.exit_code == 3
    assert caught.value.evidence["verdict"] == "fail"


def test_auto_refuses_code_that_a_mount_covers() -> None:
    """No build and no new container reaches what a mount holds: the hint says what does."""
    covered = builders.process(mounted={"server.js": builders.digest("another")}, covers={".": "/srv/old"})
    found = diagnose(builders.healthy(processes=(covered,)))
    assert "masked-by-mount" in found.names()
    with pytest.raises(NotThisIncident, match="a mount covers code") as caught:
        scope_of("auto", found)
    assert "take the mount off" in caught.value.hint


@pytest.mark.parametrize(("mounts", "follows"), [((), ["proxy"]), ((BIND,), ["proxy"]), ((VOLUME,), [])])
def test_proxy_that_serves_old_answers_is_replaced_too(mounts: tuple[Mount, ...], follows: list[str]) -> None:
    """The code's containers first, then what publishes a port; a proxy that keeps data is left alone."""
    facts = with_one_more(builders.container("proxy", ports=(8080,), mounts=mounts), responses=(STRAIGHT, CACHED))
    assert replaced(facts) == ["app1", *follows]


@pytest.mark.parametrize(("mounts", "follows"), [((), ["mailer"]), ((VOLUME,), [])])
def test_service_without_code_whose_configuration_is_old_is_replaced_too(
    mounts: tuple[Mount, ...], follows: list[str]
) -> None:
    """Its container alone; one that holds a volume on an old configuration is never restarted by a reset."""
    mailer = builders.container("mailer", mounts=mounts)
    drift = ConfigFact(mailer.name, "mailer", "2", "1", ("environment X",))
    facts = with_one_more(mailer, configs=(drift,))
    assert replaced(facts) == ["app1", *follows]


@pytest.mark.parametrize("mounts", [(), (BIND,), (VOLUME,)])
def test_database_is_never_restarted(mounts: tuple[Mount, ...]) -> None:
    """Wherever its files lie, in a volume or on a bind: its old configuration waits for the engineer."""
    database = builders.container("postgres", mounts=mounts)
    drift = ConfigFact(database.name, "postgres", "2", "1", ("environment X",))
    facts = builders.healthy(
        containers=(builders.container(), database), configs=(drift,),
        databases=(builders.database(service="postgres"),),
    )  # fmt: skip
    assert "config-drift" in diagnose(facts).names()
    assert replaced(facts) == ["app1"]


def test_healthy_neighbours_are_left_alone() -> None:
    """A proxy is recreated for what it serves, not for being there."""
    assert replaced(with_one_more(builders.container("proxy", ports=(8080,)))) == ["app1"]


def test_service_on_the_same_image_goes_along() -> None:
    """A worker that is not built itself runs what the app's build makes; a stranger's image is left alone."""
    facts = builders.healthy(
        services=(
            builders.service(), ServiceFact("worker", "connect-app1", "", ""), ServiceFact("cache", "redis:7", "", "")
        )
    )  # fmt: skip
    assert replaced(facts) == ["app1", "worker"]


def test_without_a_build_there_is_nothing_to_replace() -> None:
    """A stack whose code is nowhere declared has no reset of its code, whatever stands stale in it."""
    facts = with_one_more(builders.container("proxy", ports=(8080,)), responses=(STRAIGHT, CACHED), sources={})
    assert replaced(facts) == []


def test_built_is_what_has_a_context_and_a_known_source() -> None:
    """A service that is built elsewhere, or whose source could not be read, is not built by a reset."""
    facts = builders.healthy(
        services=(builders.service(), builders.service("unread"), ServiceFact("app2", "app", "", "")),
        sources={"app1": builders.source(), "app2": builders.source()},
    )
    assert built_services(facts) == ["app1"]
