"""A papermill engine whose cell statuses are true, with this very interpreter as the kernel."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

# jsonschema's checks of URIs take 1 s to import, papermill's S3 client a third of what is left; neither is used here.
_UNUSED = [name for name in ("rfc3987_syntax", "rfc3986_validator", "boto3") if name not in sys.modules]
sys.modules.update(dict.fromkeys(_UNUSED))  # type: ignore[arg-type]

from jupyter_client.kernelspec import KernelSpec  # noqa: E402
from jupyter_client.manager import AsyncKernelManager  # noqa: E402
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError  # noqa: E402
from papermill.clientwrap import PapermillNotebookClient  # noqa: E402
from papermill.engines import Engine, NotebookExecutionManager, papermill_engines  # noqa: E402
from papermill.exceptions import PapermillExecutionError  # noqa: E402
from papermill.iorw import papermill_io  # noqa: E402

for _name in _UNUSED:  # whoever else is in this process may want them
    del sys.modules[_name]

from drillbook.act import durable  # noqa: E402
from drillbook.run.redact import Redactor  # noqa: E402

__all__ = ["CellTimeoutError", "DeadKernelError", "PapermillExecutionError", "execute"]

ABORTED = "aborted"
Tell = Callable[..., None]


class ThisPython(AsyncKernelManager):
    """Starts the interpreter that runs drillbook, whatever kernelspec called python3 lies around."""

    @property
    def kernel_spec(self) -> KernelSpec:
        argv = [sys.executable, "-m", "drillbook.run.kernel", "-f", "{connection_file}"]
        return KernelSpec(argv=argv, display_name="Python 3", language="python", metadata={})


class Copy:
    """Where papermill writes the executed copy: whole, mode 0600, without secrets."""

    def __init__(self, redactor: Redactor) -> None:
        self.redactor = redactor

    def read(self, path: str) -> str:
        return Path(path).read_text()

    def write(self, text: str, path: str) -> None:
        durable.replace(Path(path), self.redactor.notebook(text).encode())

    def listdir(self, path: str) -> list[str]:
        return sorted(str(file) for file in Path(path).iterdir())

    def pretty_path(self, path: str) -> str:
        return path


class TruthfulManager(NotebookExecutionManager):  # type: ignore[misc]
    """Never calls a cell completed that did not run to its end."""

    def notebook_complete(self, **_: Any) -> None:
        self.end_time = self.now()
        self.nb.metadata.papermill["end_time"] = self.end_time.isoformat()
        self.nb.metadata.papermill["duration"] = (self.end_time - self.start_time).total_seconds()
        self.save()


class Client(PapermillNotebookClient):  # type: ignore[misc]
    """Executes the cells in order, and tells of each section and of the cell it is in."""

    def __init__(self, nb_man: TruthfulManager, tell: Tell, **options: Any) -> None:
        super().__init__(nb_man, **options)
        self.tell = tell

    def papermill_execute_cells(self) -> None:
        for index, cell in enumerate(self.nb.cells):
            if cell.cell_type != "code":
                cell.metadata.papermill["status"] = self.nb_man.COMPLETED
                self._tell_section(cell.source)
                continue
            self.tell("cell", index=index)
            self.nb_man.cell_start(cell, index)
            if not self._execute(cell, index):
                return

    def _execute(self, cell: Any, index: int) -> bool:
        try:
            self.execute_cell(cell, index)
        except CellExecutionError as error:
            self.nb_man.cell_exception(self.nb.cells[index], cell_index=index, exception=error)
            self.nb_man.cell_complete(self.nb.cells[index], cell_index=index)
            return False
        except BaseException:
            cell.metadata.papermill["status"] = ABORTED
            cell.metadata.papermill["exception"] = True
            raise
        self.nb_man.cell_complete(self.nb.cells[index], cell_index=index)
        return True

    def _tell_section(self, source: str) -> None:
        heading = next((line for line in source.splitlines() if line.startswith("#")), "")
        if heading:
            self.tell("section", text=heading.lstrip("# ").strip())


class RunbookEngine(Engine):  # type: ignore[misc]
    """The engine that `drillbook run` gives papermill."""

    @classmethod
    def execute_notebook(cls, nb: Any, kernel_name: str, output_path: str, **options: Any) -> Any:
        manager = TruthfulManager(nb, output_path=output_path, progress_bar=False, autosave_cell_every=30)
        nb.metadata.drillbook = {"run": options.pop("run")}
        manager.notebook_start()
        try:
            cls.execute_managed_notebook(manager, kernel_name, **options)
        finally:
            manager.notebook_complete()
        return manager.nb

    @classmethod
    def execute_managed_notebook(cls, nb_man: TruthfulManager, kernel_name: str, **options: Any) -> None:
        client = Client(
            nb_man,
            options["tell"],
            kernel_name=kernel_name,
            kernel_manager_class=ThisPython,
            timeout=options["cell_timeout"],
            startup_timeout=options["start_timeout"],
        )
        client.execute(stdout=sys.stderr.fileno(), stderr=sys.stderr.fileno())


def execute(job: dict[str, Any], tell: Tell) -> None:
    """Execute the job's runbook into its folder, saved after every cell.

    Raises:
        PapermillExecutionError, DeadKernelError, CellTimeoutError: how it ended otherwise.
    """
    from papermill import execute_notebook

    folder = Path(job["folder"])
    papermill_io.register(str(folder), Copy(Redactor(job["secrets"])))
    papermill_engines.register("drillbook", RunbookEngine)
    execute_notebook(
        _unformatted(job["notebook"]),
        _unformatted(str(folder / "notebook.ipynb")),
        job["parameters"],
        engine_name="drillbook",
        kernel_name="python3",
        language="python",
        progress_bar=False,
        cell_timeout=job["cell_timeout"],
        run=folder.name,
        tell=tell,
    )


def _unformatted(path: str) -> str:
    """*path* as papermill, which formats paths, leaves it."""
    return path.replace("{", "{{").replace("}", "}}")
