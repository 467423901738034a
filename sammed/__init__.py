"""sammed: label a volume from a few annotated slices (SAM^Med, arXiv 2307.05617).

The names below are imported when they are first asked for: importing sammed loads no torch.
"""

from importlib import import_module
from typing import TYPE_CHECKING

from sammed.version import __version__ as __version__

if TYPE_CHECKING:
    from sammed.auto.annotations import Annotations as Annotations
    from sammed.backbones.backbone import Backbone as Backbone
    from sammed.backbones.loading import load_backbone as load_backbone
    from sammed.backbones.registry import BACKBONES as BACKBONES
    from sammed.datasets.export.monai import export_monai as export_monai
    from sammed.datasets.export.nnunet import export_nnunet as export_nnunet
    from sammed.datasets.export.pairing import gather_cases as gather_cases
    from sammed.embeddings.scan import EncodedScan as EncodedScan
    from sammed.embeddings.scan import open_scan as open_scan
    from sammed.errors import AnnotationError as AnnotationError
    from sammed.errors import CheckpointError as CheckpointError
    from sammed.errors import ConfigError as ConfigError
    from sammed.errors import ExportError as ExportError
    from sammed.errors import PromptError as PromptError
    from sammed.errors import SammedError as SammedError
    from sammed.errors import SkillError as SkillError
    from sammed.jobs.clicking import evaluate_clicks as evaluate_clicks
    from sammed.jobs.demo import run_demo as run_demo
    from sammed.jobs.labeling import label as label
    from sammed.jobs.prompting import label_prompts as label_prompts
    from sammed.jobs.requests import ClickingRequest as ClickingRequest
    from sammed.jobs.requests import DemoRequest as DemoRequest
    from sammed.jobs.requests import GeneratorRequest as GeneratorRequest
    from sammed.jobs.requests import LabelingRequest as LabelingRequest
    from sammed.jobs.requests import PromptingRequest as PromptingRequest
    from sammed.jobs.requests import TrainingRequest as TrainingRequest
    from sammed.jobs.results import LabelingResult as LabelingResult
    from sammed.jobs.results import TrainingResult as TrainingResult
    from sammed.jobs.training import train as train
    from sammed.jobs.training import train_generator as train_generator
    from sammed.metrics.evaluation import Evaluation as Evaluation
    from sammed.metrics.evaluation import evaluate as evaluate
    from sammed.progress import Reporter as Reporter
    from sammed.progress import Silent as Silent
    from sammed.prompts.prompt import PointSign as PointSign
    from sammed.prompts.prompt import Prompt as Prompt
    from sammed.reports.overlay import draw_overlay as draw_overlay
    from sammed.skills.inference import Labeled as Labeled
    from sammed.skills.inference import label_volume as label_volume
    from sammed.skills.model import Skill as Skill
    from sammed.skills.model_file import load_skill as load_skill
    from sammed.skills.model_file import save_skill as save_skill
    from sammed.skills.training import LearningConfig as LearningConfig
    from sammed.skills.training import learn_skill as learn_skill

__all__ = [
    "BACKBONES",
    "AnnotationError",
    "Annotations",
    "Backbone",
    "CheckpointError",
    "ClickingRequest",
    "ConfigError",
    "DemoRequest",
    "EncodedScan",
    "Evaluation",
    "ExportError",
    "GeneratorRequest",
    "Labeled",
    "LabelingRequest",
    "LabelingResult",
    "LearningConfig",
    "PointSign",
    "Prompt",
    "PromptError",
    "PromptingRequest",
    "Reporter",
    "SammedError",
    "Silent",
    "Skill",
    "SkillError",
    "TrainingRequest",
    "TrainingResult",
    "draw_overlay",
    "evaluate",
    "evaluate_clicks",
    "export_monai",
    "export_nnunet",
    "gather_cases",
    "label",
    "label_prompts",
    "label_volume",
    "learn_skill",
    "load_backbone",
    "load_skill",
    "open_scan",
    "run_demo",
    "save_skill",
    "train",
    "train_generator",
]

_MODULES = {
    "applying": ("Labeled", "label_volume"),
    "auto.annotations": ("Annotations",),
    "backbones.backbone": ("Backbone",),
    "backbones.loading": ("load_backbone",),
    "backbones.registry": ("BACKBONES",),
    "demo": ("run_demo",),
    "embeddings.scan": ("EncodedScan", "open_scan"),
    "errors": (
        "AnnotationError",
        "CheckpointError",
        "ConfigError",
        "ExportError",
        "PromptError",
        "SammedError",
        "SkillError",
    ),
    "export.monai": ("export_monai",),
    "export.nnunet": ("export_nnunet",),
    "export.pairing": ("gather_cases",),
    "jobs.clicking": ("evaluate_clicks",),
    "jobs.labeling": ("label",),
    "jobs.prompting": ("label_prompts",),
    "jobs.requests": (
        "ClickingRequest",
        "DemoRequest",
        "GeneratorRequest",
        "LabelingRequest",
        "PromptingRequest",
        "TrainingRequest",
    ),
    "jobs.results": ("LabelingResult", "TrainingResult"),
    "jobs.training": ("train", "train_generator"),
    "learning": ("LearningConfig", "learn_skill"),
    "metrics": ("Evaluation", "evaluate"),
    "overlay": ("draw_overlay",),
    "progress": ("Reporter", "Silent"),
    "prompts.prompt": ("PointSign", "Prompt"),
    "skill": ("Skill",),
    "skill_file": ("load_skill", "save_skill"),
}
_MODULE_OF = {name: f"{__name__}.{module}" for module, names in _MODULES.items() for name in names}


def __getattr__(name: str) -> object:
    if name not in _MODULE_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_MODULE_OF[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
