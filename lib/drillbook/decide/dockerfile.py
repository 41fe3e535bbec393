"""Dockerfiles and ignore files, read for what will bite: a stale image, or one that no one can tell from another."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace

from drillbook.decide import dockerfile_context as context
from drillbook.decide import dockerfile_fetch as fetch
from drillbook.decide import dockerfile_lines as lines
from drillbook.decide.finding import Finding, Subject
from drillbook.observe.facts import Snapshot

__all__ = ["RULES", "Finding", "findings"]

RULES: dict[str, Callable[[Subject], Iterator[Finding]]] = {
    "artifact-in-context": context.artifact_in_context,
    "copy-before-build": context.copy_before_build,
    "secrets-in-context": context.secrets_in_context,
    "cache-mount": lines.cache_mount,
    "floating-base": lines.floating_base,
    "no-build-id": lines.no_build_id,
    "fetch-in-run": fetch.fetch_in_run,
    "add-remote": fetch.add_remote,
}


def findings(snapshot: Snapshot) -> tuple[Finding, ...]:
    """Every trap in the services' Dockerfiles and ignore files: warnings first, then by file and line.

    A file that several services are built by is told once, with all of them.
    """
    found = dict[Finding, list[str]]()
    for service in snapshot.dockerfiles:
        subject = _subject(snapshot, service)
        for rule in RULES.values():
            for finding in rule(subject):
                found.setdefault(replace(finding, service=""), []).append(service)
    told = (replace(finding, service=", ".join(services)) for finding, services in found.items())
    return tuple(sorted(told, key=lambda f: (f.severity != "warn", f.file, f.line, f.rule)))


def _subject(snapshot: Snapshot, service: str) -> Subject:
    return Subject(
        service=service,
        fact=snapshot.dockerfiles[service],
        declared=next((s for s in snapshot.services if s.name == service), None),
        context=snapshot.contexts.get(service),
        source=snapshot.sources.get(service),
        base=snapshot.bases.get(service),
    )


def mend(text: str, items: Iterable[Finding]) -> str:
    """*text* with the mended lines of *items*, which are findings of this one file, put in."""
    lines = text.splitlines()
    for item in sorted(items, key=lambda f: f.line, reverse=True):
        if item.end:
            lines[item.line - 1 : item.end] = item.mended
        else:
            lines[item.line : item.line] = item.mended
    return "\n".join(lines) + "\n"
