"""Download of weights: resumed after an interruption, verified, and moved into place when complete."""

import http.client
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path

from sammed.backbones.folders import weights_folder
from sammed.backbones.registry import BackboneSpec, TinyVit, backbone_spec
from sammed.backbones.weights import missing_message, verify, wheel_checkpoint
from sammed.errors import CheckpointError
from sammed_volumes.file_digest import sha256_of

Progress = Callable[[int, "int | None"], None]
BLOCK_BYTES = 1 << 20
TIMEOUT_S = 30
RANGE_NOT_SATISFIABLE = 416


def fetch(name: str, folder: Path | None = None, *, progress: Progress | None = None) -> Path:
    """Download a backbone's weights by its name and return their path; see `download`."""
    return download(backbone_spec(name), folder or weights_folder(), progress=progress)


def download(spec: BackboneSpec, folder: Path, *, progress: Progress | None = None) -> Path:
    """Download a backbone's weights into a folder unless they already exist, and return their path.

    `progress` is called with the bytes downloaded so far and the total, which is None if unknown. An
    interrupted download leaves a file ending in `.part` in the folder, and the next call resumes it. Raises
    CheckpointError if the download fails; the message states which file to put where by hand.
    """
    if isinstance(spec.architecture, TinyVit):
        return wheel_checkpoint()
    target = folder / spec.filename
    if target.is_file() and _is_whole(spec, target):
        return target
    if spec.url is None:
        raise CheckpointError(f"{spec.name} can't be downloaded automatically. {missing_message(spec)}")
    part = target.with_name(target.name + ".part")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _complete(spec.url, part, progress)
        _check(spec, part)
        part.replace(target)
    except (http.client.HTTPException, urllib.error.URLError, TimeoutError, ConnectionError) as error:
        raise CheckpointError(_unreachable_message(spec, target, part, error)) from None
    except OSError as error:
        reason = error.strerror or error
        raise CheckpointError(
            f"{target} can't be written ({reason}); choose another folder (--folder)."
        ) from None
    return target


def _is_whole(spec: BackboneSpec, target: Path) -> bool:
    try:
        verify(spec, target)
    except CheckpointError:
        return False
    return True


def _check(spec: BackboneSpec, part: Path) -> None:
    if spec.sha256 is not None and (found := sha256_of(part)) != spec.sha256:
        part.unlink()
        raise CheckpointError(
            f"The file from {spec.url} is not {spec.filename}: its sha256 begins with {found[:12]}, not "
            f"{spec.sha256[:12]}. It was deleted; check whether a proxy answers in the server's place."
        )


def _unreachable_message(spec: BackboneSpec, target: Path, part: Path, error: BaseException) -> str:
    reason = getattr(error, "reason", None) or error
    kept = " The next try resumes the download." if part.is_file() else ""
    return (
        f"{spec.url} can't be downloaded ({reason}).{kept} On a machine without a network, get "
        f"{spec.filename} elsewhere and put it at {target}."
    )


def _complete(url: str, part: Path, progress: Progress | None) -> None:
    """Request the rest after each interruption, as long as every response adds some bytes."""
    while True:
        before = part.stat().st_size if part.is_file() else 0
        if _receive(url, part, before, progress):
            return
        if part.stat().st_size <= before:
            raise ConnectionError("the server keeps closing the connection")


def _receive(url: str, part: Path, have: int, progress: Progress | None) -> bool:
    """Send one request; return True if the file is complete."""
    request = urllib.request.Request(url, headers={"Range": f"bytes={have}-"} if have else {})
    try:
        response = urllib.request.urlopen(request, timeout=TIMEOUT_S)
    except urllib.error.HTTPError as error:
        error.close()
        if have and error.code == RANGE_NOT_SATISFIABLE:
            return True  # the server has no more bytes; the digest shows whether these are right
        raise
    with response:
        start = have if _continues(response, have) else 0
        length = response.headers.get("Content-Length")
        total = start + int(length) if length is not None else None
        return _store(response, part, start, total, progress)


def _continues(response: http.client.HTTPResponse, have: int) -> bool:
    """Whether the response starts where the part ends; a server that ignores Range sends the whole file."""
    content_range = response.headers.get("Content-Range", "")
    return response.status == http.client.PARTIAL_CONTENT and content_range.startswith(f"bytes {have}-")


def _store(
    response: http.client.HTTPResponse, part: Path, start: int, total: int | None, progress: Progress | None
) -> bool:
    """Append the response to the part, or start over if `start` is 0; return True if it arrived whole."""
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
