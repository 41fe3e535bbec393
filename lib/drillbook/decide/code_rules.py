"""The rules that name why code is stale. Pure: evidence in, causes out."""

from __future__ import annotations

from drillbook.decide.cause import Cause, Pieces, subjects
from drillbook.decide.evidence import Evidence


def stale_artifact(seen: Pieces) -> list[Cause]:
    """The image ships the host's build output; not one file of it was made by the build."""
    proof = seen.failed("artifact")
    if not proof:
        return []
    who = subjects(proof)
    more = seen.of(who, seen.failed("bundle", "context"))
    says = (
        "the image ships build output of the host, made from older sources: no rebuild changes that while it is there"
    )
    against = seen.of(who, seen.passed("image"))
    return [Cause("stale-artifact", 0.98, says, (*proof, *more), against)]


def stale_cache_mount(seen: Pieces) -> list[Cause]:
    """Right sources, wrong bundle, no artifact of the host, and a build that keeps its output in a cache mount."""
    proof = seen.failed("cachemount")
    if not proof:
        return []
    who = subjects(proof)
    says = "the build reused output that it keeps in a cache mount, which `--no-cache` does not always clear"
    doubt = "docker buildx prune --filter type=exec.cachemount, build again: the bundle is right then"
    return [Cause("stale-cache-mount", 0.93, says, (*proof, *seen.of(who, seen.failed("bundle"))),
                  seen.of(who, seen.passed("image", "context")), doubt)]  # fmt: skip


def stale_context(seen: Pieces) -> list[Cause]:
    """A file that came into the image with the source's size and time, but not its content."""
    proof = seen.failed("synced")
    if not proof:
        return []
    who = subjects(proof)
    says = "BuildKit kept its copy of a source file, because size and time are the same; `--no-cache` keeps it too"
    doubt = "touch the file and build again, or docker buildx prune --filter type=source.local: the image is right then"
    return [Cause("stale-context", 0.95, says, (*proof, *seen.of(who, seen.failed("image", "bundle"))),
                  seen.of(who, seen.passed("context", "base")), doubt)]  # fmt: skip


def stale_layer(seen: Pieces) -> list[Cause]:
    """Source files in the image are other ones, and neither size and time nor a mount explains it."""
    proof = seen.failed("layer")
    labelled = tuple(e for e in seen.failed("image") if e.observed.startswith("labelled revision"))
    if not proof and not labelled:
        return []
    who = subjects((*proof, *labelled))
    says = "the image was built from older sources: it was not built since, or a layer came from the cache"
    doubt = "docker history shows when each layer was made; build with --no-cache and compare again"
    return [Cause("stale-layer", 0.9 if proof else 0.7, says, (*proof, *seen.of(who, seen.failed("image", "bundle"))),
                  seen.of(who, seen.passed("container", "context")), doubt)]  # fmt: skip


def stale_base(seen: Pieces) -> list[Cause]:
    """The base image's tag has moved on since the image was built on it."""
    proof = seen.failed("base")
    says = "the image stands on an older base image than its tag means now: it was not built since the base was renewed"
    return [Cause("stale-base", 0.9, says, proof, seen.of(subjects(proof), seen.passed("image")))] if proof else []


def stale_container(seen: Pieces) -> list[Cause]:
    """The container was not recreated after its image was built anew."""
    proof = seen.failed("container")
    says = "the container runs an image that its tag no longer means: it was not recreated after the build"
    return [Cause("stale-container", 0.97, says, proof, seen.passed("image"))] if proof else []


def masked_by_mount(seen: Pieces) -> list[Cause]:
    """A volume or bind lies over the image's code and holds another."""
    proof = seen.failed("mount")
    says = "a mount covers the image's code with other code: no build and no new container changes what it holds"
    return [Cause("masked-by-mount", 0.96, says, proof, seen.passed("image"))] if proof else []


def edited_in_place(seen: Pieces) -> list[Cause]:
    """Code files in a container's own layer are not its image's."""
    proof = seen.failed("process")
    says = "code inside the running container was edited in place: it is not its image's, and a recreation undoes it"
    against = seen.of(subjects(proof), seen.passed("mount", "container"))
    return [Cause("edited-in-place", 0.95, says, proof, against)] if proof else []


def process_older_than_code(seen: Pieces) -> list[Cause]:
    """The code in place is newer than the process that should run it."""
    masking = subjects(seen.failed("mount"))
    proof = tuple(e for e in seen.failed("started") if e.subject not in masking)
    told = any("answers" in e.observed for e in proof)
    says = "the process started before its code last changed: it still runs what it loaded then"
    doubt = "" if told else "a process that loads its code anew by itself is fresh; restart it to be sure"
    against = seen.of(subjects(proof), seen.passed("mount", "process"))
    return [Cause("process-older-than-code", 0.95 if told else 0.88, says, proof, against, doubt)] if proof else []


def stale_proxy(seen: Pieces) -> list[Cause]:
    """The proxy answers with a build that no replica has."""
    proof = seen.failed("proxy")
    says = "the proxy answers with a build that no replica runs: a cache in it, or an old address behind it"
    against = tuple(e for e in seen.passed("response") if e.subject != "proxy")
    return [Cause("stale-proxy", 0.96, says, (*proof, *_through(seen)), against)] if proof else []


def _through(seen: Pieces) -> tuple[Evidence, ...]:
    return tuple(e for e in seen.failed("response") if e.subject == "proxy")


def config_drift(seen: Pieces) -> list[Cause]:
    """The container was made from another configuration than the compose file has now."""
    proof = seen.failed("config")
    says = "the container was made from another configuration than the compose file has now"
    return (
        [Cause("config-drift", 0.92, says, proof, seen.of(subjects(proof), seen.passed("container")))] if proof else []
    )


CODE_RULES = (
    stale_artifact, masked_by_mount, stale_container, stale_proxy, stale_context, edited_in_place,
    process_older_than_code, stale_cache_mount, config_drift, stale_layer, stale_base,
)  # fmt: skip
