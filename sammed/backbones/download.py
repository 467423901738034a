"""Fetching a file of weights: resumed where it broke off, checked, and moved into place when whole."""

import http.client
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path

from sammed.backbones.folders import weights_folder
from sammed.backbones.lite_medsam import wheel_checkpoint
from sammed.backbones.registry import BackboneSpec, TinyVit, backbone_spec
from sammed.backbones.weights import BLOCK_BYTES, file_sha256, missing_message, verify
from sammed.errors import CheckpointError

Progress = Callable[[int, "int | None"], None]
TIMEOUT_S = 30
RANGE_NOT_SATISFIABLE = 416


def fetch(name: str, folder: Path | None = None, *, progress: Progress | None = None) -> Path:
    """Bring a backbone's weights onto this machine and return where they lie; see `download`."""
    return download(backbone_spec(name), folder or weights_folder(), progress=progress)


def download(spec: BackboneSpec, folder: Path, *, progress: Progress | None = None) -> Path:
    """Download a backbone's weights into a folder, unless they are there.

    `progress` hears how many bytes are there and how many there will be, None while that isn't known.
    What came before a break stays in a file `.part` beside its place, and the next call goes on from
    there. Raises CheckpointError when the file can't be had; the sentence says which file to put where by
    hand.
    """
    if isinstance(spec.architecture, TinyVit):
        return wheel_checkpoint()
    target = folder / spec.filename
    if target.is_file() and _is_whole(spec, target):
        return target
    if spec.url is None:
        raise CheckpointError(f"{spec.name} can't be fetched by itself. {missing_message(spec)}")
    part = target.with_name(target.name + ".part")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _complete(spec.url, part, progress)
        _check(spec, part)
        part.replace(target)
    except (http.client.HTTPException, urllib.error.URLError, TimeoutError, ConnectionError) as error:
        raise CheckpointError(_unreachable_message(spec, target, part, error)) from None
    except OSError as error:
        raise CheckpointError(f"{target} can't be written: {error.strerror or error}.") from None
    return target


def _is_whole(spec: BackboneSpec, target: Path) -> bool:
    try:
        verify(spec, target)
    except CheckpointError:
        return False
    return True


def _check(spec: BackboneSpec, part: Path) -> None:
    if spec.sha256 is not None and (found := file_sha256(part)) != spec.sha256:
        part.unlink()
        raise CheckpointError(
            f"What {spec.url} sent is not {spec.filename}: its sha256 begins with {found[:12]}, not "
            f"{spec.sha256[:12]}. It was thrown away; a proxy that answers in the server's place does this."
        )


def _unreachable_message(spec: BackboneSpec, target: Path, part: Path, error: BaseException) -> str:
    reason = getattr(error, "reason", None) or error
    kept = " The next try goes on from what has come." if part.is_file() else ""
    return (
        f"{spec.url} can't be fetched ({reason}).{kept} On a machine without a network, get {spec.filename} "
        f"elsewhere and put it at {target}."
    )


def _complete(url: str, part: Path, progress: Progress | None) -> None:
    """Ask again from where the server broke off, for as long as each answer brings something."""
    while True:
        before = part.stat().st_size if part.is_file() else 0
        if _receive(url, part, before, progress):
            return
        if part.stat().st_size <= before:
            raise ConnectionError("the server keeps breaking off")


def _receive(url: str, part: Path, have: int, progress: Progress | None) -> bool:
    """One request; True when the file is whole."""
    request = urllib.request.Request(url, headers={"Range": f"bytes={have}-"} if have else {})
    try:
        response = urllib.request.urlopen(request, timeout=TIMEOUT_S)
    except urllib.error.HTTPError as error:
        error.close()
        if have and error.code == RANGE_NOT_SATISFIABLE:
            return True  # nothing comes after what is there; the digest tells whether that is right
        raise
    with response:
        start = have if _continues(response, have) else 0
        length = response.headers.get("Content-Length")
        total = start + int(length) if length is not None else None
        return _store(response, part, start, total, progress)


def _continues(response: http.client.HTTPResponse, have: int) -> bool:
    """Whether the answer begins where the part ends; a server that ignores Range sends all from the start."""
    content_range = response.headers.get("Content-Range", "")
    return response.status == http.client.PARTIAL_CONTENT and content_range.startswith(f"bytes {have}-")


def _store(
    response: http.client.HTTPResponse, part: Path, start: int, total: int | None, progress: Progress | None
) -> bool:
    """Write the answer behind the first `start` bytes of the part; True unless it broke off."""
    done = start
    with part.open("ab" if start else "wb") as file:
        try:
            while block := response.read(BLOCK_BYTES):
                file.write(block)
                done += len(block)
                if progress is not None:
                    progress(done, total)
        except (http.client.IncompleteRead, ConnectionError, TimeoutError):
            return False
    return total is None or done >= total
