"""The package: its doctests pass, its imports are light, and its errors form the documented tree."""

import doctest
import importlib
import pkgutil
import subprocess
import sys
from pathlib import Path

import pytest

import sammed_volumes
from sammed_volumes import errors

MODULES = sorted(module.name for module in pkgutil.iter_modules(sammed_volumes.__path__))


@pytest.mark.parametrize("name", MODULES)
def test_doctests(name: str) -> None:
    result = doctest.testmod(importlib.import_module(f"sammed_volumes.{name}"))
    assert result.failed == 0


def test_there_are_doctests() -> None:
    modules = [importlib.import_module(f"sammed_volumes.{name}") for name in MODULES]
    assert (
        sum(len(each.examples) for module in modules for each in doctest.DocTestFinder().find(module)) >= 10
    )


def test_importing_loads_no_image_library_and_no_torch() -> None:
    code = "\n".join(f"import sammed_volumes.{name}" for name in MODULES)
    code += "\nimport sys\nprint({'torch', 'SimpleITK', 'nibabel', 'nrrd', 'PIL'} & set(sys.modules))"
    folder = Path(sammed_volumes.__file__).parents[1]
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, encoding="utf-8", check=True, cwd=folder
    )
    assert done.stdout.strip() == "set()"


def test_the_docstring_shows_the_tree_of_errors() -> None:
    """The docstring lists every error, indented by its depth in the code."""
    drawn = {}
    for line in (errors.__doc__ or "").splitlines():
        name = line.split()[0] if line.strip() else ""
        if name.endswith("Error"):
            drawn[name] = (len(line) - len(line.lstrip())) // 4
    real = {
        name: len(kind.__mro__) - len(errors.VolumeError.__mro__)
        for name, kind in vars(errors).items()
        if isinstance(kind, type)
    }
    assert drawn == real
    assert issubclass(errors.VolumeError, ValueError)
