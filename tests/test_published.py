"""What users get: the sdist and the wheel, and what the README tells them to type."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import sys
import sysconfig
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

import llm_tools_mcp
from llm_tools_mcp import config
from llm_tools_mcp.config import ServerDefinition
from tests.daemon.live import variant
from tests.external import ROOT, install_into
from tests.home import Home
from tests.programs import Result, run
from tests.published.bundle_files import bundle
from tests.servers import FOLDER, naming_server
from tests.servers.registry import serving

README = (ROOT / "README.md").read_text(encoding="utf-8")
CONFIGURATION = (ROOT / "docs" / "configuration.md").read_text(encoding="utf-8")
LOGINS = (ROOT / "docs" / "logins.md").read_text(encoding="utf-8")
# What needs a network, a service manager, or an environment of its own; make's are what CI begins with.
ELSEWHERE = ("make ", "llm install", "systemctl", "journalctl", "llm mcp service", "pipx ", "uv ")


# With what the README's lines ask for: tools that only read, a note, a prompt about code.
SHELF = variant("""
def __init__(self):
    super().__init__()
    self.tools = {"read_file": faulty.NOTHING, "list_files": faulty.NOTHING}
    self.lists = {
        "resources/list": {"resources": [{"uri": "file:///notes.md", "name": "notes"}]},
        "resources/templates/list": {"resourceTemplates": []},
        "resources/read": {"contents": [{"uri": "file:///notes.md", "text": "buy milk"}]},
        "prompts/list": {"prompts": [{"name": "code", "arguments": [{"name": "language"}]}]},
        "prompts/get": {"messages": [{"role": "user", "content": {"type": "text", "text": "Review it."}}]},
    }
def tool(self, name):
    return super().tool(name) | {"annotations": {"readOnlyHint": True}}
def initialize(self, params):
    found = super().initialize(params)
    return found | {"capabilities": {"tools": {}, "resources": {}, "prompts": {}}}
def handle(self, message):
    if message.get("method") in self.lists:
        self.answer(message, self.lists[message["method"]])
    else:
        super().handle(message)
""")


@dataclass(frozen=True, slots=True)
class Published:
    """The two files, and an environment in which the wheel is installed, beside what it depends on."""

    sdist: Path
    wheel: Path
    environment: Path


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Published:
    folder = tmp_path_factory.mktemp("published")
    build = [sys.executable, "-m", "build", "--no-isolation", f"--outdir={folder}", str(clean_copy(folder))]
    run(build, env=plain_environment())
    (sdist,), (wheel,) = folder.glob("*.tar.gz"), folder.glob("*.whl")
    return Published(sdist, wheel, environment_with(wheel, folder / "environment"))


def plain_environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith(("COV", "PYTHON"))}


def clean_copy(folder: Path) -> Path:
    """The tree without what commands have made in it."""
    made = (ROOT / ".gitignore").read_text(encoding="utf-8").split()
    ignored = shutil.ignore_patterns(".git", *(line.strip("/") for line in made))
    return shutil.copytree(ROOT, folder / "copy", ignore=ignored)


def environment_with(wheel: Path, folder: Path) -> Path:
    """Its own packages are found before those of this environment, which are there for the rest."""
    run([sys.executable, "-m", "venv", "--without-pip", str(folder)])
    python = folder / "bin" / "python"
    install_into(python, "--no-deps", "--no-index", str(wheel))
    (packages,) = folder.glob("lib/python*/site-packages")
    (packages / "others.pth").write_text(sysconfig.get_path("purelib") + "\n")
    llm = folder / "bin" / "llm"
    llm.write_text(f"#!{python}\nfrom llm.cli import cli\ncli()\n")
    llm.chmod(0o755)
    return folder


@pytest.fixture
def user(home: Home, published: Published) -> Iterator[Home]:
    """A home in which `llm` and `llm-mcp` are the wheel's, and `uvx` and `npx` start a server of ours."""
    stand_ins = home.folder / "bin"
    stand_ins.mkdir()
    for name in ("uvx", "npx"):
        script = stand_ins / name
        script.write_text(f"#!/bin/sh\nexec {shlex.join([SHELF['command'], *SHELF['args']])}\n")
        script.chmod(0o755)
    home.env["PATH"] = f"{published.environment}/bin:{stand_ins}:{home.env['PATH']}"
    home.env.pop("PYTHONPATH", None)
    (home.folder / "llm" / "default_model.txt").write_text("echo")  # as `llm models default echo` does
    return home


