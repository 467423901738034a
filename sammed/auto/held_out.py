"""Held-out slices: coarse masks of annotated slices from a SAP-Net that was trained without them."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from sammed.annotations.annotations import Annotations
from sammed.auto.fusion import LARGEST_LOGIT
from sammed.auto.sap_training import SapTrainingConfig, prepare_episodes, train_sap_net
from sammed.embeddings.scan import Scan
from sammed_volumes.labels import Label


@dataclass(frozen=True, slots=True, eq=False)
class HeldOut:
    """An annotated slice with its neighbors, and their coarse logits from a net that never saw the slice.

    `row` counts among the annotated slices. `window` holds indices of the stack with the slice in the
    middle; beyond the ends of the stack it repeats the end.
    """

    row: int
    window: tuple[int, ...]
    coarse: Float[Tensor, "W k h w"]

    @property
    def middle(self) -> int:
        """The position of the annotated slice in its window."""
        return len(self.window) // 2


def hold_out(
    scan: Scan,
    annotations: Annotations,
    training: SapTrainingConfig,
    folds: int,
    radius: int,
    generator: torch.Generator,
) -> list[HeldOut]:
    """Hold out every annotated slice once, in at most `folds` folds, with `radius` neighbors on each side.

    Returns nothing where only one annotated slice shows a label.
    """
    count = min(folds, len(annotations.foreground))
    if count < 2:
        return []
    empty = [row for row in range(len(annotations.indices)) if row not in annotations.foreground]
    held_out = []
    for fold in range(count):
        rows = (*annotations.foreground[fold::count], *empty[fold::count])
        kept = annotations.without(rows)
        episodes = prepare_episodes(scan.embeddings(kept.indices), kept.tensor(), scan.frame)
        net = train_sap_net(episodes, training, generator)
        for row in rows:
            window = _window(annotations.indices[row], radius, scan.slicing.count)
            coarse = _columns(net.coarse(scan.embeddings(window)), kept.labels, annotations.labels)
            held_out.append(HeldOut(row, window, coarse))
    return held_out


def _window(index: int, radius: int, count: int) -> tuple[int, ...]:
    return tuple(min(max(index + offset, 0), count - 1) for offset in range(-radius, radius + 1))


def _columns(
    coarse: Float[Tensor, "W j h w"], trained: Sequence[Label], wanted: Sequence[Label]
) -> Float[Tensor, "W k h w"]:
    """Return a column for each label wanted. A label that the net never saw is nowhere."""
    nowhere = torch.full_like(coarse[:, 0], -LARGEST_LOGIT)
    columns = [coarse[:, trained.index(label)] if label in trained else nowhere for label in wanted]
    return torch.stack(columns, dim=1)
