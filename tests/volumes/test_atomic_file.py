"""Files appear complete or not at all."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from sammed_volumes.atomic_file import atomic_file, check_free
from sammed_volumes.errors import OutputError
from sammed_volumes.formats import LABEL_SUFFIXES, write_labels
from sammed_volumes.labels import Label, LabelVolume
from sammed_volumes.volume import Volume


@pytest.fixture
def noise() -> tuple[Volume, LabelVolume]:
    """Labels that don't compress well, and their volume."""
    voxels = np.random.default_rng(0).integers(0, 255, (31, 29, 23), dtype=np.uint8)
    labels = LabelVolume(voxels, np.eye(4), tuple(Label(v, f"label {v}", (1, 2, 3)) for v in range(1, 255)))
    return Volume(voxels, np.eye(4)), labels


def test_success_moves_the_file(tmp_path: Path) -> None:
    path = tmp_path / "ä b.nii.gz"
    with atomic_file(path, ".nii.gz") as partial:
        assert partial.parent == path.parent
        assert partial.name.endswith(".nii.gz")
        partial.write_bytes(b"whole")
        assert not path.exists()
    assert [each.name for each in tmp_path.iterdir()] == ["ä b.nii.gz"]
    assert path.read_bytes() == b"whole"


@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError, OSError])
def test_an_error_leaves_the_old_file(tmp_path: Path, error: type[BaseException]) -> None:
    path = tmp_path / "labels.mha"
    path.write_bytes(b"old")

    def write() -> None:
        with atomic_file(path, ".mha", overwrite=True) as partial:
            partial.write_bytes(b"half")
            raise error

    with pytest.raises(OutputError if error is OSError else error):
        write()
    assert [each.name for each in tmp_path.iterdir()] == ["labels.mha"]
    assert path.read_bytes() == b"old"


def test_the_file_has_the_usual_permissions(tmp_path: Path) -> None:
    """It has the permissions of any new file, not those of a private temporary one."""
    (tmp_path / "plain").touch()
    with atomic_file(tmp_path / "a", "") as partial:
        partial.write_bytes(b"x")
    assert (tmp_path / "a").stat().st_mode == (tmp_path / "plain").stat().st_mode


@pytest.mark.parametrize("suffix", LABEL_SUFFIXES)
def test_no_folder(tmp_path: Path, noise: tuple[Volume, LabelVolume], suffix: str) -> None:
    volume, labels = noise
    with pytest.raises(OutputError, match=r"there is no folder .*; create it first\.$"):
        write_labels(labels, tmp_path / "nicht da" / f"labels{suffix}", like=volume)


def test_a_folder_in_the_way(tmp_path: Path, noise: tuple[Volume, LabelVolume]) -> None:
    volume, labels = noise
    (tmp_path / "labels.nii.gz").mkdir()
    with pytest.raises(OutputError, match="it is a folder"):
        write_labels(labels, tmp_path / "labels.nii.gz", like=volume, overwrite=True)


@pytest.mark.parametrize("suffix", LABEL_SUFFIXES)
def test_a_folder_without_write_permission(
    tmp_path: Path, noise: tuple[Volume, LabelVolume], suffix: str
) -> None:
    volume, labels = noise
    folder = tmp_path / "gesperrt"
    folder.mkdir(mode=0o500)
    if os.access(folder, os.W_OK):  # root can write everywhere except in the kernel's own folders
        folder = Path("/proc")
        if not folder.is_dir():
            pytest.skip("no folder here refuses files")
    with pytest.raises(OutputError, match=r"can't be written \(.*\); choose another place\.$"):
        write_labels(labels, folder / f"labels{suffix}", like=volume)


FULL_DISK = """
import resource, signal, sys
import numpy as np
from sammed_volumes.errors import OutputError
from sammed_volumes.formats import write_labels
from sammed_volumes.labels import LabelVolume, complete_labels
from sammed_volumes.volume import Volume

voxels = np.random.default_rng(0).integers(0, 255, (31, 29, 23), dtype=np.uint8)
labels = LabelVolume(voxels, np.eye(4), complete_labels(voxels, ()))
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (4000, 4000))
try:
    write_labels(labels, sys.argv[1], like=Volume(voxels, np.eye(4)), overwrite=True)
except OutputError as error:
    print(error)
"""


@pytest.mark.skipif(not hasattr(signal, "SIGXFSZ"), reason="needs a system that can limit the size of files")
@pytest.mark.parametrize("suffix", LABEL_SUFFIXES)
def test_a_full_disk(tmp_path: Path, suffix: str) -> None:
    """The system refuses bytes in the middle of the file, as on a full disk."""
    path = tmp_path / f"labels{suffix}"
    path.write_bytes(b"old")
    root = Path(__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-c", FULL_DISK, str(path)],
        capture_output=True,
        encoding="utf-8",
        check=True,
        env={**os.environ, "PYTHONPATH": str(root / "volumes")},
    )
    assert done.stderr == ""
    assert "can't be written (File too large); free some space or choose another place." in done.stdout
    assert [each.name for each in tmp_path.iterdir()] == [path.name], "something half-written is left"
    assert path.read_bytes() == b"old"


@pytest.mark.skipif(not Path("/proc/self").is_dir(), reason="needs a folder that root can't write to either")
def test_a_folder_that_can_not_be_written_is_detected_before_the_work() -> None:
    with pytest.raises(OutputError, match=r"/proc/labels\.nii\.gz can't be written"):
        check_free(Path("/proc/labels.nii.gz"), overwrite=False)


def test_checking_leaves_no_file(tmp_path: Path) -> None:
    check_free(tmp_path / "labels.nii.gz", overwrite=False)
    assert not list(tmp_path.iterdir())