def shell(user: Home, line: str, **options: object) -> Result:
    return user.run("sh", "-c", line, **options)  # type: ignore[arg-type]


def test_both_files_are_well_formed(published: Published) -> None:
    """The index would take them, and the sdist has what the wheel is made of, and the tests."""
    run([sys.executable, "-m", "twine", "check", "--strict", str(published.sdist), str(published.wheel)])
    names = run(["tar", "tzf", str(published.sdist)]).stdout
    for part in ("/README.md", "/CHANGELOG.md", "/LICENSE", "/docs/architecture.md", "/tests/conftest.py"):
        assert part in names


def test_wheel_runs_the_demo(user: Home, published: Published) -> None:
    """A real prompt, from nothing but what the wheel has installed: code, units, man page."""
    where = user.run("python", "-c", "import llm_tools_mcp; print(llm_tools_mcp.__file__)").stdout
    assert Path(where.strip()).is_relative_to(published.environment)
    assert "first prompt " in user.run("llm", "mcp", "demo").stdout
    assert llm_tools_mcp.__version__ in user.run("llm-mcp", "--version").stdout
    assert (published.environment / "share" / "man" / "man1" / "llm-mcp.1").is_file()
    (unit,) = published.environment.glob(
        "lib/python*/site-packages/llm_tools_mcp/service/units/systemd/*.socket"
    )
    assert "ListenStream=" in unit.read_text()


# --- the README -------------------------------------------------------------------------------------


@pytest.mark.skipif(sys.platform != "linux", reason="reads a unit of systemd")
def test_service_runs_the_program_of_a_prefix(home: Home, published: Published, tmp_path: Path) -> None:
    """After `pip install --prefix` it is the one there, though the interpreter has another one beside it."""
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "install", "--quiet", "--no-deps"]
    run([*pip, "--no-index", "--ignore-installed", f"--prefix={tmp_path}", str(published.wheel)])
    (packages,) = tmp_path.glob("lib/python*/site-packages")
    program = tmp_path / "bin" / "llm-mcp"
    assert Path(sys.executable).with_name("llm-mcp").exists()
    del home.env["LLM_MCP_SOCKET"]
    home.run(str(program), "service", "install", "--no-enable", env={"PYTHONPATH": str(packages)})
    (unit,) = home.folder.rglob("llm-mcp.service")
    (start,) = [line for line in unit.read_text().splitlines() if line.startswith("ExecStart=")]
    assert str(program) in start


def blocks(language: str, page: str = README) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", page, re.MULTILINE | re.DOTALL)


def typed(page: str = README) -> list[str]:
    """The lines of its shell blocks, in their order, that need nothing but a wheel."""
    lines = [line.partition("  #")[0].strip() for block in blocks("sh", page) for line in block.splitlines()]
    return [line for line in lines if line and not line.startswith(ELSEWHERE) and "https://" not in line]


def put_bundle(user: Home, **manifest: object) -> None:
    """notes.mcpb, whose server is one of ours."""
    program, script, *args = naming_server("note")
    sources = [("main.py", Path(script).read_text()), ("faulty.py", (FOLDER / "faulty.py").read_text())]
    config = {"command": program, "args": ["${__dirname}/main.py", *args]}
    bundle(user.work / "notes.mcpb", *sources, config=config, **manifest)


