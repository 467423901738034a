"""`sammed export`: turn label volumes into a data set that a UNet trains on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from sammed_cli import options
from sammed_cli.terminal import Terminal

if TYPE_CHECKING:
    from sammed.datasets.export.dataset import DataSet

_SOURCES = """
IMAGES and LABELS are two files, or two folders with the same subfolders. A label volume has the name of its
image, with or without _label or _seg at the end.

A labeled set (`sammed set make`, `sammed pseudo-label`) needs no LABELS. Its gold labels and pseudo-labels
are for training, ignored voxels get the label ignore, and test cases are exported without labels.
"""

sources = options.together(
    click.argument("images", type=options.EXISTING, metavar="IMAGES|SET"),
    click.argument("labels", type=options.EXISTING, required=False),
    click.option(
        "--pseudo",
        type=(options.EXISTING, options.EXISTING),
        multiple=True,
        metavar="IMAGES LABELS",
        help="Images, and labels that a machine made; never used for validation. May be repeated.",
    ),
    click.option(
        "--test",
        type=options.EXISTING,
        multiple=True,
        metavar="IMAGES",
        help="Images without labels; may be repeated.",
    ),
    click.option(
        "--marked-only",
        is_flag=True,
        help="Slices of LABELS without a label are unknown: they get the label ignore.",
    ),
    options.axis,
    options.flatten,
    options.resample,
)
properties = options.together(
    click.option("--name", required=True, help="Name of the data set."),
    click.option("--description", default="", help="Description of the data set."),
    click.option("--license", default="", help="License of the data set."),
    click.option(
        "--modality", help="Name of the channel, such as CT or T2.  [default: the images' modality]"
    ),
    click.option(
        "--format",
        "file_ending",
        type=click.Choice((".nii.gz", ".nrrd", ".mha")),
        help="Convert all files to this format.  [default: keep a common format]",
    ),
    click.option(
        "--folds", type=click.IntRange(min=2), default=5, show_default=True, help="Cross-validation folds."
    ),
    options.overwrite,
    options.json_output,
    click.pass_obj,
)


def _current_name(option: str) -> str:
    return {"licence": "license"}.get(option, option)  # the former spelling still works


@click.group(
    short_help="Write a data set for a UNet.", context_settings={"token_normalize_func": _current_name}
)
def export() -> None:
    """Turn images and label volumes, or a labeled set, into a data set for a UNet.

    sammed knows which label volumes it wrote itself; these are never used for validation. Slices that nobody
    annotated get the label ignore.
    """


@export.command(help=f"Write a raw data set of nnU-Net v2.\n{_SOURCES}")
@sources
@click.option(
    "--output",
    type=options.NEW_FOLDER,
    required=True,
    help="nnU-Net's folder of raw data sets ($nnUNet_raw), for DatasetNNN_NAME.",
)
@click.option(
    "--dataset-id", type=click.IntRange(1, 999), required=True, metavar="N", help="Number of the data set."
)
@properties
def nnunet(terminal: Terminal, /, as_json: bool, **settings: Any) -> None:
    """Write a raw data set of nnU-Net v2."""
    from sammed.jobs.export import ExportNnunetRequest, export_nnunet

    _finish(terminal, as_json, export_nnunet(ExportNnunetRequest(**settings), terminal.reporter))


@export.command(help=f"Write a folder with a MONAI data list.\n{_SOURCES}")
@sources
@click.option("--output", type=options.NEW_FOLDER, required=True, help="Folder to write.")
@properties
def monai(terminal: Terminal, /, as_json: bool, **settings: Any) -> None:
    """Write a folder with a MONAI data list."""
    from sammed.jobs.export import ExportMonaiRequest, export_monai

    _finish(terminal, as_json, export_monai(ExportMonaiRequest(**settings), terminal.reporter))


def _finish(terminal: Terminal, as_json: bool, written: DataSet) -> None:
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
    terminal.finish(as_json, written, Table("", ("Data set", ""), facts))
