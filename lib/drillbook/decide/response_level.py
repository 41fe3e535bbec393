"""What answers tell of their build, held against the source, and the proxy's held against the replicas'."""

from __future__ import annotations

from collections.abc import Iterator

from drillbook.decide.code import tagged_image
from drillbook.decide.content import source_digest
from drillbook.decide.evidence import Evidence, Verdict
from drillbook.observe.facts import FilesFact, ProcessFact, ResponseFact, Snapshot

CACHE_HEADERS = ("age", "x-cache", "x-cache-status", "x-proxy-cache", "cf-cache-status", "via", "x-varnish")


def response_level(snapshot: Snapshot) -> Iterator[Evidence]:
    """One piece of evidence for each build that was answered; for the proxy whether any replica has it."""
    told = [fact for fact in snapshot.responses if fact.source_digest or fact.build_id]
    straight = [fact for fact in told if fact.via != "proxy"]
    for number, fact in enumerate(told):
        again = sum(f.endpoint == fact.endpoint for f in told[:number])
        yield _fresh(snapshot, fact, f"{fact.endpoint}#{again + 1}" if again else fact.endpoint)
        if fact.via == "proxy" and straight:
            yield _proxied(fact, straight, f"{fact.endpoint}#{again + 1}" if again else fact.endpoint)
        if fact.via != "proxy":
            yield from _loaded(snapshot, fact)


def _build(fact: ResponseFact) -> str:
    often = f" ({fact.times} times)" if fact.times > 1 else ""
    return f"build {fact.build_id or '?'}, source {fact.source_digest[:12] or '?'}{often}"


def _fresh(snapshot: Snapshot, fact: ResponseFact, name: str) -> Evidence:
    image = _image(snapshot, fact)
    subject, how = fact.replica or fact.via, f"curl {fact.url}"
    if image is None:
        return Evidence(f"response:{name}", "response", subject, "unknown", _build(fact),
                        "a manifest to hold it against", how)  # fmt: skip
    if fact.source_digest and image.built_from:
        tracked = snapshot.sources[image.service].tracked
        wanted = source_digest({path: tracked.get(path, "gone") for path in image.built_from})
        verdict: Verdict = "pass" if fact.source_digest == wanted else "fail"
        return Evidence(f"response:{name}", "response", subject, verdict, _build(fact), f"source {wanted[:12]}", how)
    verdict = "unknown" if not image.build_id else "pass" if fact.build_id == image.build_id else "fail"
    return Evidence(f"response:{name}", "response", subject, verdict, _build(fact),
                    f"the image's build {image.build_id or '?'}", how)  # fmt: skip


def _image(snapshot: Snapshot, fact: ResponseFact) -> FilesFact | None:
    """The image that should have answered: the replica's own service's, or the first that can be held against."""
    names = [fact.via] if fact.via in snapshot.sources else list(snapshot.sources)
    images = [image for image in (tagged_image(snapshot, name) for name in names) if image]
    return next((image for image in images if image.built_from or image.build_id), None)


def _proxied(fact: ResponseFact, straight: list[ResponseFact], name: str) -> Evidence:
    builds = {(other.build_id, other.source_digest) for other in straight}
    known = (fact.build_id, fact.source_digest) in builds
    said = ", ".join(f"{key}: {fact.headers[key]}" for key in CACHE_HEADERS if key in fact.headers)
    observed = _build(fact) + (f"; {said}" if said and not known else "")
    fresh = ", ".join(sorted({f"{other.replica or other.via}: build {other.build_id or '?'}" for other in straight}))
    return Evidence(f"proxy:{name}", "response", "proxy", "pass" if known else "fail", observed,
                    f"what a replica answers when asked straight ({fresh})", f"curl -i {fact.url}")  # fmt: skip


def _loaded(snapshot: Snapshot, fact: ResponseFact) -> Iterator[Evidence]:
    """What a replica answers against the manifest that lies in its container: another one was loaded before."""
    process = next((p for p in snapshot.processes if p.name == fact.replica), None)
    if process is None or not (process.built_from or process.build_id):
        return
    verdict: Verdict = "pass" if _same(process, fact) else "fail"
    lies = f"build {process.build_id or '?'}"
    yield Evidence(
        f"started:{fact.endpoint}", "process", process.name, verdict, f"answers {_build(fact)}",
        f"what its files say: {lies}", f"docker inspect -f '{{{{.State.StartedAt}}}}' {process.name}; curl {fact.url}",
    )  # fmt: skip


def _same(process: ProcessFact, fact: ResponseFact) -> bool:
    if fact.source_digest and process.built_from:
        return fact.source_digest == source_digest(process.built_from)
    return not (fact.build_id and process.build_id) or fact.build_id == process.build_id
