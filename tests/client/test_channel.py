"""The gRPC client against daemons of other versions and in other moods: real servers on real sockets."""

from __future__ import annotations

import asyncio
import os
import shutil
import socket as socket_module
import tempfile
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import grpc
import psutil
import pytest

from llm_tools_mcp import v1
from llm_tools_mcp.client import channel as client_module
from llm_tools_mcp.client.caller import make_call, make_caller
from llm_tools_mcp.client.channel import AsyncDaemonClient, DaemonClient
from llm_tools_mcp.config import ConfigSource, config_for_url
from llm_tools_mcp.errors import (
    ConfigError,
    DaemonError,
    DaemonIncompatible,
    DaemonUnreachable,
    DaemonUnresponsive,
    McpError,
    OutcomeUnknown,
    SocketRefused,
    ToolCallError,
    UnknownTool,
)
from tests.waiting import wait_until

CALLER = v1.Caller(config='{"mcpServers": {}}', cwd="/")
CALL = make_call(CALLER, "srv", "echo", {"text": "x"})
KINDS = v1.Failure.Kind
# A field that this version does not know: number 1000, a string.
UNKNOWN_FIELD = b"\xc2\x3e\x06future"
# A daemon that was in the middle of nothing for so long has hung.
PATIENCE = 0.5

Behaviour = Callable[[bytes, grpc.ServicerContext], Iterator[bytes]]


@pytest.fixture
def socket() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="llm-mcp-", dir="/tmp"))
    yield folder / "s"
    shutil.rmtree(folder)


@pytest.fixture
def serve(socket: Path) -> Iterator[Callable[..., DaemonClient]]:
    """Given behaviours by RPC (CallTool=…), the client of a daemon that behaves so and knows no others."""
    with ThreadPoolExecutor(4) as threads:
        server = grpc.server(threads)
        clients: list[DaemonClient] = []

        def start(**behaviours: Behaviour) -> DaemonClient:
            handlers = {name: grpc.unary_stream_rpc_method_handler(how) for name, how in behaviours.items()}
            service = grpc.method_handlers_generic_handler("llm_tools_mcp.v1.McpDaemon", handlers)
            server.add_generic_rpc_handlers((service,))
            server.add_insecure_port(f"unix:{socket}")
            server.start()
            clients.append(DaemonClient(socket))
            return clients[0]

        yield start
        for client in clients:
            client.close()
        server.stop(0).wait()


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client_module, "_ACCEPTED_SECONDS", PATIENCE)


def event(**what: Any) -> bytes:
    return v1.CallToolEvent(**what).SerializeToString()


ACCEPTED = event(accepted=v1.Accepted())
RESULT = event(result=v1.ToolResult(content=[v1.Content(text="fine")]))


def says(*messages: bytes) -> Behaviour:
    return lambda _request, _context: iter(messages)


def aborts(code: grpc.StatusCode, details: str, *before: bytes) -> Behaviour:
    def behave(_request: bytes, context: grpc.ServicerContext) -> Iterator[bytes]:
        yield from before
        context.abort(code, details)

    return behave


def ignore(_: object) -> None:
    """Nobody watches."""


@pytest.mark.parametrize(
    ("code", "details", "hints"),
    [
        (grpc.StatusCode.INTERNAL, "KeyError in the daemon; its log has more: llm mcp logs", 1),
        (grpc.StatusCode.RESOURCE_EXHAUSTED, "too many", 0),
    ],
    ids=["a fault", "a refusal"],
)
def test_log_is_pointed_at_once(
    serve: Callable[..., DaemonClient], code: grpc.StatusCode, details: str, hints: int
) -> None:
    """Where the daemon has written something into it: of a fault of its own, not of a refusal."""
    with pytest.raises(DaemonError) as caught:
        serve(Status=aborts(code, details)).status()
    assert str(caught.value) == f"the llm-mcp daemon failed: {details}"
    assert str(caught.value).count("llm mcp logs") == hints


# --- versions ---------------------------------------------------------------------------------------


def test_fields_of_a_newer_daemon_are_ignored(serve: Callable[..., DaemonClient]) -> None:
    """What a later release adds to its answers does not disturb this one."""
    answer = v1.ServerTools(server="srv", state=v1.ServerTools.LISTED).SerializeToString() + UNKNOWN_FIELD
    client = serve(GetAllTools=says(answer), CallTool=says(ACCEPTED + UNKNOWN_FIELD, RESULT + UNKNOWN_FIELD))
    assert [found.server for found in client.tools(CALLER)] == ["srv"]
    assert client.call(CALL, ignore).content[0].text == "fine"


def test_events_of_a_newer_daemon_are_ignored(serve: Callable[..., DaemonClient]) -> None:
    """An event of a kind that there is not yet (it comes out as none at all) is passed over."""
    assert serve(CallTool=says(ACCEPTED, UNKNOWN_FIELD, RESULT)).call(CALL, ignore).content[0].text == "fine"


