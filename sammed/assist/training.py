"""SAM_assist: learn a prompt encoder for one label from a few annotated slices (SAM^Med 3.2.1, equation 1).

Image encoder and mask decoder stay as they are; theta in equation 1 is the prompt encoder's weights.
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

from sammed.assist.config import AssistConfig, Course
from sammed.assist.encoding import encode_prompts
from sammed.assist.examples import Example, draw_prompt, gather_examples
from sammed.assist.label_encoder import LabelEncoder
from sammed.assist.losses import dice_and_cross_entropy
from sammed.assist.parallel import Stop, side_by_side
from sammed.backbones.backbone import Backbone, MaskDecoder, freeze
from sammed.backbones.frame import Frame
from sammed.backbones.sparse_masks import STRIDE, Cell, cells_of, thinned
from sammed.errors import AnnotationError
from sammed.prompts.prompt import Prompt

Progress = Callable[[int], None]


@dataclass(frozen=True, slots=True, eq=False)
class LearnedEncoder:
    """A learned prompt encoder, frozen, and the loss of every step that it took: points first, then boxes."""

    encoder: LabelEncoder
    losses: tuple[float, ...]

    @property
    def steps(self) -> int:
        """How many steps were taken; fewer than asked for where the loss had stopped falling."""
        return len(self.losses)


@dataclass(frozen=True, slots=True, eq=False)
class Lesson:
    """What one step learns from: prompts of one form, the slices they speak of, and what they mean.

    Masks are compared in one cell of 64, another one in each lesson.
    """

    rows: list[int]
    prompts: list[Prompt]
    cell: Cell
    target: Float[Tensor, "B M/8 M/8"]


def learn_prompt_encoder(
    backbone: Backbone,
    embeddings: Float[Tensor, "A 256 h w"],
    masks: Bool[np.ndarray, "A H W"],
    frame: Frame,
    config: AssistConfig,
    generator: torch.Generator,
    progress: Progress | None = None,
) -> LearnedEncoder:
    """Train copies of the backbone's prompt encoder on one label's masks on the annotated slices.

    One copy learns points, another boxes and coarse masks (`LabelEncoder`), the two side by side. Each step
    draws one kind of prompt for a batch of instances, so that no prompt needs padding. The generator decides
    all that is random. `progress` hears the number of steps done. Raises AnnotationError where no slice has
    the label.
    """
    rng = np.random.default_rng(int(torch.randint(2**62, (1,), generator=generator).item()))
    examples = list(gather_examples(masks, frame, config.scheme, config.least_pixels))
    if not examples:
        raise AnnotationError(
            f"None of the {len(masks)} annotated slices has the label, so nothing can be learned."
        )
    decoder_of = cache(backbone.sparse_decoder)
    classroom = _Classroom(backbone, decoder_of, embeddings, frame, examples, config, _counting(progress))
    encoder = LabelEncoder(backbone.new_prompt_encoder(), backbone.new_prompt_encoder()).train()
    courses = ((encoder.points, config.point_course), (encoder.boxes, config.box_course))
    works = [
        partial(classroom.teach, part, course, own)
        for (part, course), own in zip(courses, rng.spawn(2), strict=True)
        if course.kinds
    ]
    losses = side_by_side(works, torch.get_num_threads() if backbone.device.type == "cpu" else 1)
    freeze(encoder)
    return LearnedEncoder(encoder, tuple(chain.from_iterable(losses)))


def _counting(progress: Progress | None) -> Callable[[], None]:
    """What each course calls after each step; `progress` hears how many steps both have done."""
    if progress is None:
        return lambda: None
    steps = count(1)
    return lambda: progress(next(steps))


@dataclass(frozen=True, slots=True, eq=False)
class _Classroom:
    """What both courses share."""

    backbone: Backbone
    decoder_of: Callable[[Cell], MaskDecoder]
    embeddings: Float[Tensor, "A 256 h w"]
    frame: Frame
    examples: list[Example]
    config: AssistConfig
    step_done: Callable[[], None]

    def teach(self, encoder: nn.Module, course: Course, rng: np.random.Generator, stop: Stop) -> list[float]:
        """Adam on the encoder's weights, in place, a step a lesson; the loss of every step."""
        lessons = _lessons(self.examples, course, self.config, rng)
        valid = self._valid()
        optimizer = torch.optim.Adam(encoder.parameters(), course.learning_rate, course.momentum)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=course.steps)
        losses: list[float] = []
        while len(losses) < course.steps and not _converged(losses, self.config) and not stop():
            optimizer.zero_grad()
            loss = self._loss(encoder, next(lessons), valid)
            torch.autograd.backward(loss)
            optimizer.step()
            schedule.step()
            losses.append(loss.item())
            self.step_done()
        return losses

    def _loss(self, encoder: nn.Module, lesson: Lesson, valid: Tensor) -> Tensor:
        sparse, dense = encode_prompts(self.backbone, encoder, lesson.prompts, self.frame)
        embeddings = self.embeddings[lesson.rows].to(self.backbone.device, torch.float32)
        decoder = self.decoder_of(lesson.cell)
        logits = decoder(thinned(embeddings + dense, lesson.cell), sparse)[0][:, 0]  # B M/8 M/8
        inside = cells_of(valid, lesson.cell).to(logits.device)
        return dice_and_cross_entropy(logits, lesson.target.to(logits.device), inside)

    def _valid(self) -> Float[Tensor, "M M"]:
        """1 in the slice, 0 in the padding."""
        slice_area = torch.ones(1, self.frame.height, self.frame.width)
        return self.frame.masks_to_mask_grid(slice_area)[0].round()


