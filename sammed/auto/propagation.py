"""Prompt propagation: points that travel from slice to slice (SAM^Med 3.2.2, Algorithm 1).

A *run* starts from one annotated slice in one direction. It samples foreground points from the slice's mask
and keeps those whose intensity on the next slice is similar. With them the trained prompt encoder segments
the next slice, and the next points are sampled from that mask. Only foreground points travel, as in the
paper: the background is too diverse.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from sammed.annotations.annotations import Annotations
from sammed.assist.masks import decode_prompts, unite
from sammed.auto.fusion import LARGEST_LOGIT
from sammed.embeddings.scan import Scan
from sammed.errors import ConfigError
from sammed.prompts.boxes import box_around
from sammed.prompts.instances import instances
from sammed.prompts.points import sample_points
from sammed.prompts.prompt import PointSign, Prompt
from sammed_volumes.labels import Label

Carried = Literal["points", "box"]


@dataclass(frozen=True, slots=True)
class PropagationConfig:
    """Which points travel on, and what they prompt; the paper gives no numbers.

    `prompt` is what the next slice is segmented with: the surviving points, as in the paper, or the box of
    the component that they were sampled from, where any survived.
    """

    # n of Algorithm 1, sampled in each component of a slice; an encoder is trained on up to 20 points too
    points: int = 20  # 5, 10 and 50 lose 0.12, 0.02 and 0.2 Dice (measured)
    # lambda, in standard deviations of the intensity inside the component
    tolerance: float = 2.0  # 1 loses 0.01 Dice, 3 is the same (measured)
    prompt: Carried = "points"  # a box gains 0.12 Dice with an encoder of composite prompts (measured)

    def __post_init__(self) -> None:
        if self.prompt not in get_args(Carried):
            raise ConfigError(f"Propagation carries {' or '.join(get_args(Carried))}, not {self.prompt!r}.")
        if self.points < 1:
            raise ConfigError(f"Propagation needs at least 1 point per component, not {self.points}.")
        if not (0 < self.tolerance < float("inf")):
            raise ConfigError(f"Propagation's tolerance (lambda) is {self.tolerance}; it must be above 0.")


@dataclass(frozen=True, slots=True, eq=False)
class _Run:
    """The state of a run: a slice of the stack, the step to the next, the slice's image 0..1, its mask."""

    index: int
    step: int
    image: Float[np.ndarray, "H W"]
    mask: Bool[np.ndarray, "H W"]

    @property
    def next_index(self) -> int:
        return self.index + self.step


def propagate(
    scan: Scan,
    annotations: Annotations,
    encoders: Mapping[int, nn.Module],
    config: PropagationConfig,
    rng: np.random.Generator,
    progress: Callable[[int], None] | None = None,
) -> list[Float[Tensor, "S M M"]]:
    """Return logits of each label on the mask grid, in the order of the labels, for `labeling.highest_wins`.

    `encoders` are the trained prompt encoders by label value. A run ends where no point survives, where its
    mask is empty, at the end of the stack, and at the next annotated slice, where another run starts from the
    annotated mask. Where several runs reach a slice, its logits are their mean, each clamped to +-6.
    Annotated slices keep their masks; slices that no run reaches are -6. `progress` is called once for each
    label.
    """
    logits = []
    for label in annotations.labels:
        logits.append(_propagate_label(scan, annotations, label, encoders[label.value], config, rng))
        if progress is not None:
            progress(1)
    return logits


def surviving_points(
    image: Float[np.ndarray, "H W"],
    mask: Bool[np.ndarray, "H W"],
    points_xy: Float[np.ndarray, "P 2"],
    next_image: Float[np.ndarray, "H W"],
    tolerance: float,
) -> Float[np.ndarray, "Q 2"]:
    """Return the points p with |X_t+1(p) - X_t(p)| < lambda times the deviation of X_t inside the mask."""
    columns, rows = points_xy.astype(np.int64).T
    change = np.abs(next_image[rows, columns] - image[rows, columns])
    surviving: np.ndarray = points_xy[change < tolerance * image[mask].std()]
    return surviving


