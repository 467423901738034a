"""SAM^Med as a pseudo-labeler: train a skill on the gold cases and label the others without prompts.

The score of a label is the agreement of SAP-Net's coarse mask and the decoder's mask (Dice, as
`LabeledStack.agreement`), that of a case the mean over the labels that either of them found.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Literal, get_args

import numpy as np

from sammed.annotations.annotations import Annotations
from sammed.auto.cross_validation import USUAL_WIDTH_SLICES
from sammed.auto.label_choice import LabelChoice
from sammed.auto.labeling import LabeledStack
from sammed.backbones.backbone import Backbone
from sammed.datasets.labeled_sets.labeled_set import Case, LabeledSet
from sammed.datasets.labeled_sets.pictures import OpenCase, from_pictures, open_case
from sammed.datasets.pseudo.gold_stack import stack_gold
from sammed.datasets.pseudo.pseudo_label import PseudoLabel, nothing_found
from sammed.datasets.pseudo.pseudo_labeler import Tools, attempt
from sammed.errors import ConfigError
from sammed.progress import Reporter
from sammed.skills.inference import label_slices
from sammed.skills.model import SkillModel
from sammed.skills.skill_file import skill_digest, write_skill
from sammed.skills.training import SkillConfig, train_skill
from sammed_volumes.slices import Slicing

AutoGenerator = Literal["sap", "classification"]


@dataclass(frozen=True, slots=True)
class AutoLabelConfig:
    """Settings of `AutoLabeler`.

    One skill is trained on about `slices` gold slices and `empty_slices` slices without labels. With
    `own_slices` a partly annotated volume is labeled by a skill of its own annotated slices, if they show
    every label. Positions in different patients do not correspond, so SAP-Net ignores them (SAM^Med 4.3)
    except with `positions`, for cases that show the same region in the same place, such as crops of one
    organ.
    """

    slices: int = 25
    empty_slices: int = 2
    own_slices: bool = True
    positions: bool = False
    generator: AutoGenerator = "sap"
    learning: SkillConfig = field(default_factory=SkillConfig)

    def __post_init__(self) -> None:
        if self.slices < 1 or self.empty_slices < 0:
            raise ConfigError("slices must be 1 or more, and empty_slices 0 or more.")
        if self.generator not in get_args(AutoGenerator):
            raise ConfigError(f"generator is {self.generator!r}; use sap or classification.")


class AutoLabeler:
    """A `PseudoLabeler`: SAM_auto."""

    name = "auto"

    def __init__(self, config: AutoLabelConfig, tools: Tools) -> None:
        self._config = config
        self._tools = tools

    def label(self, gold: LabeledSet, unlabeled: Sequence[Case], reporter: Reporter) -> Iterator[PseudoLabel]:
        """See `PseudoLabeler.label`."""
        session = _Session(self._config, self._tools, gold, self._tools.backbone(), reporter)
        if not all(session.has_own(case) for case in unlabeled):
            session.shared_skill()
        for case in unlabeled:
            yield attempt(case, partial(session.label, case))


class _Session:
    """What all cases of one run share: the backbone and the skill of all gold cases."""

    def __init__(
        self, config: AutoLabelConfig, tools: Tools, gold: LabeledSet, backbone: Backbone, reporter: Reporter
    ) -> None:
        self._config, self._tools, self._gold = config, tools, gold
        self._backbone, self._reporter = backbone, reporter
        self._shared: SkillModel | None = None

    def has_own(self, case: Case) -> bool:
        """Return whether a skill of its own annotated slices may label a case."""
        return self._config.own_slices and case.is_partial

    def shared_skill(self) -> SkillModel:
        """Return the skill of all gold cases; it is trained once."""
        if self._shared is None:
            self._shared = self._learn_shared()
        return self._shared

    def label(self, case: Case) -> PseudoLabel:
        """Label one case."""
        opened = open_case(case, self._gold)
        annotations = _own_annotations(opened, self._gold) if self.has_own(case) else None
        if annotations is not None:
            window = self._gold.window or opened.window_of_labels()
            scan = opened.scan(self._backbone, window=window, cache=self._tools.cache)
            config, seed = self._config.learning, self._tools.seed
            skill = train_skill(scan, annotations, config, seed, self._reporter)
            self._keep(skill, case.name)
        else:
            skill = _smoothed(self.shared_skill(), opened.slicing)
            scan = opened.scan(self._backbone, window=skill.window, cache=self._tools.cache)
        found = label_slices(scan, skill, self._config.generator, self._reporter)
        return _pseudo_label(opened, found, skill_digest(skill), self._gold)

    def _learn_shared(self) -> SkillModel:
        config, seed = self._config, self._tools.seed
        gold = stack_gold(
            self._gold, self._backbone, slices=config.slices, empty_slices=config.empty_slices, seed=seed
        )
        learning = config.learning
        if len(self._gold.gold) > 1 and not config.positions:
            network = replace(learning.sap_net.network, positions=False)
            learning = replace(learning, sap_net=replace(learning.sap_net, network=network))
        skill = train_skill(gold.scan, gold.annotations, learning, seed, self._reporter)
        self._keep(skill, "shared")
        return skill

    def _keep(self, skill: SkillModel, name: str) -> None:
        if self._tools.workspace is not None:
            folder = self._tools.workspace / "skills"
            folder.mkdir(parents=True, exist_ok=True)
            write_skill(skill, folder / f"{name}.safetensors", overwrite=True)


def _own_annotations(opened: OpenCase, gold: LabeledSet) -> Annotations | None:
    """Return the annotated slices of a partly annotated case; None unless they show every label."""
    masks = np.ascontiguousarray(opened.label_stack()[list(opened.known)])
    if not all((masks == label.value).any() for label in gold.labels):
        return None
    return Annotations(opened.known, masks, gold.labels)


def _smoothed(skill: SkillModel, slicing: Slicing) -> SkillModel:
    """Return the skill with the usual smoothing along the slices, if a volume's slices are thin.

    Slices of several cases can't show how much neighbors should count; those of one volume can.
    """
    auto = skill.require_auto()
    thickest_mm = SkillConfig().choosing.thickest_smoothed_mm
    if slicing.count == 1 or slicing.slice_spacing_mm > thickest_mm:
        return skill
    width_mm = USUAL_WIDTH_SLICES * slicing.slice_spacing_mm
    choices: Mapping[int, LabelChoice] = {
        value: replace(choice, smoothing_mm=width_mm) for value, choice in auto.choices.items()
    }
    return replace(skill, auto=replace(auto, choices=choices))


def _pseudo_label(opened: OpenCase, found: LabeledStack, digest: str, gold: LabeledSet) -> PseudoLabel:
    scores = {value: score for value, score in found.agreement.items() if score is not None}
    if not found.stack.any():
        return nothing_found(opened.case.name, "The skill found no label in it.", digest)
    return PseudoLabel(
        opened.case.name,
        from_pictures(found.stack, opened, gold),
        score=sum(scores.values()) / len(scores) if scores else 0.0,
        label_scores=scores,
        maker_digest=digest,
    )
