"""Servers that write too much, in odd forms, or say what is wrong: that is told, and costs nobody else."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest

from llm_tools_mcp import v1
from llm_tools_mcp.daemon.failure import Kind, ServerFailure
from llm_tools_mcp.daemon.server import handshake
from llm_tools_mcp.daemon.server.probe_noise import ProbeNoise
from llm_tools_mcp.daemon.server.transport import messages
from llm_tools_mcp.daemon.server.transport.link import Link
from llm_tools_mcp.daemon.server.transport.messages import MAX_PARTS
from llm_tools_mcp.daemon.server.transport.prescan import has_method, has_more_parts
from llm_tools_mcp.daemon.server.transport.refusal import refusal_of
from tests.daemon.live import Live, failure_of, python, variant, with_live
from tests.daemon.stack import in_loop
from tests.waiting import wait_until_async

# --- what is too much -----------------------------------------------------------------------------


@with_live
async def test_unasked_message_of_many_parts_hurts_nobody(live: Live) -> None:
    """Tens of megabytes of `[],` in a notification are skipped, and the log names who wrote them."""
    body = """
    def run(self, tool, arguments):
        start = b'{"jsonrpc":"2.0","method":"notifications/x","params":{"a":['
        os.write(1, start)
        for _ in range(60):
            sys.stdout.buffer.write(b"[]," * 200_000)
        sys.stdout.buffer.write(b"[]]}}" + bytes([10]))
        sys.stdout.buffer.flush()
        return "answered"
    """
    server = live.define({"flooding": variant(body)})
    assert await live.call(server, "echo") == "answered"
    assert any("nobody has asked for" in line for line in live.logged["flooding"])


@with_live
async def test_result_of_too_many_parts_fails_alone(live: Live) -> None:
    """It is refused before it is read, with the reason; the connection goes on."""
    body = """
    def call_tool(self, params):
        many = params["arguments"].get("many")
        return {"content": [], "structuredContent": {"a": [0] * many}} if many else faulty.text("fine")
    """
    server = live.define({"large": variant(body)})
    failure = await failure_of(live.call(server, "echo", many=MAX_PARTS + 1))
    assert (failure.kind, "more than 1,000,000 parts" in failure.text) == (Kind.TOO_LARGE, True)
    assert await live.call(server, "echo") == "fine"


@pytest.mark.parametrize(
    ("data", "is_more"),
    [
        (b"[" + b"[]," * 1000 + b"[]]", True),
        (b'["' + b"a,b,[{," * 1000 + b'"]', False),
        (b'["' + rb"\\\"," * 1000 + b'"]', False),
        (b'{"a":"\\\\","b":[' + b"1," * 1000 + b"1]}", True),
        (b'["' + b"\\" * 600_000 + b'",' + b"1," * 1000 + b"1]", True),
    ],
    ids=["lists", "a text", "escapes", "behind an escape", "a long escape"],
)
def test_parts_are_counted_outside_of_texts(data: bytes, *, is_more: bool) -> None:
    """A comma within a string is none of JSON's."""
    assert has_more_parts(data, 900) is is_more


def test_kind_of_a_large_message_is_told_by_its_ends() -> None:
    """A method in front or at the end; a result that holds such a key is a result."""
    assert has_method(b' {"jsonrpc": "2.0", "id": 7, "method": "x", "params": {')
    assert has_method(b'{"params":{"a":[1]},"jsonrpc":"2.0","method":"x"}')
    assert not has_method(b'{"jsonrpc":"2.0","id":1,"result":{"a":1,"method":"GET"}}')
    assert not has_method(b'{"result":{"method":"GET"},"jsonrpc":"2.0","id":1}')


MANY = 1_000_000


@pytest.mark.timeout(60)  # what is looked at again from each of its places takes hours
@pytest.mark.parametrize("beginning", [b"", b"{", b'{"id":', b'{"id":1', b'{"id":1,', b'{"id":1,"method"'])
def test_row_of_blanks_is_looked_at_once(beginning: bytes) -> None:
    """A message that is a megabyte of blanks is none, and nobody waits for that to be found out."""
    assert not has_method(beginning + b" " * MANY)


@pytest.mark.timeout(60)
@pytest.mark.parametrize("part", ["<", "<x ", "<title>", "<script>", "<h1></", "<script></script "])
def test_page_of_tags_without_an_end_is_looked_at_once(part: str) -> None:
    """A gateway's page that is broken costs its request the reason, and nobody else any time."""
    page = refusal_of(502, {"content-type": "text/html"}, (part * MANY).encode()[:MANY])
    assert page.is_page
    assert len(page.words) <= 301