def _propagate_label(
    scan: Scan,
    annotations: Annotations,
    label: Label,
    encoder: nn.Module,
    config: PropagationConfig,
    rng: np.random.Generator,
) -> Tensor:
    most = annotations.components(label)
    tally = _Tally(scan)
    runs = _start(scan, annotations, label)
    while runs:  # all runs take a step together, so that their prompts share the decoder's batches
        runs = [run for run in runs if _unmarked(run.next_index, annotations, scan)]
        carried = [_carry(run, scan, most, config, rng) for run in runs]
        runs = [run for run, prompts in zip(runs, carried, strict=True) if prompts]
        if not runs:
            break
        logits = _segment(scan, encoder, runs, [prompts for prompts in carried if prompts])
        tally.add([run.next_index for run in runs], logits)
        runs = _advance(scan, runs, logits)
    return tally.merged(annotations, label)


def _start(scan: Scan, annotations: Annotations, label: Label) -> list[_Run]:
    masks = annotations.mask(label)
    return [
        _Run(annotations.indices[row], step, _gray(scan, annotations.indices[row]), masks[row])
        for row in annotations.showing(label)
        for step in (-1, 1)
    ]


def _unmarked(index: int, annotations: Annotations, scan: Scan) -> bool:
    return 0 <= index < scan.slicing.count and index not in annotations.indices


def _carry(
    run: _Run, scan: Scan, most: int, config: PropagationConfig, rng: np.random.Generator
) -> list[Prompt]:
    """Return prompts for the next slice: one for each of the `most` largest components with a survivor."""
    next_image = _gray(scan, run.next_index)
    prompts = []
    for instance in instances(run.mask)[:most]:
        points_xy = sample_points(instance, min(config.points, int(instance.sum())), "uniform", rng)
        points_xy = surviving_points(run.image, instance, points_xy, next_image, config.tolerance)
        if len(points_xy):
            prompts.append(_prompt(instance, points_xy, config.prompt))
    return prompts


def _prompt(
    instance: Bool[np.ndarray, "H W"], points_xy: Float[np.ndarray, "Q 2"], carried: Carried
) -> Prompt:
    if carried == "box":
        return Prompt(box_xyxy_slice=box_around(instance))
    return Prompt(points_xy, np.full(len(points_xy), PointSign.FOREGROUND, dtype=np.int64))


def _segment(
    scan: Scan, encoder: nn.Module, runs: Sequence[_Run], carried: Sequence[Sequence[Prompt]]
) -> Float[Tensor, "R M M"]:
    """Return the decoder's logits of each run's next slice."""
    embeddings = scan.embeddings([run.next_index for run in runs])
    run_of = [row for row, prompts in enumerate(carried) for _ in prompts]
    prompts = [prompt for of_run in carried for prompt in of_run]
    logits = decode_prompts(scan.backbone, encoder, embeddings, prompts, run_of, scan.frame)
    return unite(logits, run_of, len(runs)).cpu()


def _advance(scan: Scan, runs: Sequence[_Run], logits: Float[Tensor, "R M M"]) -> list[_Run]:
    """Move the runs to their next slices, without those that found nothing there."""
    masks = (scan.frame.logits_to_slice(logits) > 0).numpy()  # R H W
    return [
        _Run(run.next_index, run.step, _gray(scan, run.next_index), mask)
        for run, mask in zip(runs, masks, strict=True)
        if mask.any()
    ]


def _gray(scan: Scan, index: int) -> Float[np.ndarray, "H W"]:
    image = scan.image(index)
    return image if image.ndim == 2 else image.mean(axis=2)  # H W 3 -> H W


class _Tally:
    """Sums of the logits of all runs of one label, and how many runs reached each slice."""

    def __init__(self, scan: Scan) -> None:
        self._frame = scan.frame
        size = scan.frame.mask_size
        self._sums = torch.zeros(scan.slicing.count, size, size)
        self._reached = torch.zeros(scan.slicing.count)

    def add(self, indices: Sequence[int], logits: Float[Tensor, "R M M"]) -> None:
        """Add the logits that runs found in these slices; a slice may occur twice."""
        where = torch.tensor(indices)
        self._sums.index_add_(0, where, logits.clamp(-LARGEST_LOGIT, LARGEST_LOGIT))
        self._reached.index_add_(0, where, torch.ones(len(indices)))

    def merged(self, annotations: Annotations, label: Label) -> Float[Tensor, "S M M"]:
        """Return the mean of the runs, float16; annotated slices keep their masks, -6 where no run came."""
        mean = self._sums / self._reached.clamp(min=1)[:, None, None]
        mean[self._reached == 0] = -LARGEST_LOGIT
        shares = self._frame.masks_to_mask_grid(torch.from_numpy(annotations.mask(label)))  # A 4h 4w
        mean[list(annotations.indices)] = LARGEST_LOGIT * (2 * shares - 1)
        return mean.half()
