"""What is shipped: lock files that anybody can use, and a wheel that has all it needs."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest
from packaging.markers import Marker
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[1]
LOCKS = ("requirements.lock", "requirements-dev.lock")
PYTHONS = ("3.11", "3.12", "3.13", "3.14")


def locked(name: str) -> list[Requirement]:
    """The requirements of a lock file, without their hashes."""
    joined = (ROOT / name).read_text().replace("\\\n", " ")
    return [Requirement(re.sub(r"\s--hash=\S+", "", line)) for line in joined.splitlines() if line.strip()]


def names_for(name: str, python: str) -> list[str]:
    """The packages that a lock file gives one version of Python on Linux."""
    environment = {"python_version": python, "python_full_version": f"{python}.0", "sys_platform": "linux", "extra": ""}
    chosen = [wanted for wanted in locked(name) if wanted.marker is None or wanted.marker.evaluate(environment)]
    return [canonicalize_name(wanted.name) for wanted in chosen]


@pytest.mark.parametrize("name", LOCKS)
@pytest.mark.parametrize("forbidden", ["://", "--index", "--find", "--extra-index", "--trusted-host", " @ ", "file:"])
def test_a_lock_file_names_no_place(name: str, forbidden: str) -> None:
    assert forbidden not in (ROOT / name).read_text()


@pytest.mark.parametrize("name", LOCKS)
def test_every_requirement_is_pinned_and_hashed(name: str) -> None:
    entries = [entry for entry in re.split(r"\n(?=\S)", (ROOT / name).read_text()) if entry.strip()]
    assert len(entries) == len(locked(name)) > 20
    assert [entry for entry in entries if not re.match(r"[\w.-]+==\S+", entry)] == []
    assert [entry for entry in entries if not re.search(r"--hash=sha256:[0-9a-f]{64}", entry)] == []


@pytest.mark.parametrize("name", LOCKS)
@pytest.mark.parametrize("python", PYTHONS)
def test_each_python_gets_one_version_of_each_package(name: str, python: str) -> None:
    names = names_for(name, python)
    assert len(names) == len(set(names))


@pytest.mark.parametrize("python", PYTHONS)
@pytest.mark.parametrize(("name", "extras"), [(LOCKS[0], {"build"}), (LOCKS[1], {"build", "dev"})])
def test_a_lock_file_holds_what_the_project_asks_for(name: str, extras: set[str], python: str) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = [*project["dependencies"], *(line for extra in sorted(extras) for line in project["optional-dependencies"][extra])]
    names = {canonicalize_name(Requirement(line).name) for line in wanted}
    assert names <= set(names_for(name, python))


def test_markers_are_read() -> None:
    assert Marker("python_full_version < '3.12'").evaluate({"python_full_version": "3.11.0"})


def test_the_wheel_holds_every_file_of_the_service_and_migrates(tmp_path: Path) -> None:
    run("-m", "hatchling", "build", "--target", "wheel", "--directory", str(tmp_path), folder=ROOT)
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as opened:
        opened.extractall(tmp_path / "installed")
        shipped = set(opened.namelist())
    assert tracked("app", "migrations") <= shipped
    code = f"import migrations; from app.migrate import upgrade; upgrade('sqlite:///{tmp_path}/new.db'); print(migrations.__file__)"
    assert run("-c", code, folder=tmp_path / "installed").startswith(str(tmp_path))


def run(*arguments: str, folder: Path) -> str:
    """What a Python process prints that must succeed."""
    done = subprocess.run([sys.executable, *arguments], cwd=folder, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def tracked(*folders: str) -> set[str]:
    """Files of the folders, by their path from the root; what Python leaves there does not count."""
    found = (path for folder in folders for path in (ROOT / folder).rglob("*") if path.is_file())
    return {str(path.relative_to(ROOT)) for path in found if "__pycache__" not in path.parts}
