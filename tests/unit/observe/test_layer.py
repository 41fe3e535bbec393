"""What a container's own layer changed: the overlay's upper folder tells the same as the engine, and sooner."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from engine_images import made, needs_engine, run

import checkout
from drillbook.act.images import tag as images_tag
from drillbook.observe import layer
from drillbook.observe.layer import changes

pytestmark = needs_engine
NAME = checkout.project("drillbook-test-layer")
FILES = ("server.js", "lib/db.js", "lib/deep/er.js", "lib2/x.js")


@pytest.fixture(scope="module")
def image(client: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """An image with code in /srv/app."""
    folder = tmp_path_factory.mktemp("code")
    for name in FILES:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(name)
    yield made(NAME, folder, f'FROM drillbook-node:{images_tag()}\nCOPY . /srv/app\nCMD ["sleep", "600"]\n')
    run("docker", "image", "rm", "-f", NAME)


@pytest.fixture
def container(image: str) -> Iterator[str]:
    name = f"{NAME}-{os.getpid()}"
    run("docker", "run", "-d", "--init", "--name", name, "--network", "none", NAME)
    yield name
    run("docker", "rm", "-f", name)


def told(client: Any, container: str, command: str) -> tuple[layer.Changes, layer.Changes]:
    """What the overlay and what the engine say after *command*."""
    run("docker", "exec", container, "sh", "-c", command)
    here = layer._upper(client, container, "/srv/app")
    assert here is not None, "the overlay could not be read"
    assert changes(client, container, "/srv/app", here=True) == here
    return here, changes(client, container, "/srv/app", here=False)


@pytest.mark.parametrize(
    ("command", "here", "elsewhere"),
    [
        ("true", {}, {}),
        ("echo >/tmp/elsewhere; chmod 700 /srv/app/lib", {}, {"lib": "changed"}),
        (
            "echo >/srv/app/server.js; rm /srv/app/lib/db.js",
            {"server.js": "changed", "lib/db.js": "removed"},
            {"server.js": "changed", "lib": "changed", "lib/db.js": "removed"},
        ),
        ("rm -r /srv/app/lib", {"lib": "removed"}, {"lib": "removed"}),
        (
            "rm -r /srv/app/lib; mkdir /srv/app/lib; echo >/srv/app/lib/n.js",
            {"lib": "replaced", "lib/n.js": "changed"},
            {
                "lib": "changed",
                "lib/n.js": "changed",
                "lib/db.js": "removed",
                "lib/deep": "removed",
            },
        ),
        ("rm -r /srv/app/lib; ln -s lib2 /srv/app/lib", {"lib": "changed"}, None),
        ("rm -r /srv/app", {"": "removed"}, {"": "removed"}),
        ("rm -r /srv", {"": "removed"}, {"": "removed"}),
        ("cd /; rm -r /srv; ln -s /tmp /srv", {"": "removed"}, None),
        ("cd /; rm -r /srv; mkdir -p /srv/app; echo >/srv/app/n.js", {"": "replaced", "n.js": "changed"}, None),
        ("mkfifo /srv/app/pipe", {}, {"pipe": "changed"}),
    ],
)
def test_the_overlay_tells_what_the_engine_does(
    client: Any, container: str, command: str, here: layer.Changes, elsewhere: layer.Changes | None
) -> None:
    """Files, removals, folders replaced by others, by links and by nothing, at the code's folder and above it."""
    seen, asked = told(client, container, command)
    assert seen == here
    if elsewhere is not None:
        assert asked == elsewhere


def test_names_keep_their_bytes(client: Any, container: str) -> None:
    """A name that is not UTF-8 can be opened by what is told."""
    run("docker", "exec", container, "sh", "-c", "echo >/srv/app/\"$(printf 'o\\377\\nd')\"")
    (name,) = changes(client, container, "/srv/app", here=True)
    assert os.fsencode(name) == b"o\xff\nd"


def test_where_the_overlay_cannot_be_read_the_engine_is_asked(
    client: Any, container: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without the right to see the kernel's marks, or with a folder renamed in the overlay, `docker diff` decides."""
    run("docker", "exec", container, "sh", "-c", "echo >/srv/app/server.js")
    with monkeypatch.context() as patch:
        patch.setattr(layer, "_sees_marks", lambda: False)
        assert changes(client, container, "/srv/app", here=True) == {"server.js": "changed"}
    with monkeypatch.context() as patch:
        patch.setattr(layer, "_mark", lambda folder, name: b"/was" if name == "redirect" else b"")
        assert changes(client, container, "/srv/app", here=True) == {"server.js": "changed"}


def test_no_link_leads_out_of_the_layer(client: Any, container: str, tmp_path: Path) -> None:
    """A folder that became a link to one of the host's is a link, and nothing in it is told."""
    (tmp_path / "app").mkdir()
    (tmp_path / "app/secret.js").write_text("secret")
    seen, _ = told(client, container, f"rm -r /srv/app/lib2; ln -s {tmp_path}/app /srv/app/lib2")
    assert seen == {"lib2": "changed"}
