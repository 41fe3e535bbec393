"""Plan a restore: beside what is there, compared, and then switched; what was there is kept aside."""

from __future__ import annotations

from collections.abc import Iterable

from drillbook.decide import chosen
from drillbook.decide.chosen import EVERYTHING, Wanted
from drillbook.decide.plan import Plan, Step
from drillbook.decide.restore_volumes import volume_steps
from drillbook.errors import BadParameters, RunbookError
from drillbook.observe.places import DataFacts
from drillbook.vault.backup import Backup
from drillbook.vault.manifest import Manifest

HOURS = 3600
NAME_BYTES = 63


def plan_restore(target: str, backup: Backup, facts: DataFacts, wanted: Wanted = EVERYTHING, jobs: int = 2) -> Plan:
    """The steps that put what is *wanted* of *backup* back. Nothing is destroyed: what was there is kept aside.

    Chosen tables are planned from `facts.tables`.

    Raises:
        BadParameters: something chosen is not in the backup.
        RunbookError: the target has no place for something chosen.
    """
    from drillbook.decide.restore_tables import table_steps

    manifest = backup.whole()
    keys = chosen.databases(manifest, wanted)
    names = chosen.volumes(manifest, wanted)
    if not keys and not names:
        raise BadParameters("nothing is chosen to be restored", "choose with databases=…, tables=… or volumes=…")
    _room_for(keys, names, manifest, facts)
    servers = tuple(dict.fromkeys(facts.databases[key].server for key in keys))
    middle, notes = table_steps(backup, facts, wanted) if wanted.tables else (
        database_steps(keys, backup, facts, wanted, jobs), ()
    )  # fmt: skip
    steps = (
        Step("checksums", "restore.checksums", manifest.name, args={"backup": manifest.name}, timeout_seconds=HOURS),
        *(_roles(key, manifest, facts) for key in servers),
        *middle,
        *volume_steps(names, manifest, facts, backup.short, wanted),
        _compare(keys, names, manifest.name, wanted),
    )
    basis = {"backup": manifest.name, "manifest_sha256": backup.manifest_sha256, **facts.as_json()}
    told = (*notes, *_notes(target, backup, wanted, keys))
    return Plan("restore", target, manifest.identity, basis, steps, told)


def _notes(target: str, backup: Backup, wanted: Wanted, keys: tuple[str, ...]) -> Iterable[str]:
    if backup.verdict != "proven":
        yield f"backup {backup.name} is {backup.verdict}, not proven"
    if wanted.into == "beside" and keys:
        command = chosen.later(target, backup.name, wanted, keys)
        yield f"nothing that is live is touched; to put it in place later: {command}"


def _compare(keys: tuple[str, ...], names: tuple[str, ...], backup: str, wanted: Wanted) -> Step:
    args = {"databases": list(keys), "volumes": list(names), "into": wanted.into, "tables": bool(wanted.tables)}
    return Step("compare", "restore.compare", backup, args=args)


def database_steps(
    keys: tuple[str, ...], backup: Backup, facts: DataFacts, wanted: Wanted, jobs: int
) -> tuple[Step, ...]:
    """Whole databases: beside, compared, and, if they are to go into place, switched."""
    manifest, short = backup.whole(), backup.short
    return (
        *(_database(key, manifest, facts, short, jobs) for key in keys),
        *(_check(key, facts, short) for key in keys),
        *(_switch(key, facts, short) for key in keys if wanted.into == "place"),
    )


def free_name(wanted: str, suffix: str, taken: Iterable[str]) -> str:
    """`wanted` + `suffix`, cut to PostgreSQL's 63 bytes, with `_2`, `_3`, … where that name is taken."""
    known = set(taken)
    for number in range(1, 1000):
        end = suffix if number == 1 else f"{suffix}_{number}"
        name = wanted.encode()[: NAME_BYTES - len(end)].decode(errors="ignore") + end
        if name not in known:
            return name
    raise RunbookError(f"a thousand databases are called {wanted}{suffix}", "remove those that are not needed any more")


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
