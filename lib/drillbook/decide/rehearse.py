"""The rehearsal's plan: a copy of the stack on proven content, cut off from all else, the reset on it, then its end."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from drillbook.decide.plan import Plan, Step
from drillbook.decide.rehearse_config import Config, Copied
from drillbook.decide.rehearse_notes import notes
from drillbook.decide.rehearse_planned import Planned, archived
from drillbook.decide.rehearse_state import meant, runs, scale, waves
from drillbook.errors import Refused
from drillbook.observe.facts import ContainerFact, Snapshot
from drillbook.target import Stack, Target
from drillbook.vault.manifest import Manifest

HOURS = 3600
START_SECONDS = 600


def plan_rehearse(target: Target, snapshot: Snapshot, config: Config, what: Planned) -> Plan:
    """The steps of a rehearsal. They change nothing of the target, and remove all that they made.

    Raises:
        Refused: a database, the proxy or a service with code cannot be copied or cut off.
    """
    stack = target.stack
    assert stack is not None
    refuse_unlike(target, stack, what.made, what.manifest)
    images, project = Images.of(snapshot, what), what.making.project
    steps = (
        Step("sweep", "rehearse.sweep", target.name),
        Step("checksums", "restore.checksums", what.manifest.name, args={"backup": what.manifest.name},
             timeout_seconds=HOURS),
        Step("sources", "rehearse.sources", str(target.directory)),
        Step("images", "rehearse.images", f"{len(images.first)} services", args={"images": named(images.first)}),
        Step("networks", "rehearse.networks", ", ".join(what.made.networks.values()), args={"image": images.any}),
        *_volumes(config, what, images.any),
        *_databases(target, what.manifest),
        *_started(snapshot, what),
        Step("reset", "rehearse.reset", f"scope {what.scope}", args={"scope": what.scope}, timeout_seconds=HOURS),
        Step("end", "rehearse.keep" if what.keep else "rehearse.remove", project),
    )  # fmt: skip
    basis = {"scope": what.scope, "backup": what.manifest.name, "project": project}
    return Plan("rehearse", target.name, target.identity, basis, steps, tuple(notes(target, snapshot, config, what)))


def refuse_unlike(target: Target, stack: Stack, made: Copied, manifest: Manifest) -> None:
    """Return when the copy can be like the target in all that a reset rests on.

    Raises:
        Refused: it cannot.
    """
    for key, database in target.databases.items():
        if not database.service:
            fact = f"database {key} is at {database.host}, not in a service: the copy would have none"
            raise Refused(fact, "a rehearsal is for a stack that has its databases in it")
        if key not in manifest.databases:
            fact = f"{manifest.name} does not hold database {key}"
            raise Refused(fact, "run 02-backup, then 06-drill, then this again")
    needed = {d.service for d in target.databases.values()} | {n for n, s in stack.services.items() if s.code}
    needed |= {stack.proxy.service} if stack.proxy else set()
    for name, why in made.left_out.items():
        if name in needed:
            raise Refused(f"service {name} cannot be cut off from the host: {why}", "rehearse on a machine of its own")


@dataclass(frozen=True)
class Images:
    """service → the image that it is started from; and an image with a shell, for whatever is only held."""

    first: Mapping[str, str]
    any: str

    @classmethod
    def of(cls, snapshot: Snapshot, what: Planned) -> Images:
        """As the target's containers run.

        Raises:
            Refused: there are none.
        """
        found = waves(what.made.images, what.making.there)
        held = {d.service for d in snapshot.databases if d.service} or set(what.making.there)
        images = [runs(containers) for name, containers in sorted(what.making.there.items()) if name in held]
        if not found or not images:
            raise Refused(f"{snapshot.target} has no containers", "start it first: 01-diagnose says what is wrong")
        return cls(found[0].images, images[0][7:19])


def _volumes(config: Config, what: Planned, image: str) -> Iterator[Step]:
    yield Step("volumes", "rehearse.volumes", f"{len(what.made.volumes)} volumes")
    for key, (name, archive) in archived(config, what).items():
        args = {"archive": archive, "image": image}
        yield Step(f"volume-{key}", "rehearse.volume", name, args=args, timeout_seconds=HOURS)


def _databases(target: Target, manifest: Manifest) -> Iterator[Step]:
    names = {key: entry for key, entry in manifest.databases.items() if key in target.databases}
    servers = {entry.server: manifest.servers[entry.server].major for entry in names.values()}
    for key, major in servers.items():
        args = {"key": key, "major": major}
        yield Step(f"server-{key}", "rehearse.server", target.databases[key].service, args=args)
        yield Step(f"roles-{key}", "rehearse.roles", key, args=args)
    for key, entry in names.items():
        args = {"key": key, "major": servers[entry.server], "jobs": target.backup.jobs}
        yield Step(f"restore-{key}", "rehearse.restore", target.databases[key].dbname, args=args,
                   timeout_seconds=6 * HOURS)  # fmt: skip
    for key in names:
        yield Step(f"compare-{key}", "rehearse.compare", target.databases[key].dbname, args={"key": key},
                   timeout_seconds=HOURS)  # fmt: skip


def _started(snapshot: Snapshot, what: Planned) -> Iterator[Step]:
    names, there = what.made.images, {n: found for n, found in what.making.there.items() if n in what.made.images}
    services = {service.name: service for service in snapshot.services}
    numbers = scale(there, services)
    for number, wave in enumerate(waves(names, there), 1):
        args = {"services": wave.services}
        if number > 1:
            args["images"] = named(wave.images)
        if own := [f"{name}={numbers[name]}" for name in wave.services if name in numbers]:
            args["scale"] = own
        yield Step(f"start-{number}", "rehearse.start", what.making.project, args=args, timeout_seconds=START_SECONDS)
    well = {r.endpoint for r in snapshot.responses if r.via == "proxy" and r.status == r.expected_status}
    healthy = [name for name in there if what.making.is_healthy(name)]
    yield Step("well", "rehearse.well", "what is well on the target", timeout_seconds=START_SECONDS,
               args={"services": healthy, "endpoints": sorted(well)})  # fmt: skip
    if moved := meant(names, there, services):
        yield Step("moved", "rehearse.images", "what tags mean by now", args={"images": named(moved)})


def named(images: Mapping[str, str]) -> list[str]:
    """Each as a person reads it: `app1=0a1b2c3d4e5f`, the service and the short id of its image."""
    return [f"{service}={image[7:19]}" for service, image in images.items()]


def containers_by_service(snapshot: Snapshot) -> dict[str, tuple[ContainerFact, ...]]:
    """service → its containers on the target, of those services that are in its compose file."""
    names = {service.name for service in snapshot.services}
    found: dict[str, tuple[ContainerFact, ...]] = {}
    for container in snapshot.containers:
        if container.service in names:
            found[container.service] = (*found.get(container.service, ()), container)
    return found
