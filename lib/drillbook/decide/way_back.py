"""The way back of a rollout: the old containers serve again, and what was made beside them goes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from drillbook.decide.moves import Move
from drillbook.decide.plan import Step
from drillbook.target import Proxy


def way_back(moves: Sequence[Move], compose: tuple[str, ...], proxy: Proxy | None) -> Iterator[Step]:
    """Old containers first, then the proxy, and only then the new ones go. Each step may be taken at any time."""
    for move in moves:
        ran = [c.id for c in move.old if c.running]
        anew = bool(move.alone and move.old) and not move.keeps_old
        up = recreate(move, compose, "-d" if ran else "--no-start") if anew else ()
        args = {
            "service": move.name, "tag": move.service.image, "tag_was": move.tag_was, "ran": ran,
            "was": {c.id: c.image_id for c in move.old if c.running or move.alone},
            "how": "anew" if anew else "swap" if move.alone else "beside",
        }  # fmt: skip
        yield Step(f"back-{move.name}", "service.back", move.name, up, args=args)
    if proxy and any(is_behind(move, proxy) for move in moves):
        yield switch("switch-back", proxy, or_stays=True)
    for move in (move for move in moves if move.keeps_old):
        args = {"service": move.name, "was": [c.id for c in move.old], "ran": [c.id for c in move.old if c.running]}
        yield Step(f"remove-new-{move.name}", "service.remove_new", move.name, args=args)
    yield Step("hold-endpoints", "endpoints.hold", "what was well before", args={"service": ""})


def switch(name: str, proxy: Proxy, *, or_stays: bool = False) -> Step:
    """The step that tests the proxy's configuration and has it read anew; *or_stays*: one that fails the test stays."""
    args = {
        "service": proxy.service, "test": list(proxy.test), "reload": list(proxy.reload), "or_stays": or_stays,
        "settle_seconds": proxy.settle_seconds,
    }  # fmt: skip
    return Step(name, "proxy.switch", proxy.service, args=args, timeout_seconds=60 + int(proxy.settle_seconds))


def is_behind(move: Move, proxy: Proxy) -> bool:
    """Whether the proxy must learn of *move*: a new container has an address of its own, in the old one's place too.

    A proxy that is replaced itself reads its configuration as it starts.
    """
    return not move.idle and not (move.alone and move.name == proxy.service)


def recreate(move: Move, compose: tuple[str, ...], how: str) -> tuple[str, ...]:
    """The command that makes its containers anew; as many as there are, where the file asks for another number."""
    scale = () if move.replicas == move.service.replicas else ("--scale", f"{move.name}={move.replicas}")
    return (*compose, "up", how, "--pull", "never", "--no-build", "--no-deps", "--force-recreate", *scale, move.name)
