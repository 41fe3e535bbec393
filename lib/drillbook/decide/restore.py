"""Plan a restore: beside what is there, compared, and then switched; what was there is kept aside."""

from __future__ import annotations

from collections.abc import Iterable

from drillbook.decide.plan import Plan, Step
from drillbook.errors import BadParameters, RunbookError
from drillbook.observe.places import DataFacts, VolumePlace
from drillbook.vault.catalog import Backup
from drillbook.vault.manifest import Manifest

HOURS = 3600
NAME_BYTES = 63
ALL: tuple[str, ...] = ("all",)


def plan_restore(
    target: str,
    backup: Backup,
    facts: DataFacts,
    databases: Iterable[str] = ALL,
    volumes: Iterable[str] = ALL,
    jobs: int = 2,
) -> Plan:
    """The steps that put *backup* back. Nothing is destroyed: databases are renamed, volumes copied aside.

    *databases* are keys of the target, *volumes* keys or names; `all` means every one in the backup.

    Raises:
        BadParameters: something selected is not in the backup.
        RunbookError: the target has no place for something selected.
    """
    manifest = backup.whole()
    chosen = _chosen(tuple(databases), tuple(manifest.databases), "database")
    names = _volumes(tuple(volumes), manifest)
    _room_for(chosen, names, manifest, facts)
    servers = tuple(dict.fromkeys(facts.databases[key].server for key in chosen))
    places = {place.name: place for place in facts.volumes}
    steps = (
        Step("checksums", "restore.checksums", manifest.name, args={"backup": manifest.name}, timeout_seconds=HOURS),
        *(_roles(key, manifest, facts) for key in servers),
        *(_database(key, manifest, facts, backup.short, jobs) for key in chosen),
        *(_check(key, facts, backup.short) for key in chosen),
        *(_switch(key, facts, backup.short) for key in chosen),
        *(step for name in names for step in _volume(places[name], manifest, facts, backup.short)),
        Step("compare", "restore.compare", manifest.name, args={"databases": list(chosen), "volumes": list(names)}),
    )
    notes = () if backup.verdict == "proven" else (f"backup {backup.name} is {backup.verdict}, not proven",)
    basis = {"backup": manifest.name, "manifest_sha256": backup.manifest_sha256, **facts.as_json()}
    return Plan("restore", target, manifest.identity, basis, steps, notes)


def free_name(wanted: str, suffix: str, taken: Iterable[str]) -> str:
    """`wanted` + `suffix`, cut to PostgreSQL's 63 bytes, with `_2`, `_3`, … where that name is taken."""
    known = set(taken)
    for number in range(1, 1000):
        end = suffix if number == 1 else f"{suffix}_{number}"
        name = wanted.encode()[: NAME_BYTES - len(end)].decode(errors="ignore") + end
        if name not in known:
            return name
    raise RunbookError(f"a thousand databases are called {wanted}{suffix}", "remove those that are not needed any more")


def _chosen(asked: tuple[str, ...], known: tuple[str, ...], what: str) -> tuple[str, ...]:
    if asked == ALL:
        return known
    missing = [name for name in asked if name not in known]
    if missing:
        raise BadParameters(f"the backup has no {what} {missing[0]!r}", f"it has: {', '.join(known) or 'none'}")
    return asked


def _volumes(asked: tuple[str, ...], manifest: Manifest) -> tuple[str, ...]:
    by_key = {entry.key: name for name, entry in manifest.volumes.items()}
    return _chosen(tuple(by_key.get(name, name) for name in asked), tuple(manifest.volumes), "volume")


def _room_for(chosen: tuple[str, ...], names: tuple[str, ...], manifest: Manifest, facts: DataFacts) -> None:
    known = {place.name for place in facts.volumes}
    homeless = [key for key in chosen if key not in facts.databases] + [name for name in names if name not in known]
    if homeless:
        raise RunbookError(
            f"the target has no place for {homeless[0]}",
            "start the stack (docker compose up -d makes its volumes), or name less: databases=…, volumes=…",
        )
    for key in chosen:
        was, now = manifest.databases[key].content.major, facts.servers[facts.databases[key].server].major
        if now < was:
            fact = f"database {key} was dumped from PostgreSQL {was}, and its server now runs {now}"
            raise RunbookError(fact, "restore onto a server that is not older than the backup's")


