"""The record of a student's training: one row for each epoch."""

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class EpochRow:
    """An epoch: mean loss, learning rate at its end, and Dice of each label on the validation pictures.

    `dice` is in the order of the student's labels; it is empty without validation.
    """

    epoch: int
    step: int
    loss: float
    learning_rate: float
    dice: tuple[float, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Return the row as a dict; `from_json` reads it."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> "EpochRow":
        """Return a row from the result of `to_json`."""
        return cls(**{**data, "dice": tuple(data["dice"])})
