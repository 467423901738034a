"""The choice for one label: which prompts, whose mask, how much smoothing; made by cross-validation."""

from dataclasses import dataclass

from sammed.auto.fusion import MASKS_FROM, MaskFrom
from sammed.auto.prompting import PAPER_RULE, RULES, PromptRule
from sammed.errors import ConfigError

USUAL_BORDER_UNCERTAINTY = 1.0
"""Where it can't be fitted: mm of border error per mm to the nearest annotated slice. Measured on hearts in
slices of 10 mm."""


@dataclass(frozen=True, slots=True)
class LabelChoice:
    """How one label is segmented. The defaults are the paper's plain way with one component.

    `mask_from` names whose logits become the mask. `border_uncertainty` is how far the border of a shape
    between annotated slices may be off, in mm per mm to the nearest of them (`sammed.auto.shapes`).
    `expected_dice` is the Dice of cross-validation, None where there was none.
    """

    components: int = 1
    rule_name: str = PAPER_RULE.name
    mask_from: MaskFrom = "decoder"
    smoothing_mm: float = 0.0
    border_uncertainty: float = USUAL_BORDER_UNCERTAINTY
    expected_dice: float | None = None

    def __post_init__(self) -> None:
        if self.rule_name not in RULES:
            raise ConfigError(f"Prompts are written by {', '.join(RULES)}, not by {self.rule_name!r}.")
        if self.mask_from not in MASKS_FROM:
            raise ConfigError(f"A mask comes from {', '.join(MASKS_FROM)}, not from {self.mask_from!r}.")
        if self.components < 1 or self.smoothing_mm < 0:
            raise ConfigError("A label has at least one component, and a smoothing of 0 mm or more.")
        if not self.border_uncertainty > 0:
            raise ConfigError(f"The border uncertainty is {self.border_uncertainty}; it must be above 0.")

    @property
    def rule(self) -> PromptRule:
        """The rule by which prompts are written."""
        return RULES[self.rule_name]
