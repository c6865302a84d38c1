"""Large results: the model gets head and tail, the whole is on disk, and `read_result` reads on in it."""

from __future__ import annotations

import base64
import json
import os
import re
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import llm
import pytest

from llm_tools_mcp import MCP, v1
from llm_tools_mcp.cache import kept_results
from llm_tools_mcp.client.caller import make_call, make_caller
from llm_tools_mcp.client.channel import DaemonClient
from llm_tools_mcp.config import ConfigSource
from llm_tools_mcp.plugin.tool_output import Bound, output_of
from tests.home import Home, living_in
from tests.prompting import all_tools_of, result_of, results_of, tools_of
from tests.servers import entry, scripted_server

LINES = "\n".join(f"line {number} of the log" for number in range(20_000))
PNG = base64.b64encode(b"\x89PNG" + bytes(range(200))).decode()


def told(text: str, **more: Any) -> dict[str, Any]:
    return {"content": [{"type": "text", "text": text}], **more}


RESULTS = {
    "log": told(LINES),
    "fail": told(LINES, isError=True),
    "raised": told("y" * 150_000),
    "data": {"content": [], "structuredContent": {"rows": list(range(40_000))}},
    "shots": {"content": [{"type": "image", "data": PNG, "mimeType": "image/png"} for _ in range(50)]},
    "brief": told("short"),
    "medium": told("m" * 306),
    "words": told("\n".join(f"word {number}" for number in range(400))),
}
META = {"raised": {"_meta": {"anthropic/maxResultSizeChars": 200_000}}}


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    home = Home(tmp_path_factory.mktemp("bounded") / "home")
    tools = [{"name": name, **META.get(name, {})} for name in RESULTS]
    server = scripted_server(home.work / "large.json", *tools, results=RESULTS)
    home.write_config({"s": entry(server), "narrow": entry(server, outputLimit=2000, includeTools=["log"])})
    with living_in(home):
        tools_of(MCP())  # from now on both servers are known, and with them their names
        yield home
    home.close()


def whole(output: str) -> Path:
    """The file that a cut result names."""
    found = re.search(r"the whole text, for a day: (\S+) …\]", output)
    assert found, output
    return Path(found[1])


def call_of(output: str) -> dict[str, Any]:
    """The arguments of `read_result` that a cut result tells of."""
    found = re.search(r"read_result\(id='(\w+)', offset=(\d+)\)", output)
    assert found, output
    return {"id": found[1], "offset": int(found[2])}


def test_long_result_is_cut_and_kept_whole(house: Home) -> None:
    """Head and tail stay within the limit; between them stands what is missing, and how to read on."""
    output = result_of(MCP(servers="s"), "s_log").output
    assert len(output) <= 100_000
    assert output.startswith("line 0 of the log\nline 1 ")
    assert output.endswith("\nline 19999 of the log")
    path = whole(output)
    assert path.read_text() == LINES
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_reading_on_brings_the_rest(house: Home) -> None:
    """From the offset that was told the parts follow each other; a pattern finds lines by offset."""
    toolbox = MCP(servers="s")
    cut = result_of(toolbox, "s_log").output
    arguments = call_of(cut)
    part = result_of(toolbox, "read_result", **arguments, length=500).output
    start = arguments["offset"]
    assert part.startswith(LINES[start : start + 500])
    assert f"the next part begins at offset {start + 500}" in part
    end = result_of(toolbox, "read_result", id=arguments["id"], offset=len(LINES) - 5).output
    assert end.startswith("e log\n[")
    assert "this is the end" in end
    found = result_of(toolbox, "read_result", id=arguments["id"], pattern="LINE 1234[0-9] ").output
    offset = LINES.index("line 12340 ")
    assert found.startswith(f"{offset}: line 12340 of the log\n")
    assert "[10 lines fit" in found


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"id": "../../mcp.json"}, "there is no result '../../mcp.json'"),
        ({"id": "0" * 12}, "there is no result"),
        ({"offset": 10**9}, "offset is from 0 to"),
        ({"offset": -1}, "offset is from 0 to"),
        ({"pattern": "("}, "the pattern is no regular expression"),
        ({"pattern": "(a" * 5000}, "the pattern is no regular expression: it is nested too deeply"),
    ],
)
def test_wrong_arguments_are_told(house: Home, arguments: dict[str, Any], said: str) -> None:
    """Nothing but kept results can be read, and what is wrong is said to the model."""
    toolbox = MCP(servers="s")
    known = call_of(result_of(toolbox, "s_log").output)["id"]
    assert said in result_of(toolbox, "read_result", **{"id": known, **arguments}).output


