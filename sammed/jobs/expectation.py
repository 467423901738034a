"""The Dice that a skill expects of its own labels, and what to do where it is low."""

from collections.abc import Mapping

from sammed.auto.label_choice import LabelChoice
from sammed.progress import Reporter
from sammed.skills.model import SkillModel

LEAST_DICE = 0.7
"""Below it, labels are worth little without more annotated slices."""


def expected_dice(skill: SkillModel) -> dict[str, float | None]:
    """Return the Dice on annotated slices that were left out, by name of label; nothing without a generator.

    It is that of the mixture, or of what was learned alone where no slice lies between two annotated ones;
    None where no slice could be left out.
    """
    if skill.auto is None:
        return {}
    return {label.name: _expected(skill.auto.choices[label.value]) for label in skill.labels}


def _expected(choice: LabelChoice) -> float | None:
    mixed = choice.mixture.expected_dice
    return choice.expected_dice if mixed is None else mixed


def report_low(expected: Mapping[str, float | None], reporter: Reporter) -> None:
    """Report the labels with a low expected Dice in one sentence, which says what to do."""
    low = {name: dice for name, dice in expected.items() if dice is not None and dice < LEAST_DICE}
    if low:
        named = ", ".join(f"{name} ({dice:.3f})" for name, dice in low.items())
        reporter.message(
            f"The expected Dice is below {LEAST_DICE:g}: {named}; mark more slices of {' and '.join(low)}."
        )
