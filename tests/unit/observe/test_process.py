"""What a running container sees: its image's files, what its own layer changed, what its mounts put there."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from engine_images import made, needs_engine, run

import checkout
from drillbook.act.images import tag as images_tag
from drillbook.errors import RunbookError
from drillbook.observe import engine as looking
from drillbook.observe import inside
from drillbook.observe.facts import ContainerFact, ProcessFact
from drillbook.observe.files import image_files
from drillbook.observe.process import process_files
from drillbook.target import Code

pytestmark = needs_engine
NAME = checkout.project("drillbook-test-process")
CODE = Code(image="/app", artifacts=(".next",), manifest="manifest.json")
ODD = b"odd \xff\nname.js"


def digest(text: str | bytes) -> str:
    return hashlib.sha256(text.encode() if isinstance(text, str) else text).hexdigest()


@pytest.fixture(scope="module")
def image(client: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """An image with code in /app, one name of it not UTF-8."""
    folder = tmp_path_factory.mktemp("code")
    for name, text in {"server.js": "server", "lib/db.js": "db", "manifest.json": '{"build_id": "one"}'}.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text)
    (Path(os.fsdecode(os.fsencode(folder) + b"/" + ODD))).write_text("odd")
    node = f"drillbook-node:{images_tag()}"
    yield made(NAME, folder, f'FROM {node}\nCOPY . /app\nCMD ["sleep", "600"]\n')
    run("docker", "image", "rm", "-f", NAME)


@pytest.fixture(autouse=True)
def outputs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DRILLBOOK_OUTPUTS", str(tmp_path / "outputs"))


@pytest.fixture
def start(client: Any, image: str) -> Iterator[Any]:
    """Starts containers of the image, and removes them."""
    names: list[str] = []

    def begin(*options: str) -> str:
        names.append(f"{NAME}-{len(names)}-{os.getpid()}")
        run("docker", "run", "-d", "--init", "--name", names[-1], "--network", "none", *options, NAME)
        return names[-1]

    yield begin
    for name in names:
        run("docker", "rm", "-f", "-v", name)


def fact(client: Any, name: str) -> ContainerFact:
    seen = client.api.inspect_container(name)
    return looking._container(client, seen, {"com.docker.compose.service": "app"}, {})


def look(client: Any, name: str, image: str, code: Code = CODE) -> ProcessFact:
    container = fact(client, name)
    return process_files(client, container, image_files(client, image, "app", code), code)


@pytest.fixture(params=["here", "elsewhere"])
def place(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """With the container's processes on this machine, and as with an engine on another."""
    if request.param == "elsewhere":
        monkeypatch.setattr(inside, "root_of", lambda engine, container: None)
    return str(request.param)


def test_an_untouched_container_shows_nothing(client: Any, start: Any, image: str, place: str) -> None:
    """What was not changed is the image's, and is not read a second time."""
    seen = look(client, start(), image)
    assert (seen.changed, seen.mounted, seen.covers, seen.unread) == ({}, {}, {}, {})
    assert seen.build_id == "one"
    assert time.time() - 60 < seen.started_at <= time.time()


def test_what_was_changed_added_and_removed(client: Any, start: Any, image: str, place: str) -> None:
    """Each file of the container's own layer is told by content; folders and what tools make by themselves are not."""
    name = start()
    run("docker", "exec", name, "sh", "-c",
        "echo -n edited >/app/server.js; mkdir -p /app/new/logs; echo -n n >/app/new/x.js; rm -r /app/lib; "
        "echo l >/app/new/logs/a.log; touch /app/manifest.json; mkdir /app/empty; echo e >/tmp/elsewhere")  # fmt: skip
    seen = look(client, name, image)
    assert seen.changed == {
        "server.js": digest("edited"), "new/x.js": digest("n"), "lib/db.js": "",
        "manifest.json": digest('{"build_id": "one"}'),
    }  # fmt: skip
    assert seen.changed_at["server.js"] >= int(seen.started_at)


