"""What stands in a config and is no MCP server, or one that lacks what it is asked for: it is said so."""

from __future__ import annotations

from typing import Any

import pytest

from llm_tools_mcp.daemon.front.status import server_status
from llm_tools_mcp.daemon.pool import startup_output
from llm_tools_mcp.daemon.server import process
from tests.daemon.live import Live, failure_of, variant, with_live


def ignore(_: object) -> None:
    """Nobody watches."""


@with_live
async def test_programs_that_are_no_servers(live: Live, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each says what it did, or what it is; what is certainly none is not tried in another way."""
    monkeypatch.setattr(process, "_EOF_SECONDS", 0.05)
    plain = live.folder / "notes.txt"
    plain.write_text("hello")
    programs = {
        ("cat",): "it sends back what it is sent, as `cat` does: it is no MCP server",
        ("true",): "it exited with code 0, and had not said a word: is ",
        ("yes",): "it printed 10000 lines and no message among them: it is no MCP server",
        ("echo", "hello"): "it exited with code 0; its last lines were: (on stdout) hello",
        (str(live.folder),): "is a folder, not a program",
        (str(plain),): "is not executable: chmod +x makes it so",
    }
    for (command, *args), said in programs.items():
        server = live.define({"odd": {"command": command, "args": args}})
        assert said in (await failure_of(live.names(server))).text
    silent = live.define({"odd": {"command": "sleep", "args": ["60"], "connectTimeout": 0.1}})
    text = (await failure_of(live.names(silent))).text
    assert text.startswith("still starting after 0 s, and has not said a word")
    monkeypatch.setattr(startup_output, "_LEAST_SILENCE", 0.1)
    suspicion = "has not said a word since it was started 0 s ago: is it an MCP server?"
    assert (await failure_of(live.names(silent))).text.startswith(f"{suspicion} It may still download; ")
    assert server_status(live.session(silent), login="", memory=0).last_error == suspicion


@with_live
async def test_what_a_server_lacks_is_named(live: Live) -> None:
    """Not the method that it does not know: who asked for a resource has never heard of it."""
    server = live.faulty("fine")
    for method, params, lacks in (
        ("resources/read", {"uri": "file:///x"}, "it offers no resources"),
        ("prompts/get", {"name": "x"}, "it offers no prompts"),
        ("completion/complete", {}, "it offers no completions"),
    ):
        assert (await failure_of(live.pool.request(server, method, params, ignore))).text == lacks


TEMPLATELESS = """
def initialize(self, params):
    return super().initialize(params) | {"capabilities": {"tools": {}, "resources": {}}}
def unknown(self, message):
    if message["method"] == "resources/list":
        return self.answer(message, {"resources": [{"uri": "a:b", "name": "b"}]})
    super().unknown(message)
"""


@with_live
async def test_server_of_resources_without_templates(live: Live) -> None:
    """That it knows no templates is no failure; what it knows and refuses is told as it says it."""
    server = live.define({"plain": variant(TEMPLATELESS)})
    listed: Any = await live.pool.listed(server, "resources/list")
    assert [one["uri"] for one in listed["resources"]] == ["a:b"]
    assert await live.pool.listed(server, "resources/templates/list") == {"resourceTemplates": []}
    failure = await failure_of(live.pool.request(server, "resources/read", {"uri": "a:b"}, ignore))
    assert failure.text == "Method not found"
