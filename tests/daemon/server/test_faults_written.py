"""What stdio servers write and should not, and what must not come of it.

Rows 19, 20 of the failures in docs/architecture.md.
"""

from __future__ import annotations

import asyncio
import hashlib
import time
from typing import Any

import pytest

from llm_tools_mcp.daemon.failure import Kind
from llm_tools_mcp.daemon.server.error_words import words_of
from tests.daemon.live import Live, failure_of, python, variant, with_live
from tests.servers import entry, naming_server
from tests.waiting import wait_until_async

# --- what they write ------------------------------------------------------------------------------


@with_live
async def test_garbage_on_stdout_is_skipped(live: Live) -> None:
    """Lines that are no JSON, no UTF-8 or no JSON-RPC cost nothing."""
    server = live.faulty("garbage")
    assert await live.names(server) == ["echo", "pid"]
    for text in ("one", "two"):
        assert await live.call(server, "echo", text=text) == text
    assert live.session(server).statistics.starts == 1
    assert any("no JSON-RPC message" in line for line in live.logged["faulty"])


@pytest.mark.parametrize("stream", [1, 2])
@with_live
async def test_flood_of_short_lines_starves_nobody(live: Live, stream: int) -> None:
    """Hundreds of thousands of them a second, on stdout or stderr, leave the others their turns."""
    body = f"""
    def run(self, tool, arguments):
        while True:
            os.write({stream}, b"{{}}\\n" * 10_000)
    """
    flooding = live.define({"flooding": variant(body)})
    call = asyncio.create_task(live.call(flooding, "echo", text="x"))
    other = live.faulty("fine")
    for _ in range(20):
        assert await live.call(other, "echo", text="hi") == "hi"
    call.cancel()


@pytest.mark.parametrize(
    ("block", "text"),
    [
        ({"type": "text", "text": "hi", "resource": "x"}, "hi"),
        ({"type": "text", "text": {"a": None}}, '{"a": null}'),
        ({"type": "resource", "resource": {"text": 5}}, "5"),
    ],
)
@with_live
async def test_odd_content_is_no_python(live: Live, block: dict[str, Any], text: str) -> None:
    """What is not as the protocol has it is passed over, or shown as JSON."""
    server = live.define({"odd": variant(f"def call_tool(self, params): return {{'content': [{block!r}]}}")})
    assert await live.call(server, "anything") == text


@pytest.mark.parametrize("depth", [0, 960])
@with_live
async def test_arguments_that_cannot_be_sent_say_so(live: Live, depth: int) -> None:
    """Half a character, and nested too deeply: the call fails, the connection goes on."""
    server = live.faulty("fine")
    deep: Any = "\ud800"
    for _ in range(depth):
        deep = [deep]
    failure = await failure_of(live.call(server, "echo", text=deep))
    assert (failure.kind, "cannot be sent" in failure.text) == (Kind.REJECTED, True)
    assert await live.call(server, "echo", text="on") == "on"


@with_live
async def test_half_a_character_costs_only_itself(live: Live) -> None:
    """JavaScript that cuts a text within an emoji writes a lone surrogate: the rest of the text arrives."""
    body = r"""def run(self, tool, arguments): return 'cut \ud83d, whole \U0001f600, written \\ud83d'"""
    server = live.define({"cutting": variant(body)})
    assert await live.call(server, "echo") == "cut \ufffd, whole \U0001f600, written \\ud83d"


@with_live
async def test_unknown_content_is_named_not_lost(live: Live) -> None:
    """A kind of content that nobody knows yet costs only itself."""
    server = live.faulty("counting", env={"CALL_LOG": str(live.folder / "calls")})
    assert "unknown type 'hologram'" in await live.call(server, "count", then="unknown-content")


@with_live
async def test_hundred_megabytes_of_garbage_in_one_line(live: Live) -> None:
    """A line of 100 MB that is no message is skipped; the call after it is answered."""
    server = live.faulty("huge-garbage", 100_000_000)
    assert await live.call(server, "echo", text="hi") == "hi"


