"""Logs of a training: TensorBoard's event files, and the curves as an image."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sammed.datasets.students.epoch_row import EpochRow
from sammed.progress import Reporter
from sammed_volumes.atomic_file import atomic_file
from sammed_volumes.labels import Label

CURVES_NAME = "curves.png"


class TrainingLog:
    """Writes each epoch to a folder, for TensorBoard if installed; with `folder` None it writes nothing."""

    def __init__(self, folder: Path | None, labels: Sequence[Label], reporter: Reporter) -> None:
        self._folder = folder
        self._labels = labels
        self._writer = None if folder is None else _open_writer(folder, reporter)

    def close(self) -> None:
        """Write what is left to write."""
        if self._writer is not None:
            self._writer.close()

    def row(self, row: EpochRow) -> None:
        """Log one epoch."""
        if self._writer is None:
            return
        self._writer.add_scalar("loss", row.loss, row.step)
        self._writer.add_scalar("learning rate", row.learning_rate, row.step)
        for label, dice in zip(self._labels, row.dice, strict=False):
            self._writer.add_scalar(f"validation Dice/{label.name}", dice, row.step)
        self._writer.flush()

    def curves(self, rows: Sequence[EpochRow]) -> None:
        """Draw all epochs into curves.png and replace the old file."""
        if self._folder is not None and rows:
            draw_curves(rows, self._labels, self._folder / CURVES_NAME)


def draw_curves(rows: Sequence[EpochRow], labels: Sequence[Label], path: Path) -> None:
    """Draw loss, and validation Dice if any, over the epochs, as PNG."""
    from matplotlib.figure import Figure

    panels = 2 if rows[0].dice else 1
    figure = Figure(figsize=(5 * panels, 3.5), layout="constrained")
    axes = figure.subplots(1, panels, squeeze=False)[0]
    epochs = [row.epoch for row in rows]
    axes[0].plot(epochs, [row.loss for row in rows], color="tab:blue")
    axes[0].set(xlabel="epoch", ylabel="loss", title="Training")
    if panels == 2:
        for column, label in enumerate(labels):
            color = tuple(part / 255 for part in label.color_rgb)
            axes[1].plot(epochs, [row.dice[column] for row in rows], label=label.name, color=color)
        axes[1].set(xlabel="epoch", ylabel="Dice", title="Validation", ylim=(0, 1))
        axes[1].legend()
    with atomic_file(path, ".png", overwrite=True) as partial:
        figure.savefig(partial, format="png")


def _open_writer(folder: Path, reporter: Reporter) -> Any:
    folder.mkdir(parents=True, exist_ok=True)
    try:
        from torch.utils.tensorboard.writer import SummaryWriter
    except ImportError:
        reporter.message(
            f"TensorBoard is not installed, so {folder} gets only {CURVES_NAME}; "
            "`pip install sammed[tensorboard]` installs it."
        )
        return None
    return SummaryWriter(str(folder))