def package(name: str, **keys: object) -> dict[str, object]:
    """A server of the registry, which npx starts."""
    npm = {
        "registryType": "npm",
        "identifier": name,
        "version": "1.0.2",
        "transport": {"type": "stdio"},
        **keys,
    }
    return {"server": {"name": f"io.github.user/{name}", "version": "1.0.2", "packages": [npm]}}


def test_what_the_readme_tells_to_type_works(user: Home) -> None:
    """One line after the other, as somebody would who follows it; nothing is complained of."""
    other = user.write_config({"review": SHELF}, user.folder / "other.json")
    user.write_config({"review": SHELF})
    (user.work / "it.py").write_text("print(1)")
    put_bundle(user)
    with serving() as registry:
        registry.servers = [{"server": {"name": "io.example/weather", "version": "1.0.0", "description": ""}}]
        user.env["LLM_MCP_REGISTRY"] = registry.url
        for line in typed():
            typed_then = "quit\n" if line.startswith("llm chat") else ""
            done = shell(user, line.replace("/path/other.json", str(other)), input=typed_then)
            assert "Error" not in done.stderr, done
            assert "Warning" not in done.stderr, done
    added = json.loads(user.config.read_text())["mcpServers"]
    assert {"time", "files", "notes"} <= set(added)


def test_python_of_the_readme_works(user: Home) -> None:
    """With the servers of the README's commands."""
    user.run("llm-mcp", "add", "files", "--no-check", "--", "npx", "-y", "server")
    (code,) = blocks("python")
    assert "what is in this folder?" in user.run("python", "-c", code).stdout


def test_what_the_other_pages_tell_to_type_works(user: Home) -> None:
    """Of the servers that they speak of; as `llm-mcp`, which is the same and loads no llm."""
    user.write_config({"files": SHELF})
    folder = {"type": "directory", "title": "Folder", "description": "Of the notes", "required": True}
    put_bundle(user, user_config={"folder": folder})
    (user.folder / "notes").mkdir()
    user.env["WEATHER_KEY"] = "a key"
    cities = [{"type": "positional", "valueHint": "city", "isRequired": True, "isRepeated": True}]
    keys = [{"name": "API_KEY", "isRequired": True, "isSecret": True}]
    with serving() as registry:
        weather = package("weather", packageArguments=cities, environmentVariables=keys)
        registry.servers = [package("dice"), weather]
        user.env["LLM_MCP_REGISTRY"] = registry.url
        for line in typed(CONFIGURATION) + typed(LOGINS):
            done = shell(user, line.replace("llm mcp ", "llm-mcp ", 1))
            assert "Error" not in done.stderr, done
            assert "Warning" not in done.stderr, done
    assert json.loads(user.config.read_text())["mcpServers"]["files"]["timeout"] == 120


@pytest.mark.parametrize("page", [README, CONFIGURATION], ids=["README", "configuration"])
def test_config_of_a_page_is_one(tmp_path: Path, page: str) -> None:
    """The example parses whole: no entry, key or value of it is refused."""
    (text,) = blocks("json", page)
    environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "TICKETS_TOKEN": "t"}
    parsed = config.parse("mcp.json", text, config.Context(str(tmp_path), environment, 0o022))
    enabled = {name for name, entry in json.loads(text)["mcpServers"].items() if not entry.get("disabled")}
    assert set(parsed.servers) == enabled
    assert all(isinstance(server, ServerDefinition) for server in parsed.servers.values())


@pytest.mark.parametrize(
    "line", sorted({line for b in blocks("sh") for line in b.splitlines() if line.startswith("make ")})
)
def test_targets_of_make_can_be_made(tmp_path: Path, line: str) -> None:
    """From a clean copy; what they do is run by CI, which begins with them."""
    words = line.partition("#")[0].split()
    done = run([*words[:1], "--dry-run", *words[1:]], cwd=clean_copy(tmp_path), env=plain_environment())
    assert done.stdout
