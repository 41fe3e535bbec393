"""What a reset refuses before it plans: names that others go by too, data that goes with its container, the unseen."""

from __future__ import annotations

import json
from typing import Any

import builders
import pytest

from drillbook.decide.safety import refuse_unsafe
from drillbook.errors import DataNotKept, NameTaken, NotObserved, Refused
from drillbook.observe.facts import ContainerFact, Mount, ServiceFact, Snapshot, StrangerFact, VolumeFact
from drillbook.target import Target

DATA, NAMELESS = "/var/lib/postgresql/data", "f" * 64
KEPT = Mount("volume", "connect_postgres_data", "", DATA)
ANONYMOUS = Mount("volume", NAMELESS, "", DATA, anonymous=True)
OTHER = StrangerFact("connect-web-1", "web", "/srv/other", ("/srv/other/compose.yaml",), running=True)


def stack(*containers: ContainerFact, told: str = "", **changes: Any) -> Snapshot:
    """The healthy stack with these containers; *told* is the data directory as the server tells it."""
    return builders.healthy(
        containers=containers or (builders.postgres(),), databases=(builders.database(data_directory=told),), **changes
    )


def refused(snapshot: Snapshot, target: Target | None = None) -> Refused:
    """The refusal, which every caller can rely on to be one of a gate."""
    with pytest.raises(Refused) as caught:
        refuse_unsafe(target or builders.target(), snapshot)
    error = caught.value
    assert (error.exit_code, error.status) == (3, "refused")
    assert error.hint
    json.dumps(error.evidence)
    return error


def layer(**changes: Any) -> ContainerFact:
    """The database's container with its files in its own layer; another folder of it is kept."""
    return builders.postgres(Mount("volume", "connect_logs", "", "/var/log"), **changes)


def test_healthy_stack_is_not_refused() -> None:
    """A stack alone under its name, with its database on a named volume, may be reset."""
    refuse_unsafe(builders.target(), builders.healthy())


def test_database_without_a_stack_has_nothing_to_refuse() -> None:
    """No container, no project name: whatever could not be seen of them is no matter."""
    refuse_unsafe(builders.database_target(), builders.healthy(strangers=(OTHER,), unknown={"containers": "gone"}))


@pytest.mark.parametrize("name", ["containers", "project name"])
def test_unknown_is_not_pass(name: str) -> None:
    """Whoever could not see the containers, or who else goes by the name, does not reset."""
    error = refused(stack(unknown={name: "the container engine does not answer", "disks": "x"}))
    assert type(error) is NotObserved
    assert error.fact.endswith(f"could not be observed: {name}: the container engine does not answer")


def test_other_unknowns_are_not_this_gates() -> None:
    """A disk that cannot be seen says nothing of names and data."""
    refuse_unsafe(builders.target(), stack(unknown={"disks": "x", "configuration": "y"}))


def test_stack_of_the_same_name_is_named_with_its_containers() -> None:
    """The other folder, its files, each of its containers, and what to do."""
    stopped = StrangerFact("connect-web-2", "web", "/srv/other", OTHER.files, running=False)
    old = StrangerFact("connect-old-1", "old", builders.DIRECTORY, (f"{builders.DIRECTORY}/old.yaml",), running=False)
    error = refused(stack(strangers=(OTHER, stopped, old)))
    assert type(error) is NameTaken
    assert error.fact == (
        "the compose project name connect is also that of /srv/other (compose.yaml): connect-web-1, connect-web-2"
        " (stopped); /opt/connect (old.yaml): connect-old-1 (stopped)"
    )
    assert error.reason == "project-name-taken"
    assert "stack.project" in error.hint
    assert "`name:`" in error.hint
    assert [row["container"] for row in error.evidence] == ["connect-web-1", "connect-web-2", "connect-old-1"]


def test_stranger_without_a_folder_is_named_too() -> None:
    """An old compose told no folder; its container is in danger all the same."""
    error = refused(stack(strangers=(StrangerFact("connect_web_1", "web", "", (), running=True),)))
    assert "also that of a folder that no label tells: connect_web_1" in error.fact


def test_name_comes_before_data() -> None:
    """While the name is not this stack's alone nobody can say whose data it is."""
    assert type(refused(stack(builders.postgres(ANONYMOUS), strangers=(OTHER,)))) is NameTaken


