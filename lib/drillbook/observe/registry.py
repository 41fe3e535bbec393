"""What an image's reference means at its registry now: the digest, and the platforms that it is there for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from drillbook.errors import RunbookError
from drillbook.observe import engine
from drillbook.target import Target

HUB = "docker.io"


@dataclass(frozen=True)
class RegistryFact:
    """An image at its registry: what *reference* means there now.

    `platforms` are those that it is there for (`linux/amd64`), none where the registry does not tell;
    `engine` is the platform of the engine that is to run it.
    """

    reference: str
    digest: str
    platforms: tuple[str, ...]
    engine: str


def registry_of(reference: str) -> str:
    """The registry that *reference* names, by docker's own rule; empty where it names none."""
    first, slash, _ = reference.partition("/")
    return first if slash and (first == "localhost" or "." in first or ":" in first) else ""


def registry_facts(target: Target, references: Mapping[str, str]) -> dict[str, RegistryFact]:
    """service → what its reference means at its registry, asked by the target's engine; nothing is pulled.

    Whoever must log in there has done so: the credentials are docker's own, and no part of a fact.

    Raises:
        EngineDown: the engine does not answer.
        RunbookError: a registry does not answer, or has no such image.
    """
    client, seen = engine.client(target), dict[str, RegistryFact]()
    with engine.answering("what it runs on"):
        version = client.version()
        client.api.reload_config()  # who logged in while this kernel was alive counts too
    for reference in dict.fromkeys(references.values()):
        with _telling(reference):
            told = client.images.get_registry_data(reference).attrs
        seen[reference] = _fact(reference, told, f"{version['Os']}/{version['Arch']}")
    return {name: seen[reference] for name, reference in references.items()}


def _fact(reference: str, told: Mapping[str, Any], own: str) -> RegistryFact:
    rows = [(row.get("os"), row.get("architecture")) for row in told.get("Platforms") or ()]
    # an index also lists its attestations, as platforms that nobody knows
    platforms = sorted({f"{system}/{kind}" for system, kind in rows if system and kind and kind != "unknown"})
    return RegistryFact(reference, str(told["Descriptor"]["digest"]), tuple(platforms), own)


@contextmanager
def _telling(reference: str) -> Iterator[None]:
    """Turn what goes wrong while a registry is asked for *reference* into an error that names the registry.

    Raises:
        RunbookError: it does not answer, lets nobody in, or has no such image.
    """
    import docker
    import requests

    name = registry_of(reference) or HUB
    try:
        yield
    except docker.errors.NotFound as error:
        fact = f"registry {name} has no {reference}"
        hint = "push it there, or mend image: in the compose file, then plan again; nothing was changed"
        raise RunbookError(fact, hint, str(error)) from error
    except (docker.errors.DockerException, requests.RequestException, OSError) as error:
        said = getattr(error, "explanation", None) or str(error) or type(error).__name__
        hint = f"see that {name} can be reached from the engine, and docker login {name} as the user who runs this;"
        more = f" docker pull {reference} says more. Without it: source=build. Nothing was changed"
        raise RunbookError(f"registry {name} does not tell what {reference} is: {said}", hint + more) from error