def test_daemon_without_the_rpc_is_incompatible(serve: Callable[..., DaemonClient]) -> None:
    """A daemon of another age says so by UNIMPLEMENTED: the message says what helps."""
    client = serve(CallTool=says())
    with pytest.raises(DaemonIncompatible, match="try: llm mcp restart"):
        client.status()


# --- no answer --------------------------------------------------------------------------------------


def test_socket_that_nobody_serves_is_noticed(socket: Path, impatient: None) -> None:
    """It accepts in the kernel and stays silent: listings, calls and questions end in time."""
    with closing(socket_module.socket(socket_module.AF_UNIX)) as listener:
        listener.bind(str(socket))
        listener.listen()
        with DaemonClient(socket) as client:
            for ask in (
                lambda: list(client.tools(CALLER)),
                lambda: client.call(CALL, ignore),
                lambda: client.health(PATIENCE),
            ):
                with pytest.raises(
                    DaemonUnresponsive, match="accepts connections, but no llm-mcp daemon answered"
                ):
                    ask()


def test_socket_that_nobody_serves_is_noticed_in_a_loop(socket: Path, impatient: None) -> None:
    """The same for the asynchronous client."""

    async def ask() -> None:
        client = AsyncDaemonClient(socket)
        try:
            await client.call(CALL, ignore)
        finally:
            await client.aclose()

    with closing(socket_module.socket(socket_module.AF_UNIX)) as listener:
        listener.bind(str(socket))
        listener.listen()
        with pytest.raises(DaemonUnresponsive):
            asyncio.run(ask())


def test_missing_daemon_is_unreachable(socket: Path) -> None:
    """Nobody listens: the call certainly was not sent, and may be tried again."""
    with DaemonClient(socket) as client:
        for ask in (lambda: list(client.tools(CALLER)), lambda: client.call(CALL, ignore), client.health):
            with pytest.raises(DaemonUnreachable, match=f"no llm-mcp daemon answers on {socket}"):
                ask()


def test_listing_is_not_cut_once_it_has_begun(serve: Callable[..., DaemonClient], impatient: None) -> None:
    """After the first answer a listing may take as long as servers take to start."""
    release = threading.Event()

    def behave(_request: bytes, _context: grpc.ServicerContext) -> Iterator[bytes]:
        yield v1.ServerTools(server="slow", state=v1.ServerTools.STARTING).SerializeToString()
        release.wait(20)
        yield v1.ServerTools(server="slow", state=v1.ServerTools.LISTED).SerializeToString()

    answers = serve(GetAllTools=behave).tools(CALLER)
    assert next(answers).state == v1.ServerTools.STARTING
    threading.Timer(2 * PATIENCE, release.set).start()
    assert next(answers).state == v1.ServerTools.LISTED


@pytest.mark.parametrize("heard", [True, False])
def test_broken_off_call_lets_its_connection_go(serve: Callable[..., DaemonClient], heard: bool) -> None:  # noqa: FBT001
    """A daemon that stops waits for its clients: what was cancelled must not hold the connection."""

    def behave(_request: bytes, context: grpc.ServicerContext) -> Iterator[bytes]:
        left = threading.Event()
        context.add_callback(left.set)
        if heard:
            yield v1.ServerTools(server="slow", state=v1.ServerTools.STARTING).SerializeToString()
        left.wait(20)

    client = serve(GetAllTools=behave)
    before = psutil.Process().num_fds()
    answers = client.tools(CALLER)
    if heard:
        next(answers)
        answers.close()  # type: ignore[attr-defined]
    else:
        client._watchdog._seconds = 0.1
        with pytest.raises(DaemonUnresponsive):
            next(answers)
    client.close()
    wait_until(lambda: psutil.Process().num_fds() <= before)


# --- lost in between --------------------------------------------------------------------------------


@pytest.mark.parametrize("before", [(), (ACCEPTED,)])
def test_connection_lost_during_a_call_leaves_the_outcome_unknown(
    serve: Callable[..., DaemonClient], before: tuple[bytes, ...]
) -> None:
    """Once it was sent a call may have run: the error says so, and is not one that is tried again."""
    client = serve(CallTool=aborts(grpc.StatusCode.UNAVAILABLE, "Socket closed", *before))
    with pytest.raises(OutcomeUnknown, match="it may or may not have run, and was not repeated"):
        client.call(CALL, ignore)


def test_call_that_ends_without_a_result_is_unknown(serve: Callable[..., DaemonClient]) -> None:
    """A daemon that closes the stream early has not said how the call ended."""
    with pytest.raises(OutcomeUnknown, match="ended the call without a result"):
        serve(CallTool=says(ACCEPTED)).call(CALL, ignore)


def test_listing_that_a_stopping_daemon_breaks_off_may_be_asked_again(
    serve: Callable[..., DaemonClient],
) -> None:
    """The error is the one that is tried again."""
    answer = v1.ServerTools(server="srv", state=v1.ServerTools.STARTING).SerializeToString()
    client = serve(GetAllTools=aborts(grpc.StatusCode.CANCELLED, "", answer))
    with pytest.raises(DaemonUnreachable):
        list(client.tools(CALLER))


