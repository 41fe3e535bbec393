"""What a person sits before: the sandbox, JupyterLab through `drillbook open`, and Chromium."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml
from person import HEIGHT, HOUSE, WIDTH, Lab, Notebook, opened
from playwright.sync_api import Browser, BrowserContext, sync_playwright

import checkout
from drillbook.act import embedded, images, install, sandbox
from drillbook.act.site import Site
from drillbook.run import lab as opening
from drillbook.run import runbooks
from drillbook.run.order import Asked, check

PROJECT, PORT = checkout.project("browsertest"), checkout.port(20080)
QUIET = (
    "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update",
    "--disable-sync", "--no-first-run", "--disable-quic",
)  # fmt: skip


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.browser)
            if "stack" in getattr(item, "fixturenames", ()):
                item.add_marker(pytest.mark.docker)


@pytest.fixture(scope="session")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One folder of runs for the whole session: one JupyterLab is rooted in it."""
    outputs = tmp_path_factory.mktemp("browser") / "outputs"
    outputs.mkdir()
    return outputs


@pytest.fixture(autouse=True)
def house(desk: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """This folder in each test, instead of the one that other tests get."""
    monkeypatch.setenv("DRILLBOOK_HOME", str(HOUSE))
    monkeypatch.setenv("DRILLBOOK_OUTPUTS", str(desk))
    for name in ("DRILLBOOK_RUN_DIR", "DRILLBOOK_RESUME"):
        monkeypatch.delenv(name, raising=False)
    return desk


@pytest.fixture(scope="session")
def screens() -> Path:
    """Where the pictures are kept; git ignores them."""
    folder = HOUSE / "outputs" / ".screens"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@pytest.fixture(scope="session")
def has_engine() -> bool:
    """Whether there are containers to look at; ENGINE=embedded says no."""
    return os.environ.get("ENGINE") != "embedded"


@pytest.fixture(scope="session")
def stack(desk: Path, has_engine: bool) -> Iterator[Site]:
    """The sandbox `browsertest`, healthy, taken down when the session ends."""
    if not has_engine:
        pytest.skip("ENGINE=embedded: there are no containers that a reset could replace")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ENGINE", "docker")
        install.ensure_engine()
    images.ensure_images()
    sandbox.up(PROJECT, PORT)
    yield Site(PROJECT)
    sandbox.down(PROJECT)


@pytest.fixture(scope="session")
def target(desk: Path, has_engine: bool, request: pytest.FixtureRequest) -> str:
    """The target's file: the sandbox with a vault of this session's own, or the embedded database."""
    if not has_engine:
        embedded.up_embedded()
        return "embedded"
    site: Site = request.getfixturevalue("stack")
    raw = yaml.safe_load(site.target_file.read_text())
    raw["stack"]["directory"] = str(site.directory)
    for database in raw["databases"].values():
        database["password"] = f"file:{site.password_file}"
    raw["backup"]["vault"] = str(desk.parent / "vault")
    file = desk.parent / f"{PROJECT}.yaml"
    file.write_text(yaml.safe_dump(raw))
    return str(file)


@pytest.fixture(scope="session")
def lab(target: str, desk: Path) -> Iterator[Lab]:
    """One JupyterLab for the session."""
    with opened("verify", target, desk) as (_, server, _copy):
        yield server


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """Debian's Chromium. Its absence fails the tests: what a person sees would go unseen."""
    binary = shutil.which("chromium") or shutil.which("google-chrome")
    if binary is None:
        pytest.fail("chromium is not installed: apt-get install chromium (make test does it as root)", pytrace=False)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=binary, args=list(QUIET))
        yield browser
        browser.close()


@pytest.fixture
def context(chromium: Browser) -> Iterator[BrowserContext]:
    """A window of 1280×800, as on a small laptop, that has never been here."""
    context = chromium.new_context(viewport={"width": WIDTH, "height": HEIGHT})
    yield context
    context.close()


@pytest.fixture
def opens(
    lab: Lab, context: BrowserContext, target: str, desk: Path, screens: Path
) -> Iterator[Callable[..., Notebook]]:
    """Opens a working copy of a runbook in the session's JupyterLab; its kernel ends with the test."""

    def at(runbook: str, **given: str) -> Notebook:
        record = opening.working_copy(check(runbooks.find(runbook), Asked(target, given)))
        notebook = Notebook(context.new_page(), record.folder, screens)
        notebook.open(lab.page_of(record.folder / "notebook.ipynb", desk))
        return notebook

    yield at
    lab.end_kernels()
