"""Labelling: images and folders of images to label volumes, with a skill, one after another."""

import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from sammed.applying import Labelled, label_volume
from sammed.backbones.backbone import Backbone
from sammed.embeddings.cache import EmbeddingCache
from sammed.errors import ConfigError, SammedError
from sammed.jobs.caching import cache_for
from sammed.jobs.inputs import images_in, naming, open_volume
from sammed.jobs.machine import backbone_for
from sammed.jobs.outputs import beside, is_folder, label_file, make_folder
from sammed.jobs.requests import LabelingRequest
from sammed.jobs.results import LabelingItem, LabelingResult
from sammed.progress import Reporter
from sammed.provenance import Provenance, provenance_beside, sha256_of
from sammed.skill import Skill
from sammed.skill_file import load_skill, skill_digest
from sammed_volumes.atomic_file import check_free
from sammed_volumes.errors import VolumeError
from sammed_volumes.formats import write_labels


def label(request: LabelingRequest, reporter: Reporter) -> LabelingResult:
    """Label every image; a bad one is reported and the others are still done. Ctrl-C keeps what is done.

    Of several images those are skipped whose label volume is there already, unless `overwrite`; so a batch
    that was interrupted can go on. A single one is refused.
    """
    skill = load_skill(request.skill)
    with naming(request.skill):
        skill.require_auto()
    targets = _targets(request)
    backbone = backbone_for(request, skill.backbone)
    with naming(request.skill):
        skill.check_backbone(backbone)
    job = _Job(request, skill, skill_digest(request.skill), backbone, cache_for(request), reporter)
    items: list[LabelingItem] = []
    with reporter.task("volumes", len(targets)) as task:
        try:
            for image, output in targets:
                is_there = len(targets) > 1 and output.exists() and not request.overwrite
                items.append(_skipped(image, output) if is_there else job.item(image, output))
                task.advance()
        except KeyboardInterrupt:
            return LabelingResult(items=tuple(items), interrupted=True)
    return LabelingResult(items=tuple(items))


@dataclass(frozen=True, slots=True, eq=False)
class _Job:
    """What every image of a batch is labelled with."""

    request: LabelingRequest
    skill: Skill
    digest: str
    backbone: Backbone
    cache: EmbeddingCache | None
    reporter: Reporter

    def item(self, image: Path, output: Path) -> LabelingItem:
        """Label one image; what is wrong with it becomes its error."""
        started = time.perf_counter()
        try:
            with naming(image):
                labelled = self._label(image, output)
        except (SammedError, VolumeError, OSError) as error:
            seconds = time.perf_counter() - started
            return LabelingItem(image=image, output=None, status="failed", seconds=seconds, error=str(error))
        return LabelingItem(
            image=image,
            output=output,
            status="done",
            seconds=time.perf_counter() - started,
            slices=_labelled_slices(labelled),
            labels=tuple(
                each.name for each in labelled.labels.labels if labelled.labels.voxel_counts()[each.value]
            ),
        )

    def _label(self, image: Path, output: Path) -> Labelled:
        if self.request.output is not None and is_folder(self.request.output):
            make_folder(output.parent)
        check_free(output, overwrite=self.request.overwrite)
        volume = open_volume(image, self.request.series, self.reporter)
        labelled = label_volume(
            volume,
            self.skill,
            self.backbone,
            generator=self.request.generator,
            reporter=self.reporter,
            cache=self.cache,
        )
        # Labels without their provenance would pass for a person's.
        with provenance_beside(output, self._provenance(image, labelled), overwrite=True):
            write_labels(labelled.labels, output, like=volume, overwrite=self.request.overwrite)
        return labelled

    def _provenance(self, image: Path, labelled: Labelled) -> Provenance:
        scores = {
            label.name: score
            for label in labelled.labels.labels
            if (score := labelled.agreement[label.value]) is not None
        }
        return Provenance(
            image_file=image.name,
            image_sha256=sha256_of(image),
            origin="pseudo",
            axis=labelled.axis,
            annotated_slices=labelled.annotated,
            method=f"sam_auto/{self.request.generator}",
            skill_digest=self.digest,
            backbone=self.backbone.name,
            scores=scores,
        )


def _labelled_slices(labelled: Labelled) -> int:
    axes = tuple(axis for axis in range(3) if axis != labelled.axis)
    return int(np.count_nonzero(labelled.labels.voxels.any(axis=axes)))


def _targets(request: LabelingRequest) -> list[tuple[Path, Path]]:
    """Each image with the place of its label volume; ConfigError where two would share one."""
    single = len(request.inputs) == 1 and not _holds_several(request.inputs[0])
    if request.output is not None and not is_folder(request.output):
        if single:
            return [(request.inputs[0], label_file(request.output))]
        raise ConfigError(f"{request.output} is one file, but there are several images; name a folder.")
    targets = [(image, _place(image, root, request)) for root in request.inputs for image in images_in(root)]
    outputs = [output for _, output in targets]
    twice = next((output for output in outputs if outputs.count(output) > 1), None)
    if twice is not None:
        raise ConfigError(f"Two images would be labelled into {twice}; label them apart.")
    return targets


def _skipped(image: Path, output: Path) -> LabelingItem:
    return LabelingItem(image=image, output=output, status="skipped", error=f"{output} exists already.")


def _holds_several(path: Path) -> bool:
    return path.is_dir() and images_in(path) != [path]


def _place(image: Path, root: Path, request: LabelingRequest) -> Path:
    """Beside the image, or in the output folder at the same place as below the input folder."""
    place = beside(image, request.suffix)
    if request.output is None:
        return place
    below = image.parent.relative_to(root) if root.is_dir() and image != root else Path()
    return request.output / below / place.name
