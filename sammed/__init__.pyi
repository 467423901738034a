from .annotations.annotations import Annotations as Annotations
from .backbones.backbone import Backbone as Backbone
from .backbones.loading import load_backbone as load_backbone
from .backbones.registry import BACKBONES as BACKBONES
from .embeddings.config import EncodingConfig as EncodingConfig
from .embeddings.labeled import Labeled as Labeled
from .embeddings.opening import open as open
from .embeddings.scan import Scan as Scan
from .errors import AnnotationError as AnnotationError
from .errors import CheckpointError as CheckpointError
from .errors import ConfigError as ConfigError
from .errors import ExportError as ExportError
from .errors import PromptError as PromptError
from .errors import SammedError as SammedError
from .errors import SetError as SetError
from .errors import SkillError as SkillError
from .errors import StudentError as StudentError
from .errors import SynthesisError as SynthesisError
from .interpolation.interpolation import interpolate as interpolate
from .metrics.evaluation import Evaluation as Evaluation
from .metrics.evaluation import evaluate as evaluate
from .progress import Reporter as Reporter
from .progress import Silent as Silent
from .prompts.prompt import PointSign as PointSign
from .prompts.prompt import Prompt as Prompt
from .reports.overlay import draw_overlay as draw_overlay
from .skills.skill import Skill as Skill
from .skills.skill import learn as learn
from .skills.skill import load as load
from .skills.training import SkillConfig as SkillConfig
from .version import __version__ as __version__

__all__ = [
    "BACKBONES",
    "AnnotationError",
    "Annotations",
    "Backbone",
    "CheckpointError",
    "ConfigError",
    "EncodingConfig",
    "Evaluation",
    "ExportError",
    "Labeled",
    "PointSign",
    "Prompt",
    "PromptError",
    "Reporter",
    "SammedError",
    "Scan",
    "SetError",
    "Silent",
    "Skill",
    "SkillConfig",
    "SkillError",
    "StudentError",
    "SynthesisError",
    "__version__",
    "draw_overlay",
    "evaluate",
    "interpolate",
    "learn",
    "load",
    "load_backbone",
    "open",
]
