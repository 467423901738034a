"""`info`: what a file contains. Imports torch for skills only."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeAlias

import numpy as np
from jaxtyping import Float

from sammed.datasets.labeled_sets.set_file import SET_FILE_NAME
from sammed.errors import SetError
from sammed.jobs.validation import MODEL_SUFFIX, check_axis
from sammed.progress import Reporter
from sammed.reports.report import Cell, Table
from sammed_volumes.affine import spacing_mm
from sammed_volumes.dicom.series import find_series
from sammed_volumes.dicom.source import is_dicom_labels
from sammed_volumes.errors import LabelError
from sammed_volumes.formats import read_labels, read_volume, suffix_of
from sammed_volumes.intensity import default_window, is_ct
from sammed_volumes.label_likeness import is_like_labels
from sammed_volumes.labels import LabelVolume
from sammed_volumes.nifti_position import position_in
from sammed_volumes.orientation import axis_codes
from sammed_volumes.picture_folder import is_stack
from sammed_volumes.slices import Slicing, plan_slices
from sammed_volumes.volume import Header, NiftiHeader, Volume, planes
from sammed_volumes.whole_numbers import LARGEST_FRACTION

if TYPE_CHECKING:
    from sammed.annotations.annotations import Annotations
    from sammed.auto.label_choice import LabelChoice
    from sammed.skills.model import SkillModel

Kind: TypeAlias = Literal["volume", "labels", "skill"]
Fact: TypeAlias = Cell | tuple[float, ...]
Facts: TypeAlias = tuple[tuple[str, Fact], ...]

# JSON keys that are not their header: they don't change.
_KEYS = {
    "Milliliters": "millilitres",  # codespell:ignore millilitres
    "First": "first_slice",
    "Last": "last_slice",
}


_SKILL_HEADERS = (
    "Value",
    "Label",
    "Prompts",
    "Mask",
    "Expected Dice",
    "Learned/flow/walker",
    "Expected Dice here",
)
_NOT_MADE = (None,) * 5


@dataclass(frozen=True, slots=True, kw_only=True)
class InfoRequest:
    """Describe a volume, a label volume, a DICOM folder or a skill.

    `series` chooses in a DICOM folder; `axis` is the slice axis; `flatten` lets later segments of a
    `.seg.nrrd` win over earlier ones; `fill_gaps` fills slices that a DICOM series lacks.
    `colors` makes each color of a picture a label; `spacing_mm` is that of pictures, X, Y, Z.
    """

    file: Path
    series: str | None = None
    spacing_mm: tuple[float, float, float] | None = None
    axis: int | None = None
    flatten: bool = False
    colors: bool = False
    fill_gaps: bool = False

    def __post_init__(self) -> None:
        check_axis(self.axis)


@dataclass(frozen=True, slots=True)
class InfoResult:
    """The content of a file: facts by name, and a table of labels if there are any."""

    path: Path
    kind: Kind
    facts: Facts
    labels: Table | None = None

    def to_json(self) -> dict[str, object]:
        """Return the object that `sammed info --json` prints."""
        facts = {name.replace(" ", "_"): value for name, value in self.facts}
        rows = None
        if self.labels is not None:
            keys = [_KEYS.get(header, header.lower().replace(" ", "_")) for header in self.labels.headers]
            rows = [dict(zip(keys, row, strict=True)) for row in self.labels.rows]
        return {"file": str(self.path), "kind": self.kind, **facts, "labels": rows}


def info(request: InfoRequest, reporter: Reporter) -> InfoResult:
    """Describe a file.

    Raises VolumeError or SkillError for an unreadable file, SetError for a labeled set.
    """
    path, axis, flatten = request.file, request.axis, request.flatten
    _check_no_set(path)
    if path.suffix.lower() == MODEL_SUFFIX:
        from sammed.skills.skill_file import read_skill  # imports torch

        return _of_skill(path, read_skill(path))
    if suffix_of(path) == ".seg.nrrd" or is_dicom_labels(path):
        return _of_labels(path, read_labels(path, flatten=flatten), axis)
    spacing_mm = request.spacing_mm
    volume = read_volume(path, series=request.series, fill_gaps=request.fill_gaps, spacing_mm=spacing_mm)
    is_dicom_folder = path.is_dir() and not is_stack(path)
    if not is_dicom_folder and (request.colors or _may_be_labels(volume)):
        with suppress(LabelError):  # then it is an image
            labels = read_labels(path, flatten=flatten, colors=request.colors, spacing_mm=spacing_mm)
            if is_like_labels(labels.voxels):
                return _of_labels(path, labels, axis, volume)
    return _of_volume(path, volume, axis)


def _check_no_set(path: Path) -> None:
    """A labeled set has its own command; but its manifest may be among the slices of a DICOM series."""
    is_manifest = path.name == SET_FILE_NAME
    if is_manifest or ((path / SET_FILE_NAME).is_file() and not find_series(path)):
        raise SetError(f"{path} is a labeled set; use `sammed set info {path}`.")


def _may_be_labels(volume: Volume) -> bool:
    """Whether the voxels are whole numbers from 0, not 0 alone, or a mask stored in colors, perhaps.

    Stops at the first plane with other numbers. `read_labels` has the last word.
    """
    if volume.is_color:
        return bool(volume.voxels.any())
    highest = 0.0
    for plane in planes(volume.voxels):
        values = volume.values(plane)
        if values.min() < 0 or (np.abs(values - np.round(values)) > LARGEST_FRACTION).any():
            return False
        highest = max(highest, float(values.max()))
    return highest > 0


def _of_volume(path: Path, volume: Volume, axis: int | None) -> InfoResult:
    slicing = plan_slices(volume.shape, volume.affine_ras_mm, axis)
    low, high = _range(volume)
    window = default_window(volume)
    facts = (
        *_grid(volume.shape, volume.affine_ras_mm, slicing),
        ("stored as", str(volume.voxels.dtype)),
        ("lowest value", low),
        ("highest value", high),
        ("values not finite", volume.non_finite_count),
        ("intensities", _intensities(volume)),
        ("default window", f"{window.low:g} to {window.high:g} {window.unit}"),
        *_position(volume.header),
        *_notes(volume.notes),
    )
    return InfoResult(path, "volume", facts)


def _position(header: Header | None) -> Facts:
    """Return what a NIfTI header states about the position, nothing for other formats."""
    if not isinstance(header, NiftiHeader):
        return ()
    position = position_in(header)
    codes: Facts = (("sform code", position.sform_code), ("qform code", position.qform_code))
    if position.apart_mm is None:
        return codes
    return (*codes, ("sform and qform apart mm", round(position.apart_mm, 4)))


def _notes(notes: tuple[str, ...]) -> Facts:
    return tuple((f"note {number}", note) for number, note in enumerate(notes, start=1))


def _of_labels(path: Path, labels: LabelVolume, axis: int | None, volume: Volume | None = None) -> InfoResult:
    slicing = plan_slices(labels.shape, labels.affine_ras_mm, axis)
    facts = (
        *_grid(labels.shape, labels.affine_ras_mm, slicing),
        ("stored as", str((volume or labels).voxels.dtype)),
        *_position(volume.header if volume else None),
        *_notes(labels.notes),
    )
    return InfoResult(path, "labels", facts, _label_table(labels, slicing))


def _of_skill(path: Path, skill: SkillModel) -> InfoResult:
    window = skill.window
    facts: Facts = (
        ("written by", f"sammed {skill.version}"),
        ("backbone", skill.backbone),
        ("backbone digest", skill.backbone_digest[:12]),
        ("plane", skill.plane),
        ("axis it was learned along", skill.axis),
        ("window", f"{window.low:g} to {window.high:g} {window.unit}"),
        ("prompts", skill.prompts),
        ("annotated slices", _annotated(skill.annotations)),
        ("generator", "none" if skill.auto is None else "SAP-Net, classifier"),
        ("numbers learned", skill.learned_numbers),
        ("seed", skill.seed),
        ("bytes", path.stat().st_size),
    )
    choices = {} if skill.auto is None else skill.auto.choices
    rows = []
    for label in skill.labels:
        choice = choices.get(label.value)
        rows.append((label.value, label.name, *(_made(choice) if choice else _NOT_MADE)))
    return InfoResult(path, "skill", facts, Table("", _SKILL_HEADERS, tuple(rows)))


def _made(choice: LabelChoice) -> tuple[Cell, ...]:
    """How a label is made in any volume, and how much each voice counts in the annotated one."""
    mixture = choice.mixture
    weights = (mixture.learned, mixture.flow, mixture.walker)
    voices = "/".join(f"{weight / sum(weights):.2f}" for weight in weights)
    return choice.rule_name, choice.mask_from, choice.expected_dice, voices, mixture.expected_dice


def _annotated(annotations: Annotations) -> str:
    labeled = len(annotations.foreground)
    empty = len(annotations.indices) - labeled
    return f"{labeled} with a label" + (f", {empty} empty" if empty else "")


def _grid(shape: tuple[int, int, int], affine_ras_mm: Float[np.ndarray, "4 4"], slicing: Slicing) -> Facts:
    return (
        ("shape", shape),
        ("spacing mm", tuple(round(length, 4) for length in spacing_mm(affine_ras_mm))),
        ("orientation", axis_codes(affine_ras_mm)),
        ("axis", slicing.axis),
        ("plane", slicing.plane),
        ("slices", slicing.count),
        ("slice spacing mm", round(slicing.slice_spacing_mm, 4)),
    )


def _range(volume: Volume) -> tuple[float, float]:
    low, high = np.inf, -np.inf
    for plane in planes(volume.voxels):
        values = volume.values(plane)
        low, high = min(low, float(values.min())), max(high, float(values.max()))
    return low, high


def _intensities(volume: Volume) -> str:
    if volume.is_picture or volume.is_color:
        return "picture"
    if is_ct(volume):
        return "CT in Hounsfield units"
    return f"{volume.modality} by its DICOM tags" if volume.modality else "not CT, judging by its values"


def _label_table(labels: LabelVolume, slicing: Slicing) -> Table:
    """Return one row per label; slices are array indices along the slice axis."""
    counts: dict[int, int] = {}
    slices: dict[int, list[int]] = {}
    for index, plane in enumerate(np.moveaxis(labels.voxels, slicing.axis, 0)):
        values, times = np.unique(plane, return_counts=True)
        for value, count in zip(values.tolist(), times.tolist(), strict=True):
            counts[value] = counts.get(value, 0) + count
            slices.setdefault(value, []).append(index)
    voxel_ml = float(np.prod(spacing_mm(labels.affine_ras_mm))) / 1000
    rows = []
    for label in labels.labels:
        count, at = counts.get(label.value, 0), slices.get(label.value, [])
        extent = (len(at), at[0], at[-1]) if at else (0, None, None)
        rows.append((label.value, label.name, count, count * voxel_ml, *extent))
    headers = ("Value", "Name", "Voxels", "Milliliters", "Slices", "First", "Last")
    return Table("", headers, tuple(rows))
