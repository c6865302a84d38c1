"""Names are anybody's: what drives a terminal never reaches one, whichever command shows them."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from llm_tools_mcp.plugin import notices
from tests.daemon.live import python, variant
from tests.home import Home, living_in
from tests.prompting import invoke

ODD = "\x1b]0;owned\x07\x1b[31mred\x9b2J\u202egnp.\x00\r"
# Escape, bell, carriage return and what else controls; and what turns the direction of text.
DRIVING = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")


@pytest.fixture(scope="module")
def odd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    """One server with an odd name that works and has odd tools, one that fails."""
    home = Home(tmp_path_factory.mktemp("odd") / "home")
    body = f"""
    def tool(self, name):
        return super().tool(name) | {{"name": name + {ODD!r}, "description": {ODD!r}, "title": {ODD!r}}}
    """
    failing = python(f"import sys; sys.exit({ODD!r})")
    home.write_config({f"fine{ODD}": variant(body), f"broken{ODD}": failing})
    yield home
    home.close()


def test_llm_shows_names_without_controls(odd: Home) -> None:
    """Listings, warnings and prompts of llm are safe to look at."""
    for words in (["tools", "MCP"], ["tools", "MCP", "--json"], ["-m", "echo", "--no-log", "-T", "MCP", "x"]):
        notices._shown.clear()
        with living_in(odd):
            done = invoke(*words)
        assert "Failed to connect to the 'broken" in done.stderr
        assert DRIVING.findall(done.stdout + done.stderr) == []


def test_commands_show_names_without_controls(odd: Home) -> None:
    """So are those of `llm-mcp`."""
    for words in (["tools"], ["list"], ["status"], ["doctor"], ["call", f"broken{ODD[:5]}", "x"], ["logs"]):
        done = odd.run_here(*words, check=False)
        assert done.stdout + done.stderr != "", words
        assert DRIVING.findall(done.stdout + done.stderr) == [], words