@pytest.mark.parametrize(
    ("command", "changed"),
    [
        ("chmod 700 /app/lib", {}),
        ("rm -r /app/lib; ln -s /tmp /app/lib", {"lib": digest("/tmp"), "lib/db.js": ""}),
        ("rm -r /app/lib; mkdir /app/lib; echo -n n >/app/lib/n.js", {"lib/n.js": digest("n"), "lib/db.js": ""}),
        ("rm -r /app/lib; echo -n file >/app/lib", {"lib": digest("file"), "lib/db.js": ""}),
    ],
)
def test_a_folder_that_gave_way_hides_its_files(
    client: Any, start: Any, image: str, place: str, command: str, changed: dict[str, str]
) -> None:
    """The image's files in a folder that became a link, a file or another folder are gone; a new mode hides none."""
    name = start()
    run("docker", "exec", name, "sh", "-c", command)
    assert look(client, name, image).changed == changed


def test_names_that_are_not_utf8_are_the_same_at_both_levels(client: Any, start: Any, image: str, place: str) -> None:
    """A file with odd bytes in its name has one printable name in image and container."""
    name = start()
    run("docker", "exec", name, "sh", "-c", 'for f in /app/odd*; do echo -n changed >"$f"; done')
    files = image_files(client, image, "app", CODE).files
    [odd] = [path for path in files if path.startswith("odd")]
    assert odd == "odd \\xff\nname.js"
    seen = look(client, name, image)
    if place == "here":
        assert seen.changed == {odd: digest("changed")}
    else:
        assert seen.unread == {"odd \ufffd\nname.js": "gone, or its name is not UTF-8"}


def test_a_manifest_edited_in_place_tells_its_own_build(client: Any, start: Any, image: str, place: str) -> None:
    """The build that the process's files say is the edited one's."""
    name = start()
    run("docker", "exec", name, "sh", "-c", 'echo \'{"build_id": "two"}\' >/app/manifest.json')
    assert look(client, name, image).build_id == "two"


def test_a_folder_mounted_over_code(client: Any, start: Any, image: str, place: str, tmp_path: Path) -> None:
    """A bind shows the host's files, where it covers them, and where it comes from."""
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib/db.js").write_text("mounted")
    seen = look(client, start("-v", f"{tmp_path}/lib:/app/lib:ro"), image)
    assert seen.mounted == {"lib/db.js": digest("mounted")}
    assert seen.covers == {"lib": f"bind {tmp_path}/lib"}


def test_a_single_file_mounted_shows_the_inode(client: Any, start: Any, image: str, tmp_path: Path) -> None:
    """A file that was replaced on the host is still the old one in the container, and that is what is told."""
    file = tmp_path / "server.js"
    file.write_text("first")
    name = start("-v", f"{file}:/app/server.js")
    (tmp_path / "next").write_text("second")
    (tmp_path / "next").rename(file)
    seen = look(client, name, image)
    assert seen.mounted == {"server.js": digest("first")}


def test_an_empty_volume_over_the_code_stays_empty(client: Any, image: str, place: str) -> None:
    """Looking never fills a volume: docker would copy the image's files into an empty one."""
    volume, name = f"{NAME}-empty-{os.getpid()}", f"{NAME}-volume-{os.getpid()}"
    run("docker", "volume", "create", volume)
    try:
        run("docker", "run", "-d", "--name", name, "--mount",
            f"type=volume,src={volume},dst=/app/lib,volume-nocopy", NAME)  # fmt: skip
        seen = look(client, name, image)
        assert (seen.mounted, list(seen.covers)) == ({}, ["lib"])
        assert run("docker", "exec", name, "ls", "-A", "/app/lib") == ""
    finally:
        run("docker", "rm", "-f", "-v", name)
        run("docker", "volume", "rm", volume)


def test_a_read_only_container_can_be_looked_at(client: Any, start: Any, image: str, place: str) -> None:
    """A read-only root file system is no hindrance."""
    assert look(client, start("--read-only"), image).changed == {}


