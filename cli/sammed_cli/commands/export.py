"""`sammed export`: label volumes become a data set that a UNet trains on."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sammed_cli import options
from sammed_cli.terminal import Terminal

if TYPE_CHECKING:
    from sammed.datasets.export.dataset import DataSet
    from sammed.datasets.labeled_sets.gathered import Gathered

sources = options.together(
    click.argument("images", type=options.EXISTING, metavar="IMAGES|SET"),
    click.argument("labels", type=options.EXISTING, required=False),
    click.option(
        "--pseudo",
        type=(options.EXISTING, options.EXISTING),
        multiple=True,
        metavar="IMAGES LABELS",
        help="Images and labels that a machine made; never validated on. May be repeated.",
    ),
    click.option(
        "--test",
        type=options.EXISTING,
        multiple=True,
        metavar="IMAGES",
        help="Images without labels. May be repeated.",
    ),
    click.option(
        "--marked-only",
        is_flag=True,
        help="Slices of LABELS that hold no label were not looked at: they get the label ignore.",
    ),
    options.axis,
)
properties = options.together(
    click.option("--name", required=True, help="Name of the data set."),
    click.option("--description", default="", help="What the data set is of."),
    click.option("--license", "--licence", "license", default="", help="What others may do with it."),
    click.option("--modality", help="Name of the channel, such as CT or T2.  [default: what images say]"),
    click.option(
        "--format",
        "file_ending",
        type=click.Choice((".nii.gz", ".nrrd", ".mha")),
        help="Convert all files to it.  [default: keep what all share]",
    ),
    click.option(
        "--folds", type=click.IntRange(min=2), default=5, show_default=True, help="Folds to validate on."
    ),
    options.overwrite,
    options.json_output,
)


@click.group(short_help="Write a data set for a UNet.")
def export() -> None:
    """Turn images and label volumes, or a labeled set, into a data set for a UNet.

    Labels that sammed wrote say themselves that a machine made them; slices that nobody labeled get the
    label ignore; folds never validate on a machine's labels.
    """


@export.command()
@sources
@click.option(
    "--output",
    type=options.NEW_FOLDER,
    required=True,
    help="Folder of nnU-Net's raw data sets ($nnUNet_raw); DatasetNNN_NAME comes into it.",
)
@click.option(
    "--dataset-id", type=click.IntRange(1, 999), required=True, metavar="N", help="Number of the data set."
)
@properties
@click.pass_obj
def nnunet(
    terminal: Terminal,
    /,
    images: Path,
    labels: Path | None,
    pseudo: Sequence[tuple[Path, Path]],
    test: Sequence[Path],
    marked_only: bool,
    axis: int | None,
    output: Path,
    as_json: bool,
    **settings: Any,
) -> None:
    """Write a raw data set of nnU-Net v2.

    IMAGES and LABELS are two folders with those below them, or two files; a label volume has the name of its
    image, with _label or _seg after it or not, and lies in a folder of the same name.

    A labeled set (`sammed set make`, `sammed pseudo-label`) stands alone: its gold and pseudo-labels are
    trained on, what it ignores gets the label ignore, and cases to test on go without their labels.
    """
    from sammed.datasets.export.nnunet import export_nnunet

    cases = _cases(images, labels, pseudo, test, marked_only, axis)
    _answer(terminal, as_json, export_nnunet(cases, output, **settings))


@export.command()
@sources
@click.option("--output", type=options.NEW_FOLDER, required=True, help="Folder to write.")
@properties
@click.pass_obj
def monai(
    terminal: Terminal,
    /,
    images: Path,
    labels: Path | None,
    pseudo: Sequence[tuple[Path, Path]],
    test: Sequence[Path],
    marked_only: bool,
    axis: int | None,
    output: Path,
    as_json: bool,
    **settings: Any,
) -> None:
    """Write a folder with a MONAI datalist.

    IMAGES and LABELS are two folders with those below them, or two files; a label volume has the name of its
    image, with _label or _seg after it or not, and lies in a folder of the same name.

    A labeled set (`sammed set make`, `sammed pseudo-label`) stands alone: its gold and pseudo-labels are
    trained on, what it ignores gets the label ignore, and cases to test on go without their labels.
    """
    from sammed.datasets.export.monai import export_monai

    cases = _cases(images, labels, pseudo, test, marked_only, axis)
    _answer(terminal, as_json, export_monai(cases, output, **settings))


def _cases(
    images: Path,
    labels: Path | None,
    pseudo: Sequence[tuple[Path, Path]],
    test: Sequence[Path],
    marked_only: bool,
    axis: int | None,
) -> Gathered:
    from sammed.datasets.labeled_sets.gathered import Gathered
    from sammed.datasets.labeled_sets.pairing import gather_cases

    if labels is None:
        if pseudo or test or marked_only or axis is not None:
            raise click.UsageError(
                "--pseudo, --test, --marked-only and --axis go with IMAGES and LABELS; a set says it itself."
            )
        return _cases_of_set(images)
    cases = list(gather_cases(images, labels, marked_only=marked_only, axis=axis))
    for machine_images, machine_labels in pseudo:
        cases += gather_cases(machine_images, machine_labels, origin="pseudo", axis=axis)
    for folder in test:
        cases += gather_cases(folder, None)
    return Gathered(tuple(cases))


def _cases_of_set(place: Path) -> Gathered:
    from sammed.datasets.export.cases import cases_of_set
    from sammed.datasets.labeled_sets.set_file import MANIFEST_NAME, read_set

    if place.name != MANIFEST_NAME and not (place / MANIFEST_NAME).exists():
        raise click.UsageError(
            f"LABELS is missing, and {place} is no labeled set: it has no {MANIFEST_NAME}."
        )
    return cases_of_set(read_set(place))


def _answer(terminal: Terminal, /, as_json: bool, written: DataSet) -> None:
    from sammed.reports.report import Table

    for note in written.notes:
        terminal.say(note)
    facts = (
        ("folder", str(written.folder)),
        ("cases with labels", str(written.training)),
        ("cases without", str(written.testing)),
        ("labels", ", ".join(f"{value} {name}" for name, value in written.labels.items())),
        ("folds", str(written.folds)),
    )
    terminal.answer(as_json, written.to_json(), Table("", ("Data set", ""), facts))
