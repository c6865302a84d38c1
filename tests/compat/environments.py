"""Environments with chosen releases of what we depend on, each in a folder of .cache/compat."""

from __future__ import annotations

import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from packaging.requirements import Requirement

from tests.external import CACHE, ROOT, install_into, install_packages, once

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

FOLDER = CACHE / "compat"
MINORS = range(10, 15)  # of Python 3: those that we run on
# Beside what pyproject.toml names: the model that prompts are sent to.
MODEL = "llm-echo"
# Minor releases of the SDK that were published so far and have to work.
MCP_MINORS = ("mcp==2.0.*", "mcp==2.1.*", "mcp==2.2.*", "mcp==2.3.*")


@dataclass(frozen=True, slots=True)
class Environment:
    """`python` makes it; `requirements` are installed in it, and then our wheel."""

    name: str
    python: Path
    requirements: tuple[str, ...]

    @property
    def bin(self) -> Path:
        return FOLDER / self.name / "bin"

    def make(self, wheel: Path) -> None:
        once(f"compat/{self.name}", [str(self.python), *self.requirements], self._install)
        install_into(self.bin / "python", "--no-deps", "--force-reinstall", str(wheel))

    def _install(self, folder: Path) -> None:
        install_packages(folder, [str(self.python)], self.requirements)

    def versions(self) -> dict[str, str]:
        """Of our dependencies, as they are installed."""
        names = [Requirement(line).name for line in dependencies(self.python)]
        code = "import sys, importlib.metadata as m\nfor name in sys.argv[1:]: print(m.version(name))"
        done = subprocess.run(
            [self.bin / "python", "-c", code, *names], check=True, capture_output=True, text=True
        )
        return dict(zip(names, done.stdout.split(), strict=True))


def dependencies(python: Path) -> list[str]:
    """What pyproject.toml asks for, as far as it is for this Python."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    code = "import sys; print('%d.%d' % sys.version_info[:2])"
    version = subprocess.run([python, "-c", code], check=True, capture_output=True, text=True).stdout.strip()
    markers = {line: Requirement(line).marker for line in project["dependencies"]}
    return [
        line for line, marker in markers.items() if not marker or marker.evaluate({"python_version": version})
    ]


def floor(line: str) -> str:
    """`name>=X,<Y` → `name==X`: the oldest release that is allowed."""
    requirement = Requirement(line)
    (lowest,) = (spec.version for spec in requirement.specifier if spec.operator == ">=")
    return f"{requirement.name}=={lowest}"


def floors() -> Environment:
    oldest = pythons()[0]
    return Environment("floors", oldest, (*map(floor, dependencies(oldest)), MODEL))


def newest() -> Environment:
    """Made anew each time: what is newest changes."""
    shutil.rmtree(FOLDER / "newest", ignore_errors=True)
    latest = pythons()[-1]
    return Environment("newest", latest, (*dependencies(latest), MODEL))


def minors_of_mcp() -> list[Environment]:
    names = [spec.replace("==", "-").removesuffix(".*") for spec in MCP_MINORS]
    python = Path(sys.executable)
    return [
        Environment(name, python, (*dependencies(python), spec, MODEL))
        for name, spec in zip(names, MCP_MINORS, strict=True)
    ]


def pythons() -> list[Path]:
    """An interpreter of each minor version that is at hand (on the PATH, or pyenv's), the oldest first."""
    found = []
    for minor in MINORS:
        if sys.version_info[:2] == (3, minor):
            found.append(Path(sys.executable))
            continue
        on_path = shutil.which(f"python3.{minor}")
        pyenv = sorted(Path.home().glob(f".pyenv/versions/3.{minor}.*/bin/python"))
        candidates = [Path(on_path)] if on_path else []
        found += [path for path in [*candidates, *pyenv] if makes_environments(path)][:1]
    return found


def makes_environments(python: Path) -> bool:
    """A shim of pyenv may lead nowhere, and Debian's Python may lack venv."""
    done = subprocess.run([python, "-c", "import ensurepip, venv"], capture_output=True, check=False)
    return done.returncode == 0


def build_wheel() -> Path:
    """Ours, built from the tree by way of its sdist, as it is published."""
    folder = FOLDER / "dist"
    shutil.rmtree(folder, ignore_errors=True)
    build = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(folder), str(ROOT)]
    subprocess.run(build, check=True, stdout=subprocess.DEVNULL)
    (wheel,) = folder.glob("*.whl")
    return wheel