def test_a_tmpfs_is_seen_here_and_unread_elsewhere(client: Any, start: Any, image: str, place: str) -> None:
    """What lies in a tmpfs can only be seen where the process is."""
    seen = look(client, start("--tmpfs", "/app/lib"), image)
    if seen.covers:
        assert list(seen.unread) == ([] if place == "here" else ["lib"])


def test_a_container_that_goes_away_midway_is_a_fact(client: Any, start: Any, image: str, place: str) -> None:
    """What was removed between the list and the look is told, without a traceback."""
    name = start()
    container = fact(client, name)
    run("docker", "rm", "-f", name)
    try:
        with pytest.raises(RunbookError, match="is gone from the engine"):
            process_files(client, container, None, CODE)
    finally:
        start()  # so that the removal at the end finds a container of that name
        run("docker", "rename", f"{NAME}-1-{os.getpid()}", name)
        run("docker", "run", "-d", "--init", "--name", f"{NAME}-1-{os.getpid()}", "--network", "none", NAME)


def test_too_many_changes_are_said(client: Any, start: Any, image: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A container that rewrites all of its code is told as such, not read for minutes."""
    from drillbook.observe import changed

    monkeypatch.setattr(changed, "MOST", 3)
    name = start()
    run("docker", "exec", name, "sh", "-c", "for n in 1 2 3 4 5; do echo $n >/app/f$n.js; done")
    seen = look(client, name, image)
    assert len(seen.changed) == 3
    assert list(seen.unread) == ["f4.js"]


SECRET = "a line of the host's own"


@pytest.mark.parametrize(
    "lead",
    [
        "ln -sf {file} /app/BUILD_ID",
        "ln -sf {file} /app/manifest.json",
        "mv /app/lib /app/was; ln -s {folder} /app/lib",
    ],
)
def test_a_link_never_leads_to_the_hosts_files(
    client: Any, start: Any, image: str, place: str, tmp_path: Path, lead: str
) -> None:
    """A link in a container is its target's name: no content of the host's comes into the evidence by it."""
    (tmp_path / "secret.txt").write_text(SECRET)
    name = start()
    run("docker", "exec", name, "sh", "-c", lead.format(file=tmp_path / "secret.txt", folder=tmp_path))
    seen = look(client, name, image, CODE.model_copy(update={"build_id": "BUILD_ID"}))
    assert SECRET not in repr(seen)
    assert digest(SECRET) not in repr(seen)
    target = tmp_path if "lib" in lead else tmp_path / "secret.txt"
    assert digest(str(target)) in seen.changed.values()


def test_links_and_devices_in_a_mount_are_not_opened(client: Any, start: Any, image: str, tmp_path: Path) -> None:
    """A mount may hold links to files and folders of the host, and pipes that nobody writes to."""
    (tmp_path / "secret.txt").write_text(SECRET)
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib/db.js").symlink_to(tmp_path / "secret.txt")
    (tmp_path / "lib/all").symlink_to(tmp_path)
    os.mkfifo(tmp_path / "lib/pipe")
    code = CODE.model_copy(update={"build_id": "lib/db.js", "manifest": "lib/all/secret.txt"})
    seen = look(client, start("-v", f"{tmp_path}/lib:/app/lib"), image, code)
    assert seen.mounted == {"lib/db.js": digest(str(tmp_path / "secret.txt")), "lib/all": digest(str(tmp_path))}
    assert SECRET not in repr(seen)


def test_a_mount_whose_parent_became_a_link_is_unread(client: Any, start: Any, image: str, tmp_path: Path) -> None:
    """The container moved the mount away and left a link to a folder of the host's in its place."""
    for folder in ("lib", "host/in"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "host/in/db.js").write_text(SECRET)
    name = start("-v", f"{tmp_path}/lib:/app/new/in")
    run("docker", "exec", name, "sh", "-c", f"mv /app/new /app/was && ln -s {tmp_path}/host /app/new")
    seen = look(client, name, image)
    assert seen.unread["new/in"] == "it is gone, or a link leads there"
    assert digest(SECRET) not in repr(seen)
