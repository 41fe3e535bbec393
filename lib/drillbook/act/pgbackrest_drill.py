"""The drill of a backup with pgBackRest: its set verified, restored, and recovered to the restore point."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from drillbook.act.drill import under_way
from drillbook.act.executor import Context, verb
from drillbook.act.guard import cleanup, guarded
from drillbook.act.recovered import absent, recovered
from drillbook.act.scratch import Scratch
from drillbook.decide.evidence import Verdict, overall
from drillbook.decide.pgbackrest import compare_untied, verified
from drillbook.decide.plan import Step
from drillbook.errors import RunbookError
from drillbook.observe import database, pgbackrest
from drillbook.observe.command import run
from drillbook.observe.role_facts import differing_roles, role_facts
from drillbook.vault.manifest import ServerEntry

HELP_SECONDS = 30


@verb("pgbackrest.verify")
@guarded
def verify(step: Step, context: Context) -> Mapping[str, Any]:
    """Every file of the set, and of those it is built on, against pgBackRest's own checksums.

    Other sets of the repository do not count, so its exit code does not either:
    newer versions end with an error for any of them. A version without this
    check is told; restoring holds each file against its checksum all the same.
    """
    drill = under_way(context)
    entry = drill.backup.whole().physical[str(step.args["key"])]
    env = pgbackrest.environment()
    asked = (*pgbackrest.as_owner(context.target), "pgbackrest", "help", "verify", "output")
    if run(asked, timeout=HELP_SECONDS, env=env).code != 0:
        why = "this version of pgbackrest prints no result of verify"
        drill.left_out.append({"id": _archive(step), "why": why})
        return {"left_out": why}
    done = run(step.argv, timeout=step.timeout_seconds, env=env)
    told = verified(done.stdout, entry)
    verdict: Verdict = "pass" if set(told.values()) == {"valid"} else "fail"
    observed = ", ".join(f"{label} {status}" for label, status in told.items())
    if done.code != 0 or "status: error" in done.stdout.splitlines():
        observed += (
            f"; the repository has errors: pgbackrest verify ended with {done.code} {done.stderr[-200:]}".rstrip()
        )
    return {"verdict": drill.note(_archive(step), verdict, observed, "every set valid", "pgbackrest verify")}


def _archive(step: Step) -> str:
    return f"{step.args['key']}:archive"


@verb("pgbackrest.drill")
@guarded
def recover(step: Step, context: Context) -> Mapping[str, Any]:
    """A scratch server of the set, recovered to the backup's restore point and no further."""
    drill, key = under_way(context), str(step.args["key"])
    manifest = drill.backup.whole()
    entry, source = manifest.physical[key], manifest.servers[key]
    wanted = f"recovered to restore point {entry.restore_point}"

    def there() -> str:
        with drill.timed():
            server = recovered(context.target, source, entry, step)
            drill.scratch[key] = cleanup(context).enter_context(server)
        ended = str(drill.scratch[key].facts["ended"])
        if f'"{entry.restore_point}"' not in ended:
            raise RunbookError(f"recovery ended elsewhere: {ended}")
        return ended

    if any(check.id == _archive(step) and check.verdict == "fail" for check in drill.checks):
        verdict = drill.note(f"{key}:restore", "unknown", "not tried: the set is damaged", wanted)
    else:
        verdict = drill.attempt(f"{key}:restore", wanted, there)
    server = drill.scratch.setdefault(key, absent(source, entry))
    if verdict == "pass" and entry.tied:
        drill.attempt(f"{key}:roles", f"{len(source.role_names)} roles", partial(roles_as_then, server, source))
    return {"verdict": verdict, **server.facts}


def roles_as_then(server: Scratch, source: ServerEntry) -> str:
    """How many of the source's roles are there.

    Raises:
        RunbookError: one is not as it was.
    """
    with server.connect("postgres") as connection:
        seen = role_facts(connection, source.role_passwords)
    if differ := differing_roles(source.role_facts, seen, same_major=True):
        raise RunbookError(f"roles differ: {', '.join(differ)}")
    return f"{len(source.role_names)} roles"


@verb("pgbackrest.compare_untied")
@guarded
def compare_without_verdict(step: Step, context: Context) -> Mapping[str, Any]:
    """What the scratch server holds beside what was seen when the server was not still: `unknown`, whatever it is."""
    drill = under_way(context)
    entry = drill.backup.whole().databases[str(step.args["key"])]
    try:
        with drill.scratch[entry.server].connect(step.subject) as connection:
            found = compare_untied(entry.content, database.content(connection, step.subject))
    except RunbookError as error:
        return {"verdict": drill.note(f"{step.subject}:compare", "fail", error.fact, "the database can be read")}
    drill.checks += found
    return {"verdict": overall(e.verdict for e in found), "checks": len(found)}
