"""What of a target holds data, observed: servers, databases, volumes."""

from __future__ import annotations

from dataclasses import replace

import psycopg

from drillbook.observe import engine
from drillbook.observe.places import DatabasePlace, DataFacts, ServerPlace, VolumePlace
from drillbook.observe.server import bootstrap_user, connect, is_superuser, one, server_version, system_identifier
from drillbook.observe.volumes import DeclaredVolume, declared_volumes
from drillbook.target import Target

MAINTENANCE = ("postgres", "template1")


def data_facts(target: Target) -> DataFacts:
    """The target's servers, databases and volumes. Changes nothing.

    A database that its server does not have is a fact (`exists` is false), not an error.

    Raises:
        DatabaseDown: a server does not answer.
        EngineDown: the stack's engine does not answer.
    """
    servers: dict[str, ServerPlace] = {}
    databases: dict[str, DatabasePlace] = {}
    for key, together in _servers(target).items():
        servers[key], found = _server(target, key, together)
        databases.update(found)
    volumes = tuple(_volume(target, v) for v in declared_volumes(target))
    names = [v["Name"] for v in engine.client(target).api.volumes()["Volumes"] or []] if target.stack else []
    return DataFacts(servers, databases, volumes, tuple(sorted(names)), target.vault_url)


def _volume(target: Target, volume: DeclaredVolume) -> VolumePlace:
    place = VolumePlace(volume.name, volume.key, volume.kind, volume.service, volume.containers)
    wanted = target.volumes.get(volume.key) or target.volumes.get(volume.name)
    if wanted is None:
        return place
    return replace(place, before=wanted.before, after=wanted.after, stop=wanted.stop, volatile=wanted.volatile)


def _servers(target: Target) -> dict[str, tuple[str, ...]]:
    """first key → keys of the databases on one server."""
    found: dict[tuple[str, str, int], list[str]] = {}
    for key, database in target.databases.items():
        found.setdefault((database.service, database.host, database.port), []).append(key)
    return {keys[0]: tuple(keys) for keys in found.values()}


def maintenance(target: Target, key: str) -> psycopg.Connection:
    """A reading session on the server of *key* that does not need its database to be there.

    Raises:
        DatabaseDown: the server does not answer.
    """
    from drillbook.errors import DatabaseDown

    own = target.databases[key].dbname
    for name in MAINTENANCE:
        try:
            return connect(target, key, dbname=name)
        except DatabaseDown:
            continue
    return connect(target, key, dbname=own)


def _server(target: Target, key: str, keys: tuple[str, ...]) -> tuple[ServerPlace, dict[str, DatabasePlace]]:
    service = target.databases[key].service
    container = engine.container_of(target, service) if service else None
    with maintenance(target, key) as connection:
        rows = connection.execute(
            "SELECT datname, CASE WHEN has_database_privilege(oid, 'CONNECT') THEN pg_database_size(oid) ELSE 0 END, "
            "datallowconn FROM pg_database WHERE NOT datistemplate ORDER BY datname"
        ).fetchall()
        sizes = {str(name): int(size) for name, size, _ in rows}
        shut = {str(name) for name, _, allowed in rows if not allowed}
        place = ServerPlace(
            key=key, version=server_version(connection), bootstrap_user=bootstrap_user(connection),
            system_identifier=system_identifier(connection), databases=keys, names=tuple(sizes),
            image_id=container.image_id if container else "", image_ref=container.image_ref if container else "",
            preload=one(connection, "SELECT coalesce(current_setting('shared_preload_libraries', true), '')"),
            superuser=is_superuser(connection),
        )  # fmt: skip
    wanted = {k: target.databases[k].dbname for k in keys}
    return place, {
        k: DatabasePlace(k, key, name, name in sizes, sizes.get(name, 0), name not in shut)
        for k, name in wanted.items()
    }
