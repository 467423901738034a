"""Which label volume belongs to which image."""

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest

from sammed.datasets.labeled_sets.case_names import case_names
from sammed.datasets.labeled_sets.labeled_set import Case
from sammed.datasets.labeled_sets.pairing import gather_cases
from sammed.errors import ConfigError, ExportError, SetError
from sammed.storage.fingerprint import sha256_of
from sammed.storage.provenance import Provenance
from sammed_volumes.formats import strip_suffix
from tests.provenance_writing import write_provenance
from tests.sammed.datasets.conftest import Folders


def touch(folder: Path, *names: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        (folder / name).touch()
    return folder


def pairs(cases: Sequence[Case]) -> list[tuple[str, str | None]]:
    return [(case.image.name, case.labels.name if case.labels else None) for case in cases]


@pytest.mark.parametrize(
    ("image", "label"),
    [
        ("x.nii.gz", "x.nii.gz"),
        ("x.nii.gz", "x_label.nii.gz"),
        ("x.nii.gz", "x_seg.nii.gz"),
        ("x.nii.gz", "x.seg.nrrd"),
        ("x.nrrd", "x_label.nii"),
        ("x.v2 (1).mha", "x.v2 (1)_seg.nrrd"),
        ("Schädel 3.png", "Schädel 3_label.nrrd"),
        ("x_label.nii.gz", "x_label.nii.gz"),
    ],
)
def test_label_volume_is_found_by_name(tmp_path: Path, image: str, label: str) -> None:
    images, labels = touch(tmp_path / "images", image), touch(tmp_path / "labels", label)
    assert pairs(gather_cases(images, labels)) == [(image, label)]


def test_cases_come_in_order_of_name_and_other_files_are_passed_over(tmp_path: Path) -> None:
    images = touch(tmp_path / "images", "b.nii.gz", "a.nrrd", "notes.txt", ".hidden.nii.gz", "a.json")
    labels = touch(tmp_path / "labels", "a_label.nii.gz", "a_label.json", "b.seg.nrrd", "b.provenance.csv")
    assert pairs(gather_cases(images, labels)) == [("a.nrrd", "a_label.nii.gz"), ("b.nii.gz", "b.seg.nrrd")]


def test_images_and_labels_may_share_a_folder(tmp_path: Path) -> None:
    folder = touch(
        tmp_path, "a.nii.gz", "a_label.nii.gz", "a_label.json", "b.nii.gz", "b.seg.nrrd", "c.mha", "c_seg.mha"
    )
    expected = [("a.nii.gz", "a_label.nii.gz"), ("b.nii.gz", "b.seg.nrrd"), ("c.mha", "c_seg.mha")]
    assert pairs(gather_cases(folder, folder)) == expected


def test_two_files_are_a_pair_whatever_their_names(tmp_path: Path) -> None:
    touch(tmp_path, "ct.nii.gz", "truth.nii.gz")
    cases = gather_cases(tmp_path / "ct.nii.gz", tmp_path / "truth.nii.gz")
    assert pairs(cases) == [("ct.nii.gz", "truth.nii.gz")]


def test_folder_among_the_images_is_a_series(tmp_path: Path) -> None:
    touch(tmp_path / "images" / "patient 1", "1.dcm")
    touch(tmp_path / "images" / "other", "readme.txt")
    labels = touch(tmp_path / "labels", "patient 1_label.nii.gz")
    assert pairs(gather_cases(tmp_path / "images", labels)) == [("patient 1", "patient 1_label.nii.gz")]


def test_without_labels_all_are_test_cases(tmp_path: Path) -> None:
    cases = gather_cases(touch(tmp_path, "b.nii.gz", "a.mha"), None)
    assert pairs(cases) == [("a.mha", None), ("b.nii.gz", None)]


def names(cases: Sequence[Case]) -> list[tuple[str, bool]]:
    safe = case_names(case.name for case in cases)
    return [(name, case.is_labeled) for name, case in zip(safe, cases, strict=True)]


def test_folders_below_are_paired_by_their_places(tmp_path: Path) -> None:
    images = touch(tmp_path / "images", "x.nii.gz")
    touch(images / "sub dir ü/deep", "pat 3 é.nii.gz", "notes.txt")
    touch(images / "sub", "x.nii.gz", ".hidden.nii.gz")
    touch(images / ".hidden", "y.nii.gz")
    labels = touch(tmp_path / "labels", "x_label.nii.gz")
    touch(labels / "sub dir ü/deep", "pat 3 é_label.nii.gz")  # as auto-label writes it
    touch(labels / "sub", "x.seg.nrrd")
    cases = gather_cases(images, labels)
    seen = [case.labels.relative_to(labels).as_posix() for case in cases if case.labels]
    assert seen == ["sub dir ü/deep/pat 3 é_label.nii.gz", "sub/x.seg.nrrd", "x_label.nii.gz"]
    assert names(cases) == [("sub_dir_u_deep_pat_3_e", True), ("sub_x", True), ("x", True)]
    assert [case.labels for case in gather_cases(images, None)] == [None, None, None]


def test_a_label_of_another_folder_is_no_partner(tmp_path: Path) -> None:
    images, labels = touch(tmp_path / "images/a", "x.nii.gz").parent, tmp_path / "labels"
    touch(labels / "b", "x.nii.gz")
    with pytest.raises(ExportError, match=r"without labels: a/x\.nii\.gz; .*an image: b/x\.nii\.gz"):
        gather_cases(images, labels)
    (case,) = gather_cases(images, touch(labels / "b" / "empty"), complete=False)
    assert (case.labels, case.name) == (None, "a_x")


def test_folders_below_may_hold_images_beside_labels(tmp_path: Path) -> None:
    touch(tmp_path / "a", "x.nii.gz", "x_label.nii.gz")
    touch(tmp_path / "b", "x.nii.gz", "x_seg.nii.gz")
    assert names(gather_cases(tmp_path, tmp_path)) == [("a_x", True), ("b_x", True)]


def test_labels_that_lie_among_the_images_are_no_images(tmp_path: Path) -> None:
    labels = touch(touch(tmp_path / "scans", "x.nii.gz") / "labels", "x_label.nii.gz")
    assert names(gather_cases(tmp_path / "scans", labels)) == [("x", True)]
    images = touch(touch(tmp_path / "gold", "x.nii.gz") / "images", "x.nii.gz")
    assert names(gather_cases(images, tmp_path / "gold")) == [("x", True)]


@pytest.mark.parametrize("labels", ["labels", None])
def test_labels_that_auto_label_left_beside_an_image_are_no_images(
    tmp_path: Path, labels: str | None
) -> None:
    images = touch(tmp_path / "images", "x.png", "x_label.nii.gz", "y_label.nii.gz")
    masks = None if labels is None else touch(tmp_path / labels, "x.png")
    found = gather_cases(images, masks, label_suffixes=(".png",), complete=False)
    assert names(found) == [("x", masks is not None), ("y_label", False)]


def test_two_places_that_would_be_one_name_are_refused(tmp_path: Path) -> None:
    images = touch(touch(tmp_path / "images", "sub_x.nii.gz") / "sub", "x.nii.gz").parent
    with pytest.raises(ExportError, match=r"x\.nii\.gz both have the case name sub_x; rename one"):
        gather_cases(images, None)


def test_series_lie_in_folders_below_and_what_is_beside_their_slices_is_no_image(tmp_path: Path) -> None:
    images = touch(tmp_path / "images/ward/patient 1", "1.dcm", "preview.png").parents[1]
    touch(images / "ward", "x.nii.gz")
    labels = touch(tmp_path / "labels/ward", "patient 1_label.nii.gz", "x_label.nii.gz").parent
    cases = gather_cases(images, labels)
    assert pairs(cases) == [("patient 1", "patient 1_label.nii.gz"), ("x.nii.gz", "x_label.nii.gz")]
    assert names(cases) == [("ward_patient_1", True), ("ward_x", True)]


def test_a_folder_beside_an_image_of_its_name_is_searched(tmp_path: Path) -> None:
    images = touch(tmp_path / "images", "x.nii.gz")
    labels = touch(tmp_path / "labels", "x.nii.gz")
    for root in (images, labels):
        touch(root / "x", "late.nii.gz")
    assert names(gather_cases(images, labels)) == [("x", True), ("x_late", True)]


@pytest.mark.parametrize("labels", ["labels", "images", None], ids=["two", "one", "no labels"])
def test_folder_without_an_image(tmp_path: Path, labels: str | None) -> None:
    for folder in ("images", "labels"):
        touch(tmp_path / folder, "notes.txt")
    with pytest.raises(ExportError, match=r"images holds no image: no file that ends in \.nii\.gz"):
        gather_cases(tmp_path / "images", None if labels is None else tmp_path / labels)


def test_files_without_partner_are_listed(tmp_path: Path) -> None:
    images = touch(tmp_path / "images", "a.nii.gz", "b.nii.gz", "c.nii.gz")
    labels = touch(tmp_path / "labels", "a.nii.gz", "x_label.nii.gz", "y.nii.gz")
    with pytest.raises(ExportError) as caught:
        gather_cases(images, labels)
    for words in ("without labels: b.nii.gz, c.nii.gz", "without an image: x_label.nii.gz, y.nii.gz"):
        assert words in str(caught.value)


def test_two_label_volumes_for_one_image_are_refused(tmp_path: Path) -> None:
    images = touch(tmp_path / "images", "a.nii.gz")
    labels = touch(tmp_path / "labels", "a.nii.gz", "a_seg.nii.gz")
    with pytest.raises(ExportError, match=r"a\.nii\.gz has two label volumes, a\.nii\.gz and a_seg\.nii\.gz"):
        gather_cases(images, labels)


def test_two_images_of_one_name_are_refused(tmp_path: Path) -> None:
    images = touch(tmp_path / "images", "a.nii.gz", "a.nrrd")
    with pytest.raises(ExportError, match=r"a\.nrrd both have the case name"):
        gather_cases(images, touch(tmp_path / "labels", "a.nii.gz"))


def test_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(ExportError, match=r"no file or folder .*nowhere"):
        gather_cases(tmp_path / "nowhere", tmp_path)


def test_marked_slices_are_those_with_labels(make_folders: Callable[..., Folders]) -> None:
    folders = make_folders("a")
    (case,) = gather_cases(folders.images, folders.labels, marked_only=True)
    voxels = folders.phantoms["a"].labels.voxels
    assert case.axis == 2  # 5 mm against 2 mm
    assert case.annotated_slices == tuple(np.flatnonzero(voxels.any(axis=(0, 1))).tolist())
    assert 0 < len(case.annotated_slices) < voxels.shape[2]
    (along_x,) = gather_cases(folders.images, folders.labels, marked_only=True, axis=0)
    assert along_x.annotated_slices == tuple(np.flatnonzero(voxels.any(axis=(1, 2))).tolist())
    (whole,) = gather_cases(folders.images, folders.labels)
    assert whole.annotated_slices is None


def test_provenance_goes_before_the_settings(make_folders: Callable[..., Folders]) -> None:
    folders = make_folders("a", "b")
    image, label = folders.images / "a.nii.gz", folders.labels / "a.nii.gz"
    written = Provenance(
        "a.nii.gz", sha256_of(image), "pseudo", 2, (3, 5), "sap", "f" * 64, scores={"lung": 0.9}
    )
    write_provenance(label, written)
    first, second = gather_cases(folders.images, folders.labels, marked_only=True)
    assert (first.origin, first.axis, first.annotated_slices) == ("pseudo", 2, (3, 5))
    assert second.origin == "gold"


def test_provenance_in_the_shared_folder_is_no_label(make_folders: Callable[..., Folders]) -> None:
    folders = make_folders("a")
    shutil.copy(folders.labels / "a.nii.gz", folders.images / "a_label.nii.gz")
    write_provenance(folders.images / "a_label.nii.gz", Provenance("a.nii.gz", "0" * 64, "pseudo"))
    (case,) = gather_cases(folders.images, folders.images)
    assert case.origin == "pseudo"


@pytest.mark.parametrize(
    ("files", "names"),
    [
        (["a/scan.nii.gz", "b/scan.mha", "c/scan.nrrd"], ["scan", "scan_2", "scan_3"]),
        (["scan 1.nii.gz", "scan_1.nii.gz", "scan_1_2.nii.gz"], ["scan_1", "scan_1_2", "scan_1_2_2"]),
        (["Scan.nii.gz", "scan.nii"], ["Scan", "scan_2"]),  # one file on Windows and macOS
        (["Größe v1.2.nii.gz"], ["Groe_v1_2"]),
        (["肝.nii.gz", "../..nii.gz"], ["case", "case_2"]),
        (["_x_.nii.gz"], ["x"]),
    ],
)
def test_case_names_are_safe_and_unique(files: list[str], names: list[str]) -> None:
    assert list(case_names(strip_suffix(Path(file)) for file in files)) == names


def test_a_hidden_file_that_is_named_is_a_case(tmp_path: Path) -> None:
    touch(tmp_path, ".ct.nii.gz", ".truth.nii.gz")
    for labels in (tmp_path / ".truth.nii.gz", None):
        (case,) = gather_cases(tmp_path / ".ct.nii.gz", labels)
        assert case.name == "ct"


def test_nonsense_is_refused(tmp_path: Path) -> None:
    images = touch(tmp_path, "a.nii.gz")
    with pytest.raises(ConfigError, match="gold or pseudo"):
        gather_cases(images, None, origin="silver")  # type: ignore[arg-type]  # on purpose
    with pytest.raises(SetError, match="0, 1 or 2"):
        Case("a", Path("a.nii.gz"), axis=3)
