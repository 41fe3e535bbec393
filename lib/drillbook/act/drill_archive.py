"""Read a dump to its end without restoring it: what a fast drill does instead."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from drillbook.act.drill import Drill, under_way
from drillbook.act.executor import Context, verb
from drillbook.act.guard import guarded
from drillbook.act.scratch import BACKUP, image_of, is_local
from drillbook.act.scratch_marks import labels, new_name
from drillbook.decide.plan import Step
from drillbook.observe import binaries
from drillbook.observe.command import environment, run, run_checked
from drillbook.vault.manifest import DumpEntry


@verb("drill.archive")
@guarded
def read_archive(step: Step, context: Context) -> Mapping[str, Any]:
    """pg_restore reads one database's dump to its end, and writes it nowhere."""
    drill, key = under_way(context), str(step.args["key"])
    entry = drill.backup.whole().databases[key]

    def read() -> str:
        words = ("-f", "/dev/null")
        if is_local(context.target, key):
            program = binaries.at_least(entry.content.major).program("pg_restore")
            done = run_checked((program, *words, str(drill.folder / entry.folder)), timeout=step.timeout_seconds)
            return f"read in {done.seconds:.1f} s"
        return _inside(drill, entry, words, context, step.timeout_seconds)

    return {"verdict": drill.attempt(f"{step.subject}:archive", "pg_restore reads it to its end", read)}


def _inside(drill: Drill, entry: DumpEntry, words: tuple[str, ...], context: Context, timeout: float) -> str:
    """As above, by the source's own image, without a network."""
    name, env = new_name(), environment(context.target)
    source = drill.backup.whole().servers[entry.server]
    marks = [word for key, value in labels(context.folder.name).items() for word in ("--label", f"{key}={value}")]
    argv = (
        "docker", "run", "--rm", "--name", name, "--network", "none", *marks, "--user", f"{os.getuid()}:{os.getgid()}",
        "-v", f"{drill.folder}:{BACKUP}:ro", "--entrypoint", "pg_restore", image_of(context.target, source), *words,
        f"{BACKUP}/{entry.folder}",
    )  # fmt: skip
    try:
        return f"read in {run_checked(argv, timeout=timeout, env=env).seconds:.1f} s"
    finally:
        run(("docker", "rm", "-f", "-v", name), timeout=60, env=env)
