"""The plans that empty databases and volumes: whole plans, and that nothing in them is ever lost."""

from __future__ import annotations

import shlex
import time
from dataclasses import replace
from typing import Any

import builders
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drillbook.decide.aside import dated
from drillbook.decide.plan import Object, Step
from drillbook.decide.proof import Proof
from drillbook.decide.reset_data import (
    database_objects,
    database_steps,
    notes,
    volume_names,
    volume_objects,
    volume_steps,
)
from drillbook.decide.reset_stored import plan_volumes
from drillbook.errors import BadParameters, NotObserved, Refused, RunbookError
from drillbook.observe.facts import ContainerFact, HeldFact, Mount, Snapshot, VolumeFact
from drillbook.target import Proxy, Target

STAMP = "2025-10-13T02:03:04.567Z"
AT = "20251013t020304z"
NAME = "20251013t010000Z-abc123"
PROOF = Proof(builders.backup(), False, "rests on proven backup")
CACHE, UP = "connect_cache", "connect_up"
ASIDE = f"{CACHE}-aside-{AT}"
MADE = "2025-10-13T01:00:00Z"


def test_whole_plan_for_a_database() -> None:
    """Renamed, never dropped; an empty one takes its place in the same transaction, and one command swaps back."""
    aside, fresh = f"connect_aside_{AT}", f"connect_fresh_{AT}"
    ended = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'connect'"
    back = f'BEGIN; ALTER DATABASE "connect" RENAME TO "{fresh}"; ALTER DATABASE "{aside}" RENAME TO "connect"; COMMIT'
    psql = ["docker", "exec", "connect-postgres-1", "psql", "-U", "connect", "-d", "postgres", "-c", ended, "-c", back]
    assert database_steps(builders.target(), builders.healthy(), PROOF, STAMP) == (
        Step(
            "aside-main", "database.set_aside", "connect", (),
            f'BEGIN; ALTER DATABASE "connect" RENAME TO "{aside}"; '
            f'ALTER DATABASE "{fresh}" RENAME TO "connect"; COMMIT',
            args={"key": "main", "aside": aside, "fresh": fresh, "backup": NAME},
            destroys=(f"database connect (renamed to {aside}, an empty one takes its place)",),
            recovers=shlex.join(psql), timeout_seconds=120,
        ),
    )  # fmt: skip


def test_the_way_back_to_a_database_of_a_server_of_its_own() -> None:
    """By its host and port; from another database than the one that is renamed."""
    facts = builders.healthy(databases=(builders.database(dbname="postgres"),))
    [step] = database_steps(builders.database_target(), facts, PROOF, STAMP)
    words = shlex.split(step.recovers)
    assert words[:9] == ["psql", "-h", "/run/postgresql", "-p", "5432", "-U", "connect", "-d", "template1"]