def test_no_half_of_a_secret_is_quoted() -> None:
    """Where a line is cut for being long, the secrets in it have been taken out before."""
    link = Link(lambda _: None, ["SECRETSECRET"])
    link.said("x" * 994 + "SECRETSECRET")
    refusal = refusal_of(500, {}, b"x" * 294 + b"SECRETSECRET" * 9, link.redacted)
    printed = messages.parse(b"x" * 194 + b"SECRETSECRET", link).said
    for text in (link.last_words(), refusal.words, printed):
        assert text.startswith("xxx")
        assert "SECRET" not in text


@pytest.mark.parametrize(
    ("written", "told"),
    [
        ("37", "; it asks to wait 37 s"),
        ("Wed, 21 Oct 2099 07:28:00 GMT", "; it asks to wait until Wed, 21 Oct 2099 07:28:00 GMT"),
        ("9" * 400, ""),
        ("soon", ""),
    ],
)
def test_how_long_a_server_wants_to_be_left_alone_is_told(written: str, told: str) -> None:
    """Retry-After, in both its forms."""
    assert refusal_of(429, {"retry-after": written}, b"slow down").text("x").endswith(f": slow down{told}")


@pytest.mark.timeout(60)
def test_what_is_quoted_of_a_server_is_looked_at_once() -> None:
    """Values in the words of errors are left out, however often a server writes what they begin with."""
    failure = ServerFailure(Kind.REJECTED, "no")
    failure.__cause__ = ValueError("input_value='s3cret', input_type=str" + ", input_value=" * MANY)
    trace = failure.to_wire().traceback
    assert "input_value=…, input_type=str" in trace
    assert "s3cret" not in trace


@with_live
async def test_flood_of_log_notices_is_bounded(live: Live) -> None:
    """Thousands of notices reach neither the caller nor the log; numbers that are none cost nothing."""
    body = """
    def run(self, tool, arguments):
        for number in range(6_000):
            params = {"level": "error", "data": f"notice {number}"}
            faulty.write({"jsonrpc": "2.0", "method": "notifications/message", "params": params})
        params = {"progressToken": 2, "progress": 10**400, "total": 10**400}
        faulty.write({"jsonrpc": "2.0", "method": "notifications/progress", "params": params})
        return "answered"
    """
    server = live.define({"chatty": variant(body)})
    seen: list[object] = []
    result = await live.pool.call(server, "echo", {}, seen.append)
    assert result["content"][0]["text"] == "answered"
    notices = [event for event in seen if isinstance(event, v1.LogMessage)]
    assert 0 < len(notices) < 4_000
    assert len(live.logged["chatty"]) < 4_000
    assert "error: notice 0" in live.logged["chatty"]


# --- odd forms ------------------------------------------------------------------------------------


def server_of(form: str) -> dict[str, Any]:
    """One that writes each message in a form of its own: an expression over the bytes `line`."""
    body = f"""
    def answer(self, message, result):
        import json
        value = {{"jsonrpc": "2.0", "id": message["id"], "result": result}}
        line = json.dumps(value).encode()
        sys.stdout.buffer.write({form})
        sys.stdout.buffer.flush()
    """
    return variant(body)


@pytest.mark.parametrize(
    "form",
    [
        "b'[' + line + b']' + bytes([10])",
        "json.dumps(value, indent=2).encode() + bytes([10])",
        "b'loading the index' + line + bytes([10])",
        "line.replace(b'\"jsonrpc\": \"2.0\", ', b'') + bytes([10])",
    ],
    ids=["a list", "indented", "behind a text", "without a version"],
)
@with_live
async def test_odd_forms_are_read(live: Live, form: str) -> None:
    """A list of one, JSON of many lines, a text in front, no version: the answers are found."""
    server = live.define({"odd": server_of(form)})
    assert await live.call(server, "echo", text="found") == "found"


@with_live
async def test_framing_of_language_servers_is_named_at_once(live: Live) -> None:
    """It can never be read, so nobody waits for it."""
    form = "b'Content-Length: %d' % len(line) + bytes([13, 10, 13, 10]) + line"
    began = time.monotonic()
    failure = await failure_of(live.names(live.define({"framed": server_of(form)})))
    assert "frames its messages with Content-Length" in failure.text
    assert time.monotonic() - began < 20


