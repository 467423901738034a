"""SAM_assist: train a prompt encoder for one label on a few annotated slices (SAM^Med 3.2.1, equation 1).

The image encoder and the mask decoder stay as they are; theta in equation 1 is the prompt encoder's weights.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache, partial
from itertools import chain, count

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from sammed.assist.config import AssistConfig, Schedule
from sammed.assist.encoding import encode_prompts
from sammed.assist.examples import Example, gather_examples, sample_prompt
from sammed.assist.label_encoder import LabelEncoder
from sammed.assist.losses import dice_and_cross_entropy
from sammed.assist.parallel import Stop, run_in_parallel
from sammed.backbones.backbone import Backbone, MaskDecoder, freeze
from sammed.backbones.frame import Frame
from sammed.backbones.sparse_masks import STRIDE, Cell, cells_of, thinned
from sammed.errors import AnnotationError
from sammed.prompts.prompt import Prompt

Progress = Callable[[int], None]


@dataclass(frozen=True, slots=True, eq=False)
class TrainedEncoder:
    """A trained prompt encoder, frozen, and the loss of every step: points first, then boxes."""

    encoder: LabelEncoder
    losses: tuple[float, ...]

    @property
    def steps(self) -> int:
        """The number of steps taken: fewer than configured where the loss stopped falling."""
        return len(self.losses)


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """What one step is trained on: prompts of one form, their slices, and the masks that they ask for.

    Masks are compared in one cell of 64, another one for each batch.
    """

    rows: list[int]
    prompts: list[Prompt]
    cell: Cell
    target: Float[Tensor, "B M/8 M/8"]


def train_prompt_encoder(
    backbone: Backbone,
    embeddings: Float[Tensor, "A 256 h w"],
    masks: Bool[np.ndarray, "A H W"],
    frame: Frame,
    config: AssistConfig,
    generator: torch.Generator,
    progress: Progress | None = None,
) -> TrainedEncoder:
    """Train copies of the backbone's prompt encoder on one label's masks on the annotated slices.

    One copy learns points, another boxes and coarse masks (`LabelEncoder`), the two in parallel. Each step
    samples one kind of prompt for a batch of instances, so that no prompt needs padding. The generator
    decides everything random. `progress` is called with the number of steps done so far. Raises
    AnnotationError where no slice shows the label.
    """
    rng = np.random.default_rng(int(torch.randint(2**62, (1,), generator=generator).item()))
    examples = list(gather_examples(masks, frame, config.scheme, config.least_pixels))
    if not examples:
        raise AnnotationError(
            f"None of the {len(masks)} annotated slices shows the label, so there is nothing to learn from."
        )
    decoder_of = cache(backbone.sparse_decoder)
    trainer = _Trainer(backbone, decoder_of, embeddings, frame, examples, config, _counting(progress))
    encoder = LabelEncoder(backbone.new_prompt_encoder(), backbone.new_prompt_encoder()).train()
    parts = ((encoder.points, config.point_schedule), (encoder.boxes, config.box_schedule))
    tasks = [
        partial(trainer.train, part, schedule, own)
        for (part, schedule), own in zip(parts, rng.spawn(2), strict=True)
        if schedule.kinds
    ]
    losses = run_in_parallel(tasks, torch.get_num_threads() if backbone.device.type == "cpu" else 1)
    freeze(encoder)
    return TrainedEncoder(encoder, tuple(chain.from_iterable(losses)))


def _counting(progress: Progress | None) -> Callable[[], None]:
    """Return what each schedule calls after a step; `progress` gets the steps of both together."""
    if progress is None:
        return lambda: None
    steps = count(1)
    return lambda: progress(next(steps))


@dataclass(frozen=True, slots=True, eq=False)
class _Trainer:
    """What both schedules share."""

    backbone: Backbone
    decoder_of: Callable[[Cell], MaskDecoder]
    embeddings: Float[Tensor, "A 256 h w"]
    frame: Frame
    examples: list[Example]
    config: AssistConfig
    step_done: Callable[[], None]

    def train(
        self, encoder: nn.Module, schedule: Schedule, rng: np.random.Generator, stop: Stop
    ) -> list[float]:
        """Run Adam on the encoder's weights, in place, one batch a step; return the loss of every step."""
        batches = _batches(self.examples, schedule, self.config, rng)
        valid = self._valid()
        optimizer = torch.optim.Adam(encoder.parameters(), schedule.learning_rate, schedule.momentum)
        rate = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=schedule.steps)
        losses: list[float] = []
        while len(losses) < schedule.steps and not _converged(losses, self.config) and not stop():
            optimizer.zero_grad()
            loss = self._loss(encoder, next(batches), valid)
            torch.autograd.backward(loss)
            optimizer.step()
            rate.step()
            losses.append(loss.item())
            self.step_done()
        return losses

    def _loss(self, encoder: nn.Module, batch: Batch, valid: Tensor) -> Tensor:
        sparse, dense = encode_prompts(self.backbone, encoder, batch.prompts, self.frame)
        embeddings = self.embeddings[batch.rows].to(self.backbone.device, torch.float32)
        decoder = self.decoder_of(batch.cell)
        logits = decoder(thinned(embeddings + dense, batch.cell), sparse)[0][:, 0]  # B M/8 M/8
        inside = cells_of(valid, batch.cell).to(logits.device)
        return dice_and_cross_entropy(logits, batch.target.to(logits.device), inside)

    def _valid(self) -> Float[Tensor, "M M"]:
        """1 in the slice, 0 in the padding."""
        slice_area = torch.ones(1, self.frame.height, self.frame.width)
        return self.frame.masks_to_mask_grid(slice_area)[0].round()


