"""Cases as 2-D pictures, and label maps of pictures on the case's own grid.

A 2-D image is one picture. A volume is its slices in the canonical pose of `sammed_volumes.slices`, in the
order of the stack.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float, Shaped, UInt

from sammed.backbones.backbone import Backbone
from sammed.datasets.labeled_sets.labeled_set import Case, LabeledSet
from sammed.embeddings.cache import EmbeddingCache
from sammed.embeddings.scan import Scan
from sammed.errors import SetError
from sammed_volumes.errors import GeometryMismatchError, VolumeError
from sammed_volumes.formats import read_labels, read_volume
from sammed_volumes.intensity import Window, apply, auto_window, default_window, resolve, with_channels
from sammed_volumes.labels import LabelVolume, smallest_unsigned
from sammed_volumes.placing import labels_on
from sammed_volumes.slices import Slicing, plan_slices
from sammed_volumes.volume import Volume


@dataclass(frozen=True, slots=True, eq=False)
class Picture:
    """One slice as a network sees it, on its own pixel grid.

    `image` has one channel or three, 0..1 by the set's window. `labels` holds label values, 0 the background,
    and is None where nobody labeled the slice. `ignore` is True where training ignores the labels. `index`
    counts slices of the stack.
    """

    case: str
    index: int
    image: Float[np.ndarray, "H W C"]
    labels: UInt[np.ndarray, "H W"] | None
    ignore: Bool[np.ndarray, "H W"] | None = None


@dataclass(frozen=True, slots=True, eq=False)
class OpenCase:
    """A case with its files read and checked: image, labels and ignored voxels on one grid."""

    case: Case
    volume: Volume
    slicing: Slicing
    window: Window
    low: float
    high: float
    labels: LabelVolume | None
    ignore: Bool[np.ndarray, "X Y Z"] | None

    def image(self, index: int) -> Float[np.ndarray, "H W C"]:
        """Return one slice of the stack, 0..1, with its channels."""
        values = self.volume.values(self.slicing.to_stack(self.volume.voxels)[index])
        return with_channels(apply(values, self.low, self.high))

    def scan(
        self, backbone: Backbone, *, window: Window | None = None, cache: EmbeddingCache | None = None
    ) -> Scan:
        """Return the case as a backbone sees it, through its own window or another.

        A slice is encoded on first use. Raises SetError where the other window shows nothing.
        """
        scan = Scan(self.volume, self.slicing, window or self.window, backbone, cache)
        if not scan.low < scan.high:
            raise SetError(f"Case {self.case.name}: the skill's window shows nothing of {self.case.image}.")
        return scan

    @property
    def known(self) -> tuple[int, ...]:
        """The labeled slices of the stack; see `is_known`."""
        return tuple(filter(self.is_known, range(self.slicing.count)))

    def is_known(self, index: int) -> bool:
        """Return whether a slice is labeled; in a partly annotated case, whether it is annotated."""
        if self.labels is None:
            return False
        if not self.case.is_partial:
            return True
        assert self.case.annotated_slices is not None  # is_partial says so
        return self.slicing.array_index(index) in self.case.annotated_slices

    def picture(self, index: int) -> Picture:
        """Return one slice of the stack as a picture."""
        labels = ignore = None
        if self.labels is not None and self.is_known(index):
            labels = np.ascontiguousarray(self.slicing.to_stack(self.labels.voxels)[index])
            if self.ignore is not None:
                ignore = self.slicing.to_stack(self.ignore)[index]
        return Picture(self.case.name, index, self.image(index), labels, ignore)

    def window_of_labels(self) -> Window:
        """Return the window that shows the labels of the known slices well."""
        shown = np.zeros(self.slicing.stack_shape, dtype=bool)
        shown[list(self.known)] = self.label_stack()[list(self.known)] > 0
        return auto_window(self.volume, self.slicing, shown)

    def label_stack(self) -> UInt[np.ndarray, "S H W"]:
        """Return the labels of all slices as a view. Raises SetError where there are none."""
        if self.labels is None:
            raise SetError(f"Case {self.case.name} has no labels.")
        return self.slicing.to_stack(self.labels.voxels)

    def on_grid(self, stack: Shaped[np.ndarray, "S H W"]) -> Shaped[np.ndarray, "X Y Z"]:
        """Return a value for each pixel of the stack as a value for each voxel of the case's own grid."""
        return np.ascontiguousarray(self.slicing.from_stack(stack))


