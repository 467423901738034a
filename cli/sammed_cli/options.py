"""Options that several commands share, each a decorator."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any, TypeVar

import click

from sammed.backbones.registry import BACKBONES, DEFAULT_BACKBONE
from sammed.embeddings.config import EncodingConfig
from sammed_cli import assignments
from sammed_cli.values import named_code, shard, whole_numbers
from sammed_cli.values import spacing as spacing_text
from sammed_cli.values import window as window_text

Function = TypeVar("Function", bound=Callable[..., Any])
Decorator = Callable[[Function], Function]

_DICOM_FORMATS = {"dicom-seg": ".dcm", "rtstruct": ".rtstruct.dcm"}
LABEL_FORMATS = (".nii.gz", ".nii", ".seg.nrrd", ".nrrd", ".mha", ".png", *_DICOM_FORMATS)
EXISTING = click.Path(exists=True, path_type=Path)
EXISTING_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
PLACE = click.Path(path_type=Path)
NEW_FILE = click.Path(dir_okay=False, path_type=Path)
NEW_FOLDER = click.Path(file_okay=False, path_type=Path)


def together(*decorators: Callable[[Any], Any]) -> Callable[[Function], Function]:
    """Combine decorators; `--help` shows their options in this order."""

    def decorate(function: Function) -> Function:
        for decorator in reversed(decorators):
            function = decorator(function)
        return function

    return decorate


def _axis(_context: click.Context, _parameter: click.Parameter, value: str) -> int | None:
    return None if value == "auto" else int(value)


def _skill(_context: click.Context, _parameter: click.Parameter, value: Path) -> Path:
    if not value.is_file():
        raise click.BadParameter(f"There is no skill {value}; learn one with `sammed assist-train`.")
    return value


def _label_suffix(_context: click.Context, _parameter: click.Parameter, value: str) -> str:
    return _DICOM_FORMATS.get(value, value)


json_output = click.option(
    "--json", "as_json", is_flag=True, help="Print one JSON object on stdout; everything else goes to stderr."
)
overwrite = click.option("--overwrite", is_flag=True, help="Replace existing files.")
seed = click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Random seed.")
axis = click.option(
    "--axis",
    type=click.Choice(("auto", "0", "1", "2")),
    default="auto",
    show_default=True,
    callback=_axis,
    help="Array axis of the slices; auto is the axis with the coarsest spacing.",
)
window = click.option(
    "--window",
    type=window_text,
    metavar="auto|LOW,HIGH|PRESET",
    default="auto",
    show_default=True,
    help="Intensity window: auto, LOW,HIGH (HU in CT) or a preset such as lung, liver, bone.",
)
series = together(
    click.option(
        "--series",
        metavar="N|N.M|UID",
        help="Series of a DICOM folder, by its series number or UID; 3.2 is sub-volume 2 of series 3.",
    ),
    click.option(
        "--fill-gaps",
        is_flag=True,
        help="Fill missing slices of a DICOM series with background; they get no labels.",
    ),
)
codes = click.option(
    "--code",
    "codes",
    multiple=True,
    type=named_code,
    metavar="LABEL=CODE",
    help="SNOMED code of a structure in a DICOM SEG or RTSTRUCT, such as liver=T-62000, or SCHEME:CODE; "
    "may be repeated.",
)
flatten = click.option(
    "--flatten", is_flag=True, help="Where segments of a .seg.nrrd overlap, the later one wins."
)
colors = click.option(
    "--colors", is_flag=True, help="Make each color of a picture a label, named by its hex code."
)
spacing = click.option(
    "--spacing",
    "spacing_mm",
    type=spacing_text,
    metavar="X,Y,Z",
    help="Spacing of pictures in mm: along a row, along a column, from slice to slice.",
)
resample = click.option(
    "--resample", is_flag=True, help="Interpolate labels that are on another lattice than the image."
)
label = click.option(
    "--label", multiple=True, metavar="NAME|VALUE", help="Label to use; may be repeated.  [default: all]"
)
names = click.option(
    "--name",
    "names",
    multiple=True,
    callback=assignments.names,
    metavar="VALUE=NAME",
    help="Name of a label; may be repeated.",
)
exclude_slices = click.option(
    "--exclude-slices",
    type=whole_numbers,
    metavar="N,N",
    default="none",
    help="Slices to exclude, such as the annotated ones.",
)
label_format = click.option(
    "--format",
    "suffix",
    type=click.Choice(LABEL_FORMATS),
    default=".nii.gz",
    show_default=True,
    callback=_label_suffix,
    help="Format of the label volume if --output has no file name; .png is for pictures only, "
    "dicom-seg and rtstruct for DICOM series.",
)

device = click.option(
    "--device",
    default="auto",
    show_default=True,
    metavar="auto|cpu|cuda[:N]|mps",
    help="Device to compute on.",
)
_backbone = click.option(
    "--backbone",
    type=click.Choice(tuple(BACKBONES)),
    default=DEFAULT_BACKBONE,
    show_default=True,
    help="The frozen SAM; `sammed backbones list` lists all.",
)
_machine = together(
    click.option("--checkpoint", type=EXISTING_FILE, help="File of weights, instead of the backbone's own."),
    device,
    click.option(
        "--runtime",
        type=click.Choice(("auto", "torch", "openvino")),
        default="auto",
        show_default=True,
        help="Runtime that encodes slices; auto is OpenVINO on a CPU.",
    ),
    click.option(
        "--precision",
        type=click.Choice(("auto", "float32", "bfloat16")),
        default="auto",
        show_default=True,
        help="Precision for encoding slices; auto is bfloat16 if the hardware supports it.",
    ),
)
_cache = click.option(
    "--cache/--no-cache",
    default=True,
    show_default=True,
    help="Reuse embeddings of slices from the cache; `sammed cache info` shows its folder.",
)


def _gathering(*decorators: Callable[[Any], Any], **fixed: Any) -> Callable[[Function], Function]:
    """Pass options to the command as one `EncodingConfig`, the argument `encoding`; others are `fixed`."""

    def decorate(function: Function) -> Function:
        @functools.wraps(function)
        def gather(*args: Any, **settings: Any) -> Any:
            names = [each.name for each in fields(EncodingConfig)]
            chosen = {name: settings.pop(name) for name in names if name in settings}
            return function(*args, encoding=EncodingConfig(**chosen, **fixed), **settings)

        return together(*decorators)(gather)  # type: ignore[return-value]  # click wraps it the same way

    return decorate


encoding = _gathering(_backbone, _machine, _cache)
encoding_of_skill = _gathering(_machine, _cache)
encoding_uncached = _gathering(_backbone, _machine, cache=False)

batch_inputs = together(
    click.argument("inputs", type=PLACE, nargs=-1, metavar="IMAGE|FOLDER|'PATTERN'..."),
    click.option(
        "--list",
        "lists",
        multiple=True,
        type=EXISTING_FILE,
        help="Text file with one such path per line; may be repeated.",
    ),
    click.option(
        "--stack", is_flag=True, help="A folder of numbered pictures is one volume, not one image each."
    ),
    spacing,
    click.option(
        "--resume/--no-resume",
        default=None,
        help="Skip images that are finished and unchanged.  [default: yes, unless --overwrite]",
    ),
    click.option(
        "--manifest",
        type=NEW_FILE,
        help="File that records the outcome of each image.  [default: beside the outputs]",
    ),
    click.option(
        "--shard",
        type=shard,
        metavar="K/N",
        help="Label the K-th of N parts of the images, such as 3/16.",
    ),
    click.option(
        "--workers",
        type=click.IntRange(min=1),
        metavar="N",
        help="Share the work among N processes (Dask).",
    ),
    click.option("--cluster", metavar="ADDRESS", help="Use the Dask cluster with this scheduler address."),
)
image_output = together(
    click.option(
        "--output", type=NEW_FILE, help="Label volume to write.  [default: IMAGE_label beside IMAGE]"
    ),
    label_format,
)
batch_output = together(
    click.option(
        "--output",
        type=PLACE,
        help="File, or folder for several images.  [default: IMAGE_label.nii.gz beside each image]",
    ),
    label_format,
)
annotated_slices = together(
    click.option(
        "--slices",
        type=click.IntRange(min=1),
        metavar="N",
        help="Sample N slices with a label, and up to two more as empty.  [default: all with a label]",
    ),
    click.option(
        "--slice-index",
        type=whole_numbers,
        metavar="N,N",
        default="none",
        help="Use these annotated slices.",
    ),
    click.option(
        "--empty-slices",
        type=whole_numbers,
        metavar="N,N",
        default="none",
        help="Slices that are known to have no label.",
    ),
    click.option(
        "--draw",
        type=click.Choice(("even", "paper")),
        default="even",
        show_default=True,
        help="How --slices samples: spread over the labels, or near their median slice (paper, 3.3).",
    ),
)
skill = click.option(
    "--skill",
    type=NEW_FILE,
    default="skill.safetensors",
    callback=_skill,
    show_default=True,
    help="Skill from `sammed assist-train`.",
)
