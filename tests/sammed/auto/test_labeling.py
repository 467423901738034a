"""Labeling a whole stack: from coarse masks whose truth is known to labels on the right grid."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from types import SimpleNamespace
from typing import TYPE_CHECKING, cast

import numpy as np
import pytest
import torch
from torch import Tensor

from sammed.annotations.annotations import Annotations
from sammed.auto.classification import ClassificationConfig, train_classifier
from sammed.auto.fusion import MASKS_FROM, MaskFrom
from sammed.auto.label_choice import LabelChoice
from sammed.auto.labeling import Coarse, CoarseGrids, coarse_masks, highest_wins, label_logits, label_stack
from sammed.auto.sap_net import SapNetConfig
from sammed.auto.sap_training import SapTrainingConfig, prepare_episodes, train_sap_net
from sammed.backbones.backbone import Backbone
from sammed.embeddings.scan import Scan, open_scan
from sammed_volumes.intensity import Window
from sammed_volumes.labels import Label, LabelVolume, default_label
from sammed_volumes.volume import Volume

if TYPE_CHECKING:
    from tests.conftest import Phantom

SLICES, SIDE = 9, 64


def organs() -> tuple[np.ndarray, np.ndarray]:
    """Image and truth: label 1 (bright) on slices 2 to 6, label 3 (medium) on 4 to 8, and dark noise."""
    rows, columns = np.ogrid[:SIDE, :SIDE]
    truth = np.zeros((SLICES, SIDE, SIDE), dtype=np.uint8)
    truth[2:7, np.hypot(rows - 20, columns - 20) < 10] = 1
    truth[4:9, np.hypot(rows - 42, columns - 44) < 12] = 3
    brightness = np.array([0.1, 0.9, 0.0, 0.5])[truth]
    return np.clip(brightness + np.random.default_rng(0).normal(0, 0.02, truth.shape), 0, 1), truth


@dataclass(frozen=True)
class Known:
    """A generator that knows: it reads the brightness of the cells, as `brightness_backbone` embeds them."""

    brightness: tuple[float, ...]

    def coarse(self, embeddings: Tensor) -> Tensor:
        cells = embeddings[:, :16].mean(1)
        return torch.stack([20 * (0.15 - (cells - each).abs()) for each in self.brightness], dim=1)


def dice(found: np.ndarray, truth: np.ndarray) -> float:
    return 2 * float((found & truth).sum()) / float(found.sum() + truth.sum())


def same_encoder(backbone: Backbone, values: tuple[int, ...]) -> Mapping[int, torch.nn.Module]:
    return dict.fromkeys(values, backbone.prompt_encoder)


LABELS = (default_label(1), default_label(3))
KNOWN = Known((0.9, 0.5))


@pytest.mark.parametrize("mask_from", MASKS_FROM)
def test_labels_are_where_they_are(
    mask_from: MaskFrom, encode: Callable[..., Scan], brightness_backbone: Backbone
) -> None:
    stack, truth = organs()
    scan = encode(stack, brightness_backbone)
    choices = dict.fromkeys((1, 3), LabelChoice(mask_from=mask_from))
    found = label_stack(scan, KNOWN, same_encoder(brightness_backbone, (1, 3)), choices, LABELS)
    assert found.stack.shape == truth.shape
    assert found.stack.dtype == np.uint8
    least = {"decoder": 0.97, "mean": 0.95, "coarse": 0.7}  # the coarse mask has cells of 4 x 4 pixels
    for value in (1, 3):
        assert dice(found.stack == value, truth == value) > least[mask_from]
        shown = (found.stack == value).any(axis=(1, 2))
        np.testing.assert_array_equal(shown, (truth == value).any(axis=(1, 2)))


def test_agreement_is_the_overlap_of_coarse_mask_and_decoder(
    encode: Callable[..., Scan], brightness_backbone: Backbone
) -> None:
    stack, _ = organs()
    scan = encode(stack, brightness_backbone)
    labels = (*LABELS, default_label(7))
    generator = Known((0.9, 0.5, 3.0))  # nothing is as bright as 3
    choices = dict.fromkeys((1, 3, 7), LabelChoice())
    found = label_stack(scan, generator, same_encoder(brightness_backbone, (1, 3, 7)), choices, labels)
    for value in (1, 3):
        agreement = found.agreement[value]
        assert agreement is not None
        assert 0.7 < agreement < 1
    assert found.agreement[7] is None
    assert 7 not in found.stack


def test_slices_without_a_coarse_mask_stay_empty_even_when_smoothed(
    encode: Callable[..., Scan], brightness_backbone: Backbone
) -> None:
    stack, truth = organs()
    scan = encode(stack, brightness_backbone)
    coarse = coarse_masks(scan, KNOWN)[:, 0]
    choice = LabelChoice(smoothing_mm=10.0)  # two slices
    logits, _ = label_logits(scan, coarse, brightness_backbone.prompt_encoder, choice)
    shown = (logits > 0).flatten(1).any(1).numpy()
    assert not (shown & ~(truth == 1).any(axis=(1, 2))).any()


def test_smoothing_closes_a_slice_that_was_missed_in_part(
    encode: Callable[..., Scan], brightness_backbone: Backbone
) -> None:
    stack, truth = organs()
    stack[4, 10:20] = 0.1  # an artifact through the upper half of label 1
    scan = encode(stack, brightness_backbone)
    coarse = coarse_masks(scan, KNOWN)[:, 0]
    hit = {}
    for width_mm in (0.0, 7.5):
        choice = LabelChoice(smoothing_mm=width_mm)
        logits, _ = label_logits(scan, coarse, brightness_backbone.prompt_encoder, choice)
        hit[width_mm] = float((logits[4] > 0).numpy()[truth[4] == 1].mean())
    assert hit[0.0] < 0.6
    assert hit[7.5] > 0.95


def test_only_the_largest_components_are_prompted(
    encode: Callable[..., Scan], brightness_backbone: Backbone
) -> None:
    """Two bodies of label 1 of different brightness; the generator sees both, one component is wanted."""
    stack, truth = organs()
    scan = encode(stack, brightness_backbone)
    both = torch.maximum(*coarse_masks(scan, KNOWN).unbind(1))
    for components, wanted in ((1, truth == 3), (2, truth > 0)):
        logits, _ = label_logits(
            scan, both, brightness_backbone.prompt_encoder, LabelChoice(components=components)
        )
        assert dice((logits > 0).numpy(), wanted) > 0.97


def test_removed_components_are_far_below_zero() -> None:
    logits = torch.full((2, 8, 8), -1.0)
    logits[0, :3, :3] = logits[1, 6, 6] = 2.0
    on_its_own_grid = SimpleNamespace(frame=SimpleNamespace(mask_size=8))
    grids = CoarseGrids(cast(Scan, on_its_own_grid), logits, LabelChoice())
    kept = grids.of([0, 1])
    assert torch.equal(grids.of([1])[0], kept[1])
    assert grids.mask.sum() == 9
    assert (kept[0, :3, :3] == 2).all()
    assert kept[1, 6, 6] == -6
    assert kept[1, 0, 0] == -1


def test_the_higher_logit_wins_and_labels_do_not_overlap(
    encode: Callable[..., Scan], tiny_backbone: Backbone
) -> None:
    scan = encode(np.zeros((3, SIDE, SIDE)), tiny_backbone)
    first, second = torch.full((3, 64, 64), -6.0), torch.full((3, 64, 64), -6.0)
    first[:, :, :40] = 2.0
    second[:, :, 20:] = 1.0
    second[1, :, 20:] = 3.0
    stack = highest_wins(scan, [first, second], (default_label(2), default_label(300)))
    assert stack.dtype == np.uint16
    assert np.unique(stack[:, :, :20]).tolist() == [2]
    assert np.unique(stack[:, :, 40:]).tolist() == [300]
    assert [np.unique(stack[index, :, 20:40]).tolist() for index in range(3)] == [[2], [300], [2]]


def test_no_logit_above_zero_is_background(encode: Callable[..., Scan], tiny_backbone: Backbone) -> None:
    scan = encode(np.zeros((3, SIDE, SIDE)), tiny_backbone)
    assert not highest_wins(scan, [torch.zeros(3, 64, 64)], (default_label(2),)).any()


def test_labels_come_in_the_volumes_own_pixels(
    encode: Callable[..., Scan], brightness_backbone: Backbone
) -> None:
    """Slices of 30 x 50 pixels of 2 x 1 mm on a mask grid of 64 cells."""
    truth = np.zeros((4, 30, 50), dtype=bool)
    truth[1:3, 6:20, 12:40] = True
    scan = encode(np.where(truth, 0.9, 0.1), brightness_backbone, spacing_mm=(5.0, 2.0, 1.0))
    choices = {1: LabelChoice()}
    found = label_stack(
        scan, Known((0.9,)), same_encoder(brightness_backbone, (1,)), choices, (default_label(1),)
    )
    assert found.stack.shape == truth.shape
    assert dice(found.stack == 1, truth) > 0.93


def test_progress_is_called_for_each_label(
    encode: Callable[..., Scan], brightness_backbone: Backbone
) -> None:
    steps: list[int] = []
    scan = encode(organs()[0], brightness_backbone)
    choices = dict.fromkeys((1, 3), LabelChoice())
    label_stack(scan, KNOWN, same_encoder(brightness_backbone, (1, 3)), choices, LABELS, steps.append)
    assert steps == [1, 1]


# End to end with Meta's own code (random weights): what is learned on the embeddings is real


SMALL = SapTrainingConfig(
    network=SapNetConfig(channels=16, position_features=16), steps=80, learning_rate=0.01
)


def learned_labels(
    volume: Volume, labels: LabelVolume, backbone: Backbone, generator_name: str
) -> np.ndarray:
    """Labels X Y Z of a volume after training on five of its slices, from coarse masks only.

    The tiny backbone's decoder is random, so only the coarse mask shows where a label is.
    """
    scan = open_scan(volume, backbone, window=Window(-800.0, 500.0, "hu"))
    slicing = scan.slicing
    truth = slicing.to_stack(labels.voxels)
    indices = tuple(range(3, slicing.count - 3, 2))
    annotations = Annotations(indices, truth[list(indices)], _named(labels, truth[list(indices)]))
    embeddings = scan.embeddings(indices)
    generator: Coarse
    if generator_name == "classification":
        generator = train_classifier(embeddings, annotations.tensor(), scan.frame, ClassificationConfig())
    else:
        episodes = prepare_episodes(embeddings, annotations.tensor(), scan.frame)
        generator = train_sap_net(episodes, SMALL, torch.Generator().manual_seed(0))
    encoders = same_encoder(backbone, tuple(label.value for label in annotations.labels))
    choices = {
        label.value: LabelChoice(mask_from="coarse", rule_name="points") for label in annotations.labels
    }
    found = label_stack(scan, generator, encoders, choices, annotations.labels)
    return slicing.from_stack(found.stack)


def _named(labels: LabelVolume, shown: np.ndarray) -> tuple[Label, ...]:
    return tuple(label for label in labels.labels if (shown == label.value).any())


@pytest.mark.parametrize("generator_name", ["sap", "classification"])
def test_labels_a_phantom_on_its_own_grid(
    generator_name: str, phantom: Callable[..., "Phantom"], tiny_backbone: Backbone
) -> None:
    case = phantom()
    found = learned_labels(case.volume, case.labels, tiny_backbone, generator_name)
    assert found.shape == case.volume.shape
    assert set(np.unique(found)) <= {0, 1, 2, 4}
    assert dice(found == 1, case.labels.voxels == 1) > 0.7  # the lung, 7 cells wide
    assert dice(np.isin(found, (2, 4)), np.isin(case.labels.voxels, (2, 4))) > 0.6


@pytest.mark.parametrize("permutation", [(2, 0, 1), (1, 2, 0)], ids=["z x y", "y z x"])
def test_one_anatomy_in_another_orientation_gets_the_same_labels(
    permutation: tuple[int, int, int], phantom: Callable[..., "Phantom"], tiny_backbone: Backbone
) -> None:
    """Axes permuted and two of them flipped: the stack is the same, so all that follows is."""
    case = phantom(noise=5.0)
    affine = case.volume.affine_ras_mm.copy()
    turned_affine = np.eye(4)
    turned_affine[:, 3] = affine[:, 3]
    for new, old in enumerate(permutation):
        turned_affine[:3, new] = affine[:3, old]
    for axis in (0, 2):
        length = case.volume.shape[permutation[axis]]
        turned_affine[:3, 3] += turned_affine[:3, axis] * (length - 1)
        turned_affine[:3, axis] *= -1

    def turn(voxels: np.ndarray) -> np.ndarray:
        return np.ascontiguousarray(np.flip(voxels.transpose(permutation), (0, 2)))

    volume = replace(case.volume, voxels=turn(case.volume.voxels), affine_ras_mm=turned_affine)
    labels = replace(case.labels, voxels=turn(case.labels.voxels), affine_ras_mm=turned_affine)
    straight = learned_labels(case.volume, case.labels, tiny_backbone, "sap")
    turned = learned_labels(volume, labels, tiny_backbone, "sap")
    assert straight.any()
    np.testing.assert_array_equal(turned, turn(straight))
