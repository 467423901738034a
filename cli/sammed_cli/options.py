"""Options that several commands share. Each is a decorator; the words are the same everywhere."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any, TypeVar

import click

from sammed.backbones.registry import BACKBONES, DEFAULT_BACKBONE
from sammed.embeddings.config import EncodingConfig
from sammed_cli.values import named_code, shard, whole_numbers
from sammed_cli.values import window as window_text

Function = TypeVar("Function", bound=Callable[..., Any])
Decorator = Callable[[Function], Function]

LABEL_FORMATS = (".nii.gz", ".nii", ".seg.nrrd", ".nrrd", ".mha", ".png", "dicom-seg")
EXISTING = click.Path(exists=True, path_type=Path)
EXISTING_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
PLACE = click.Path(path_type=Path)
NEW_FILE = click.Path(dir_okay=False, path_type=Path)
NEW_FOLDER = click.Path(file_okay=False, path_type=Path)


def together(*decorators: Callable[[Any], Any]) -> Callable[[Function], Function]:
    """Several decorators as one; `--help` shows their options in this order."""

    def decorate(function: Function) -> Function:
        for decorator in reversed(decorators):
            function = decorator(function)
        return function

    return decorate


def _axis(_context: click.Context, _parameter: click.Parameter, value: str) -> int | None:
    return None if value == "auto" else int(value)


def _skill(_context: click.Context, _parameter: click.Parameter, value: Path) -> Path:
    if not value.is_file():
        raise click.BadParameter(f"There is no skill {value}; `sammed assist-train` learns one.")
    return value


def _label_suffix(_context: click.Context, _parameter: click.Parameter, value: str) -> str:
    return ".dcm" if value == "dicom-seg" else value


json_output = click.option(
    "--json", "as_json", is_flag=True, help="Print one JSON object on stdout; all else goes to stderr."
)
overwrite = click.option("--overwrite", is_flag=True, help="Replace what is there already.")
seed = click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Random seed.")
axis = click.option(
    "--axis",
    type=click.Choice(("auto", "0", "1", "2")),
    default="auto",
    show_default=True,
    callback=_axis,
    help="Array axis that the slices are counted along; auto is that of the coarsest spacing.",
)
window = click.option(
    "--window",
    type=window_text,
    metavar="auto|LOW,HIGH|PRESET",
    default="auto",
    show_default=True,
    help="Intensities to show: auto, LOW,HIGH (HU in CT) or a preset such as lung, liver, bone.",
)
series = click.option(
    "--series",
    metavar="UID|N|N.M",
    help="Which series of a DICOM folder, by UID or number; 3.2 is sub-volume 2 of series 3.",
)
fill_gaps = click.option(
    "--fill-gaps", is_flag=True, help="Fill slices that a DICOM series lacks with background; no label there."
)
codes = click.option(
    "--code",
    "codes",
    multiple=True,
    type=named_code,
    metavar="LABEL=CODE",
    help="Code of a structure in a DICOM SEG, SNOMED such as liver=T-62000 or SCHEME:CODE; may be repeated.",
)
flatten = click.option(
    "--flatten", is_flag=True, help="Where segments of a .seg.nrrd overlap, let the later one win."
)
label = click.option(
    "--label", multiple=True, metavar="NAME|VALUE", help="A label to take; may be repeated.  [default: all]"
)
exclude_slices = click.option(
    "--exclude-slices",
    type=whole_numbers,
    metavar="N,N",
    default="none",
    help="Slices to leave out, such as the annotated ones.",
)
label_format = click.option(
    "--format",
    "suffix",
    type=click.Choice(LABEL_FORMATS),
    default=".nii.gz",
    show_default=True,
    callback=_label_suffix,
    help="Format of the label volume where --output doesn't name one; .png is for pictures alone, "
    "dicom-seg for DICOM series.",
)

_backbone = click.option(
    "--backbone",
    type=click.Choice(tuple(BACKBONES)),
    default=DEFAULT_BACKBONE,
    show_default=True,
    help="The frozen SAM; `sammed backbones list` describes them.",
)
_machine = together(
    click.option("--checkpoint", type=EXISTING_FILE, help="File of weights, in place of the backbone's own."),
    click.option(
        "--device",
        default="auto",
        show_default=True,
        metavar="auto|cpu|cuda[:N]|mps",
        help="Where to compute.",
    ),
    click.option(
        "--runtime",
        type=click.Choice(("auto", "torch", "openvino")),
        default="auto",
        show_default=True,
        help="What encodes the slices; auto is OpenVINO on a CPU.",
    ),
    click.option(
        "--precision",
        type=click.Choice(("auto", "float32", "bfloat16")),
        default="auto",
        show_default=True,
        help="Numbers that slices are encoded with; auto is bfloat16 where the hardware has it.",
    ),
)
_cache = click.option(
    "--cache/--no-cache",
    default=True,
    show_default=True,
    help="Keep what slices were encoded to, and use it again; `sammed cache info` says where.",
)


def _gathering(*decorators: Callable[[Any], Any], **fixed: Any) -> Callable[[Function], Function]:
    """Options of `EncodingConfig`, which reach the command as one argument `encoding`; others are `fixed`."""

    def decorate(function: Function) -> Function:
        @functools.wraps(function)
        def gather(*args: Any, **settings: Any) -> Any:
            names = [each.name for each in fields(EncodingConfig)]
            chosen = {name: settings.pop(name) for name in names if name in settings}
            return function(*args, encoding=EncodingConfig(**chosen, **fixed), **settings)

        return together(*decorators)(gather)  # type: ignore[return-value]  # click wraps it alike

    return decorate


encoding = _gathering(_backbone, _machine, _cache)
encoding_of_skill = _gathering(_machine, _cache)
encoding_uncached = _gathering(_backbone, _machine, cache=False)

batch = together(
    click.option(
        "--list",
        "lists",
        multiple=True,
        type=EXISTING_FILE,
        help="Text file with such a path a line; may be repeated.",
    ),
    click.option(
        "--resume/--no-resume",
        default=None,
        help="Pass what the manifest says is done and unchanged.  [default: yes, unless --overwrite]",
    ),
    click.option(
        "--manifest",
        type=NEW_FILE,
        help="File that notes what became of each volume.  [default: by the outputs]",
    ),
    click.option(
        "--shard", type=shard, metavar="K/N", help="Do the K-th of N parts of the volumes, such as 3/16."
    ),
    click.option(
        "--workers", type=click.IntRange(min=1), metavar="N", help="Share the work among N processes (Dask)."
    ),
    click.option("--cluster", metavar="ADDRESS", help="Have a Dask cluster do it: its scheduler's address."),
)
annotated_slices = together(
    click.option(
        "--slices",
        type=click.IntRange(min=1),
        metavar="N",
        help="Draw so many slices that hold a label, and two that hold none.  [default: all that hold one]",
    ),
    click.option(
        "--slice-index",
        type=whole_numbers,
        metavar="N,N",
        default="none",
        help="Take these annotated slices.",
    ),
    click.option(
        "--empty-slices",
        type=whole_numbers,
        metavar="N,N",
        default="none",
        help="Slices that are known to hold no label.",
    ),
    click.option(
        "--draw",
        type=click.Choice(("normal", "even")),
        default="normal",
        show_default=True,
        help="How --slices draws: normally round the median labeled slice (paper, 3.3), or evenly.",
    ),
)
skill = click.option(
    "--skill",
    type=NEW_FILE,
    default="skill.safetensors",
    callback=_skill,
    show_default=True,
    help="What `sammed assist-train` wrote.",
)