def beside(key: str, facts: DataFacts, short: str) -> str:
    """What the restored database is called until the switch."""
    return free_name(facts.databases[key].dbname, f"_restored_{short}", ())


def _roles(key: str, manifest: Manifest, facts: DataFacts) -> Step:
    source = next(iter(manifest.servers)) if key not in manifest.servers else key
    args = {"key": key, "source": source, "major": facts.servers[key].major}
    return Step(f"roles-{key}", "restore.roles", f"roles that are missing on the server of {key}", args=args)


def _database(key: str, manifest: Manifest, facts: DataFacts, short: str, jobs: int) -> Step:
    entry, name = manifest.databases[key], beside(key, facts, short)
    client = int(entry.client_version.split(".")[0]) if entry.client_version.split(".")[0].isdigit() else 0
    major = max(facts.servers[facts.databases[key].server].major, client)
    args = {**_switched(key, facts, short), "jobs": jobs, "major": major}
    return Step(f"restore-{key}", "restore.database", name, args=args, timeout_seconds=6 * HOURS)


def _check(key: str, facts: DataFacts, short: str) -> Step:
    name = beside(key, facts, short)
    args = _switched(key, facts, short)
    return Step(f"check-{key}", "restore.check", name, args=args, timeout_seconds=HOURS)


def _switched(key: str, facts: DataFacts, short: str) -> dict[str, str]:
    """The names that tell, when a cut run is resumed, whether its switch had been made."""
    place = facts.databases[key]
    aside = free_name(place.dbname, f"_before_{short}", facts.servers[place.server].names) if place.exists else ""
    return {"key": key, "beside": beside(key, facts, short), "aside": aside}


def _switch(key: str, facts: DataFacts, short: str) -> Step:
    place, args = facts.databases[key], _switched(key, facts, short)
    name, aside = args["beside"], args["aside"]
    old = f'ALTER DATABASE "{place.dbname}" RENAME TO "{aside}"; ' if place.exists else ""
    return Step(
        f"switch-{key}", "restore.switch", place.dbname,
        sql=f'BEGIN; {old}ALTER DATABASE "{name}" RENAME TO "{place.dbname}"; COMMIT',
        args=args,
        destroys=(f"database {place.dbname} (renamed to {aside}, its connections ended)",) if place.exists else (),
        recovers=f"swap the names back: {aside} holds everything as it was" if place.exists else "",
        timeout_seconds=120,
    )  # fmt: skip


def _volume(place: VolumePlace, manifest: Manifest, facts: DataFacts, short: str) -> Iterable[Step]:
    entry = manifest.volumes[place.name]
    aside = free_volume(f"{place.name}_before_{short}", facts.volume_names)
    args = {"volume": place.name, "aside": aside, "containers": list(place.containers), "image_id": entry.image_id}
    yield Step(f"keep-{place.key}", "restore.volume_keep", place.name, args=args, timeout_seconds=HOURS)
    yield Step(
        f"fill-{place.key}", "restore.volume_fill", place.name, args=args,
        destroys=(f"content of volume {place.name} (copied to {aside})",),
        recovers=f"copy {aside} back into {place.name}", timeout_seconds=HOURS,
    )  # fmt: skip
    yield Step(f"start-{place.key}", "restore.volume_start", ", ".join(place.containers) or place.name, args=args)


def free_volume(wanted: str, taken: Iterable[str]) -> str:
    """*wanted*, with `_2`, `_3`, … where the engine has a volume of that name."""
    known = set(taken)
    number, name = 1, wanted
    while name in known:
        number += 1
        name = f"{wanted}_{number}"
    return name
