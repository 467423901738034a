"""The manifest: a file of JSON lines with the outcome of every volume of a folder.

A line is added when work on a volume starts, before its labels are written, and when it is done or has
failed; no line is ever changed. The last line of an output counts. A line that a killed process left half
written is ignored, and the next one starts on a new line.
"""

from __future__ import annotations

import json
import os
import platform
import threading
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, BinaryIO, Literal, TypeAlias

from sammed.batch.locks import remove_lock, take_lock
from sammed.storage.fingerprint import Fingerprint
from sammed.storage.provenance import utc_now
from sammed.version import __version__
from sammed_volumes.errors import OutputError
from sammed_volumes.json_text import MALFORMED, parse_json

Status: TypeAlias = Literal["started", "writing", "done", "failed"]

MANIFEST_NAME = "sammed-manifest.jsonl"
FORMAT = 1
_PATIENCE_S = 60  # writing a line takes milliseconds
_PACKAGES = ("torch", "openvino", "numpy")


def versions() -> dict[str, str]:
    """Return the versions of sammed, of Python and of the libraries that numbers depend on."""
    found = {"sammed": __version__, "python": platform.python_version()}
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


@dataclass(frozen=True, slots=True)
class Recipe:
    """What labels depend on besides the image: with another recipe a volume is labeled again."""

    skill_digest: str
    settings: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One line. `output` is relative to the manifest's folder and names the volume.

    `labels_sha256` are the digests of the label volumes that sammed wrote there or is about to write; a file
    with another digest was made or edited by hand. `run` names one start of a command, its workers included.
    `seconds` is the time spent, `slices` counts the slices that hold a label, `labels` names those found.
    """

    output: str
    image: str
    status: Status
    recipe: Recipe
    image_fingerprint: Fingerprint
    series: str | None = None
    labels_sha256: tuple[str, ...] = ()
    seconds: float = 0.0
    slices: int = 0
    labels: tuple[str, ...] = ()
    error: str | None = None
    run: str = ""
    host: str = field(default_factory=platform.node)
    pid: int = field(default_factory=os.getpid)
    time: str = field(default_factory=utc_now)
    versions: Mapping[str, str] = field(default_factory=versions)


class Manifest:
    """The file, read incrementally; several threads and processes may append to it at once."""

    def __init__(self, path: Path, lock: Path) -> None:
        """Open the manifest at `path`; writers hold the file `lock`, whose folder need not exist yet."""
        self.path = path
        self._lock = lock
        self._read_up_to = 0
        self._last: dict[str, Entry] = {}
        self._ends_at: dict[str, int] = {}  # offset of the byte after the last line of an output
        self._starts: dict[tuple[str, str], int] = {}
        self._guard = threading.Lock()

    def last(self, output: str) -> Entry | None:
        """Return the last line about an output, from whichever process."""
        with self._guard:
            self._read()
            return self._last.get(output)

    def size(self) -> int:
        """Return the current length of the file in bytes, whole lines only."""
        with self._guard:
            self._read()
            return self._read_up_to

    def is_since(self, output: str, size: int) -> bool:
        """Whether the last line about an output was added after the file had reached this size."""
        return self._ends_at.get(output, 0) > size

    def starts(self, output: str, run: str) -> int:
        """Return how often a run started work on an output."""
        with self._guard:
            self._read()
            return self._starts.get((output, run), 0)

    def add(self, entry: Entry) -> None:
        """Append a line and wait until it is on disk; OutputError if it can't be written."""
        line = json.dumps(_to_json(entry), ensure_ascii=False).encode() + b"\n"
        try:
            with self._guard:
                self._write(line)
        except OSError as error:
            reason = error.strerror or str(error)
            raise OutputError(
                f"The manifest {self.path} can't be written ({reason}); "
                "free some space or name another place for it."
            ) from error

    def _write(self, line: bytes) -> None:
        lock = take_lock(self._lock, _PATIENCE_S)
        try:
            with self.path.open("ab+") as file:
                file.write(line if _ends_a_line(file) else b"\n" + line)
                file.flush()
                os.fsync(file.fileno())
        finally:
            remove_lock(lock)

    def _read(self) -> None:
        """Read the whole lines that were added since the last call."""
        try:
            with self.path.open("rb") as file:
                if os.fstat(file.fileno()).st_size < self._read_up_to:
                    self._forget()  # the file was replaced by another one
                file.seek(self._read_up_to)
                added = file.read()
        except FileNotFoundError:
            self._forget()
            return
        for line in added.splitlines(keepends=True):
            if line.endswith(b"\n"):
                self._read_up_to += len(line)
                self._take_in(line)

    def _take_in(self, line: bytes) -> None:
        try:
            entry = _from_json(parse_json(line))
        except MALFORMED:
            return  # torn, or from a later sammed: that volume is labeled again
        self._last[entry.output], self._ends_at[entry.output] = entry, self._read_up_to
        if entry.status == "started":
            key = (entry.output, entry.run)
            self._starts[key] = self._starts.get(key, 0) + 1

    def _forget(self) -> None:
        self._read_up_to = 0
        self._last.clear()
        self._ends_at.clear()
        self._starts.clear()


def _ends_a_line(file: BinaryIO) -> bool:
    """Whether the file is empty or ends with a line break."""
    if file.seek(0, os.SEEK_END) == 0:
        return True
    file.seek(-1, os.SEEK_END)
    return file.read(1) == b"\n"


def _to_json(entry: Entry) -> dict[str, object]:
    flat = asdict(entry)
    recipe, image = flat.pop("recipe"), flat.pop("image_fingerprint")
    return {
        "format": FORMAT,
        **flat,
        "image_sha256": image["sha256"],
        "image_stamp": image["stamp"],
        **recipe,
    }


def _from_json(data: Mapping[str, Any]) -> Entry:
    if data["format"] > FORMAT:
        raise ValueError("written by a later sammed")
    names = {each.name for each in fields(Entry)} - {"recipe", "image_fingerprint", "labels", "labels_sha256"}
    return Entry(
        recipe=Recipe(data["skill_digest"], data["settings"]),
        image_fingerprint=Fingerprint(data["image_sha256"], data["image_stamp"]),
        labels=tuple(data["labels"]),
        labels_sha256=tuple(data["labels_sha256"]),
        **{name: data[name] for name in names},
    )
