"""Damage guided by coverage, for sammed's own parsers, with atheris: `python -m bench.corruption.guided`."""

import importlib
import os
import sys
import tempfile
from functools import partial
from pathlib import Path
from typing import Any

import click

PARSERS = ("metaimage", "nrrd", "seg-nrrd", "prompts", "manifest", "set", "skill", "sidecar")
_INSTRUMENTED = ["sammed_volumes", "sammed.prompts", "sammed.batch", "sammed.skills", "sammed.datasets"]
_LONGEST_BYTES = 1 << 14


@click.command()
@click.option("--seed", default=1, show_default=True)
@click.option("--runs", default=10_000, show_default=True, help="Files of each format.")
@click.option("--format", "formats", multiple=True, type=click.Choice(PARSERS), help="Only these formats.")
def main(seed: int, runs: int, formats: tuple[str, ...]) -> None:
    """Read files that atheris makes from honest ones; exits with 1 after a traceback or a full memory."""
    atheris = _atheris()
    with atheris.instrument_imports(include=_INSTRUMENTED):
        importlib.import_module("bench.corruption.trial")
    faults = 0
    for name in formats or PARSERS:
        with tempfile.TemporaryDirectory() as place:
            _fuzz_in_process(atheris, name, [f"-runs={runs}", f"-seed={seed}"], Path(place))
            log = Path(place) / "faults.txt"
            found = set(log.read_text(encoding="utf-8").splitlines()) if log.is_file() else set()
        click.echo(f"{name}: {runs} runs, {len(found)} kinds of faults")
        for line in sorted(found):
            click.echo(f"  {line}")
        faults += len(found)
    sys.exit(faults > 0)


def _atheris() -> Any:
    try:
        return importlib.import_module("atheris")
    except ImportError:
        raise click.ClickException("This needs atheris; install it with `pip install atheris`.") from None


def _fuzz_in_process(atheris: Any, name: str, options: list[str], place: Path) -> None:
    """Fuzz in a forked process, because libFuzzer ends its process; faults are lines of `faults.txt`."""
    child = os.fork()
    if child == 0:
        try:
            _fuzz(atheris, name, options, place)
        finally:
            os._exit(1)
    _, status = os.waitpid(child, 0)
    if status:
        with (place / "faults.txt").open("a", encoding="utf-8") as log:
            log.write(f"the process died with status {status}\n")


def _fuzz(atheris: Any, name: str, options: list[str], place: Path) -> None:
    from bench.corruption.samples import SAMPLES
    from bench.corruption.trial import GOOD, outcome_of

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
            if outcome not in GOOD:
                with (place / "faults.txt").open("a", encoding="utf-8") as log:
                    log.write(f"{outcome}: {' '.join(detail.split())[:200]}\n")

    limits = [f"-max_len={_LONGEST_BYTES}", "-timeout=10", "-verbosity=0"]
    atheris.Setup([sys.argv[0], *options, *limits, str(corpus)], read)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
