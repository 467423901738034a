"""`synthesize sample`: sample synthetic images from a diffusion model."""

import time
from dataclasses import dataclass
from pathlib import Path

from sammed.datasets.labeled_sets.set_file import read_set
from sammed.datasets.synthesis.model_file import load_model, model_digest
from sammed.datasets.synthesis.sampling import sample_pictures
from sammed.errors import ConfigError
from sammed.jobs.synthesize.sample_place import SamplePlace
from sammed.jobs.validation import check_folder, check_seed
from sammed.progress import Reporter


@dataclass(frozen=True, slots=True, kw_only=True)
class SynthesizeSampleRequest:
    """Sample `count` pictures into the folder `output`.

    With `gold` the folder becomes a labeled set: the gold cases of that set, with its labels, window and
    splits, and the samples as unlabeled training cases for `sammed pseudo-label`. `steps` None means all
    steps of the model.
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
            raise ConfigError("The number of pictures, of steps, and the batch size are 1 or more.")
        check_seed(self.seed)
        check_folder(self.output)


@dataclass(frozen=True, slots=True, kw_only=True)
class SynthesizeSampleResult:
    """The sampled pictures, and the set that holds them, if one was requested."""

    output: Path
    files: tuple[Path, ...]
    labeled_set: Path | None
    shape: tuple[int, int]
    seconds: float

    def to_json(self) -> dict[str, object]:
        """Return the object that `sammed synthesize sample --json` prints."""
        return {
            "output": str(self.output),
            "files": [str(path) for path in self.files],
            "set": None if self.labeled_set is None else str(self.labeled_set),
            "shape": list(self.shape),
            "seconds": round(self.seconds, 3),
        }


def synthesize_sample(request: SynthesizeSampleRequest, reporter: Reporter) -> SynthesizeSampleResult:
    """Write samples; existing files are replaced only if the request allows it."""
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
    return SynthesizeSampleResult(
        output=request.output,
        files=tuple(files),
        labeled_set=place.write_set(files, overwrite=request.overwrite),
        shape=model.shape,
        seconds=time.perf_counter() - started,
    )
