"""Label a folder in children that are killed, each at another point; then in this process, to the end.

    python killed_labeling.py SCANS SKILL OUTPUT POINT ...

A point is one of the names below or a number of seconds. Children are forked, so that the libraries are
loaded once.
"""

import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from runpy import run_path
from typing import Any, NoReturn

ROOT = Path(__file__).parents[3]
sys.path[:0] = [str(ROOT), str(ROOT / "volumes")]

from sammed.backbones import loading  # noqa: E402
from sammed.batch import labeler  # noqa: E402
from sammed.batch.manifest import Manifest  # noqa: E402
from sammed.embeddings.config import EncodingConfig  # noqa: E402
from sammed.jobs.auto_label import AutoLabelRequest, auto_label  # noqa: E402
from sammed.progress import Silent  # noqa: E402
from sammed.skills.skill import Skill  # noqa: E402
from sammed_volumes.formats import write_labels  # noqa: E402


def main(scans: str, skill: str, output: str, *points: str) -> None:
    tiny = run_path(str(ROOT / "tests/sammed/conftest.py"))["tiny_sam"]()
    setattr(loading, "load_backbone", lambda _name, **_settings: tiny)  # noqa: B010
    request = AutoLabelRequest(
        inputs=(Path(scans),), skill=Path(skill), output=Path(output), encoding=EncodingConfig(cache=False)
    )
    for point in points:
        child = os.fork()
        if not child:
            prepare(point)
            auto_label(request, Silent())
            os._exit(3)  # the point was never reached
        _, status = os.waitpid(child, 0)
        print(point, "killed" if os.WIFSIGNALED(status) else "came to its end", flush=True)
    statuses = [item.status for item in auto_label(request, Silent()).items]
    print(*statuses)


def prepare(point: str) -> None:
    if point in POINTS:
        POINTS[point]()
        return

    def later() -> None:
        time.sleep(float(point))
        die()

    threading.Thread(target=later, daemon=True).start()


def die(*_arguments: object, **_settings: object) -> NoReturn:
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError("the process survived its kill")


def in_the_middle_of_a_line() -> None:
    """Die when half of the second volume's first line is on disk."""
    write = Manifest._write
    written = []

    def half(manifest: Manifest, line: bytes) -> None:
        written.append(line)
        if len(written) < 4:
            write(manifest, line)
            return
        with manifest.path.open("ab") as file:
            file.write(line[: len(line) // 2])
        die()

    setattr(Manifest, "_write", half)  # noqa: B010


def between_labels_and_provenance() -> None:

    def write_and_die(*arguments: Any, **settings: Any) -> None:
        write_labels(*arguments, **settings)
        die()

    setattr(labeler, "write_labels", write_and_die)  # noqa: B010


def with_a_file_half_written() -> None:
    def half(_labels: object, path: Path, **_settings: object) -> None:
        path.with_name(".partial-0a1b2c3d.nii.gz").write_bytes(b"half")
        die()

    setattr(labeler, "write_labels", half)  # noqa: B010


def after_encoding() -> None:
    setattr(Skill, "label", die)  # noqa: B010


def while_reading() -> None:
    setattr(labeler, "open_volume", die)  # noqa: B010


POINTS: dict[str, Callable[[], None]] = {
    each.__name__: each
    for each in (
        in_the_middle_of_a_line,
        between_labels_and_provenance,
        with_a_file_half_written,
        after_encoding,
        while_reading,
    )
}


if __name__ == "__main__":
    main(*sys.argv[1:])
