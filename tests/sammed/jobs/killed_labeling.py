"""Labels a folder in children that are killed, each at another point; the last one is left in peace.

    python killed_labeling.py SCANS SKILL OUTPUT POINT ...

Points are named below, or a number of seconds. Children are forked, so that the libraries are loaded once.
"""

import os
import signal
import sys
import threading
import time
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

ROOT = Path(__file__).parents[3]
sys.path[:0] = [str(ROOT), str(ROOT / "volumes")]

from sammed.jobs.labeling import label  # noqa: E402
from sammed.jobs.requests import LabelingRequest  # noqa: E402

from sammed.batch import manifest  # noqa: E402
from sammed.jobs import labeler, machine  # noqa: E402
from sammed.progress import Silent  # noqa: E402


def main(scans, skill, output, *points):
    tiny = tiny_sam()
    machine.load_backbone = lambda _name, **_settings: tiny
    request = LabelingRequest(inputs=(Path(scans),), skill=Path(skill), output=Path(output), cache=False)
    for point in points:
        child = os.fork()
        if not child:
            prepare(point)
            label(request, Silent())
            os._exit(3)  # the point was never reached
        _, status = os.waitpid(child, 0)
        print(point, "killed" if os.WIFSIGNALED(status) else "came to its end", flush=True)
    statuses = [item.status for item in label(request, Silent()).items]
    print(*statuses)


def prepare(point):
    if point in POINTS:
        POINTS[point]()
        return

    def later():
        time.sleep(float(point))
        die()

    threading.Thread(target=later, daemon=True).start()


def die():
    os.kill(os.getpid(), signal.SIGKILL)


def in_the_middle_of_a_line():
    """The second volume's first line is half on the disk."""
    write = manifest.Manifest._write
    written = []

    def half(self, line):
        written.append(line)
        if len(written) < 4:
            return write(self, line)
        with self.path.open("ab") as file:
            file.write(line[: len(line) // 2])
        return die()

    manifest.Manifest._write = half


def between_labels_and_provenance():
    write = labeler.write_labels

    def write_and_die(*arguments, **settings):
        write(*arguments, **settings)
        die()

    labeler.write_labels = write_and_die


def with_a_file_half_written():
    def half(_labels, path, **_settings):
        path.with_name(".partial-0a1b2c3d.nii.gz").write_bytes(b"half")
        die()

    labeler.write_labels = half


def after_encoding():
    labeler.label_volume = lambda *_arguments, **_settings: die()


def while_reading():
    labeler.open_volume = lambda *_arguments, **_settings: die()


POINTS = {
    each.__name__: each
    for each in (
        in_the_middle_of_a_line,
        between_labels_and_provenance,
        with_a_file_half_written,
        after_encoding,
        while_reading,
    )
}


def tiny_sam():
    spec = spec_from_file_location("tiny_conftest", ROOT / "tests/sammed/conftest.py")
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.tiny_sam()


if __name__ == "__main__":
    main(*sys.argv[1:])
