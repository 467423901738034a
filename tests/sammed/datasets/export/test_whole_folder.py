"""A data set appears whole or not at all, and never over something else."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sammed.datasets.export import dataset as dataset_module
from sammed.datasets.export.dataset import DataSet
from sammed.datasets.labeled_sets.labeled_set import Case
from sammed.errors import ExportError
from sammed_volumes.formats import write_labels
from tests.sammed.datasets.conftest import Folders


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_existing_data_set_is_kept_unless_told_otherwise(
    make_folders: Callable[..., Folders], gold: Callable[..., list[Case]], export: Callable[..., DataSet]
) -> None:
    folders = make_folders("a", "b")
    done = export(gold(folders))
    before = contents(done.folder)
    with pytest.raises(ExportError, match="already exists"):
        export(gold(folders)[:1])
    assert contents(done.folder) == before
    export(gold(folders)[:1], overwrite=True)
    assert [path.name for path in (done.folder / "labelsTr").iterdir()] == ["a.nii.gz"]
    assert [path.name for path in done.folder.parent.iterdir()] == [done.folder.name]


def test_folder_of_somebody_else_is_never_overwritten(
    make_folders: Callable[..., Folders],
    tmp_path: Path,
    gold: Callable[..., list[Case]],
    export: Callable[..., DataSet],
) -> None:
    folder = tmp_path / "raw" / "Dataset501_Chest"
    folder.mkdir(parents=True)
    (folder / "precious.txt").write_text("mine")
    with pytest.raises(ExportError, match="not a data set written by sammed"):
        export(gold(make_folders("a")), overwrite=True)
    assert [path.name for path in folder.iterdir()] == ["precious.txt"]


@pytest.mark.parametrize(
    "accident", [KeyboardInterrupt(), OSError(28, "No space left on device")], ids=["Ctrl-C", "full disk"]
)
@pytest.mark.parametrize("is_there", [False, True], ids=["new", "over another"])
def test_accident_in_the_middle_leaves_nothing_half(
    make_folders: Callable[..., Folders],
    tmp_path: Path,
    gold: Callable[..., list[Case]],
    export: Callable[..., DataSet],
    monkeypatch: pytest.MonkeyPatch,
    accident: BaseException,
    is_there: bool,
) -> None:
    folders = make_folders("a", "b", "c")
    if is_there:
        before = contents(export(gold(folders)).folder)
    written: list[tuple[Any, ...]] = []

    def write_once(*args: Any, **rest: Any) -> tuple[Path, ...]:
        if written:
            raise accident
        written.append(args)
        return write_labels(*args, **rest)

    monkeypatch.setattr(dataset_module, "write_labels", write_once)
    expected = KeyboardInterrupt if isinstance(accident, KeyboardInterrupt) else ExportError
    with pytest.raises(expected):
        export(gold(folders), overwrite=True)
    assert len(written) == 1
    left = list((tmp_path / "raw").glob("*"))
    assert [path.name for path in left] == (["Dataset501_Chest"] if is_there else [])
    if is_there:
        assert contents(left[0]) == before