@given(st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\0"), min_size=1, max_size=63))
def test_names_fit_the_server(name: str) -> None:
    """63 bytes, whatever the database is called; two that begin alike are kept under two names."""
    dbname = name.encode()[:63].decode(errors="ignore") or "x"
    facts = tuple(builders.database(key=key, dbname=dbname) for key in ("main", "other"))
    raw = {key: {"service": "postgres", "dbname": dbname, "user": "connect"} for key in ("main", "other")}
    steps = database_steps(builders.target(databases=raw), builders.healthy(databases=facts), PROOF, STAMP)
    names = [str(step.args[what]) for step in steps for what in ("aside", "fresh")]
    assert len(set(names)) == 4
    assert all(len(one.encode()) <= 63 and AT in one for one in names)


@pytest.mark.parametrize(
    "stamp", [STAMP, "20251013T020304Z", "2025-10-13T04:03:04+02:00", "2025-10-13T02:03:04", "2025-10-13 02:03:04Z"]
)
def test_the_date_in_a_name_is_utc(stamp: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """However it is written, and wherever it is read."""
    with monkeypatch.context() as patch:
        patch.setenv("TZ", "Asia/Seoul")
        time.tzset()
        found = dated(stamp)
    time.tzset()
    assert found == AT


def test_what_is_no_date_is_told() -> None:
    """Never a name without one."""
    with pytest.raises(RunbookError, match="'yesterday' is no date"):
        dated("yesterday")


def mounting(service: str, *volumes: str, **changes: Any) -> ContainerFact:
    mounts = tuple(Mount("volume", name, "", f"/{name}") for name in volumes)
    return builders.container(service, mounts=mounts, created=MADE, **changes)


def target(**volumes: Any) -> Target:
    return builders.target(volumes={"cache": {"volatile": True}, "up": {"stop": True}, **volumes})


def snapshot(*containers: ContainerFact, **changes: Any) -> Snapshot:
    keys = ("postgres_data", "cache", "up")
    facts: dict[str, Any] = {
        "containers": (builders.postgres(), *(containers or (mounting("redis", CACHE),))),
        "volumes": tuple(VolumeFact(f"connect_{key}", key, MADE, "") for key in keys),
        "held": {name: HeldFact(name, 4, 120, image_id="sha256:r") for name in (CACHE, UP)},
    }
    return builders.healthy(**{**facts, **changes})


REDIS = builders.digest("redis")


def test_whole_plan_for_a_volume() -> None:
    """Its one container is stopped by its id; the copy has a dated name; the last column brings all of it back."""
    alone = ("docker", "run", "--rm", "--label", f"drillbook.helper={ASIDE}", "--network", "none", "--user", "0:0",
             "-v", f"{CACHE}:/drillbook-volume", "--entrypoint", "sh", "sha256:r", "-c",
             "cd /drillbook-volume && find . -mindepth 1 -delete")  # fmt: skip
    back = (
        "docker stop connect-redis-1 && docker run --rm --label drillbook.helper=return --network none --user 0:0 "
        f"-v {ASIDE}:/drillbook-aside:ro -v {CACHE}:/drillbook-volume --entrypoint sh sha256:r -c "
        "'cd /drillbook-volume && find . -mindepth 1 -delete && cp -a /drillbook-aside/. .' && "
        "docker start connect-redis-1"
    )
    assert volume_steps(target(), snapshot(), PROOF, "auto", STAMP) == (
        Step(
            "keep-cache", "volume.keep_aside", CACHE, ("docker", "stop", REDIS),
            args={"volume": CACHE, "key": "cache", "aside": ASIDE, "image_id": "sha256:r", "saves": "",
                  "containers": [REDIS], "starts": [REDIS]},
            recovers="docker start connect-redis-1", timeout_seconds=3600,
        ),
        Step(
            "clear-cache", "volume.clear", CACHE, alone,
            args={"volume": CACHE, "aside": ASIDE, "image_id": "sha256:r", "containers": [REDIS], "starts": [REDIS],
                  "backup": NAME},
            destroys=(f"content of volume {CACHE} (copied to {ASIDE})",), recovers=back, timeout_seconds=3600,
        ),
        Step(
            "start-volumes", "volume.start", "connect-redis-1", ("docker", "start", REDIS),
            args={"asides": {ASIDE: CACHE}, "starts": [REDIS]}, timeout_seconds=300,
        ),
    )  # fmt: skip


def test_all_are_kept_before_one_is_cleared_and_cleared_before_one_starts() -> None:
    """Of two services that share a volume both are stopped, one that did not run is not started."""
    facts = snapshot(mounting("redis", CACHE), mounting("app1", UP, CACHE), mounting("app2", UP, running=False))
    steps = volume_steps(target(), facts, PROOF, ["up", "cache"], STAMP)
    assert [step.id for step in steps] == ["keep-up", "keep-cache", "clear-up", "clear-cache", "start-volumes"]
    ids = {name: builders.digest(name) for name in ("redis", "app1", "app2")}
    assert steps[0].argv == ("docker", "stop", ids["app1"], ids["app2"])
    assert steps[1].argv == ("docker", "stop", ids["redis"], ids["app1"])
    assert sorted(steps[-1].argv[2:]) == sorted([ids["redis"], ids["app1"]])


@pytest.mark.parametrize(("running", "learns"), [(True, ["reload-proxy"]), (False, [])])
def test_proxy_learns_of_what_was_stopped_before_endpoints_are_asked(running: bool, learns: list[str]) -> None:
    """It may have another address then; where nothing was stopped, and where no proxy is declared, nothing is told."""
    facts, behind = snapshot(mounting("redis", CACHE, running=running)), target()
    assert behind.stack is not None
    proxied = behind.model_copy(
        update={"stack": behind.stack.model_copy(update={"proxy": Proxy.model_validate(builders.PROXY)})}
    )
    ids = ["keep-cache", "clear-cache", "start-volumes"]
    after = ["well-endpoints", "hold-volumes"]
    plan = plan_volumes(proxied, facts, PROOF, STAMP, [CACHE])
    assert [step.id for step in plan.steps] == [*ids, *learns, *after]
    assert all(step.args["or_stays"] for step in plan.steps if step.verb == "proxy.switch")
    assert [step.id for step in plan_volumes(target(), facts, PROOF, STAMP, [CACHE]).steps] == [*ids, *after]


def test_what_a_cut_reset_stopped_is_started() -> None:
    """It does not run now, and its mark on the engine says that it did."""
    held = {CACHE: HeldFact(CACHE, 0, 0, image_id="sha256:r", stopped=(REDIS,))}
    steps = volume_steps(target(), snapshot(mounting("redis", CACHE, running=False), held=held), PROOF, "auto", STAMP)
    assert steps[-1].argv == ("docker", "start", REDIS)


def test_a_redis_saves_before_it_is_stopped() -> None:
    """The very container that runs it; one that does not run has nothing to save."""
    held = {CACHE: HeldFact(CACHE, 4, 120, redis=REDIS, keys=3, image_id="sha256:r")}
    facts = snapshot(mounting("app1", CACHE), mounting("redis", CACHE), held=held)
    assert volume_steps(target(), facts, PROOF, "auto", STAMP)[0].args["saves"] == REDIS


def test_a_volume_that_nothing_mounts_stops_nothing() -> None:
    """Kept aside and cleared all the same."""
    steps = volume_steps(target(), snapshot(builders.container()), PROOF, "auto", STAMP)
    assert [step.argv[:2] for step in steps] == [(), ("docker", "run"), ()]


def test_another_engine_is_named_in_the_way_back() -> None:
    """In what a person would type; a step's own argv is run with the engine in its environment."""
    stack = {"project": "connect", "directory": ".", "docker_host": "tcp://engine:2375"}
    steps = volume_steps(target().model_copy(update={"stack": builders.target(stack=stack).stack}), snapshot(), PROOF,
                         "auto", STAMP)  # fmt: skip
    assert steps[1].recovers.count("docker -H tcp://engine:2375 ") == 3
    assert steps[1].argv[:2] == ("docker", "run")


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ("auto", (CACHE,)),
        ("up", (UP,)),
        (UP, (UP,)),
        ("up, cache", (UP, CACHE)),
        (["auto", "cache", CACHE], (CACHE,)),
        ([], ()),
    ],
)
def test_caches_by_themselves_others_by_name(asked: Any, found: tuple[str, ...]) -> None:
    """By key or by full name, each once."""
    assert volume_names(target(), snapshot(), asked) == found


