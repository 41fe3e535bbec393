"""New containers for old ones: a canary, green beside blue, the switch, the drain.

Shared by every plan that replaces containers. Nothing old is removed before everything new was asked.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from drillbook.decide.moves import Move
from drillbook.decide.plan import Object, Step
from drillbook.decide.way_back import is_behind, recreate, switch, way_back
from drillbook.observe.facts import ContainerFact
from drillbook.observe.image import seconds
from drillbook.target import Proxy

TIMES = 10
MARGIN_SECONDS = 60
GRACE_SECONDS = 120


@dataclass(frozen=True)
class Rollout:
    """The steps of a rollout; if one of `turns` fails, `back` brings the old containers to serve again.

    `checks` touch nothing: they come before everything else, so that no build is made in vain.
    """

    checks: tuple[Step, ...]
    steps: tuple[Step, ...]
    back: tuple[Step, ...]
    turns: tuple[str, ...]
    objects: tuple[Object, ...]
    notes: tuple[str, ...]


def rollout(
    moves: Sequence[Move], compose: tuple[str, ...], proxy: Proxy | None, volumes: Sequence[str], build: str = ""
) -> Rollout:
    """The rollout of *moves*; *build* names the build that must answer, empty: whichever the images tell.

    *compose* is what a compose command starts with; *volumes* must all be there afterwards.
    """
    canaries = [_canary(move) for move in moves if not move.alone]
    acting: list[Step] = []
    there: dict[str, int] = {}
    for move in moves:
        meanwhile = replace(move, needs={name: there.get(name, now) for name, now in move.needs.items()})
        acting += _in_place(meanwhile, compose, proxy) if move.alone else _beside(meanwhile, compose, proxy)
        there[move.name] = _there(move)
    ask = Step("ask-endpoints", "endpoints.answer", "every endpoint", args={"build_id": build, "times": TIMES})
    test = (_test(proxy),) if proxy and any(is_behind(m, proxy) for m in moves) and not _starts(moves, proxy) else ()
    retired = [_retire(move) for move in moves if move.keeps_old]
    steps = (*canaries, *acting, ask, *retired, hold_volumes(volumes))
    turns = tuple(step.id for step in (*acting, ask))
    back = tuple(way_back(moves, compose, proxy))
    return Rollout(test, steps, back, turns, tuple(_objects(moves)), _notes(moves, proxy))


def _starts(moves: Sequence[Move], proxy: Proxy) -> bool:
    """Whether the proxy does not run yet, and this very rollout starts it."""
    return any(move.name == proxy.service and not any(c.running for c in move.old) for move in moves)


def _there(move: Move) -> int:
    """How many containers of it there are once it has moved and before the old ones are retired."""
    old = len(move.old) if move.idle or move.keeps_old else 0
    return old + (0 if move.idle else move.replicas)


def _canary(move: Move) -> Step:
    return Step(
        f"canary-{move.name}", "service.canary", move.name, args={"service": move.name, "image": move.image},
        timeout_seconds=_patience(move),
    )  # fmt: skip


def _patience(move: Move) -> int:
    return int(move.service.ready_seconds) + MARGIN_SECONDS


def _tag(move: Move) -> Iterator[Step]:
    if move.image and "@" not in move.service.image:  # a digest in the compose file is no tag to be given
        argv = ("docker", "tag", move.image, move.service.image)
        yield Step(
            f"tag-{move.name}", "image.tag", move.service.image, argv, args={"image": move.image}, timeout_seconds=60,
            destroys=(f"what the tag {move.service.image} means",), recovers=_retag(move),
        )  # fmt: skip


def _retag(move: Move) -> str:
    before = move.tag_was
    return f"docker tag {before} {move.service.image}" if before else "no container was made from what it meant"


def _beside(move: Move, compose: tuple[str, ...], proxy: Proxy | None) -> list[Step]:
    steps = [*_tag(move)]
    running = sorted(move.old, key=lambda c: (not c.running, c.name))
    for number in range(1, move.replicas + 1):
        last = number == move.replicas
        steps.append(_green(move, compose, number))
        if proxy:
            steps.append(switch(f"switch-{move.name}-{number}", proxy))
        leaving = running[number - 1 :] if last else running[number - 1 : number]
        steps += [_drain(container, move) for container in leaving]
    hold = {"service": move.name}
    return [*steps, Step(f"well-{move.name}", "endpoints.hold", "what was well before", args=hold)]


def _green(move: Move, compose: tuple[str, ...], number: int) -> Step:
    args = {"service": move.name, "was": [c.id for c in move.old], "count": number, "image": move.image}
    return Step(f"green-{move.name}-{number}", "service.green", move.name, _create(move, compose, number), args=args,
                timeout_seconds=_patience(move))  # fmt: skip


def _create(move: Move, compose: tuple[str, ...], number: int) -> tuple[str, ...]:
    """The command that makes *number* new containers beside the old ones, and starts none, and recreates none.

    Not with `--no-deps`: what a container depends on goes into compose's hash of it, and with another hash the next
    `up` that anybody types would recreate it. So each dependency is told to stay at the number that it has: compose
    removes what is beyond the file's, the newest first, and that is what has just come.
    """
    scales = {**move.needs, move.name: len(move.old) + number}
    words = [word for name, number in scales.items() for word in ("--scale", f"{name}={number}")]
    return (*compose, "up", "--no-start", "--pull", "never", "--no-build", "--no-recreate", *words, move.name)


def _test(proxy: Proxy) -> Step:
    args = {"service": proxy.service, "test": list(proxy.test)}
    return Step("test-proxy", "proxy.test", proxy.service, args=args, timeout_seconds=60)


def _drain(container: ContainerFact, move: Move) -> Step:
    return Step(
        f"drain-{container.name}", "service.drain", container.name, ("docker", "stop", container.id),
        args={"id": container.id}, timeout_seconds=int(move.service.grace_seconds) + MARGIN_SECONDS,
        destroys=(f"container {container.name} (stopped, not removed)",), recovers=f"docker start {container.name}",
    )  # fmt: skip


def _in_place(move: Move, compose: tuple[str, ...], proxy: Proxy | None) -> list[Step]:
    if move.idle:
        return [*_tag(move)]
    swap = move.keeps_old
    argv = _create(move, compose, move.replicas) if swap else recreate(move, compose, "-d")
    args = {"service": move.name, "was": [c.id for c in move.old], "image": move.image}
    becomes = "stopped, not removed" if swap else "recreated; its volumes stay"
    replace = Step(
        f"replace-{move.name}", "service.swap" if swap else "service.replace", move.name, argv,
        args={**args, "count": move.replicas} if swap else args, timeout_seconds=_patience(move) + GRACE_SECONDS,
        destroys=tuple(f"container {c.name} ({becomes})" for c in move.old),
        recovers="drillbook run rollback; its image, log and edited files are kept",
    )  # fmt: skip
    learns = (switch(f"reload-{move.name}", proxy),) if proxy and is_behind(move, proxy) else ()
    return [*_tag(move), replace, *learns]


def _retire(move: Move) -> Step:
    names = [c.name for c in move.old]
    args = {"service": move.name, "was": {c.name: c.id for c in move.old}, "replicas": move.replicas}
    return Step(
        f"retire-{move.name}", "service.retire", ", ".join(names), args=args,
        destroys=tuple(f"stopped container {name} (its log and edited files are kept)" for name in names),
        recovers="drillbook run rollback starts a new one from its image, which is kept",
    )  # fmt: skip


def hold_volumes(volumes: Sequence[str]) -> Step:
    """The step that sees that every one of *volumes* is still there."""
    return Step("hold-volumes", "volumes.hold", f"{len(volumes)} volumes", args={"names": list(volumes)})


def _objects(moves: Sequence[Move]) -> Iterator[Object]:
    for move in (move for move in moves if not move.idle):
        step = f"retire-{move.name}" if move.keeps_old else f"replace-{move.name}"
        what = "stopped, removed after every endpoint was asked" if move.keeps_old else "recreated"
        for c in move.old:
            yield Object("containers", "container", c.name, step, what, "drillbook run rollback: its image is kept",
                         created=seconds(c.created))  # fmt: skip


def _notes(moves: Sequence[Move], proxy: Proxy | None) -> tuple[str, ...]:
    beside = [move.name for move in moves if not move.alone]
    said = [f"{', '.join(beside)}: green beside blue, no downtime planned"] if beside else []
    if proxy and _starts(moves, proxy):
        said.append(f"{proxy.service} does not run: its configuration is tested only as it starts")
    if beside and proxy is None:
        said.append("no stack.proxy is declared: one that looks names up only as it starts would lose these services")
    said += [f"{m.name} is replaced in place, down for up to {m.down_seconds:.0f} s: {m.alone}"
             for m in moves if m.alone and not m.idle]  # fmt: skip
    said += [f"{m.name} stays at {m.replicas} containers, where the compose file asks for {m.service.replicas}"
             for m in moves if m.replicas != m.service.replicas and not m.idle]  # fmt: skip
    said += [f"{m.name} is not started: its work is done, or it asks for no container" for m in moves if m.idle]
    return tuple(said)