def test_lines_are_read_through_however_few_characters_fit(house: Home) -> None:
    """Each answer shows a line, and leads on to the next one, until the end is said."""
    toolbox = MCP(servers="s")
    known = call_of(result_of(toolbox, "s_log").output)["id"]
    narrow = [
        result_of(toolbox, "read_result", id=known, pattern="^line [34] ", length=1, offset=start).output
        for start in (0, LINES.index("line 4 "))
    ]
    assert narrow[0].startswith(f"{LINES.index('line 3 ')}: ")
    assert f"offset={LINES.index('line 4 ')}]" in narrow[0]
    assert narrow[1].startswith(f"{LINES.index('line 4 ')}: ")
    assert "[1 line fits" in narrow[1]


def test_pattern_is_found_anywhere_in_a_text_of_one_line(house: Home) -> None:
    """Minified JSON of megabytes has no lines: it is shown in pieces, which overlap."""
    known = kept_results.keep_text("x" * 149_995 + "needle in one line" + "y" * 100_000)
    found = kept_results.read(known.id, 0, 20_000, "needle in one")
    assert "needle in one line" in found
    offset = int(found.partition(":")[0])
    assert "needle in one line" in kept_results.read(known.id, offset, 3000, "")
    assert kept_results.read(known.id, 0, 20_000, "absent") == "[0 lines fit from offset 0 to the end]"
    assert (
        kept_results.read(known.id, 249_000 + 1013, 20_000, "y")
        == "[0 lines fit from offset 250013 to the end]"
    )


def test_pattern_that_takes_for_ever_is_ended(house: Home) -> None:
    """The model is told so, and the prompt goes on."""
    toolbox = MCP(servers="s")
    known = call_of(result_of(toolbox, "s_log").output)["id"]
    output = result_of(toolbox, "read_result", id=known, pattern="([a-z0-9 ]+)+$x").output
    assert "the pattern took too long" in output


def test_everything_is_bounded(house: Home) -> None:
    """Errors and structured content as well; what is short stays as it is."""
    failed, data, brief = results_of(MCP(servers="s"), ("fail", {}), ("data", {}), ("brief", {}))
    assert failed.output.startswith("Error: line 0 of the log\n")
    assert len(failed.output) <= 100_007
    assert whole(failed.output).read_text() == LINES
    assert len(data.output) <= 100_000
    assert json.loads(whole(data.output).read_text()) == RESULTS["data"]["structuredContent"]
    assert brief.output == "short"


def test_who_sets_the_limit(house: Home) -> None:
    """The entry's outputLimit, which `_meta` of a tool raises; MCP(limit=…) over both, and 0 for none."""
    assert 1500 < len(result_of(MCP(servers="narrow"), "narrow_log").output) <= 2000
    assert len(result_of(MCP(servers="s"), "raised").output) == 150_000
    assert len(result_of(MCP(servers="s", limit=3000), "raised").output) <= 3000
    off = MCP(servers="s", limit=0)
    assert result_of(off, "s_log").output == LINES
    assert "read_result" not in all_tools_of(off)


@pytest.mark.parametrize("limit", [1, 10, 100, 900])
def test_small_limit_shows_that_much_of_the_text(house: Home, limit: int) -> None:
    """The notice comes on top where it would take most of the limit; both ends are there."""
    output = result_of(MCP(servers="s", limit=limit), "words").output
    head, notice, tail = re.split(r"\n(\[….*…\])\n", output)
    shown = len(head) + len(tail)
    assert limit * 0.75 - 2 <= shown <= limit
    text = RESULTS["words"]["content"][0]["text"]
    assert text.startswith(head)
    assert text.endswith(tail)
    assert call_of(notice)["offset"] == len(head)
    assert f"[… {len(text) - shown:,} of {len(text):,} characters are left out here" in notice


