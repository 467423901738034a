"""The public names: each once, sorted, and imported when first used."""

import ast
import importlib
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

import sammed
import sammed_volumes

PACKAGES = [sammed, sammed_volumes]


def file_of(package: ModuleType) -> Path:
    assert package.__file__ is not None
    return Path(package.__file__)


def stub_of(package: ModuleType) -> ast.Module:
    return ast.parse(file_of(package).with_suffix(".pyi").read_text(encoding="utf-8"))


def names_in_stub(package: ModuleType) -> list[tuple[str, str, str]]:
    """Every import of the stub: the public name, the name in its module, and the module."""
    imports = [node for node in stub_of(package).body if isinstance(node, ast.ImportFrom)]
    assert all(node.level == 1 for node in imports), "a stub of lazy-loader imports from its own package"
    return [
        (alias.asname or alias.name, alias.name, f"{package.__name__}.{node.module}")
        for node in imports
        for alias in node.names
    ]


def listed_in_stub(package: ModuleType) -> list[str]:
    [listed] = [node.value for node in stub_of(package).body if isinstance(node, ast.Assign)]
    names = ast.literal_eval(listed)
    assert isinstance(names, list)
    return names


@pytest.mark.parametrize("package", PACKAGES, ids=lambda package: package.__name__)
def test_names_are_sorted_and_complete(package: ModuleType) -> None:
    """Constants come first, then classes, then functions, as ruff sorts them."""
    listed = listed_in_stub(package)
    kinds = [(not name.isupper(), not name[0].isupper(), name) for name in listed]
    assert kinds == sorted(kinds)
    assert sorted(name for name, _, _ in names_in_stub(package)) == sorted(listed), "each name once"
    assert sorted(package.__all__) == sorted(listed)
    assert set(listed) <= set(dir(package))


@pytest.mark.parametrize("package", PACKAGES, ids=lambda package: package.__name__)
def test_every_name_is_that_of_its_module(package: ModuleType) -> None:
    for public, name, module in names_in_stub(package):
        assert public == name
        assert getattr(package, public) is getattr(importlib.import_module(module), name)


@pytest.mark.parametrize("package", PACKAGES, ids=lambda package: package.__name__)
def test_other_names_are_refused(package: ModuleType) -> None:
    with pytest.raises(AttributeError, match=r"No \w+ attribute segment"):
        package.segment  # noqa: B018


def test_importing_loads_nothing_heavy() -> None:
    roots = [str(file_of(package).parents[1]) for package in PACKAGES]
    code = "import sys, sammed, sammed_volumes; print({'torch', 'numpy'} & set(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", f"import sys; sys.path[:0] = {roots}; {code}"],
        capture_output=True,
        encoding="utf-8",
        check=True,
    )
    assert done.stdout == "set()\n"