@pytest.mark.parametrize(
    ("container", "told", "fate"),
    [
        (builders.postgres(ANONYMOUS), "", f"on the anonymous volume {NAMELESS}"),
        (layer(), "", "in the container's own layer"),
        (builders.postgres(Mount("tmpfs", "", "", DATA)), "", "in memory"),
        (builders.postgres(tmpfs=("/var/lib/postgresql/data/pg",)), f"{DATA}/pg", "in memory"),
        (builders.postgres(Mount("volume", NAMELESS, "", "/var/lib/postgresql", anonymous=True)), "", "anonymous"),
        (builders.postgres(), "/srv/pgdata", "in the container's own layer"),
        (builders.postgres(pgdata="/srv/pgdata"), "", "in the container's own layer"),
        (builders.postgres(), "/var/lib/postgresql/database", "in the container's own layer"),
        (
            builders.postgres(KEPT, Mount("volume", NAMELESS, "", "/var/lib/postgresql", anonymous=True)),
            "/var/lib/postgresql/18/docker",
            "anonymous",
        ),
        (builders.postgres(KEPT, Mount("volume", NAMELESS, "", f"{DATA}/pg", anonymous=True)), f"{DATA}/pg", "anonymo"),
        (layer(running=False), "", "in the container's own layer"),
    ],
)
def test_data_that_goes_with_its_container_is_refused(container: ContainerFact, told: str, fate: str) -> None:
    """No name, no disk, no mount, or the right mount in the wrong place: by the server, PGDATA or the default."""
    error = refused(stack(builders.container(), container, told=told))
    assert type(error) is DataNotKept
    assert error.reason == "data-not-kept"
    assert error.fact.startswith(
        f"the files of database main lie in {told or container.pgdata or DATA} of connect-post"
    )
    assert fate in error.fact


@pytest.mark.parametrize(
    ("container", "told"),
    [
        (builders.postgres(), DATA),
        (builders.postgres(), f"{DATA}/pgdata"),
        (builders.postgres(pgdata="/srv/pgdata"), f"{DATA}/pgdata"),
        (builders.postgres(Mount("volume", "connect_pg", "", "/var/lib/postgresql")), "/var/lib/postgresql/18/docker"),
        (builders.postgres(Mount("bind", "", "/srv/pg", "/srv"), pgdata="/srv/pgdata"), ""),
        (builders.postgres(KEPT, Mount("volume", NAMELESS, "", "/var/lib/postgresql", anonymous=True)), DATA),
        (builders.postgres(KEPT, tmpfs=("/run", "/tmp")), ""),
        (builders.container("another", mounts=(ANONYMOUS,)), ""),
    ],
)
def test_data_on_a_named_volume_or_a_bind_is_kept(container: ContainerFact, told: str) -> None:
    """Wherever below the mount they lie; what the server says goes before PGDATA; other services are not asked."""
    refuse_unsafe(builders.target(), stack(container, told=told))


def test_server_beside_the_stack_is_not_in_a_container_of_it() -> None:
    """A database at a host has its files where its own keeper put them."""
    outside = {"host": "10.0.0.5", "dbname": "connect", "user": "connect"}
    refuse_unsafe(builders.target(databases={"main": outside}), stack(layer(), told="/srv/pgdata"))


def test_each_place_is_evidence() -> None:
    """The container, the directory, who told it, and on what it lies."""
    [row] = refused(stack(builders.postgres(ANONYMOUS), told=DATA)).evidence
    assert row == {
        "database": "main",
        "tablespace": "",
        "container": "connect-postgres-1",
        "directory": DATA,
        "told_by": "so says the server",
        "kind": "volume",
        "volume": NAMELESS,
    }


def test_whole_way_from_an_anonymous_volume() -> None:
    """A proven backup, stop, copy into an empty named volume, and only then the compose file and `up`."""
    run = "docker run --rm --network none --user 0 --entrypoint sh -v connect_postgres_data:/new"
    empty = """test -z "$(ls -A /new)" || { echo the new volume is not empty >&2; exit 1; }"""
    copy = f"-c '{empty}; cp -a /old/. /new/ && sync'"
    labels = "--label com.docker.compose.project=connect --label com.docker.compose.volume=postgres_data"
    up = "--project-directory /opt/connect -f /opt/connect/compose.yaml up -d --no-build --no-deps postgres"
    assert (
        refused(stack(builders.postgres(ANONYMOUS), volumes=())).hint
        == f"""\
until these files are kept, let nothing remove or recreate connect-postgres-1: no up, no down, no rm. \
The way there, in this order:
1. take a backup and prove it (02-backup, 06-drill)
     drillbook run backup --target connect
     drillbook run drill --target connect
2. stop the server
     docker stop -t 120 connect-postgres-1
3. make the volume, as compose would
     docker volume create {labels} connect_postgres_data
4. copy the files (if this fails: docker start connect-postgres-1, and all is as before)
     {run} -v {NAMELESS}:/old:ro {builders.NEW} {copy}
5. add to /opt/connect/compose.yaml, in place of any other mount at {DATA}
     services: {{postgres: {{volumes: ["postgres_data:{DATA}"]}}}}
     volumes: {{postgres_data: }}
6. put the server on its volume
     docker compose -p connect {up}
7. when the next backup is proven, and not before
     docker volume rm {NAMELESS}"""
    )