def test_text_is_not_cut_where_that_makes_it_longer(house: Home) -> None:
    """A little over a small limit: the whole is shorter than its ends with a notice between them."""
    assert result_of(MCP(servers="s", limit=100), "medium").output == "m" * 306
    assert output_of(v1.ToolResult(content=[v1.Content(text="m" * 306)]), Bound(100)) == "m" * 306


def test_images_are_bounded_in_number(house: Home) -> None:
    """Of fifty screenshots ten are attached; the others are files, and the text says where."""
    result = result_of(MCP(servers="s"), "shots")
    assert len(result.attachments) == 10
    found = re.search(
        r"\[40 of 50 images or files are left out: .*; for a day they are (\S+\.png), ", result.output
    )
    assert found, result.output
    assert Path(found[1]).read_bytes() == base64.b64decode(PNG)


def test_toolboxes_share_one_reader(house: Home) -> None:
    """Two toolboxes in one prompt do not offer two tools of one name, which providers refuse."""
    names = [
        tool.name for tool in llm.get_model("echo").prompt("x", tools=[MCP(), MCP(prefix="b_")]).prompt.tools
    ]
    assert len(names) == len(set(names))
    same = [tool.name for tool in llm.get_model("echo").prompt("x", tools=[MCP(), MCP()]).prompt.tools]
    assert same.count("read_result") == 1


def test_reader_takes_no_name_of_a_server(house: Home) -> None:
    """A server's own tool `read_result` keeps its name."""
    server = scripted_server(
        house.work / "reader.json", {"name": "read_result"}, results={"read_result": told("own")}
    )
    config = house.write_config({"r": entry(server)}, house.work / "reader-config.json")
    found = MCP(str(config))
    assert list(all_tools_of(found)) == ["read_result", "mcp_read_result"]
    assert result_of(found, "read_result").output == "own"


def test_kept_results_do_not_pile_up(tmp_path: Path) -> None:
    """What is older than a day goes, and the oldest of what is too much."""
    for number, age in enumerate((100_000, 300, 200, 100)):
        path = tmp_path / f"{number}.txt"
        path.write_bytes(bytes(1000))
        os.utime(path, (path.stat().st_mtime - age,) * 2)
    kept_results.prune(tmp_path, 2500)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["2.txt", "3.txt"]


def test_daemon_keeps_what_is_too_long(house: Home) -> None:
    """Its answer has the ends alone, and media; what is short, and what nobody wants kept, comes whole."""
    calls = {"long": (2000, "log"), "short": (2000, "brief"), "all": (0, "log"), "shots": (1, "shots")}
    with DaemonClient(house.socket) as client:
        caller = make_caller(ConfigSource(str(house.config), house.config.read_text()))
        got = {}
        for name, (above, tool) in calls.items():
            request = make_call(caller, "s", tool, {})
            request.keep.above, request.keep.folder = above, bytes(house.work / "kept")
            got[name] = client.call(request, lambda _: None)
    kept = got["long"].kept
    assert (kept.head, kept.tail, kept.length) == (LINES[:2000], LINES[-2000:], len(LINES))
    assert (house.work / "kept" / f"{kept.id}.txt").read_text() == LINES
    assert not got["long"].content
    assert got["short"].content[0].text == "short"
    assert got["all"].content[0].text == LINES
    assert len(got["shots"].content) == 50
    assert not got["shots"].HasField("kept")


def test_results_of_an_older_daemon_are_bounded(house: Home) -> None:
    """It sends all of a text, which is then kept here."""
    result = v1.ToolResult(content=[v1.Content(text=LINES), v1.Content(text="the end")])
    text = output_of(result, Bound(2000))
    assert isinstance(text, str)
    assert len(text) <= 2000
    assert text.endswith("\nthe end")
    assert whole(text).read_text() == f"{LINES}\nthe end"


def test_full_disk_is_said(house: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the whole cannot be kept the model is told so, and gets head and tail all the same."""
    blocked = house.work / "no-folder"
    blocked.touch()
    monkeypatch.setattr(kept_results.paths, "results_folder", lambda: blocked)
    output = result_of(MCP(servers="s"), "s_log").output
    assert "the whole could not be kept: " in output
    assert len(output) <= 100_000