@pytest.mark.parametrize("asked", ["uploads", "all", "none", "foreign_up", "../up"])
def test_a_volume_that_the_stack_has_not_is_told_with_those_it_has(asked: str) -> None:
    """Nothing stands for all of them."""
    with pytest.raises(BadParameters, match="connect has no volume") as caught:
        volume_names(target(), snapshot(), asked)
    assert caught.value.hint.endswith("its volumes are: postgres_data, cache, up; auto: those declared volatile")


ODD = Mount("volume", UP, "", "/srv")


@pytest.mark.parametrize(
    ("containers", "asked"),
    [
        ((builders.postgres(),), "postgres_data"),
        ((builders.postgres(ODD, pgdata="/srv/data"),), "up"),
        ((builders.postgres(Mount("volume", CACHE, "", "/var/lib/postgresql")),), "auto"),
    ],
)
def test_a_database_is_not_emptied_as_files(containers: tuple[ContainerFact, ...], asked: str) -> None:
    """Where its image keeps it, where PGDATA says, and although the target's file calls it a cache."""
    with pytest.raises(Refused, match="holds the data of database main") as caught:
        volume_names(target(), snapshot(*containers, containers=containers), asked)
    assert "scope=database" in caught.value.hint


def test_where_the_server_says_that_its_data_lies_counts() -> None:
    """Also without PGDATA in its environment; what else it mounts may be emptied."""
    facts = snapshot(containers=(builders.postgres(ODD, replace(ODD, name=CACHE, destination="/dumps")),),
                     databases=(builders.database(data_directory="/srv/pg/16"),))  # fmt: skip
    with pytest.raises(Refused, match="holds the data"):
        volume_names(target(), facts, "up")
    assert volume_names(target(), facts, "auto") == (CACHE,)