def way(snapshot: Snapshot, target: Target | None = None) -> list[str]:
    """The lines to be taken as they stand."""
    hint = refused(snapshot, target).hint
    return [line.strip() for line in hint.splitlines() if line.startswith("     ")]


def test_way_from_the_containers_layer_keeps_a_copy_of_it() -> None:
    """The layer can be mounted nowhere: an image of the container is what is copied from, and what leads back."""
    container = layer(pgdata="/srv/my pg")
    image = f"connect-data:{container.id[:12]}"
    _, _, stop, commit, create, copy, service, volume, up, left = way(stack(container, volumes=()))
    assert stop.startswith("docker stop")
    assert commit == f"docker commit connect-postgres-1 {image}"
    assert create.endswith(" connect_postgres_data")
    assert f"-v connect_postgres_data:/new {image} -c 'test -z" in copy
    assert """cp -a '"'"'/srv/my pg'"'"'/. /new/""" in copy
    assert (service, volume) == (
        'services: {postgres: {volumes: ["postgres_data:/srv/my pg"]}}',
        "volumes: {postgres_data: }",
    )
    assert up.endswith("postgres")
    assert left == f"docker image rm {image}"


def test_tablespace_in_the_layer_is_refused_and_emptied_first() -> None:
    """It goes into the data directory while the server runs: nothing must be recreated for that."""
    told = builders.database(data_directory=DATA, tablespaces={"logs": f"{DATA}/logs", 'f"x': "/fast"})
    snapshot = builders.healthy(databases=(told,))
    assert refused(snapshot).fact == (
        "the files of tablespace f\"x lie in /fast of connect-postgres-1 (so says the server), in the container's own"
        " layer: they go with it"
    )
    beside = builders.healthy(containers=(builders.postgres(ANONYMOUS),), databases=(told,))
    assert [row["tablespace"] for row in refused(beside).evidence] == ["logs", 'f"x', ""]
    _, _, move, drop = way(snapshot)
    psql = "docker exec connect-postgres-1 psql -p 5432 -U connect -d connect -c"
    assert move.startswith(f"""{psql} 'ALTER TABLE ALL IN TABLESPACE "f""x" SET TABLESPACE pg_default; ALTER INDEX""")
    assert drop == f"""{psql} 'DROP TABLESPACE "f""x"'"""


def test_way_from_memory_leads_through_a_backup() -> None:
    """What is in memory alone is gone with the stop: nothing is stopped before the backup is proven."""
    snapshot = stack(builders.postgres(Mount("tmpfs", "", "", DATA)), volumes=())
    assert "let nothing stop connect-postgres-1" in refused(snapshot).hint
    backup, drill, _, _, up, restore = way(snapshot)
    assert backup == "drillbook run backup --target connect"
    assert drill == "drillbook run drill --target connect"
    assert up.startswith("docker compose")
    assert restore == "drillbook run restore --target connect"


def test_volume_that_is_in_use_is_not_taken_for_the_new_one() -> None:
    """Beside `postgres_data`, mounted in the wrong place, the way leads to another volume, in the mount's place."""
    wrong = Mount("volume", NAMELESS, "", "/var/lib/postgresql", anonymous=True)
    _, _, _, create, _, service, *_ = way(stack(builders.postgres(KEPT, wrong), told="/var/lib/postgresql/18/docker"))
    assert create.endswith("volume=postgres_data2 connect_postgres_data2")
    assert service == 'services: {postgres: {volumes: ["postgres_data2:/var/lib/postgresql"]}}'


def test_volume_that_the_compose_file_names_already_is_the_one() -> None:
    """Whoever mended the compose file first goes on with its own name, and is not sent to edit it again."""
    services = (ServiceFact("postgres", "postgres:16", "", "", (("connect_pg", DATA),)),)
    volumes = (VolumeFact("connect_pg", "pg", "", ""),)
    snapshot = stack(builders.postgres(ANONYMOUS), services=services, volumes=volumes)
    assert f"5. leave /opt/connect/compose.yaml as it is: it names the volume pg for {DATA}" in refused(snapshot).hint
    assert way(snapshot)[3].endswith("volume=pg connect_pg")


def test_commands_go_to_the_targets_own_engine() -> None:
    """On an engine elsewhere every docker command says so."""
    target = builders.target(stack={"project": "connect", "directory": ".", "docker_host": "ssh://db1"})
    commands = [line for line in way(stack(layer()), target) if line.startswith("docker ")]
    assert len(commands) == 6
    assert all(line.startswith("docker -H ssh://db1 ") for line in commands)
