"""Seen: an image as a skill sees it, or without a skill as the request specifies."""

from pathlib import Path
from typing import Protocol

from sammed.backbones.registry import DEFAULT_BACKBONE
from sammed.embeddings.config import EncodingConfig
from sammed.embeddings.opening import open_volume
from sammed.embeddings.scan import Scan, open_scan
from sammed.errors import ConfigError, naming
from sammed.progress import Reporter
from sammed.skills.inference import scan_for
from sammed.skills.skill import Skill, load
from sammed_volumes.intensity import parse_window


class SeenRequest(Protocol):
    """What a request with an optional skill specifies."""

    @property
    def image(self) -> Path:
        """The image, or a DICOM folder."""

    @property
    def skill(self) -> Path | None:
        """A skill, None for the plain backbone."""

    @property
    def encoding(self) -> EncodingConfig:
        """The settings for encoding slices."""

    @property
    def axis(self) -> int | None:
        """The slice axis without a skill."""

    @property
    def window(self) -> str:
        """The window without a skill, as text."""

    @property
    def series(self) -> str | None:
        """The series of a DICOM folder."""

    @property
    def spacing_mm(self) -> tuple[float, float, float] | None:
        """The spacing of pictures, X, Y, Z."""

    @property
    def fill_gaps(self) -> bool:
        """Whether to fill slices that a DICOM series lacks."""


def open_seen(request: SeenRequest, reporter: Reporter) -> tuple[Scan, Skill | None]:
    """Return the scan of the request's image, and its skill.

    Raises ConfigError if the request names another backbone than the skill's, SkillError if its weights
    differ.
    """
    encoding = request.encoding
    skill = load(request.skill, encoding) if request.skill else None
    volume = open_volume(
        request.image, request.series, reporter, fill_gaps=request.fill_gaps, spacing_mm=request.spacing_mm
    )
    if skill is None:
        window = parse_window(request.window)
        backbone, cache = encoding.load_backbone(), encoding.open_cache()
        return open_scan(volume, backbone, window=window, axis=request.axis, cache=cache), None
    if encoding.backbone not in (DEFAULT_BACKBONE, skill.model.backbone):
        raise ConfigError(
            f"{request.skill} was learned with {skill.model.backbone}: "
            f"leave out --backbone {encoding.backbone}."
        )
    with naming(request.skill):
        backbone = skill.backbone
    return scan_for(skill.model, volume, backbone, encoding.open_cache()), skill
