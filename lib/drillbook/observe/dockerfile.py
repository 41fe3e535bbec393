"""A service's Dockerfile and ignore file as they lie on the host, and the image that it stands on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from drillbook.observe.dockerfile_syntax import bases, external, parse, stage_of
from drillbook.observe.engine import answering
from drillbook.observe.facts import BaseFact, DockerfileFact, ServiceFact
from drillbook.observe.ignore import ignore_file
from drillbook.observe.image import seconds


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
    ignore = folder / ".dockerignore" if service.dockerfile_inline else ignore_file(folder, service.dockerfile)
    ignored = _read(ignore)
    return DockerfileFact(
        service=service.name,
        path=f"{folder}: dockerfile_inline of {service.name}" if service.dockerfile_inline else str(file),
        instructions=parse(text),
        text=text,
        ignore_path=str(ignore),
        ignore_text=ignored or "",
        has_ignore=ignored is not None,
    )


def _read(file: Path) -> str | None:
    try:
        return file.read_text(errors="replace")
    except OSError:
        return None


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
