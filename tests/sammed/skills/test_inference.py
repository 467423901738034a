"""Inference on volumes: pose, window, annotated slices."""

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from sammed.annotations.slice_sampling import annotate
from sammed.backbones.backbone import Backbone
from sammed.embeddings.labeled import Labeled
from sammed.embeddings.scan import open_scan
from sammed.errors import SkillError
from sammed.progress import Silent
from sammed.skills.inference import GeneratorName, label_scan, scan_for
from sammed.skills.model import SkillModel
from sammed.skills.training import SkillConfig, train_skill
from sammed_volumes.intensity import Window
from sammed_volumes.volume import Volume

if TYPE_CHECKING:
    from tests.conftest import Phantom

WINDOW = Window(-900.0, 500.0, "hu")


@pytest.fixture(scope="session")
def kept() -> list[SkillModel]:
    return []


@pytest.fixture
def skill(
    phantom: Callable[..., "Phantom"],
    tiny_backbone: Backbone,
    few_steps: Callable[..., SkillConfig],
    kept: list[SkillModel],
) -> SkillModel:
    """Learned once from two slices of the phantom and an empty one."""
    if not kept:
        made = phantom()
        scan = open_scan(made.volume, tiny_backbone, window=WINDOW)
        marked = annotate(
            scan.slicing, made.labels, made.labels.labels, slice_index=(5, 7), empty_slices=(0,)
        )
        kept.append(train_skill(scan, marked, few_steps(), 0, Silent()))
    return kept[0]


def labeled(
    volume: Volume, skill: SkillModel, backbone: Backbone, generator: GeneratorName = "sap"
) -> Labeled:
    return label_scan(scan_for(skill, volume, backbone), skill, "of a skill", generator)


def test_the_volume_is_seen_as_the_skill_wants_it(
    skill: SkillModel, phantom: Callable[..., "Phantom"], tiny_backbone: Backbone
) -> None:
    """In a volume of sagittal slices the axial ones are looked at, through the skill's window."""
    volume = phantom(shape=(13, 37, 41), spacing_mm=(5.0, 2.0, 2.0)).volume
    scan = scan_for(skill, volume, tiny_backbone)
    assert (scan.slicing.plane, scan.slicing.axis) == ("axial", 2)
    assert (scan.low, scan.high) == (-900, 500)


def test_the_same_volume_turned_keeps_its_annotated_slices(
    skill: SkillModel, phantom: Callable[..., "Phantom"], tiny_backbone: Backbone
) -> None:
    made = phantom()
    flip = np.diag([1.0, 1, -1, 1])
    flip[2, 3] = made.volume.shape[2] - 1
    turned = replace(
        made.volume, voxels=made.volume.voxels[:, :, ::-1], affine_ras_mm=made.volume.affine_ras_mm @ flip
    )
    found = labeled(turned, skill, tiny_backbone)
    assert found.annotated == (5, 7, 12)
    np.testing.assert_array_equal(found.labels.voxels[:, :, 7], made.labels.voxels[:, :, 5])
    upright = labeled(made.volume, skill, tiny_backbone)
    np.testing.assert_array_equal(found.labels.voxels[:, :, ::-1], upright.labels.voxels)


def test_one_other_voxel_is_another_volume(
    skill: SkillModel, phantom: Callable[..., "Phantom"], tiny_backbone: Backbone
) -> None:
    volume = phantom().volume
    voxels = volume.voxels.copy()
    voxels[0, 0, 0] += 1
    other = replace(volume, voxels=voxels)
    assert labeled(other, skill, tiny_backbone).annotated == ()
    with pytest.raises(SkillError, match="Propagation starts from annotated slices"):
        labeled(other, skill, tiny_backbone, generator="propagation")


def test_labels_lie_on_the_volume_s_grid(
    skill: SkillModel, phantom: Callable[..., "Phantom"], tiny_backbone: Backbone
) -> None:
    volume = phantom(shape=(30, 45, 9), spacing_mm=(2.5, 1.5, 6.0), axcodes="RAI").volume
    found = labeled(volume, skill, tiny_backbone)
    assert found.labels.shape == volume.shape
    np.testing.assert_array_equal(found.labels.affine_ras_mm, volume.affine_ras_mm)
    assert found.labels.labels == skill.labels
    assert set(np.unique(found.labels.voxels)) <= {0, 1, 2, 4}
    assert found.labels.voxels.dtype == np.uint8


def test_agreement_is_a_share_or_unknown(
    skill: SkillModel, phantom: Callable[..., "Phantom"], tiny_backbone: Backbone
) -> None:
    volume = phantom().volume
    for value, score in labeled(volume, skill, tiny_backbone).estimates.items():
        assert score is None or 0 <= score <= 1, value
    propagated = labeled(volume, skill, tiny_backbone, generator="propagation")
    assert set(propagated.estimates.values()) == {None}


def test_labeling_twice_gives_the_same(
    skill: SkillModel, phantom: Callable[..., "Phantom"], tiny_backbone: Backbone
) -> None:
    volume = phantom().volume
    for generator in ("sap", "propagation", "classification"):
        first, second = (
            labeled(volume, skill, tiny_backbone, generator=generator).labels.voxels for _ in range(2)
        )
        np.testing.assert_array_equal(first, second, err_msg=generator)


def test_a_skill_that_can_not_be_applied(
    skill: SkillModel, phantom: Callable[..., "Phantom"], tiny_backbone: Backbone
) -> None:
    volume = phantom().volume
    with pytest.raises(SkillError, match="no generator"):
        labeled(volume, replace(skill, auto=None), tiny_backbone)
    with pytest.raises(SkillError, match="digests differ"):
        labeled(volume, replace(skill, backbone_digest="other"), tiny_backbone)