@pytest.mark.parametrize(
    ("held", "error", "fact"),
    [
        (
            HeldFact(CACHE, 9, 9, control="pg/global/pg_control", image_id="i"),
            Refused,
            "holds a PostgreSQL server's data",
        ),
        (HeldFact(CACHE, 9, 9, others=("stranger-1",), image_id="i"), Refused, "is used by stranger-1"),
        (HeldFact(CACHE, 9, 9), RunbookError, "has sh and find"),
        (None, NotObserved, "is not known"),
    ],
)
def test_a_volume_that_must_not_be_touched(held: HeldFact | None, error: type[RunbookError], fact: str) -> None:
    """A database that nobody declared, a stranger's container, no way to clear it, or never looked into."""
    with pytest.raises(error, match=fact):
        volume_steps(target(), snapshot(held={CACHE: held} if held else {}), PROOF, "auto", STAMP)


def test_objects_tell_how_much_and_what_brings_it_back() -> None:
    """The volume with its bytes and its age, and the container that stands still meanwhile."""
    volume, container = volume_objects(target(), snapshot(), PROOF, "auto", STAMP)
    step = volume_steps(target(), snapshot(), PROOF, "auto", STAMP)[1]
    assert volume == Object(
        "volumes", "volume", CACHE, "clear-cache", step.destroys[0], step.recovers, 120, 1760317200.0
    )
    assert container == Object(
        "volumes", "container", "connect-redis-1", "keep-cache", "stopped, and started again at the end",
        "docker start connect-redis-1", None, 1760317200.0,
    )  # fmt: skip
    facts = builders.healthy(databases=(builders.database(bytes=77),))
    [database] = database_objects(builders.target(), facts, PROOF, STAMP)
    [step] = database_steps(builders.target(), facts, PROOF, STAMP)
    assert database == Object("database", "database", "connect", "aside-main", step.destroys[0], step.recovers, 77)


def test_a_time_that_the_engine_does_not_tell_is_unknown() -> None:
    """As 0, and never an error."""
    odd = snapshot(mounting("redis", CACHE), volumes=(VolumeFact(CACHE, "cache", "", ""),))
    assert volume_objects(target(), odd, PROOF, "auto", STAMP)[0].created == 0.0


def test_notes_name_the_command_that_fills_and_the_one_that_drops() -> None:
    """The proof first, as it was told."""
    said, fill, kept = notes(builders.target(), builders.healthy(), PROOF, "database", STAMP)
    assert said == "rests on proven backup"
    assert fill == (
        "afterwards connect is empty: the application's migration must fill it, or 04-restore: drillbook run restore "
        f"--target connect -p backup={NAME} -p databases=main -p volumes=none"
    )
    assert kept.endswith(f"drillbook run restore --target connect -p drop_kept=connect_aside_{AT}")
    assert notes(target(), snapshot(), PROOF, "volumes", STAMP)[1:] == (
        f"{ASIDE} stay until a plan of their own drops them, when a proven backup holds them: "
        f"drillbook run restore --target connect -p drop_kept={ASIDE}",
    )
    assert notes(builders.target(), snapshot(), PROOF, "volumes", STAMP) == ("rests on proven backup",)


@given(
    st.lists(st.tuples(st.sampled_from(["a", "b", "c"]), st.sets(st.sampled_from([CACHE, UP])), st.booleans()),
             max_size=4, unique_by=lambda one: one[0]),
    st.lists(st.sampled_from(["auto", "up", "cache"]), max_size=3),
)  # fmt: skip
def test_a_plan_never_touches_more_than_it_names(made: list[tuple[str, set[str], bool]], asked: list[str]) -> None:
    """Stops only what mounts a named volume, starts only what ran, clears only after its own copy, removes nothing."""
    containers = [mounting(service, *volumes, running=runs) for service, volumes, runs in made]
    facts = snapshot(*containers, containers=(builders.postgres(), *containers))
    steps = volume_steps(target(), facts, PROOF, asked, STAMP)
    chosen = {step.subject for step in steps if step.verb == "volume.clear"}
    users = {c.id for c in containers if any(m.name in chosen for m in c.mounts)}
    stopped = {one for step in steps if step.verb == "volume.keep_aside" for one in step.argv[2:]}
    started = {one for step in steps if step.verb == "volume.start" for one in step.argv[2:]}
    assert stopped == users
    assert started == {c.id for c in containers if c.running} & users
    verbs = [step.verb for step in steps]
    assert verbs == ["volume.keep_aside"] * len(chosen) + ["volume.clear"] * len(chosen) + ["volume.start"] * bool(
        chosen
    )
    words = [word for step in steps for word in step.argv]
    assert not {"rm", "prune", "down"} & set(words)