# --- what the daemon says ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "error"),
    [
        (KINDS.OUTCOME_UNKNOWN, OutcomeUnknown),
        (KINDS.UNKNOWN_SERVER, UnknownTool),
        (KINDS.UNKNOWN_TOOL, UnknownTool),
        (KINDS.TIMED_OUT, ToolCallError),
        (99, ToolCallError),
    ],
)
def test_failures_have_types_and_say_where(
    serve: Callable[..., DaemonClient], kind: int, error: type[ToolCallError]
) -> None:
    """Each kind of failure, also one of a later release, is an error with tool, server and reason."""
    failure = v1.Failure(kind=kind, message="the reason")  # type: ignore[arg-type]
    with pytest.raises(error, match="echo of MCP server 'srv': the reason"):
        serve(CallTool=says(ACCEPTED, event(failure=failure))).call(CALL, ignore)


@pytest.mark.parametrize(
    ("code", "error"),
    [
        (grpc.StatusCode.INVALID_ARGUMENT, ConfigError),
        (grpc.StatusCode.UNAVAILABLE, DaemonUnreachable),
        (grpc.StatusCode.INTERNAL, DaemonError),
    ],
)
def test_statuses_become_our_errors(
    serve: Callable[..., DaemonClient], code: grpc.StatusCode, error: type[McpError]
) -> None:
    """No error of grpc escapes; the daemon's words are kept."""
    with pytest.raises(error, match="what is wrong") as caught:
        list(serve(GetAllTools=aborts(code, "what is wrong")).tools(CALLER))
    assert isinstance(caught.value, McpError)


def test_too_large_a_call_is_not_made(
    serve: Callable[..., DaemonClient], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The arguments are to blame, not the daemon, and nothing was sent."""
    options = [("grpc.max_send_message_length", 1000), *client_module._SYNCHRONOUS_OPTIONS]
    monkeypatch.setattr(client_module, "_SYNCHRONOUS_OPTIONS", dict(reversed(options)).items())
    with pytest.raises(ToolCallError, match=r"the arguments are larger than 128 MiB; it was not called"):
        serve().call(make_call(CALLER, "srv", "echo", {"text": "x" * 2000}), ignore)


def test_progress_and_logs_are_passed_on(serve: Callable[..., DaemonClient]) -> None:
    """What comes before the result is handed to the caller in order."""
    seen: list[object] = []
    events = (event(progress=v1.Progress(progress=1)), event(log=v1.LogMessage(text="note")))
    serve(CallTool=says(ACCEPTED, *events, RESULT)).call(CALL, seen.append)
    assert [type(one) for one in seen] == [v1.Progress, v1.LogMessage]


# --- the other end ----------------------------------------------------------------------------------


def test_file_that_is_no_socket_is_refused(socket: Path) -> None:
    """Nothing is sent to something that only has the socket's name."""
    socket.write_text("")
    with pytest.raises(SocketRefused, match="it is no socket"):
        DaemonClient(socket)


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to give a file away")
def test_link_of_another_user_is_refused(socket: Path) -> None:
    """A symbolic link that somebody else made may lead anywhere."""
    socket.symlink_to("/tmp")
    os.chown(socket, 65534, -1, follow_symlinks=False)
    with pytest.raises(SocketRefused):
        DaemonClient(socket)


# --- the caller -------------------------------------------------------------------------------------


def test_caller_tells_where_and_how_it_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Folder, umask, what servers inherit, and the variables that the config mentions: nothing else."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MENTIONED", "yes")
    monkeypatch.setenv("UNRELATED_SECRET", "no")
    before = os.umask(0o027)
    try:
        caller = make_caller(ConfigSource("/c/mcp.json", '{"a": "${MENTIONED}"}'))
    finally:
        os.umask(before)
    assert (caller.cwd, caller.umask, caller.config_path) == (str(tmp_path), 0o027, "/c/mcp.json")
    assert caller.environment["MENTIONED"] == "yes"
    assert "PATH" in caller.environment
    assert "UNRELATED_SECRET" not in caller.environment


def test_caller_in_a_deleted_folder_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A shell whose folder was removed gets an error in words."""
    folder = tmp_path / "gone"
    folder.mkdir()
    monkeypatch.chdir(folder)
    folder.rmdir()
    with pytest.raises(McpError, match="the current folder does not exist any more"):
        make_caller(config_for_url("http://host/mcp"))


def test_caller_in_a_folder_that_is_no_text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The wire takes no text that is not UTF-8: such a folder travels as bytes, beside what can be shown."""
    folder = tmp_path / "caf\udce9"
    folder.mkdir()
    monkeypatch.chdir(folder)
    caller = make_caller(config_for_url("http://host/mcp"))
    assert (caller.cwd, caller.raw_cwd) == (f"{tmp_path}/caf?", os.fsencode(folder))
    shutil.rmtree(folder)