def _lessons(
    examples: list[Example], course: Course, config: AssistConfig, rng: np.random.Generator
) -> Iterator[Lesson]:
    """Endless lessons, a batch of prompts of one kind each."""
    kinds = _kinds(course.kinds, rng)
    for batch in _batches(examples, course.batch_size, rng):
        kind = next(kinds)
        points = _few(config.most_points, rng)
        targets = torch.stack([example.target_of(kind) for example in batch])
        cell = _cell(targets, rng)
        yield Lesson(
            rows=[example.row for example in batch],
            prompts=[draw_prompt(example, kind, points, config, rng) for example in batch],
            cell=cell,
            target=cells_of(targets, cell),
        )


def _cell(targets: Float[Tensor, "B M M"], rng: np.random.Generator) -> Cell:
    """One in which the smallest target can be seen: some aren't larger than a few cells."""
    smallest = targets[int(targets.flatten(1).sum(1).argmin())]
    seen = (smallest > 0.5).nonzero()  # rows and columns
    row, column = seen[rng.integers(len(seen))].tolist() if len(seen) else rng.integers(STRIDE, size=2)
    return int(row) % STRIDE, int(column) % STRIDE


def _few(most_points: int, rng: np.random.Generator) -> int:
    """A number from [1, N_pt), its logarithm uniform: few points are hard to learn and common in use."""
    return int(most_points ** rng.random())


def _kinds(kinds: tuple[str, ...], rng: np.random.Generator) -> Iterator[str]:
    """The kinds in turn, in a new order each time round, so that all get their share of few steps."""
    while True:
        yield from (kinds[index] for index in rng.permutation(len(kinds)))


def _batches(examples: list[Example], size: int, rng: np.random.Generator) -> Iterator[list[Example]]:
    """Batches in which no example comes twice, all examples equally often."""
    size = min(size, len(examples))
    while True:
        order = rng.permutation(len(examples))
        for start in range(0, len(examples) - size + 1, size):
            yield [examples[index] for index in order[start : start + size]]


def _converged(losses: list[float], config: AssistConfig) -> bool:
    """Whether the mean loss of the last `patience` steps is hardly below that of those before."""
    if len(losses) < 2 * config.patience:
        return False
    before = math.fsum(losses[-2 * config.patience : -config.patience])
    return math.fsum(losses[-config.patience :]) > (1 - config.least_fall) * before
