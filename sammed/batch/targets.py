"""Targets: the volumes of a request, and where the labels of each go."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from sammed.batch.manifest import MANIFEST_NAME
from sammed.batch.request import BatchRequest
from sammed.batch.sources import Source, find_sources
from sammed.batch.target import Target
from sammed.errors import ConfigError
from sammed.progress import Reporter
from sammed.storage.outputs import beside, is_folder, label_file


@dataclass(frozen=True, slots=True)
class Targets:
    """What to label; `manifest` is the file of a batch, None for a single volume."""

    targets: tuple[Target, ...]
    manifest: Path | None


def find_targets(request: BatchRequest, reporter: Reporter) -> Targets:
    """Return the volumes of a request, or of its shard; ConfigError if two would have the same output."""
    sources = find_sources(request.inputs, request.lists, request.series, stack=request.stack)
    for note in sources.notes:
        reporter.message(note)
    single = not (sources.is_batch or request.is_spread)
    if request.output is not None and not is_folder(request.output):
        if not single:
            raise ConfigError(f"{request.output} is one file, but there are several images; name a folder.")
        (source,) = sources.found
        return Targets((Target(source.image, label_file(request.output, source.image), source.series),), None)
    targets = tuple(Target(source.image, _place(source, request), source.series) for source in sources.found)
    _check_places(targets)
    if request.shard is not None:
        targets = tuple(request.shard.of(targets))
    manifest = request.manifest or (request.output or sources.root) / MANIFEST_NAME
    return Targets(targets, None if single else manifest)


def _place(source: Source, request: BatchRequest) -> Path:
    """Return the path beside the image, or the image's place below the input folder, in the output folder."""
    if request.output is None:
        place = beside(source.image, request.suffix).with_name(f"{source.name}_label{request.suffix}")
    else:
        place = request.output / source.below / f"{source.name}_label{request.suffix}"
    return label_file(place, source.image)


def _check_places(targets: tuple[Target, ...]) -> None:
    seen: set[Path] = set()
    for target in targets:
        if target.output in seen:
            raise ConfigError(f"Two images would be labeled into {target.output}; label them separately.")
        seen.add(target.output)
