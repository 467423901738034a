"""Skills that benches learn: as the commands learn them, from slices that are annotated already."""

from sammed.annotations.annotations import Annotations
from sammed.embeddings.scan import Scan
from sammed.progress import Silent
from sammed.skills.skill import Skill
from sammed.skills.training import SkillConfig, train_skill


def learn_annotated(scan: Scan, annotations: Annotations, seed: int = 0, *, auto: bool = True) -> Skill:
    """Learn a skill with the default settings; `auto` False leaves SAM_auto out."""
    model = train_skill(scan, annotations, SkillConfig(), seed, Silent(), auto=auto)
    return Skill(model, backbone=scan.backbone)