def open_case(case: Case, labeled_set: LabeledSet) -> OpenCase:
    """Read a case's files and check that they belong together.

    Raises VolumeError for missing files and different grids; SetError for labels that the set does not list,
    annotated slices outside the volume, and a window that shows nothing.
    """
    volume = read_volume(labeled_set.path(case.image))
    slicing = plan_slices(volume.shape, volume.affine_ras_mm, case.axis)
    window = labeled_set.window or default_window(volume)
    low, high = resolve(window, volume, slicing)
    if not low < high:
        raise SetError(
            f"Case {case.name}: all pixels of {case.image} look alike in the window, so it shows nothing."
        )
    labels, unknown = _labels(case, labeled_set, volume)
    _check_annotated(case, slicing)
    ignored = _ignored(case, labeled_set, volume)
    if ignored is not None and unknown is not None:
        ignored = ignored | unknown
    return OpenCase(case, volume, slicing, window, low, high, labels, unknown if ignored is None else ignored)


def pictures_of(case: Case, labeled_set: LabeledSet) -> Iterator[Picture]:
    """Yield all pictures of a case in the order of the stack, with unlabeled ones. Raises as `open_case`."""
    opened = open_case(case, labeled_set)
    for index in range(opened.slicing.count):
        yield opened.picture(index)


def from_pictures(stack: UInt[np.ndarray, "S H W"], opened: OpenCase, labeled_set: LabeledSet) -> LabelVolume:
    """Return label maps of all pictures, in the order of the stack, as a label volume on the case's grid."""
    highest = max([0, *(label.value for label in labeled_set.labels)])
    voxels = opened.on_grid(stack.astype(smallest_unsigned(max(highest, 1))))
    return LabelVolume(voxels, opened.volume.affine_ras_mm, labeled_set.labels)


def _labels(
    case: Case, labeled_set: LabeledSet, volume: Volume
) -> tuple[LabelVolume | None, np.ndarray | None]:
    """Return the labels, with 0 for the set's `ignore_value`, and where that value is."""
    if case.labels is None:
        return None, None
    labels = case.reading.read_on(volume, labeled_set.path(case.labels))
    unknown = None
    if labeled_set.ignore_value is not None:
        unknown = labels.voxels == labeled_set.ignore_value
        known = tuple(label for label in labels.labels if label.value != labeled_set.ignore_value)
        voxels = np.where(unknown, 0, labels.voxels).astype(labels.voxels.dtype)
        labels = replace(labels, voxels=voxels, labels=known)
    _check_listed(case, labels, labeled_set)
    return labels, unknown


def _check_listed(case: Case, labels: LabelVolume, labeled_set: LabeledSet) -> None:
    known = {label.value for label in labeled_set.labels}
    counts = labels.voxel_counts()
    unknown = [label.value for label in labels.labels if counts[label.value] and label.value not in known]
    if unknown:
        raise SetError(
            f"Case {case.name}: {case.labels} has the label {unknown[0]}, which the set does not list "
            f"(it lists {', '.join(map(str, sorted(known))) or 'none'})."
        )


def _check_annotated(case: Case, slicing: Slicing) -> None:
    outside = [index for index in case.annotated_slices or () if not 0 <= index < slicing.count]
    if outside:
        raise SetError(
            f"Case {case.name} lists the annotated slice {outside[0]}: axis {slicing.axis} has 0 to "
            f"{slicing.count - 1}."
        )


def _ignored(case: Case, labeled_set: LabeledSet, volume: Volume) -> np.ndarray | None:
    if case.ignore is None:
        return None
    try:
        ignored = labels_on(volume, read_labels(labeled_set.path(case.ignore)))
    except GeometryMismatchError as error:
        raise VolumeError(f"Case {case.name}, voxels to ignore: {error}") from error
    where: np.ndarray = ignored.voxels > 0
    return where
