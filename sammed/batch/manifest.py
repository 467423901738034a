"""The manifest: a file of JSON lines that says what became of every volume of a folder.

A line is added when work on a volume starts, when its labels are about to be written, and when it is done or
has failed; nothing is ever changed. The last line of an output is what counts. A line that a killed process
left half-written is passed over, and the next one begins on a line of its own.
"""

from __future__ import annotations

import json
import os
import platform
import threading
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from datetime import datetime, timezone
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, BinaryIO, Literal, TypeAlias

from sammed.batch.locks import remove_lock, take_lock
from sammed.storage.fingerprint import Fingerprint
from sammed.version import __version__
from sammed_volumes.errors import OutputError

Status: TypeAlias = Literal["started", "writing", "done", "failed"]

MANIFEST_NAME = "sammed-manifest.jsonl"
FORMAT = 1
_PATIENCE_S = 60  # a line takes milliseconds
_PACKAGES = ("torch", "openvino", "numpy")


def _now() -> str:
    return datetime.now(timezone.utc).isoformat(timespec="seconds")


def versions() -> dict[str, str]:
    """What computes here: sammed, Python and the libraries that numbers depend on."""
    found = {"sammed": __version__, "python": platform.python_version()}
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


@dataclass(frozen=True, slots=True)
class Recipe:
    """What makes labels of an image: with another recipe they have to be made again."""

    skill_digest: str
    settings: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One line. `output` is relative to the manifest's folder and names the volume.

    `labels_sha256` are the digests of the label volumes that sammed put there or is about to, so that they
    can be told from one that a person made or changed. `run` is one start of a command; its workers share
    it. `seconds` of work, `slices` that hold a label, `labels` found.
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
    time: str = field(default_factory=_now)
    versions: Mapping[str, str] = field(default_factory=versions)


class Manifest:
    """The file, read as far as it goes; several threads and processes may add to it at once."""

    def __init__(self, path: Path, lock: Path) -> None:
        """`lock` is a file beside which nobody writes to the manifest; its folder need not exist yet."""
        self.path = path
        self._lock = lock
        self._read_up_to = 0
        self._last: dict[str, Entry] = {}
        self._ends_at: dict[str, int] = {}  # byte after the last line of an output
        self._starts: dict[tuple[str, str], int] = {}
        self._guard = threading.Lock()

    def last(self, output: str) -> Entry | None:
        """The last line about an output, whoever wrote it."""
        with self._guard:
            self._read()
            return self._last.get(output)

    def size(self) -> int:
        """How far the file goes by now, in bytes."""
        with self._guard:
            self._read()
            return self._read_up_to

    def is_since(self, output: str, size: int) -> bool:
        """Whether the last line about an output was added when the file was that long already."""
        return self._ends_at.get(output, 0) > size

    def starts(self, output: str, run: str) -> int:
        """How often work on an output was begun in a run."""
        with self._guard:
            self._read()
            return self._starts.get((output, run), 0)

    def add(self, entry: Entry) -> None:
        """Add a line, and wait until it is on the disk; OutputError where it can't be written."""
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
        """Take in the whole lines that were added since."""
        try:
            with self.path.open("rb") as file:
                if os.fstat(file.fileno()).st_size < self._read_up_to:
                    self._forget()  # somebody put another file in its place
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
            entry = _from_json(json.loads(line))
        except (ValueError, TypeError, KeyError):
            return  # torn, or of a later sammed: what it said is made again
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
    """Whether the next line may begin where the file ends."""
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
