"""Tools on demand: two tools instead of all, through the real daemon and the chain of llm."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import llm
import pytest

from llm_tools_mcp import MCP
from llm_tools_mcp.errors import McpError
from llm_tools_mcp.plugin import notices
from tests.home import Home, living_in
from tests.prompting import all_tools_of, calling, result_of, results_of
from tests.servers import entry, naming_server, scripted_server

ADD = {
    "name": "append_rows",
    "description": "Put rows behind the last one of a sheet.",
    "inputSchema": {
        "type": "object",
        "properties": {"sheet": {"type": "string"}, "rows": {"type": "array"}},
        "required": ["sheet"],
    },
}
HUGE = {
    "type": "object",
    "properties": {f"gadget_{number}": {"type": "string"} for number in range(20_000)},
    "required": ["gadget_1"],
}
FAILING = {"content": [{"type": "text", "text": "sheet is a required argument"}], "isError": True}


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    home = Home(tmp_path_factory.mktemp("search") / "home")
    with living_in(home):
        sheets = scripted_server(
            home.work / "sheets.json",
            ADD,
            {"name": "strict", "inputSchema": ADD["inputSchema"], "description": "Refuses all. " * 200},
            {"name": "same"},
            instructions="Sheets begin at A1.",
            results={"strict": FAILING},
        )
        reads = {"annotations": {"readOnlyHint": True}}
        web = scripted_server(home.work / "web.json", {"name": "take_screenshot", **reads}, {"name": "same"})
        huge = scripted_server(
            home.work / "huge.json", *({"name": f"gadget_{letter}", "inputSchema": HUGE} for letter in "abc")
        )
        (home.work / "huge").write_text(json.dumps({"mcpServers": {"huge": entry(huge)}}))
        home.write_config(
            {
                "sheets": entry(sheets),
                "web": entry(web),
                "names": entry(naming_server("always")) | {"alwaysLoad": True},
                "down": {"command": "no-such-command"},
            }
        )
        yield home
    home.close()


def found(toolbox: llm.Toolbox, query: str, **more: Any) -> dict[str, Any]:
    answer: dict[str, Any] = json.loads(result_of(toolbox, "search_tools", query=query, **more).output)
    return answer


def test_search_instead_of_all_tools(house: Home) -> None:
    """The two tools, those of servers that are always loaded, and those that `tools=` names."""
    assert list(all_tools_of(MCP(search=True))) == ["search_tools", "call_tool", "always", "read_result"]
    named = list(all_tools_of(MCP(search=True, tools="take_*")))
    assert named == ["search_tools", "call_tool", "take_screenshot", "always", "read_result"]
    assert "sheets, web, names" in all_tools_of(MCP(search=True))["search_tools"].description


def test_search_answers_what_the_model_needs(house: Home) -> None:
    """Name, description and schema as it will be taken, the servers, which are down, and what they say."""
    answer = found(MCP(search=True), "add a line to the spreadsheet")
    first = answer["tools"][0]
    assert (first["name"], first["server"]) == ("append_rows", "sheets")
    assert first["schema"]["required"] == ["sheet"]
    assert first["schema"]["properties"]["rows"]["items"]
    assert answer["servers"] == ["sheets", "web", "names"]
    assert "no-such-command" in answer["servers_that_are_down"]["down"]
    assert answer["instructions"] == {"sheets": "Sheets begin at A1."}
    assert found(MCP(search=True), "refuse everything")["tools"][0]["description"] == "Refuses all. " * 200
    assert [one["server"] for one in found(MCP(search=True), "rows", server="web")["tools"]] == []
    assert (
        "there is no server 'nope'"
        in result_of(MCP(search=True), "search_tools", query="x", server="nope").output
    )


def test_found_tool_is_called(house: Home) -> None:
    """By the name that was told, with its arguments as they came; as text, too, as some models write them."""
    toolbox = MCP(search=True)
    arguments = {"sheet": "a", "rows": [[1, None]], "more": {"x": "y"}}
    as_object, as_text, own_name = results_of(
        toolbox,
        ("call_tool", {"name": "append_rows", "arguments": arguments}),
        ("call_tool", {"name": "append_rows", "arguments": json.dumps(arguments)}),
        ("call_tool", {"name": "sheets.append_rows", "arguments": {}}),
    )
    assert json.loads(as_object.output) == json.loads(as_text.output) == arguments
    assert own_name.output == "{}"


def test_wrong_calls_are_explained(house: Home) -> None:
    """An unknown name with what was meant, a clear way out where two servers have it, and the schema."""
    toolbox = MCP(search=True)
    unknown, shared, wrong, no_object = results_of(
        toolbox,
        ("call_tool", {"name": "apend_rows"}),
        ("call_tool", {"name": "same"}),
        ("call_tool", {"name": "strict", "arguments": {"shet": 1}}),
        ("call_tool", {"name": "strict", "arguments": "[1]"}),
    )
    assert "there is no tool 'apend_rows'; did you mean 'append_rows'" in unknown.output
    assert "search_tools finds tools" in unknown.output
    assert "'sheets_same'" in shared.output
    assert wrong.output.startswith("Error: sheet is a required argument\nThe schema of its arguments: {")
    assert '"required": ["sheet"]' in wrong.output
    assert "`arguments` has to be an object" in no_object.output


def test_answers_are_bounded(house: Home) -> None:
    """A huge schema is cut, with a way to the rest, in what is found and in what is explained."""
    toolbox = MCP(str(house.work / "huge"), search=True)
    answer = result_of(toolbox, "search_tools", query="gadget").output
    assert len(answer) < 25_000
    told = json.loads(answer)
    whole = f"to see all of it: llm mcp tools huge {told['tools'][0]['name']} --schema]"
    assert told["tools"][0]["schema"].endswith(whole)
    assert {one["name"] for one in told["tools"]} | set(told["left_out_for_their_size"]) == {
        *("gadget_a", "gadget_b", "gadget_c")
    }
    (refused,) = results_of(toolbox, ("call_tool", {"name": "gadget_a", "arguments": "[1]"}))
    assert len(refused.output) < 11_000
    assert refused.output.endswith("to see all of it: llm mcp tools huge gadget_a --schema]")


def test_config_asks_for_search(house: Home, tmp_path: Path) -> None:
    """`"search": true` at the top of mcp.json does the same; `search=false` overrides it."""
    config = json.loads(house.config.read_text()) | {"search": True}
    path = tmp_path / "search.json"
    path.write_text(json.dumps(config))
    assert "search_tools" in all_tools_of(MCP(str(path)))
    assert "append_rows" in all_tools_of(MCP(str(path), search=False))
    with pytest.raises(McpError, match=r"MCP\(search=…\) takes true or false"):
        MCP(search="yes").tools()


def test_readonly_and_servers_narrow_the_search(house: Home) -> None:
    """What is not offered is neither found nor called."""
    narrow = MCP(search=True, readonly=True)
    assert [one["name"] for one in found(narrow, "screenshot rows same")["tools"]] == ["take_screenshot"]
    (refused,) = results_of(narrow, ("call_tool", {"name": "append_rows"}))
    assert "there is no tool 'append_rows'; search_tools finds" in refused.output
    one = MCP(search=True, servers="web")
    assert found(one, "rows")["servers"] == ["web"]


def test_async_models_search_and_call(house: Home) -> None:
    """As for synchronous models."""

    async def ask() -> list[str]:
        calls = [
            ("search_tools", {"query": "screenshot"}),
            ("call_tool", {"name": "append_rows", "arguments": {"sheet": "b"}}),
        ]
        chain = llm.get_async_model("echo").chain(calling(*calls), tools=[MCP(search=True)])
        await chain.text()
        return [result.output for result in chain._responses[-1].prompt.tool_results]

    searched, called = asyncio.run(ask())
    assert json.loads(searched)["tools"][0]["name"] == "take_screenshot"
    assert json.loads(called) == {"sheet": "b"}


def test_much_is_not_warned_of(house: Home, capsys: pytest.CaptureFixture[str]) -> None:
    """A prompt that searches is small."""
    notices._shown.clear()
    tools = llm.get_model("echo").prompt("x", tools=[MCP(search=True), MCP(search=True)]).prompt.tools
    assert len({tool.name for tool in tools}) == len([tool for tool in tools if tool.name != "always"]) + 1
    assert "tokens" not in capsys.readouterr().err
