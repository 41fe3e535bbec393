"""A service's Dockerfile and ignore file as they lie on the host, and the image that it stands on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from drillbook.observe.dockerfile_syntax import bases, external, parse, stage_of
from drillbook.observe.engine import answering
from drillbook.observe.facts import BaseFact, DockerfileFact, ServiceFact
from drillbook.observe.image import seconds

DERIVED = (
    ".next", ".nuxt", ".output", ".svelte-kit", ".turbo", ".parcel-cache", ".cache", "dist", "build", "out", "target",
    "bin", "obj", "node_modules", "__pycache__", "vendor/bundle", ".gradle", ".venv",
)  # fmt: skip
"""Folders that the builds of well-known tools write beside the sources."""


def dockerfile(service: ServiceFact) -> DockerfileFact | None:
    """The Dockerfile that *service* is built by; None where there is none on this machine. Changes nothing.

    Bytes that are not UTF-8 are replaced. The ignore file is `<Dockerfile>.dockerignore`, else the
    context's `.dockerignore`.
    """
    folder = Path(service.context)
    if not service.context or not folder.is_dir():
        return None
    file = folder / (service.dockerfile or "Dockerfile")
    text = service.dockerfile_inline or _read(file)
    if text is None:
        return None
    own = file.with_name(f"{file.name}.dockerignore")
    ignore = own if own.is_file() and not service.dockerfile_inline else folder / ".dockerignore"
    ignored = _read(ignore)
    return DockerfileFact(
        service=service.name,
        path=f"{folder}: dockerfile_inline of {service.name}" if service.dockerfile_inline else str(file),
        instructions=parse(text),
        text=text,
        ignore_path=str(ignore),
        ignore_text=ignored or "",
        has_ignore=ignored is not None,
        lets_in=_lets_in(folder, ignored or ""),
    )


def _read(file: Path) -> str | None:
    try:
        return file.read_text(errors="replace")
    except OSError:
        return None


def _lets_in(folder: Path, ignore_text: str) -> tuple[str, ...]:
    from docker.utils.build import PatternMatcher

    lines = [line.strip() for line in ignore_text.removeprefix("\ufeff").splitlines()]
    matcher = PatternMatcher([line for line in lines if line and not line.startswith("#")])
    names = [*DERIVED, *([".git"] if (folder / ".git").exists() else [])]
    return tuple(name for name in names if not matcher.matches(f"{name}/x"))


def base_of(engine: Any, service: ServiceFact, fact: DockerfileFact) -> BaseFact | None:
    """The image that the built stage of *fact* stands on, and what its tag means now; None for `scratch`.

    Changes nothing.

    Raises:
        EngineDown: the engine does not answer.
        RunbookError: it could not tell.
    """
    import docker

    stages = bases(fact.instructions, service.build_args)
    found = external(stages, stage_of(stages, service.build_target))
    if found is None:
        return None
    with answering(f"what {found.reference} is"):
        try:
            seen = engine.api.inspect_image(found.reference)
        except (docker.errors.NotFound, docker.errors.NullResource):
            return BaseFact(service.name, found.reference, "", ())
    return BaseFact(
        service=service.name,
        reference=found.reference,
        image_id=seen["Id"],
        layers=tuple((seen.get("RootFS") or {}).get("Layers") or ()),
        created=seconds(seen.get("Created", "")),
        digest=next((d.partition("@")[2] for d in seen.get("RepoDigests") or () if "@" in d), ""),
    )
