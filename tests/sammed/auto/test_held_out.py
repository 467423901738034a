"""Held-out slices: each one is predicted once, by a net that never saw it."""

from collections.abc import Callable

import numpy as np
import pytest
import torch

from sammed.annotations.annotations import Annotations
from sammed.auto import held_out
from sammed.auto.fusion import LARGEST_LOGIT, RADIUS
from sammed.auto.held_out import HeldOut, hold_out
from sammed.auto.sap_net import SapNetConfig
from sammed.auto.sap_training import Episodes, SapTrainingConfig, TrainedSapNet, train_sap_net
from sammed.backbones.backbone import Backbone
from sammed.embeddings.scan import Scan

SMALL = SapTrainingConfig(
    network=SapNetConfig(channels=16, position_features=16), steps=4, learning_rate=0.01
)
Discs = tuple[np.ndarray, np.ndarray]


def held(scan: Scan, annotations: Annotations, folds: int = 3, radius: int = RADIUS) -> list[HeldOut]:
    return hold_out(scan, annotations, SMALL, folds, radius, torch.Generator().manual_seed(0))


def test_every_slice_is_held_out_once_with_its_neighbors(
    encode: Callable[..., Scan],
    annotate: Callable[..., Annotations],
    tiny_backbone: Backbone,
    discs: Discs,
) -> None:
    stack, truth = discs
    annotations = annotate(truth, (0, 1, 3, 4, 6))
    found = held(encode(stack, tiny_backbone), annotations)
    assert sorted(each.row for each in found) == [0, 1, 2, 3, 4]
    for each in found:
        assert each.window[each.middle] == annotations.indices[each.row]
        assert len(each.window) == 2 * RADIUS + 1
        assert each.coarse.shape == (len(each.window), 1, 16, 16)
    first = next(each for each in found if each.row == 0)
    assert first.window == (0, 0, 0, 0, 1, 2, 3)


def test_without_a_radius_a_window_is_the_slice_itself(
    encode: Callable[..., Scan],
    annotate: Callable[..., Annotations],
    tiny_backbone: Backbone,
    discs: Discs,
) -> None:
    stack, truth = discs
    found = held(encode(stack, tiny_backbone), annotate(truth, (2, 3, 5)), radius=0)
    assert {each.window for each in found} == {(2,), (3,), (5,)}


@pytest.mark.parametrize(("folds", "nets"), [(2, 2), (3, 3), (10, 4)])
def test_each_net_is_trained_without_the_slices_that_it_predicts(
    folds: int,
    nets: int,
    encode: Callable[..., Scan],
    annotate: Callable[..., Annotations],
    tiny_backbone: Backbone,
    discs: Discs,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Of two folds, three, and as many as slices show the label, whatever the number of folds."""
    trained: list[Episodes] = []

    def noting(episodes: Episodes, config: SapTrainingConfig, generator: torch.Generator) -> TrainedSapNet:
        trained.append(episodes)
        return train_sap_net(episodes, config, generator)

    stack, truth = discs
    scan, annotations = encode(stack, tiny_backbone), annotate(truth, (0, 1, 3, 4, 6))
    monkeypatch.setattr(held_out, "train_sap_net", noting)
    found = held(scan, annotations, folds)
    assert len(trained) == nets
    of_slices = [scan.embeddings([index])[0] for index in annotations.indices]
    seen_by = [
        {row for row, own in enumerate(of_slices) if any(each.equal(own) for each in episodes.embeddings)}
        for episodes in trained
    ]
    unseen_by = [set(range(5)) - seen for seen in seen_by]
    assert sorted(row for rows in unseen_by for row in rows) == [0, 1, 2, 3, 4]
    in_order = [row for rows in unseen_by for row in rows]
    assert {each.row for each in found} == set(in_order)
    position = 0
    for rows in unseen_by:  # the slices of a fold come one after another, from the net of that fold
        assert {each.row for each in found[position : position + len(rows)]} == rows
        position += len(rows)


def test_a_held_out_slice_has_taught_nothing(
    encode: Callable[..., Scan],
    annotate: Callable[..., Annotations],
    tiny_backbone: Backbone,
    discs: Discs,
) -> None:
    """A label that only one slice shows is nowhere on it, for the net that never saw it."""
    stack, truth = discs
    truth[3, 40:50, 40:50] = 6
    found = held(encode(stack, tiny_backbone), annotate(truth, (2, 3, 5)))
    by_row = {each.row: each.coarse for each in found}
    assert (by_row[1][:, 1] == -LARGEST_LOGIT).all()
    assert (by_row[0][:, 1] > -LARGEST_LOGIT).any()
    assert (by_row[1][:, 0] > -LARGEST_LOGIT).any(), "the other label keeps its own column"


def test_one_slice_with_a_label_can_not_be_held_out(
    encode: Callable[..., Scan],
    annotate: Callable[..., Annotations],
    tiny_backbone: Backbone,
    discs: Discs,
) -> None:
    stack, truth = discs
    assert held(encode(stack, tiny_backbone), annotate(truth, (0, 3, 7))) == []
