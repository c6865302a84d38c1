"""What the project's pages name is there: files, tests, targets of make, commands, links."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from llm_tools_mcp.cli import _COMMANDS

ROOT = Path(__file__).parent.parent
PAGES = [*sorted(ROOT.glob("*.md")), *sorted(ROOT.glob("docs/*.md")), *sorted(ROOT.glob("benchmarks/*.md"))]
# Made by commands, so not there in a clean copy.
MADE = (".venv", ".cache", "dist/")

CODE = re.compile(r"`([^`\n]+)`")
LINK = re.compile(r"\]\((?!https?:|#)([^)\s]+)\)")
# A folder and a file in it, or a file at the top with one of our endings; perhaps a test in it.
PLACE = re.compile(r"(?P<path>[\w.-]+(?:/[\w.-]*)+|[\w-]+\.(?:md|toml))(?:::(?P<test>\w+))?")
FENCE = re.compile(r"^```sh\n(.*?)^```", re.MULTILINE | re.DOTALL)

each_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))


def places(page: Path) -> list[tuple[str, str]]:
    """The paths of this project that stand in backquotes, each with the name of a test or an empty one."""
    quoted = (PLACE.fullmatch(text) for text in CODE.findall(page.read_text(encoding="utf-8")))
    found = [(match["path"], match["test"] or "") for match in quoted if match]
    return [(path, test) for path, test in found if is_ours(path)]


def is_ours(path: str) -> bool:
    first, slash, _ = path.partition("/")
    return bool(first) and not path.startswith(MADE) and (not slash or (ROOT / first).is_dir())


@each_page
def test_files_that_are_named_exist(page: Path) -> None:
    """A page that names a file which has moved misleads."""
    assert [
        path for path, _ in places(page) if not ((ROOT / path).exists() or (page.parent / path).exists())
    ] == []


@each_page
def test_tests_that_are_named_exist(page: Path) -> None:
    """In the file where they are said to be."""
    named = [(path, test) for path, test in places(page) if test]
    assert [(path, test) for path, test in named if test not in functions(ROOT / path)] == []


def functions(path: Path) -> set[str]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return {node.name for node in ast.walk(tree) if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))}


def test_architecture_names_the_test_of_each_failure() -> None:
    """Twenty rows, none without a test."""
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (\d+) \|.*\| ([^|]*) \|$", text, re.MULTILINE)
    assert [int(number) for number, _ in rows] == list(range(1, 21))
    assert [number for number, tests in rows if "::test_" not in tests] == []


def test_architecture_names_every_room() -> None:
    """A folder of the package that the page does not know is no part of the plan."""
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    rooms = {path.parent for path in (ROOT / "llm_tools_mcp").glob("*/__init__.py")}
    rooms |= {path.parent for path in (ROOT / "llm_tools_mcp" / "daemon").glob("*/__init__.py")}
    assert [str(room) for room in sorted(rooms) if f"`{room.relative_to(ROOT)}/`" not in text] == []


@each_page
def test_links_lead_somewhere(page: Path) -> None:
    """Those within the project."""
    links = LINK.findall(page.read_text(encoding="utf-8"))
    assert [link for link in links if not (page.parent / link.partition("#")[0]).exists()] == []


@each_page
def test_make_targets_that_are_named_exist(page: Path) -> None:
    """In shell blocks and in the text."""
    text = page.read_text(encoding="utf-8")
    lines = [*CODE.findall(text), *(line for block in FENCE.findall(text) for line in block.splitlines())]
    typed = (re.search(r"\bmake ((?:[a-z][a-z-]* ?)+)", line.partition("#")[0]) for line in lines)
    named = {target for match in typed if match for target in match[1].split()}
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert named - set(re.findall(r"^([a-z][a-z-]*):", makefile, re.MULTILINE)) == set()


@each_page
def test_commands_that_are_named_exist(page: Path) -> None:
    """`llm mcp …` and `llm-mcp …`, in shell blocks and in the text."""
    text = page.read_text(encoding="utf-8")
    lines = [*CODE.findall(text), *(line for block in FENCE.findall(text) for line in block.splitlines())]
    named = {match for line in lines for match in re.findall(r"(?<![\w/])llm(?: |-)mcp ([a-z][a-z-]+)", line)}
    assert named - set(_COMMANDS) == set()