@with_live
async def test_greeting_that_cannot_be_used_names_the_field(live: Live) -> None:
    """What is merely careless is read: a list where an object belongs, no serverInfo."""
    careless = "def initialize(self, params): return {'protocolVersion': '2025-06-18', 'capabilities': []}"
    assert await live.names(live.define({"careless": variant(careless)})) == ["echo", "pid"]
    lacking = "def initialize(self, params): return {'capabilities': {}}"
    failure = await failure_of(live.names(live.define({"lacking": variant(lacking)})))
    assert "`initialize`, protocolVersion: Field required" in failure.text


@with_live
async def test_probe_that_is_never_answered_costs_its_time_only(live: Live, monkeypatch: Any) -> None:
    """The older handshake is tried beside it; the era is remembered, and so the second start has no probe."""
    monkeypatch.setattr(handshake, "_PROBE_SECONDS", 0.1)
    server = live.faulty("silent-on-unknown", connectTimeout=20)
    assert await live.names(server) == ["echo", "pid"]
    assert live.session(server).is_legacy


@in_loop
async def test_noise_about_the_probe_is_no_word_of_the_server() -> None:
    """What mcp for Python writes of a request that it does not know; what comes after it is heard."""
    lines: list[str] = []
    link = Link(lines.append)
    link.is_noise = ProbeNoise(link.said).has
    for line in (
        "loading the model",
        "Failed to validate request: 31 validation errors for ClientRequest",
        "PingRequest.method",
        "  Input should be 'ping' [type=literal_error, input_value='server/discover', input_type=str]",
        "    For further information visit https://errors.pydantic.dev/2.14/v/literal_error",
        "Message that failed validation: method='server/discover'",
        "Error: no license",
    ):
        link.said(line)
    assert lines == ["loading the model", "Error: no license"]


GROUP = """  + Exception Group Traceback (most recent call last):
  |   File "server.py", line 5, in <module>
  | ExceptionGroup: unhandled errors in a TaskGroup (1 sub-exception)
  +-+---------------- 1 ----------------
    | Traceback (most recent call last):
    | {}
    +------------------------------------"""
DIES = "pydantic_core._pydantic_core.ValidationError: 31 validation errors for ClientRequest"


@in_loop
async def test_trace_counts_by_what_it_tells_deep_inside() -> None:
    """Mcp for Python up to 1.8.1 dies of the probe with a hundred lines; any other trace is heard whole."""
    for reason, heard in ((DIES, 0), ("KeyError: 'license'", 7)):
        lines: list[str] = []
        link = Link(lines.append)
        link.is_noise = ProbeNoise(link.said).has
        for line in (*GROUP.format(reason).splitlines(), "the end"):
            link.said(line)
        assert len(lines) == heard + 1
        assert "the end" in lines[-1]


# --- what is wrong --------------------------------------------------------------------------------

NODE = """/app/index.js:3
throw new Error("no api key");
^

Error: no api key
    at Object.<anonymous> (/app/index.js:3:7)
    at Module._compile (node:internal/modules/cjs/loader:1554:14)
    at node:internal/main/run_main_module:36:49

Node.js v22.14.0"""


@with_live
async def test_crash_quotes_the_line_with_the_reason(live: Live) -> None:
    """And not the last ones of a trace; what was printed on stdout is quoted, too."""
    crashing = f"import sys; sys.stderr.write({NODE!r}); sys.exit(1)"
    failure = await failure_of(live.names(live.define({"node": python(crashing)})))
    assert "Error: no api key" in failure.text
    assert "at Module" not in failure.text
    printing = "print('usage: server --stdio TOKEN')"
    failure = await failure_of(live.names(live.define({"printing": python(printing)})))
    assert "usage: server --stdio TOKEN" in failure.text


@with_live
async def test_still_starting_quotes_the_last_line(live: Live) -> None:
    """A page that it wants visited is whole."""
    url = "https://example.com/authorize?client_id=1&state=" + "s" * 1200
    says = f"print('open {url}', file=sys.stderr); print('waiting', file=sys.stderr)"
    waiting = f"import signal, sys; {says}; signal.pause()"
    server = live.define({"waiting": python(waiting) | {"connectTimeout": 60}})
    listing = asyncio.create_task(live.names(server))
    await wait_until_async(lambda: len(live.logged.get("waiting", [])) == 2)
    impatient = live.define({"waiting": python(waiting) | {"connectTimeout": 0.1}})
    text = (await failure_of(live.names(impatient))).text
    assert "its last line was: waiting; it names https://example.com/authorize" in text
    assert "s" * 1200 in text
    listing.cancel()
