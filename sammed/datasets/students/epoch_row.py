"""The record of a student's training: one row for each epoch."""

from dataclasses import dataclass


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
