"""What one service's running containers see of their code, held against their image and the source."""

from __future__ import annotations

from collections.abc import Iterator

from drillbook.decide.code import ServiceCode
from drillbook.decide.content import below, is_code, named
from drillbook.decide.evidence import Evidence, Verdict
from drillbook.observe.facts import FilesFact, ProcessFact

GRACE_SECONDS = 2.0
"""Clocks of file systems tick in steps, and a start takes its time."""


def process_level(code: ServiceCode) -> Iterator[Evidence]:
    """For each running container: what its mounts put in place, what was changed in it, what it started before."""
    for fact in code.processes:
        own = code.images.get(fact.image_id)
        yield from _mounts(code, fact)
        yield _changed(code, fact, own)
        yield from _started(code, fact)


def masked(code: ServiceCode, fact: ProcessFact) -> list[str]:
    """Code that a mount puts in place of the source's, or of the image's where the source has no such file."""
    wrong = {p for p, digest in fact.mounted.items() if p in code.source.tracked and code.source.tracked[p] != digest}
    wrong |= {p for p, digest in fact.built_from.items() if _from_mount(code, fact) and _other(code, p, digest)}
    for cover in fact.covers:
        if code.image and not any(below(path, cover) for path in code.source.tracked):
            ours = {p: d for p, d in code.image.files.items() if below(p, cover) and is_code(p)}
            wrong |= {p for p, digest in ours.items() if fact.mounted.get(p) != digest}
    return sorted(p for p in wrong if not code.generated(p))


def _other(code: ServiceCode, path: str, digest: str) -> bool:
    return code.source.tracked.get(path) != digest


def _from_mount(code: ServiceCode, fact: ProcessFact) -> bool:
    """Whether the manifest that the process sees is a mount's, and not its image's."""
    return bool(fact.covers) and (code.image is None or fact.built_from != code.image.built_from)


def _mounts(code: ServiceCode, fact: ProcessFact) -> Iterator[Evidence]:
    if not fact.covers:
        return
    wrong = masked(code, fact)
    where = ", ".join(f"{path} ← {origin}" for path, origin in fact.covers.items())
    observed = (
        f"{len(wrong)} are not the source's beneath {where}: {named(wrong)}" if wrong else f"{where}: no other code"
    )
    yield Evidence(
        f"mount:{fact.name}", "container", fact.name, "fail" if wrong else "pass", observed,
        "no mount covers the image's code with another", f"docker inspect -f '{{{{json .Mounts}}}}' {fact.name}",
    )  # fmt: skip


def edited(code: ServiceCode, fact: ProcessFact, own: FilesFact | None) -> list[str]:
    """Code in the container's own layer that is not its image's."""
    known = own.files if own else {}
    other = [p for p, digest in fact.changed.items() if known.get(p, "") != digest]
    return sorted(p for p in other if (p in known or p in code.source.tracked) and not code.generated(p))


def _changed(code: ServiceCode, fact: ProcessFact, own: FilesFact | None) -> Evidence:
    wrong = edited(code, fact, own)
    unread = [p for p in fact.unread if not code.generated(p)]
    late = [p for p in wrong if fact.changed_at.get(p, 0.0) > fact.started_at + GRACE_SECONDS]
    verdict: Verdict = "fail" if wrong else "unknown" if unread or own is None else "pass"
    observed = "its image's files, none changed"
    if wrong:
        observed = f"{len(wrong)} files differ: {named(wrong)}"
        observed += "; changed after the process started, so not even loaded" if late == wrong else ""
    elif own is None:
        observed = "its image's files could not be read"
    elif unread:
        observed = f"not read: {unread[0]} ({fact.unread[unread[0]]})"
    return Evidence(
        f"process:{fact.name}", "process", fact.name, verdict, observed, "the process sees the image's files",
        f"docker diff {fact.name}",
    )  # fmt: skip


def _started(code: ServiceCode, fact: ProcessFact) -> Iterator[Evidence]:
    """Mounted code that changed after the process started: it loaded what was there before."""
    seen = [p for p in fact.mounted if is_code(p) and not code.generated(p)]
    if not seen:
        return
    image = code.image.files if code.image else {}
    late = sorted(
        p for p in seen
        if fact.changed_at.get(p, 0.0) > fact.started_at + GRACE_SECONDS and fact.mounted[p] != image.get(p)
    )  # fmt: skip
    observed = f"{len(late)} changed after the process started: {named(late)}" if late else "started after its code"
    yield Evidence(
        f"started:{fact.name}", "process", fact.name, "fail" if late else "pass", observed,
        "the process started after its code last changed",
        f"docker inspect -f '{{{{.State.StartedAt}}}}' {fact.name}; stat the mounted files",
    )  # fmt: skip