def _batches(
    examples: list[Example], schedule: Schedule, config: AssistConfig, rng: np.random.Generator
) -> Iterator[Batch]:
    """Yield batches without end, each with prompts of one kind."""
    kinds = _kinds(schedule.kinds, rng)
    for chosen in _shuffled(examples, schedule.batch_size, rng):
        kind = next(kinds)
        points = _few(config.most_points, rng)
        targets = torch.stack([example.target_of(kind) for example in chosen])
        cell = _cell(targets, rng)
        yield Batch(
            rows=[example.row for example in chosen],
            prompts=[sample_prompt(example, kind, points, config, rng) for example in chosen],
            cell=cell,
            target=cells_of(targets, cell),
        )


def _cell(targets: Float[Tensor, "B M M"], rng: np.random.Generator) -> Cell:
    """Sample a cell in which the smallest target is visible: some are no larger than a few cells."""
    smallest = targets[int(targets.flatten(1).sum(1).argmin())]
    seen = (smallest > 0.5).nonzero()  # rows and columns
    row, column = seen[rng.integers(len(seen))].tolist() if len(seen) else rng.integers(STRIDE, size=2)
    return int(row) % STRIDE, int(column) % STRIDE


def _few(most_points: int, rng: np.random.Generator) -> int:
    """Sample from [1, N_pt), uniform in the logarithm: few points are hard to learn and common in use."""
    return int(most_points ** rng.random())


def _kinds(kinds: tuple[str, ...], rng: np.random.Generator) -> Iterator[str]:
    """Yield the kinds in turn, in a new order each time, so that each gets its share of few steps."""
    while True:
        yield from (kinds[index] for index in rng.permutation(len(kinds)))


def _shuffled(examples: list[Example], size: int, rng: np.random.Generator) -> Iterator[list[Example]]:
    """Yield `size` different examples at a time, each equally often."""
    size = min(size, len(examples))
    while True:
        order = rng.permutation(len(examples))
        for start in range(0, len(examples) - size + 1, size):
            yield [examples[index] for index in order[start : start + size]]


def _converged(losses: list[float], config: AssistConfig) -> bool:
    """Return whether the mean loss of the last `patience` steps is hardly below that of those before."""
    if len(losses) < 2 * config.patience:
        return False
    before = math.fsum(losses[-2 * config.patience : -config.patience])
    return math.fsum(losses[-config.patience :]) > (1 - config.least_fall) * before
