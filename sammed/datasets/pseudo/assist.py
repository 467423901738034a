"""Prompts as pseudo-labels ("SAM annotations for a UNet"; SAM_assist with a learned encoder).

The score of a label is the mean stability of its masks (`sammed.datasets.pseudo.prompted`), that of a case
the mean over its labels. Slices of a volume without a prompt are ignored: the annotator may not have looked
at them. Simulated annotators look at every slice, so a slice without a prompt is background.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from zlib import crc32

import numpy as np
from jaxtyping import Bool
from torch import nn

from sammed.backbones.backbone import Backbone
from sammed.datasets.labeled_sets.labeled_set import Case, LabeledSet
from sammed.datasets.labeled_sets.pictures import OpenCase, from_pictures, open_case
from sammed.datasets.labeled_sets.set_file import read_set
from sammed.datasets.pseudo.assist_config import AssistLabelConfig as AssistLabelConfig
from sammed.datasets.pseudo.gold_stack import stack_gold
from sammed.datasets.pseudo.prompted import decode_with_scores
from sammed.datasets.pseudo.pseudo_label import PseudoLabel, nothing_found
from sammed.datasets.pseudo.pseudo_labeler import Tools, attempt
from sammed.datasets.pseudo.simulated_prompts import simulate_prompts
from sammed.embeddings.cache import EmbeddingCache
from sammed.errors import PromptError
from sammed.progress import Reporter
from sammed.prompts.file import read_prompts
from sammed.prompts.placing import PlacedPrompt
from sammed.skills.model import SkillModel
from sammed.skills.skill_file import skill_digest
from sammed.skills.training import SkillConfig, train_skill
from sammed_volumes.intensity import Window
from sammed_volumes.labels import Label

Prompts = Callable[[OpenCase], tuple[PlacedPrompt, ...]]


class AssistLabeler:
    """A `PseudoLabeler`: prompts from files, or simulated ones, through the backbone."""

    def __init__(self, config: AssistLabelConfig, tools: Tools) -> None:
        self._config = config
        self._tools = tools

    @property
    def name(self) -> str:
        """The origin of the labels, which differs for simulated prompts."""
        return "assist" if self._config.truth is None else "assist-simulated"

    def label(self, gold: LabeledSet, unlabeled: Sequence[Case], reporter: Reporter) -> Iterator[PseudoLabel]:
        """See `PseudoLabeler.label`."""
        prompts = self._prompts(gold)
        backbone = self._tools.backbone()
        skill, window = None, gold.window
        if self._config.encoder == "learned":
            stack = stack_gold(
                gold, backbone, slices=self._config.slices, empty_slices=0, seed=self._tools.seed
            )
            learning, seed = SkillConfig(), self._tools.seed
            skill = train_skill(stack.scan, stack.annotations, learning, seed, reporter, auto=False)
            window = skill.window
        simulated = self._config.truth is not None
        session = _Session(gold, prompts, backbone, skill, window, simulated, self._tools.cache)
        for case in unlabeled:
            yield attempt(case, partial(session.label, case))

    def _prompts(self, gold: LabeledSet) -> Prompts:
        config = self._config
        if config.truth is not None:
            return partial(_simulated, read_set(config.truth), gold.labels, config, self._tools.seed)
        assert config.prompts is not None  # the config has one of the two
        if not config.prompts.is_dir():
            raise PromptError(f"There is no folder {config.prompts} with prompts.")
        return partial(_from_file, config.prompts, gold.labels)


@dataclass(frozen=True, slots=True, eq=False)
class _Session:
    gold: LabeledSet
    prompts: Prompts
    backbone: Backbone
    skill: SkillModel | None
    window: Window | None
    looks_everywhere: bool
    cache: EmbeddingCache | None

    def label(self, case: Case) -> PseudoLabel:
        """Label one case."""
        opened = open_case(case, self.gold)
        digest = self.backbone.digest if self.skill is None else skill_digest(self.skill)
        placed = self.prompts(opened)
        if not placed:
            return nothing_found(case.name, "There is no prompt for it.", digest)
        scan = opened.scan(self.backbone, window=self.window, cache=self.cache)
        found = decode_with_scores(scan, placed, self._encoder)
        if not found.stack.any():
            return nothing_found(case.name, "The decoder's masks for its prompts are empty.", digest)
        score = sum(found.stability.values()) / len(found.stability)
        labels = from_pictures(found.stack, opened, self.gold)
        ignore = self._not_looked_at(opened, placed)
        return PseudoLabel(case.name, labels, score, found.stability, ignore, digest)

    def _not_looked_at(
        self, opened: OpenCase, placed: Sequence[PlacedPrompt]
    ) -> Bool[np.ndarray, "X Y Z"] | None:
        """Return the slices without a prompt; None if there are none."""
        ignore = np.ones(opened.slicing.stack_shape, dtype=bool)
        ignore[[each.slice_index for each in placed]] = False
        return None if self.looks_everywhere or not ignore.any() else opened.on_grid(ignore)

    def _encoder(self, label: Label) -> nn.Module:
        if self.skill is None or label not in self.skill.labels:
            return self.backbone.prompt_encoder
        return self.skill.prompt_encoder(self.backbone, label)


def _from_file(folder: Path, labels: tuple[Label, ...], opened: OpenCase) -> tuple[PlacedPrompt, ...]:
    path = folder / f"{opened.case.name}.json"
    if not path.exists():
        return ()
    return read_prompts(path, opened.slicing, opened.volume.affine_ras_mm, labels)


def _simulated(
    truth: LabeledSet, labels: tuple[Label, ...], config: AssistLabelConfig, seed: int, opened: OpenCase
) -> tuple[PlacedPrompt, ...]:
    """Simulate prompts from the truth of a case; its random numbers do not depend on other cases."""
    known = open_case(replace(truth.case(opened.case.name), axis=opened.slicing.axis), truth)
    rng = np.random.default_rng((seed, crc32(opened.case.name.encode())))
    return tuple(simulate_prompts(known.label_stack(), labels, config, rng))
