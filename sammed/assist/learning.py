"""SAM_assist: learn a prompt encoder for one label from a few annotated slices (SAM^Med 3.2.1, equation 1).

Image encoder and mask decoder stay as they are; theta in equation 1 is the prompt encoder's weights.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from sammed.assist.config import AssistConfig
from sammed.assist.encoding import encode_prompts
from sammed.assist.examples import Example, draw_prompt, gather_examples
from sammed.backbones.backbone import Backbone, freeze
from sammed.backbones.frame import Frame
from sammed.errors import AnnotationError
from sammed.losses import dice_and_cross_entropy
from sammed.prompts.prompt import Prompt

Progress = Callable[[int], None]

POINT_WEIGHTS = frozenset(
    f"{name}.weight"
    for name in ("point_embeddings.0", "point_embeddings.1", "not_a_point_embed", "no_mask_embed")
)
"""SAM's names of what background and foreground points, the filler point and the missing mask mean."""


@dataclass(frozen=True, slots=True, eq=False)
class LearnedEncoder:
    """A learned prompt encoder, frozen, and the loss of every step that it took."""

    encoder: nn.Module
    losses: tuple[float, ...]

    @property
    def steps(self) -> int:
        """How many steps were taken; fewer than asked for where the loss had stopped falling."""
        return len(self.losses)


@dataclass(frozen=True, slots=True, eq=False)
class Lesson:
    """What one step learns from: prompts of one form, the slices they speak of, and what they mean."""

    rows: list[int]
    prompts: list[Prompt]
    target: Float[Tensor, "B 4*h 4*w"]


def learn_prompt_encoder(
    backbone: Backbone,
    embeddings: Float[Tensor, "A 256 h w"],
    masks: Bool[np.ndarray, "A H W"],
    frame: Frame,
    config: AssistConfig,
    generator: torch.Generator,
    progress: Progress | None = None,
) -> LearnedEncoder:
    """Train a copy of the backbone's prompt encoder on one label's masks on the annotated slices.

    Each step draws one kind of prompt for a batch of instances, so that no prompt needs padding. The
    generator decides all that is random. `progress` hears the number of steps done. Raises AnnotationError
    where no slice has the label.
    """
    rng = np.random.default_rng(int(torch.randint(2**62, (1,), generator=generator).item()))
    examples = list(gather_examples(masks, frame, config.scheme, config.least_pixels))
    if not examples:
        raise AnnotationError(
            f"None of the {len(masks)} annotated slices has the label, so nothing can be learned."
        )
    valid = frame.masks_to_mask_grid(torch.ones(1, frame.height, frame.width))[0].round()  # 1 in the content
    encoder = backbone.new_prompt_encoder().train()

    def loss_of(lesson: Lesson) -> Tensor:
        sparse, dense = encode_prompts(backbone, encoder, lesson.prompts, frame)
        logits = backbone.decode(embeddings[lesson.rows], sparse, dense)[0][:, 0]  # B 4h 4w
        return dice_and_cross_entropy(logits, lesson.target.to(logits.device), valid.to(logits.device))

    losses = _descend(encoder, _lessons(examples, config, rng), loss_of, config, progress)
    return LearnedEncoder(freeze(encoder), tuple(losses))


def _descend(
    encoder: nn.Module,
    lessons: Iterator[Lesson],
    loss_of: Callable[[Lesson], Tensor],
    config: AssistConfig,
    progress: Progress | None,
) -> list[float]:
    """Adam on the encoder's weights, in place, a step a lesson; the loss of every step."""
    optimizer = torch.optim.Adam(_parameter_groups(encoder, config))
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=config.steps)
    losses: list[float] = []
    while len(losses) < config.steps and not _converged(losses, config):
        optimizer.zero_grad()
        loss = loss_of(next(lessons))
        torch.autograd.backward(loss)
        optimizer.step()
        schedule.step()
        losses.append(loss.item())
        if progress is not None:
            progress(len(losses))
    return losses


def _parameter_groups(encoder: nn.Module, config: AssistConfig) -> list[dict[str, Any]]:
    """The encoder's weights, those that say what a point means apart with their own learning rate."""
    named = dict(encoder.named_parameters())
    return [
        {
            "params": [named[name] for name in named if name in POINT_WEIGHTS],
            "lr": config.point_learning_rate,
        },
        {"params": [named[name] for name in named if name not in POINT_WEIGHTS], "lr": config.learning_rate},
    ]


def _lessons(examples: list[Example], config: AssistConfig, rng: np.random.Generator) -> Iterator[Lesson]:
    """Endless lessons, a batch of prompts of one kind each."""
    kinds = _kinds(config.kinds, rng)
    for batch in _batches(examples, config.batch_size, rng):
        kind = next(kinds)
        points = int(rng.integers(1, config.most_points))  # n from [1, N_pt)
        yield Lesson(
            rows=[example.row for example in batch],
            prompts=[draw_prompt(example, kind, points, config, rng) for example in batch],
            target=torch.stack([example.target_of(kind) for example in batch]),
        )


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