@with_live
async def test_results_are_read_in_linear_time(live: Live) -> None:
    """20 MB cost thrice what a hash of them does; a reader that copies all at each chunk, sixty times."""
    size = 20_000_000
    server = live.faulty("huge-line", size)
    await live.names(server)
    calls, hashes = [], []
    for _ in range(5):
        began = time.thread_time()  # of the processor, and the best counts: others are at work, too
        assert len(await live.call(server, "echo", text="")) == size
        called = time.thread_time()
        hashlib.blake2b(bytes(size))
        calls.append(called - began)
        hashes.append(time.thread_time() - called)
    assert min(calls) < 12 * min(hashes)


@with_live
async def test_too_long_a_message_costs_the_connection_only(live: Live, monkeypatch: Any) -> None:
    """Over the bound the connection ends with a clear error; the daemon's memory is safe."""
    monkeypatch.setattr("llm_tools_mcp.daemon.server.transport.stdio.MAX_MESSAGE_BYTES", 1_000_000)
    server = live.faulty("huge-line", 2_000_000)
    failure = await failure_of(live.call(server, "echo", text=""))
    assert failure.kind == Kind.OUTCOME_UNKNOWN
    assert "a message of more than" in failure.text
    assert await live.names(server) == ["echo", "pid"]


@with_live
async def test_flood_on_stderr_is_cut(live: Live) -> None:
    """8 MB on stderr block neither the call nor the log, and lose what drives a terminal."""
    server = live.faulty("flood-stderr")
    assert await live.call(server, "echo", text="hi") == "hi"
    await wait_until_async(lambda: bool(live.logged.get("faulty")))
    lines = live.logged["faulty"]
    assert 0 < len(lines) < 5000
    assert not any(c in line for line in lines for c in "\x1b\x07\x00\u009b")
    assert not any(line.startswith("<") for line in lines)
    live.session(server).stop()


@with_live
async def test_server_that_never_reads_costs_its_calls_only(live: Live) -> None:
    """A call to a server that stopped reading times out, and then it is started anew."""
    server = live.faulty("no-read", timeout=0.5)
    await live.names(server)
    pid = live.session(server).pid
    failure = await failure_of(live.call(server, "echo", text="x" * 1_000_000))
    assert failure.kind == Kind.TIMED_OUT
    await live.names(server)
    assert live.session(server).pid != pid


@with_live
async def test_server_that_closes_its_stdin_is_replaced(live: Live) -> None:
    """A server that cannot be told anything any more is started anew; the call runs once."""
    body = """
    def run(self, tool, arguments):
        if tool == "echo":
            os.close(0)
            self.answer(self.last, faulty.text("deaf now"))
            faulty.sleep_for_ever()
        return super().run(tool, arguments)
    def handle(self, message):
        self.last = message
        super().handle(message)
    """
    server = live.define({"deaf": variant(body)})
    pid = await live.call(server, "pid")
    assert await live.call(server, "echo") == "deaf now"
    assert await live.call(server, "pid") != pid


@with_live
async def test_secrets_are_told_to_nobody(live: Live) -> None:
    """What a server repeats of its secrets stands in no error, log, traceback or status."""
    secret = "sk-secret-4711\nsecond-secret-line"
    script = (
        "import os, sys; t = os.environ['TOKEN']\n"
        "print('starting with', t, file=sys.stderr); print('{', t); sys.exit('bad token: ' + t)\n"
    )
    server = live.define({"leaky": python(script) | {"env": {"TOKEN": secret}}})
    failure = await failure_of(live.names(server))
    shown = [
        failure.text,
        str(failure.to_wire()),
        live.session(server).error_state.last_error,
        *live.logged["leaky"],
    ]
    assert "bad token" in failure.text
    for text in shown:
        assert "sk-secret" not in text
        assert "second-secret" not in text


# --- sizes and names ------------------------------------------------------------------------------


@with_live
async def test_a_thousand_tools(live: Live) -> None:
    """A thousand tools with schemas are listed, and cached."""
    server = live.faulty("many", 1000)
    assert len(await live.names(server)) == 1000
    known = live.pool.known_tools(server)
    assert known is not None
    assert len(known.tools) == 1000


