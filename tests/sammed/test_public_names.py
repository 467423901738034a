"""The public names: sorted, complete, imported when they are asked for."""

import ast
import importlib
import subprocess
import sys
from pathlib import Path

import pytest

import sammed
import sammed_volumes

PACKAGES = [sammed, sammed_volumes]
ROOTS = [str(Path(package.__file__).parents[1]) for package in PACKAGES]


def names_for_type_checkers(package):
    """Names that the package imports under TYPE_CHECKING, and the modules that they come from."""
    tree = ast.parse(Path(package.__file__).read_text())
    blocks = [node for node in tree.body if isinstance(node, ast.If)]
    imports = [node for node in ast.walk(blocks[0]) if isinstance(node, ast.ImportFrom)]
    return {alias.asname: node.module for node in imports for alias in node.names}


@pytest.mark.parametrize("package", PACKAGES, ids=lambda package: package.__name__)
def test_names_are_sorted_and_complete(package) -> None:
    """Constants come first, then classes, then functions, as ruff sorts them."""
    kinds = [(not name.isupper(), not name[0].isupper(), name) for name in package.__all__]
    assert kinds == sorted(kinds)
    assert set(package.__all__) == set(names_for_type_checkers(package))
    assert set(package.__all__) <= set(dir(package))


@pytest.mark.parametrize("package", PACKAGES, ids=lambda package: package.__name__)
def test_every_name_is_what_its_module_says(package) -> None:
    for name, module in names_for_type_checkers(package).items():
        assert getattr(package, name) is getattr(importlib.import_module(module), name)


@pytest.mark.parametrize("package", PACKAGES, ids=lambda package: package.__name__)
def test_other_names_are_refused(package) -> None:
    with pytest.raises(AttributeError, match="has no attribute 'segment'"):
        package.segment  # noqa: B018


def test_importing_loads_nothing_heavy() -> None:
    code = "import sys, sammed, sammed_volumes; print({'torch', 'numpy'} & set(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", f"import sys; sys.path[:0] = {ROOTS}; {code}"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "set()\n"
