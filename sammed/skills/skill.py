"""The skill for users: learn it from a few annotated slices, save it, load it, label with it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from os import PathLike
from pathlib import Path

from sammed.annotations.slice_sampling import Draw, annotate, wanted_labels
from sammed.assist.config import AssistConfig, PromptSet
from sammed.backbones.backbone import Backbone
from sammed.embeddings.config import EncodingConfig
from sammed.embeddings.labeled import Labeled
from sammed.embeddings.opening import File, open_labels, open_volume
from sammed.embeddings.opening import open as open_image
from sammed.embeddings.scan import Scan
from sammed.errors import naming
from sammed.progress import Reporter, Silent
from sammed.skills.inference import GeneratorName, label_scan, scan_for
from sammed.skills.model import SkillModel
from sammed.skills.skill_file import read_skill, skill_digest, write_skill
from sammed.skills.training import SkillConfig, train_skill
from sammed_volumes.labels import Label, LabelVolume
from sammed_volumes.volume import Volume


class Skill:
    """All that was learned for one task, and the backbone that it runs on.

    `backbone` is loaded when it is first needed, as configured in `encoding`; the skill knows which one.
    """

    def __init__(
        self, model: SkillModel, encoding: EncodingConfig | None = None, backbone: Backbone | None = None
    ) -> None:
        self.model = model
        self.encoding = encoding or EncodingConfig()
        self._loaded = backbone

    def __repr__(self) -> str:
        names = ", ".join(label.name for label in self.labels)
        return (
            f"Skill({names}; {self.model.backbone}; {len(self.model.annotations.indices)} annotated slices)"
        )

    @property
    def labels(self) -> tuple[Label, ...]:
        """The labels of the task."""
        return self.model.labels

    @cached_property
    def digest(self) -> str:
        """The digest that names the skill in the provenance of its labels."""
        return skill_digest(self.model)

    @cached_property
    def backbone(self) -> Backbone:
        """The backbone that the skill was trained on. Raises SkillError where its weights are others."""
        backbone = self._loaded or self.encoding.load_backbone(self.model.backbone)
        self.model.check_backbone(backbone)
        return backbone

    def label(
        self,
        image: File | Volume | Scan,
        *,
        generator: GeneratorName = "sap",
        series: str | None = None,
        fill_gaps: bool = False,
        reporter: Reporter | None = None,
    ) -> Labeled:
        """Label an image without any prompt.

        `image` is a file, a DICOM folder (`series` chooses one of its series, `fill_gaps` fills slices that
        it lacks), a volume or a scan. Of a scan only the volume and the cache are used, because the skill has
        a window of its own. Raises VolumeError for an image that can't be read, SkillError where the skill
        has no generator.
        """
        self.model.require_auto()
        if isinstance(image, Scan):
            volume, cache = image.volume, image.cache
        else:
            cache = self.encoding.open_cache()
            volume = (
                image
                if isinstance(image, Volume)
                else open_volume(Path(image), series, reporter, fill_gaps=fill_gaps)
            )
        scan = scan_for(self.model, volume, self.backbone, cache)
        return label_scan(scan, self.model, self.digest, generator, reporter)

    def save(self, path: str | PathLike[str], *, overwrite: bool = False) -> Path:
        """Write the skill to a .safetensors file. Raises OutputError where it exists, unless `overwrite`."""
        return write_skill(self.model, Path(path), overwrite=overwrite)


def load(path: str | PathLike[str], encoding: EncodingConfig | None = None) -> Skill:
    """Load a skill. Raises SkillError, which names the file and what is wrong with it."""
    return Skill(read_skill(Path(path)), encoding)


def learn(
    scan: Scan | File | Volume,
    marks: File | LabelVolume,
    *,
    slices: int | None = None,
    slice_index: Sequence[int] = (),
    empty_slices: Sequence[int] = (),
    labels: Sequence[str | int] = (),
    draw: Draw = "even",
    prompts: PromptSet = "composite",
    auto: bool = True,
    seed: int = 0,
    resample: bool = False,
    config: SkillConfig | None = None,
    reporter: Reporter | None = None,
) -> Skill:
    """Learn a skill from the annotated slices of one scan.

    `marks` are labels on the scan's lattice (with `resample` on any), a file or a label volume. The annotated
    slices are `slices` that are sampled from them (`draw`: normally around the middle one, or evenly), those
    of `slice_index`, or all that show a label; `empty_slices` are known to show none. Indices count along the
    scan's axis of the image's own array. `labels` are names or values, () all. A scan without a given window
    gets the one that suits the annotated region. `auto` False leaves the generator out; the skill then needs
    prompts.

    Raises VolumeError for labels on another lattice, and AnnotationError where the slices don't show what was
    asked for.
    """
    opened = scan if isinstance(scan, Scan) else open_image(scan, reporter=reporter)
    found = open_labels(marks, opened.volume, resample=resample, reporter=reporter)
    with naming(found.path):
        annotations = annotate(
            opened.slicing,
            found,
            wanted_labels(found, labels),
            slices=slices,
            slice_index=slice_index,
            empty_slices=empty_slices,
            draw=draw,
            seed=seed,
        )
    opened = opened.through_window_of(annotations.region(opened.slicing.count))
    reporter = reporter or Silent()
    with reporter.task("encoding annotated slices", len(annotations.indices)) as task:
        opened.encode(annotations.indices, task.advance)
    config = config or SkillConfig(assist=AssistConfig(prompts=prompts))
    model = train_skill(opened, annotations, config, seed, reporter, auto=auto)
    return Skill(replace(model, resampled_marks=found.resampled), backbone=opened.backbone)
