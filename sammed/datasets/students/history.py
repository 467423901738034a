"""What a training has come through: one row an epoch."""

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Row:
    """An epoch: mean loss, learning rate at its end, and Dice of each label on the validation pictures.

    `dice` is empty where nothing is validated; labels are in the student's order.
    """

    epoch: int
    step: int
    loss: float
    learning_rate: float
    dice: tuple[float, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """The row under its names; `row_of` reads it."""
        return asdict(self)


def row_of(data: dict[str, Any]) -> Row:
    """A row from what `Row.to_json` gave."""
    return Row(**{**data, "dice": tuple(data["dice"])})
