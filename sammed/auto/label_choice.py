"""The choice for one label: which prompts, whose mask, how much smoothing; made by cross-validation."""

from dataclasses import dataclass

from sammed.auto.fusion import MASKS_FROM, MaskFrom
from sammed.auto.prompting import PAPER_RULE, RULES, PromptRule
from sammed.errors import ConfigError


@dataclass(frozen=True, slots=True)
class Mixture:
    """How much each voice counts in a volume that has annotated slices itself (`sammed.auto.mixture`).

    `expected_dice` is what the mixture reached on annotated slices that were left out, None where none was.
    """

    learned: float = 0.4
    flow: float = 0.6
    walker: float = 0.0
    expected_dice: float | None = None

    def __post_init__(self) -> None:
        weights = (self.learned, self.flow, self.walker)
        if not (min(weights) >= 0 and 0 < sum(weights) < float("inf")):
            raise ConfigError(f"The voices' weights are {weights}: none below 0, at least one above it.")


@dataclass(frozen=True, slots=True)
class LabelChoice:
    """How one label is segmented. The defaults are the paper's plain way with one component.

    `mask_from` names whose logits become the mask. `mixture` holds in the volume that was annotated.
    `expected_dice` is the Dice of cross-validation, None where there was none; it is that of other slices
    without any annotated ones around.
    """

    components: int = 1
    rule_name: str = PAPER_RULE.name
    mask_from: MaskFrom = "decoder"
    smoothing_mm: float = 0.0
    mixture: Mixture = Mixture()
    expected_dice: float | None = None

    def __post_init__(self) -> None:
        if self.rule_name not in RULES:
            raise ConfigError(f"Prompts are written by {', '.join(RULES)}, not by {self.rule_name!r}.")
        if self.mask_from not in MASKS_FROM:
            raise ConfigError(f"A mask comes from {', '.join(MASKS_FROM)}, not from {self.mask_from!r}.")
        if self.components < 1 or self.smoothing_mm < 0:
            raise ConfigError("A label has at least one component, and a smoothing of 0 mm or more.")

    @property
    def rule(self) -> PromptRule:
        """The rule by which prompts are written."""
        return RULES[self.rule_name]
