"""Synthetic images: a diffusion model from a labeled set, and pictures from the model."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float

from sammed.datasets.labeled_sets.gathered import Problem
from sammed.datasets.labeled_sets.labeled_set import LabeledSet
from sammed.datasets.labeled_sets.pictures import open_case
from sammed.datasets.labeled_sets.set_file import read_set
from sammed.datasets.settings import configure
from sammed.datasets.synthesis.config import DiffusionConfig
from sammed.errors import AnnotationError, ConfigError, SammedError
from sammed.jobs.sample_files import SamplePlace
from sammed_volumes.atomic_file import check_free
from sammed_volumes.errors import VolumeError

if TYPE_CHECKING:
    from sammed.progress import Reporter

MODEL_SUFFIX = ".safetensors"


@dataclass(frozen=True, slots=True, kw_only=True)
class SynthesisTrainingRequest:
    """Learn a diffusion model from all pictures of a set's training cases, and write it to `output`.

    `settings` are those of `DiffusionConfig` as text, by name, and go before `seed` and `device`. Labels are
    not looked at. A training that was interrupted goes on where it was.
    """

    labeled_set: Path
    output: Path
    settings: Mapping[str, str] = field(default_factory=dict)
    seed: int = 0
    device: str = "auto"
    overwrite: bool = False

    def __post_init__(self) -> None:
        if self.output.suffix.lower() != MODEL_SUFFIX:
            raise ConfigError(f"A model's name ends in {MODEL_SUFFIX}; {self.output} does not.")
        self.config()

    def config(self) -> DiffusionConfig:
        """The model's config; ConfigError for a setting that there isn't."""
        return configure(DiffusionConfig, {"seed": str(self.seed), "device": self.device, **self.settings})

    @property
    def checkpoint(self) -> Path:
        """Where the state of an unfinished training is kept."""
        return self.output.with_name(f"{self.output.stem}.checkpoint{MODEL_SUFFIX}")


@dataclass(frozen=True, slots=True, kw_only=True)
class SynthesisTrainingResult:
    """A model that was learned; `loss` is the mean over the last tenth of the steps."""

    model: Path
    pictures: int
    image_size: int
    shape: tuple[int, int]
    steps: int
    loss: float
    problems: tuple[Problem, ...]
    seconds: float

    def to_json(self) -> dict[str, object]:
        """The object that `sammed synthesize train --json` prints."""
        return {
            "model": str(self.model),
            "pictures": self.pictures,
            "image_size": self.image_size,
            "shape": list(self.shape),
            "steps": self.steps,
            "loss": round(self.loss, 6),
            "problems": [{"case": each.case, "reason": each.reason} for each in self.problems],
            "seconds": round(self.seconds, 3),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class SamplingRequest:
    """Sample `count` pictures into the folder `output`.

    With `gold` the folder becomes a labeled set: the gold cases of that set, with its labels, window and
    splits, and the samples as unlabeled training cases, which `sammed pseudo-label` labels. `steps` None is
    all of the model's.
    """

    model: Path
    count: int
    output: Path
    gold: Path | None = None
    steps: int | None = None
    batch_size: int = 4
    seed: int = 0
    device: str = "auto"
    overwrite: bool = False

    def __post_init__(self) -> None:
        if self.count < 1 or self.batch_size < 1 or (self.steps is not None and self.steps < 1):
            raise ConfigError("The number of pictures, of steps, and those of a batch are 1 or more.")
        if self.seed < 0:
            raise ConfigError(f"A seed is 0 or more, not {self.seed}.")
        if self.output.suffix:
            raise ConfigError(f"Samples go into a folder; {self.output} looks like a file.")


@dataclass(frozen=True, slots=True, kw_only=True)
class SamplingResult:
    """The pictures that were sampled, and the set that holds them, if one was asked for."""

    output: Path
    files: tuple[Path, ...]
    labeled_set: Path | None
    shape: tuple[int, int]
    seconds: float

    def to_json(self) -> dict[str, object]:
        """The object that `sammed synthesize sample --json` prints."""
        return {
            "output": str(self.output),
            "files": [str(path) for path in self.files],
            "set": None if self.labeled_set is None else str(self.labeled_set),
            "shape": list(self.shape),
            "seconds": round(self.seconds, 3),
        }


def train_model(request: SynthesisTrainingRequest, reporter: Reporter) -> SynthesisTrainingResult:
    """Learn and write a model; cases that can't be read are told and left out."""
    from sammed.datasets.synthesis.model_file import save_model
    from sammed.datasets.synthesis.training_pictures import training_pictures
    from sammed.datasets.synthesis.training import train_diffusion

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
    return SynthesisTrainingResult(
        model=request.output,
        pictures=len(pictures.squares),
        image_size=config.image_size,
        shape=pictures.shape,
        steps=len(trained.losses),
        loss=float(np.mean(trained.losses[-max(1, len(trained.losses) // 10) :])),
        problems=tuple(problems),
        seconds=time.perf_counter() - started,
    )


def sample(request: SamplingRequest, reporter: Reporter) -> SamplingResult:
    """Write samples; nothing that is there is replaced unless the request says so."""
    from sammed.datasets.synthesis.model_file import load_model, model_digest
    from sammed.datasets.synthesis.sampling import sample_pictures

    started = time.perf_counter()
    model = load_model(request.model)
    place = SamplePlace(request.output, None if request.gold is None else read_set(request.gold))
    place.prepare(request.count, overwrite=request.overwrite)
    pictures = sample_pictures(
        model,
        request.count,
        seed=request.seed,
        reporter=reporter,
        steps=request.steps,
        batch_size=request.batch_size,
        device=request.device,
    )
    digest = model_digest(model)
    files = [
        place.write(number, image, digest, overwrite=request.overwrite)
        for number, image in enumerate(pictures, start=1)
    ]
    return SamplingResult(
        output=request.output,
        files=tuple(files),
        labeled_set=place.write_set(files, overwrite=request.overwrite),
        shape=model.shape,
        seconds=time.perf_counter() - started,
    )


def _images(
    labeled_set: LabeledSet, reporter: Reporter
) -> tuple[list[Float[np.ndarray, "H W C"]], list[Problem]]:
    """The pictures of all training cases, and the cases that can't be read."""
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