@with_live
async def test_page_that_the_server_refuses_costs_what_follows(live: Live) -> None:
    """A server that does not know the cursor it gave: its first page is the list, and the log says so."""
    body = """
    def list_tools(self, params):
        return super().list_tools(params) | {"nextCursor": "2"}
    def handle(self, message):
        if (message.get("params") or {}).get("cursor"):
            self.refuse(message, "Invalid cursor", -32602)
        else:
            super().handle(message)
    """
    assert await live.names(live.define({"odd": variant(body)})) == ["echo", "pid"]
    assert any("'all behind page 1' is left out: it refuses" in line for line in live.logged["odd"])


@with_live
async def test_all_pages_are_listed(live: Live) -> None:
    """A list in pages is whole, in the server's order."""
    assert await live.names(live.faulty("paged")) == [f"tool_{number}" for number in range(9)]


@with_live
async def test_long_and_duplicate_names(live: Live) -> None:
    """Names of 200 characters, and the same name twice, pass as they came."""
    names = ["n" * 200, "twin", "twin", "sp ace/ünïcode"]
    server = live.define({"odd": entry(naming_server(*names))})
    assert await live.names(server) == names
    assert await live.call(server, "n" * 200) == "n" * 200


ODD_FIELDS: dict[str, Any] = {
    "annotations": [],
    "description": ["a", "b"],
    "icons": "x",
    "execution": {"taskSupport": "maybe"},
    "_meta": [],
    "outputSchema": "none",
    "title": 5,
}


@with_live
async def test_what_a_tool_need_not_have_costs_no_tool(live: Live) -> None:
    """Odd annotations, icons, titles … are left out, or shown as JSON; what is right beside them stays."""
    body = f"""
    def list_tools(self, params):
        tools = {{
            **{{key: {{"inputSchema": {{}}, key: value}} for key, value in {ODD_FIELDS!r}.items()}},
            "hints": {{"annotations": {{"readOnlyHint": [1], "title": "T"}}}},
        }}
        return {{"tools": tools}} if params else {{"tools": [], "nextCursor": 7}}
    """
    server = live.define({"odd": variant(body)})
    assert await live.names(server) == [*ODD_FIELDS, "hints"]
    known = live.pool.known_tools(server)
    assert known is not None
    tools = {tool.name: tool for tool in known.tools}
    assert tools["description"].description == '["a", "b"]'
    assert tools["hints"].annotations == '{"title": "T"}'


@pytest.mark.parametrize(
    ("error", "text"),
    [
        ({"code": -32000, "message": "Server error", "data": {"detail": "no disk"}}, "Server error: no disk"),
        ({"code": -32000, "message": "", "data": [{"message": "no disk"}]}, "no disk"),
        ({"code": -1, "message": "no disk", "data": "x1"}, "no disk"),
        (
            {"code": -1, "message": "Server error", "data": "SECRET" + 500 * "y"},
            f"Server error: *{499 * 'y'}",
        ),
        ({"code": -1, "message": "SECRET" + 9**6 * "y"}, f"*{19_999 * 'y'}… (511,442 characters more)"),
        ({"code": -1, "message": ""}, "it answered with error -1, and said nothing about it"),
    ],
)
def test_error_is_told_with_its_data(error: dict[str, Any], text: str) -> None:
    """Many servers say "Server error", and the reason in the data; neither fills a prompt."""
    told = words_of(
        error["code"], error["message"], error.get("data"), lambda said: said.replace("SECRET", "*")
    )
    assert told == text


@with_live
async def test_a_faulty_tool_costs_itself_only(live: Live) -> None:
    """A tool whose entry breaks the protocol is left out, and the log says why."""
    body = """
    def list_tools(self, params):
        good = super().list_tools(params)["tools"]
        return {"tools": [*good, {"name": 5}, {"name": "no schema"}, "text"]}
    """
    server = live.define({"odd": variant(body)})
    assert await live.names(server) == ["echo", "pid", "no schema"]
    assert any("'5' is left out: name: Input should be" in line for line in live.logged["odd"])
