"""Facts about code: what lies in the source, the build context, the image, the container. Paths are relative.

A path that is not UTF-8 stands with its odd bytes escaped (`\\xff`), the same way at every level.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

Stamp = tuple[int, int]
"""Bytes, and the time of the last change in whole seconds since 1970."""


@dataclass(frozen=True)
class SourceFact:
    """A source tree: path → sha256 of every tracked file, the untracked artifacts, what `.dockerignore` lets in.

    `revised` is when the newest commit was made, in seconds since 1970; 0 without git.
    """

    directory: str
    revision: str
    tracked: Mapping[str, str]
    artifacts: Mapping[str, str]
    dirty: tuple[str, ...] = ()
    ignore_patterns: tuple[str, ...] = ()
    artifacts_in_context: tuple[str, ...] = ()
    is_git: bool = True
    stamps: Mapping[str, Stamp] = field(default_factory=dict)
    revised: float = 0.0


@dataclass(frozen=True)
class ContextFact:
    """What a build of *service* would be given: the build context after `.dockerignore`.

    `tracked` are the source files that get in, `dropped` those that are kept out,
    `untracked` files that no commit knows and that get in. `identical` are those of
    the untracked that lie byte for byte in the image: path → sha256.
    """

    service: str
    directory: str
    tracked: tuple[str, ...]
    dropped: tuple[str, ...]
    untracked: tuple[str, ...]
    identical: Mapping[str, str] = field(default_factory=dict)
    stamps: Mapping[str, Stamp] = field(default_factory=dict)


@dataclass(frozen=True)
class FilesFact:
    """path → sha256 of the files below one folder of an image (`subject` is its id).

    `built_from` is what the embedded manifest says of the sources: path → sha256;
    `build_id` what it, or the file that the target names, says of the build;
    `manifest` where the target's file looks for the manifest, empty where it names none.
    """

    subject: str
    service: str
    folder: str
    files: Mapping[str, str]
    labels: Mapping[str, str] = field(default_factory=dict)
    built_from: Mapping[str, str] = field(default_factory=dict)
    stamps: Mapping[str, Stamp] = field(default_factory=dict)
    build_id: str = ""
    manifest: str = ""


@dataclass(frozen=True)
class ProcessFact:
    """What one running container sees of its code where that is not simply its image's.

    `changed`: path → sha256 now of files that the container's own writable layer
    changed or added, empty for a file that was removed. `mounted`: path → sha256 of
    every file that a mount puts into the code's folder; `covers` names, for each such
    mount, the path that it covers (`.` for the whole folder) → where it comes from.
    `changed_at`: path → seconds since 1970 when a changed or mounted file last
    changed. `unread` are paths that could not be read, with the reason.
    """

    container: str
    name: str
    service: str
    image_id: str
    started_at: float
    changed: Mapping[str, str] = field(default_factory=dict)
    mounted: Mapping[str, str] = field(default_factory=dict)
    covers: Mapping[str, str] = field(default_factory=dict)
    changed_at: Mapping[str, float] = field(default_factory=dict)
    unread: Mapping[str, str] = field(default_factory=dict)
    built_from: Mapping[str, str] = field(default_factory=dict)
    build_id: str = ""


@dataclass(frozen=True)
class LayerFact:
    """One line of an image's history: when it was made (seconds since 1970), by what, and its bytes."""

    created: float
    command: str
    bytes: int


@dataclass(frozen=True)
class ImageFact:
    """An image as the engine tells it; `layers` are the digests of its file systems, lowest first."""

    id: str
    reference: str
    created: float
    bytes: int
    layers: tuple[str, ...]
    labels: Mapping[str, str] = field(default_factory=dict)
    history: tuple[LayerFact, ...] = ()


@dataclass(frozen=True)
class BaseFact:
    """What the final stage of a service's Dockerfile stands on, and the image that its tag means now.

    `image_id` is empty when the engine has no such image; `digest` is the registry's, where it came from one.
    """

    service: str
    reference: str
    image_id: str
    layers: tuple[str, ...]
    created: float = 0.0
    digest: str = ""


@dataclass(frozen=True)
class Instruction:
    """One instruction of a Dockerfile: first and last line (from 1), its word in capitals, all that follows.

    `stage` counts from 0; it is -1 for an ARG before the first FROM.
    """

    line: int
    end: int
    word: str
    value: str
    stage: int


@dataclass(frozen=True)
class DockerfileFact:
    """A service's Dockerfile and the ignore file of its build context, as text and as instructions."""

    service: str
    path: str
    instructions: tuple[Instruction, ...]
    text: str
    ignore_path: str
    ignore_text: str
    has_ignore: bool
