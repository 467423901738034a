"""Damage guided by coverage, for sammed's own parsers, with atheris: `python -m bench.corruption.guided`."""

import importlib
import os
import sys
import tempfile
from functools import partial
from pathlib import Path
from typing import Any

import click

PARSERS = (
    *("metaimage", "nrrd", "seg-nrrd", "layers", "dicom", "dicom-multi", "dicom-seg", "rtstruct"),
    *("prompts", "manifest", "set", "monai-list", "nnunet-set", "provenance", "skill", "student", "sidecar"),
)
_INSTRUMENTED = [
    *("sammed_volumes", "sammed.prompts", "sammed.batch"),
    *("sammed.skills", "sammed.datasets", "sammed.storage"),
]
_LONGEST_BYTES = 1 << 14


@click.command()
@click.option("--seed", default=1, show_default=True)
@click.option("--runs", default=10_000, show_default=True, help="Files of each format.")
@click.option("--format", "formats", multiple=True, type=click.Choice(PARSERS), help="Only these formats.")
@click.option("--output", type=click.Path(path_type=Path), help="Append rows to its corruption.csv.")
def main(seed: int, runs: int, formats: tuple[str, ...], output: Path | None) -> None:
    """Read files that atheris makes from honest ones; exits with 1 after a traceback or a full memory."""
    atheris = _atheris()
    with atheris.instrument_imports(include=_INSTRUMENTED):
        importlib.import_module("bench.corruption.records")
        rows = importlib.import_module("bench.corruption.rows")
    faults = 0
    for name in formats or PARSERS:
        with tempfile.TemporaryDirectory() as place:
            _fuzz_in_process(atheris, name, [f"-runs={runs}", f"-seed={seed}"], Path(place))
            lines = (Path(place) / "outcomes.txt").read_text(encoding="utf-8").splitlines()
        outcomes = [line.partition(":")[0] for line in lines]
        found = {line for line in lines if ":" in line}
        click.echo(f"{name}: {len(lines)} reads of {runs} files, {len(found)} kinds of faults")
        for line in sorted(found):
            click.echo(f"  {line}")
        if output is not None:
            rows.append_row(output, "guided", name, seed, outcomes)
        faults += len(found)
    sys.exit(faults > 0)


def _atheris() -> Any:
    try:
        return importlib.import_module("atheris")
    except ImportError:
        raise click.ClickException("This needs atheris; install it with `pip install atheris`.") from None


def _fuzz_in_process(atheris: Any, name: str, options: list[str], place: Path) -> None:
    """Fuzz in a forked process, because libFuzzer ends its process; each read is a line of `outcomes.txt`."""
    child = os.fork()
    if child == 0:
        try:
            _fuzz(atheris, name, options, place)
        finally:
            os._exit(1)
    _, status = os.waitpid(child, 0)
    if status:
        _note(place, f"traceback: the process died with status {status}")


def _note(place: Path, line: str) -> None:
    with (place / "outcomes.txt").open("a", encoding="utf-8") as log:
        log.write(line + "\n")


def _fuzz(atheris: Any, name: str, options: list[str], place: Path) -> None:
    from bench.corruption.processes import GOOD, outcome_of
    from bench.corruption.samples import SAMPLES

    sample = SAMPLES[name]
    honest, corpus = place / sample.file_name, place / "corpus"
    corpus.mkdir()
    sample.write(honest)
    (corpus / "honest").write_bytes(sample.unpack(honest)[:_LONGEST_BYTES])
    kept = honest.read_bytes()

    def read(data: bytes) -> None:
        honest.write_bytes(kept)
        honest.write_bytes(sample.pack(honest, data))
        for reader in sample.readers:
            outcome, detail = outcome_of(partial(reader, honest))
            _note(place, outcome if outcome in GOOD else f"{outcome}: {' '.join(detail.split())[:200]}")

    limits = [f"-max_len={_LONGEST_BYTES}", "-timeout=10", "-verbosity=0"]
    atheris.Setup([sys.argv[0], *options, *limits, str(corpus)], read)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
