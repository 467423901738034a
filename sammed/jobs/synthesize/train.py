"""`synthesize train`: train a diffusion model on the pictures of a labeled set."""

import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import numpy as np
from jaxtyping import Float

from sammed.datasets.labeled_sets.gathered import Problem
from sammed.datasets.labeled_sets.labeled_set import LabeledSet
from sammed.datasets.labeled_sets.pictures import open_case
from sammed.datasets.labeled_sets.set_file import read_set
from sammed.datasets.settings import configure
from sammed.datasets.synthesis.config import DiffusionConfig
from sammed.datasets.synthesis.model_file import save_model
from sammed.datasets.synthesis.training import train_diffusion
from sammed.datasets.synthesis.training_pictures import training_pictures
from sammed.errors import AnnotationError, SammedError
from sammed.jobs.validation import MODEL_SUFFIX, check_model
from sammed.progress import Reporter
from sammed_volumes.atomic_file import check_free
from sammed_volumes.errors import VolumeError


@dataclass(frozen=True, slots=True, kw_only=True)
class SynthesizeTrainRequest:
    """Train a diffusion model on all pictures of a set's training cases, and write it to `output`.

    `settings` are fields of `DiffusionConfig` as text, by name; they take precedence over `seed` and
    `device`. Labels are ignored. An interrupted training resumes when the same request comes again.
    """

    labeled_set: Path
    output: Path
    settings: Mapping[str, str] = field(default_factory=dict)
    seed: int = 0
    device: str = "auto"
    overwrite: bool = False

    def __post_init__(self) -> None:
        check_model("diffusion model", self.output)
        self.config()

    def config(self) -> DiffusionConfig:
        """Return the model's config; raises ConfigError for an unknown or invalid setting."""
        return configure(DiffusionConfig, {"seed": str(self.seed), "device": self.device, **self.settings})

    @property
    def checkpoint(self) -> Path:
        """The file with the state of an unfinished training."""
        return self.output.with_name(f"{self.output.stem}.checkpoint{MODEL_SUFFIX}")


@dataclass(frozen=True, slots=True, kw_only=True)
class SynthesizeTrainResult:
    """A trained model; `loss` is the mean over the last tenth of the steps."""

    model: Path
    pictures: int
    image_size: int
    shape: tuple[int, int]
    steps: int
    loss: float
    problems: tuple[Problem, ...]
    seconds: float

    def to_json(self) -> dict[str, object]:
        """Return the object that `sammed synthesize train --json` prints."""
        numbers = {"loss": round(self.loss, 6), "seconds": round(self.seconds, 3)}
        return {**asdict(self), "model": str(self.model), **numbers}


def synthesize_train(request: SynthesizeTrainRequest, reporter: Reporter) -> SynthesizeTrainResult:
    """Train and write a model; the result reports unreadable cases, which are left out."""
    check_free(request.output, overwrite=request.overwrite)
    started = time.perf_counter()
    labeled_set = read_set(request.labeled_set)
    images, problems = _images(labeled_set, reporter)
    if not images:
        first = f" {problems[0].reason}" if problems else ""
        raise AnnotationError(f"{request.labeled_set} has no training case to learn from.{first}")
    config = request.config()
    if "channels" not in request.settings:
        config = replace(config, channels=max(image.shape[2] for image in images))
    pictures = training_pictures(images, config.image_size, config.channels)
    trained = train_diffusion(pictures, config, reporter, checkpoint=request.checkpoint)
    save_model(trained.model, request.output, overwrite=request.overwrite)
    request.checkpoint.unlink(missing_ok=True)
    return SynthesizeTrainResult(
        model=request.output,
        pictures=len(pictures.squares),
        image_size=config.image_size,
        shape=pictures.shape,
        steps=len(trained.losses),
        loss=float(np.mean(trained.losses[-max(1, len(trained.losses) // 10) :])),
        problems=tuple(problems),
        seconds=time.perf_counter() - started,
    )


def _images(
    labeled_set: LabeledSet, reporter: Reporter
) -> tuple[list[Float[np.ndarray, "H W C"]], list[Problem]]:
    """Return the pictures of all training cases, and the unreadable cases."""
    images, problems = [], []
    cases = labeled_set.part("train").cases
    with reporter.task("reading cases", len(cases)) as task:
        for case in cases:
            try:
                opened = open_case(case, labeled_set)
                images += [opened.image(index) for index in range(opened.slicing.count)]
            except (SammedError, VolumeError, OSError) as error:
                problems.append(Problem(case.name, str(error)))
            task.advance()
    return images, problems
