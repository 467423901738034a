"""`auto-label`: label volumes, and folders of them, with a skill and without prompts."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import get_args

from sammed.batch.labeling import label_batch
from sammed.batch.maker import MakeLabels
from sammed.batch.manifest import Recipe
from sammed.batch.place import Place
from sammed.batch.request import BatchRequest
from sammed.batch.result import LabelingResult
from sammed.embeddings.config import EncodingConfig
from sammed.embeddings.labeled import Labeled
from sammed.errors import naming
from sammed.jobs.assist_train import DEFAULT_SKILL
from sammed.jobs.expectation import expected_dice, report_low
from sammed.jobs.validation import check_word
from sammed.progress import Reporter
from sammed.skills.inference import GeneratorName
from sammed.skills.model import SkillModel
from sammed.skills.skill import Skill, load
from sammed_volumes.volume import Volume


@dataclass(frozen=True, slots=True, kw_only=True)
class AutoLabelRequest(BatchRequest):
    """Label the images of `BatchRequest` with a skill; `generator` makes the prompts."""

    skill: Path = DEFAULT_SKILL
    generator: GeneratorName = "sap"
    encoding: EncodingConfig = EncodingConfig()

    def __post_init__(self) -> None:
        BatchRequest.__post_init__(self)
        check_word("generator", self.generator, get_args(GeneratorName))


def auto_label(request: AutoLabelRequest, reporter: Reporter) -> LabelingResult:
    """Label every image, see `label_batch`; raises SkillError for an unreadable skill or no generator."""
    skill = load(request.skill)
    with naming(request.skill):
        skill.model.require_auto()
    report_low(expected_dice(skill.model), reporter)
    checkpoint = request.encoding.checkpoint
    encoding = replace(request.encoding, checkpoint=checkpoint.absolute() if checkpoint else None)
    maker = SkillMaker(request.skill, skill.model, skill.digest, request.generator, encoding)
    return label_batch(request, maker, reporter)


@dataclass(frozen=True, slots=True)
class SkillMaker:
    """A skill as a maker of labels: read once, with one backbone in each process."""

    path: Path
    model: SkillModel
    digest: str
    generator: GeneratorName
    encoding: EncodingConfig

    @property
    def recipe(self) -> Recipe:
        """Everything that the labels depend on."""
        return Recipe(self.digest, {"generator": self.generator, "precision": self.encoding.precision})

    @property
    def device(self) -> str:
        """The device of the backbone."""
        return self.encoding.device

    def load(self, place: Place | None) -> MakeLabels:
        """Load the backbone: on the worker's GPU if it has one."""
        encoding = self.encoding
        if place is not None and place.gpu is not None and encoding.device in ("auto", "cuda"):
            encoding = replace(encoding, device=f"cuda:{place.gpu}")
        skill = Skill(self.model, encoding)
        with naming(self.path):
            _ = skill.backbone  # loaded and checked before the first volume

        def label(volume: Volume, reporter: Reporter) -> Labeled:
            return skill.label(volume, generator=self.generator, reporter=reporter)

        return label
