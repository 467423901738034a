"""Gold slices of several cases as one scan, to train one skill on all of them.

Slices of one shape are stacked as they are. Others are each resized to the backbone's square, as the backbone
would see them.
"""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Float, UInt

from sammed.annotations.annotations import Annotations
from sammed.backbones.backbone import Backbone
from sammed.backbones.frame import Frame
from sammed.datasets.even_choice import choose_evenly
from sammed.datasets.labeled_sets.labeled_set import Case, LabeledSet
from sammed.datasets.labeled_sets.pictures import OpenCase, open_case
from sammed.datasets.students.scaling import nearest
from sammed.embeddings.scan import Scan
from sammed.errors import AnnotationError
from sammed_volumes.intensity import Window, apply, resolve
from sammed_volumes.labels import Label, smallest_unsigned
from sammed_volumes.slices import Slicing, plan_slices
from sammed_volumes.volume import Volume

# Slices of different cases are not neighbors: they are further apart than any smoothing reaches.
_APART_MM = 1000.0


class PictureStack(Scan):
    """Pictures of several cases as a scan; `volume` shows them in gray, `images` in their own colors.

    The `window` was applied before stacking, so the values are 0..1.
    """

    def __init__(
        self,
        volume: Volume,
        slicing: Slicing,
        window: Window,
        backbone: Backbone,
        images: tuple[Float[np.ndarray, "H W *C"], ...],
    ) -> None:
        super().__init__(volume, slicing, window, backbone)
        self.images = images

    def _range(self) -> tuple[float, float]:
        return 0.0, 1.0

    def image(self, index: int) -> Float[np.ndarray, "H W *C"]:
        """Return one picture, 0..1."""
        return self.images[index]

    @cached_property
    def digest(self) -> str:
        """sha256 of all pictures."""
        digest = hashlib.sha256()
        for image in self.images:
            digest.update(f"{image.shape}".encode())
            digest.update(np.ascontiguousarray(image).tobytes())
        return digest.hexdigest()


@dataclass(frozen=True, slots=True, eq=False)
class GoldStack:
    """Training slices of a skill: gold slices as a scan, all of them annotated."""

    scan: PictureStack
    annotations: Annotations


@dataclass(frozen=True, slots=True, eq=False)
class _GoldSlice:
    image: Float[np.ndarray, "H W *C"]
    labels: UInt[np.ndarray, "H W"]
    pixel_spacing_mm: tuple[float, float]


def stack_gold(
    gold: LabeledSet, backbone: Backbone, *, slices: int, empty_slices: int, seed: int
) -> GoldStack:
    """Return about `slices` annotated slices that show labels, and some that show none, from gold cases.

    If there are more cases than slices, cases are sampled by the seed; within a case, slices are spread
    evenly over each label. Ignored voxels count as background. Raises AnnotationError where no slice shows a
    label.
    """
    if not gold.gold:
        raise AnnotationError("There is no gold case to learn from.")
    cases = _sampled(gold.gold, slices, seed)
    opened = [open_case(case, gold) for case in cases]
    window = gold.window or _window(opened)
    each = max(1, round(slices / max(1, len(opened))))
    found: list[_GoldSlice] = []
    empty: list[_GoldSlice] = []
    for one in opened:
        showing, without = _rows(one, gold.labels, each)
        found += list(_slices(one, showing, window))
        empty += list(_slices(one, without[: max(0, empty_slices - len(empty))], window))
    if not found:
        raise AnnotationError(
            f"None of {len(cases)} gold cases shows a label, so there is nothing to learn from."
        )
    return _stacked([*found, *empty], gold.labels, backbone, window)


def _sampled(cases: Sequence[Case], count: int, seed: int) -> list[Case]:
    ordered = sorted(cases, key=lambda case: case.name)
    if len(ordered) <= count:
        return ordered
    sampled = np.random.default_rng(seed).permutation(len(ordered))[:count].tolist()
    return [ordered[index] for index in sorted(sampled)]


def _window(opened: Sequence[OpenCase]) -> Window:
    """Return the window of the case with the most labeled voxels."""
    best = max(opened, key=lambda one: int(np.count_nonzero(one.label_stack())))
    return best.window_of_labels()


def _rows(opened: OpenCase, labels: Sequence[Label], count: int) -> tuple[list[int], list[int]]:
    """Return about `count` known slices that show labels, spread over each label, and some empty ones."""
    stack = opened.label_stack()
    known = opened.known
    chosen: set[int] = set()
    share = max(1, count // max(1, len(labels)))
    for label in labels:
        chosen.update(choose_evenly([index for index in known if (stack[index] == label.value).any()], share))
    # A slice that shows several labels was counted for each of them.
    others = [index for index in known if stack[index].any() and index not in chosen]
    chosen.update(choose_evenly(others, count - len(chosen)))
    empty = [index for index in known if not stack[index].any()]
    return sorted(chosen), empty[:: max(1, len(empty) // 2)][1:] or empty[:1]


def _slices(opened: OpenCase, indices: Sequence[int], window: Window) -> Iterator[_GoldSlice]:
    low, high = resolve(window, opened.volume, opened.slicing)
    values, labels = opened.slicing.to_stack(opened.volume.voxels), opened.label_stack()
    for index in indices:
        image = apply(opened.volume.values(values[index]), low, high)
        yield _GoldSlice(image, np.ascontiguousarray(labels[index]), opened.slicing.pixel_spacing_mm)


def _stacked(
    slices: Sequence[_GoldSlice], labels: Sequence[Label], backbone: Backbone, window: Window
) -> GoldStack:
    if len({(each.image.shape, each.pixel_spacing_mm) for each in slices}) > 1:
        slices = [_squared(each, backbone) for each in slices]
    images = tuple(each.image for each in slices)
    masks = np.stack([each.labels for each in slices])
    gray = np.stack([image if image.ndim == 2 else image.mean(axis=2) for image in images])  # S H W
    row_mm, column_mm = slices[0].pixel_spacing_mm
    affine = np.diag([-column_mm, -row_mm, _APART_MM, 1.0])  # the pose in which rows and columns stay
    volume = Volume(np.ascontiguousarray(gray.transpose(2, 1, 0)), affine)
    slicing = plan_slices(volume.shape, affine, axis=2)
    shown = tuple(label for label in labels if (masks == label.value).any())
    highest = max(label.value for label in shown)
    annotations = Annotations(tuple(range(len(masks))), masks.astype(smallest_unsigned(highest)), shown)
    return GoldStack(PictureStack(volume, slicing, window, backbone, images), annotations)


def _squared(each: _GoldSlice, backbone: Backbone) -> _GoldSlice:
    """Return the slice in the backbone's square, padded with zeros and background."""
    height, width = each.labels.shape
    frame = backbone.frame(height, width, each.pixel_spacing_mm)
    image = np.ascontiguousarray(frame.image_to_sam(each.image).permute(1, 2, 0).numpy())
    return _GoldSlice(image, _labels_to_sam(each.labels, frame), (1.0, 1.0))


def _labels_to_sam(labels: UInt[np.ndarray, "H W"], frame: Frame) -> UInt[np.ndarray, "S S"]:
    """Return labels in the SAM frame; each pixel takes the nearest one."""
    squared = np.zeros((frame.size, frame.size), dtype=labels.dtype)
    squared[: frame.content_height, : frame.content_width] = labels[
        np.ix_(nearest(frame.height, frame.content_height), nearest(frame.width, frame.content_width))
    ]
    return squared
