"""The gRPC client of the daemon: thin, synchronous, with an asynchronous way to call tools.

gRPC's statuses become our errors next door, in `outcome`.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

os.environ.setdefault("GRPC_VERBOSITY", "NONE")  # grpc's own lines on stderr help nobody at a prompt

import grpc

from llm_tools_mcp import v1
from llm_tools_mcp.errors import DaemonUnresponsive, McpError
from llm_tools_mcp.v1.mcp_daemon_pb2_grpc import McpDaemonStub

from . import threads
from .call_questions import ANSWER_SECONDS, Answerer, AsyncConversation, Nobody, heard
from .call_watchdog import CallWatchdog, Watch
from .endpoint import Endpoint
from .interrupt import cancelled_by_ctrl_c
from .outcome import OnEvent, Outcome, call_error, error_from_status, listing_error

# Seconds.
HEALTH_SECONDS = 5.0
# A listing waits for servers that start, each for its own connectTimeout.
_LISTING_SECONDS = 600.0
_SEARCH_SECONDS = 30.0
# A call may take for ever, but the daemon says at once that it has it; and so it does with a listing.
_ACCEPTED_SECONDS = 10.0

_OPTIONS = [
    ("grpc.max_receive_message_length", v1.MAX_MESSAGE_BYTES),
    ("grpc.max_send_message_length", v1.MAX_MESSAGE_BYTES),
    # A proxy in the environment is not for a unix socket.
    ("grpc.enable_http_proxy", 0),
    # A new channel tries anew, instead of sharing the failures of one to the daemon before.
    ("grpc.use_local_subchannel_pool", 1),
    # A daemon that restarts is back at once. The minimum stays at its default of 20 s: it bounds one attempt
    # to connect, and the first client waits in the socket's queue while systemd starts the daemon.
    ("grpc.initial_reconnect_backoff_ms", 50),
    ("grpc.max_reconnect_backoff_ms", 200),
    # During a call, pings notice a daemon whose event loop hangs.
    ("grpc.keepalive_time_ms", 10_000),
    ("grpc.keepalive_timeout_ms", 10_000),
    ("grpc.http2.ping_timeout_ms", 10_000),  # the longer of the two counts, and this one's default is 60 s
    ("grpc.http2.max_pings_without_data", 0),
]

# A stream is read in the caller's thread, which saves two switches of threads (0.2 ms) a call. The option is
# grpc.experimental.ChannelOptions.SingleThreadedUnaryStream; importing that would cost 2 ms.
_SYNCHRONOUS_OPTIONS = [*_OPTIONS, ("SingleThreadedUnaryStream", 1)]


class DaemonClient:
    """A channel to the daemon on `socket`. Cheap to make: nothing is sent before the first RPC.

    Raises SocketRefused where the socket belongs to somebody else, DaemonError where there are no threads.
    """

    def __init__(self, socket: Path) -> None:
        threads.check()
        self.socket = socket
        self._endpoint = Endpoint(socket)
        self._channel = grpc.insecure_channel(self._endpoint.address, options=_SYNCHRONOUS_OPTIONS)
        self._stub = McpDaemonStub(self._channel)
        self._watchdog = CallWatchdog(_ACCEPTED_SECONDS)

    def __enter__(self) -> DaemonClient:  # noqa: PYI034 - Self is not in Python 3.10
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._channel.close()
        self._endpoint.close()

    def leads_to(self, socket: Path) -> bool:
        """Whether the socket is this one, and no other has taken its place."""
        return socket == self.socket and self._endpoint.is_current()

    # --- the daemon ---------------------------------------------------------------------------------

    def health(self, seconds: float = HEALTH_SECONDS) -> v1.HealthResponse:
        """Liveness: it answers, or this raises DaemonUnresponsive or DaemonUnreachable."""
        with self._translated(seconds):
            return self._stub.Health(v1.HealthRequest(), timeout=seconds, wait_for_ready=False)

    def status(self) -> v1.StatusResponse:
        with self._translated(HEALTH_SECONDS):
            return self._stub.Status(v1.StatusRequest(), timeout=HEALTH_SECONDS)

    def restart_server(self, server: str) -> int:
        """End the server's connections; returns how many there were."""
        request = v1.RestartServerRequest(server=server)
        with self._translated(HEALTH_SECONDS):
            return self._stub.RestartServer(request, timeout=HEALTH_SECONDS).stopped

    def forget_server(self, server: str) -> int:
        """Drop what the daemon knows of it; of all that do not run where it is empty. Returns how many."""
        request = v1.RestartServerRequest(server=server, forget=True)
        with self._translated(HEALTH_SECONDS):
            return self._stub.RestartServer(request, timeout=HEALTH_SECONDS).stopped

    def shut_down(self) -> int:
        """Ask the daemon to drain and exit; returns its pid."""
        with self._translated(HEALTH_SECONDS):
            return self._stub.Shutdown(v1.ShutdownRequest(), timeout=HEALTH_SECONDS).pid

    # --- tools --------------------------------------------------------------------------------------

    def tools(
        self,
        caller: v1.Caller,
        servers: Sequence[str] = (),
        protocol: v1.Protocol.ValueType = v1.Protocol.PROTOCOL_UNSPECIFIED,
        *,
        refresh: bool = False,
        will_search: bool = False,
    ) -> Iterator[v1.ServerTools]:
        """One message for each server as it becomes known, STARTING ones twice. Raises ConfigError."""
        request = v1.GetAllToolsRequest(
            caller=caller, servers=servers, protocol=protocol, refresh=refresh, will_search=will_search
        )
        answers = self._stub.GetAllTools(request, timeout=_LISTING_SECONDS)
        with self._heard_soon(answers) as watch:
            try:
                for answer in answers:
                    watch.end()
                    yield answer
            except grpc.RpcError as error:
                seconds = _ACCEPTED_SECONDS if watch.gave_up else _LISTING_SECONDS
                raise listing_error(error, str(self.socket), seconds, gave_up=watch.gave_up) from error

    def search(self, request: v1.SearchToolsRequest) -> v1.SearchToolsResponse:
        with self._translated(_SEARCH_SECONDS):
            return self._stub.SearchTools(request, timeout=_SEARCH_SECONDS)

    def call(
        self, request: v1.CallToolRequest, on_event: OnEvent, answerer: Answerer | None = None
    ) -> v1.ToolResult:
        """Run one tool call, in this thread. Ctrl-C cancels it, all the way to the server.

        What the server asks meanwhile is put to `answerer`, and declined where there is none.
        Raises ToolCallError; DaemonUnreachable where the call certainly was not sent.
        """
        outcome = Outcome(request.tool, request.server, on_event)
        self._run(self._stub.CallTool(request), outcome, answerer)
        result: v1.ToolResult = outcome.result()
        return result

    def request(
        self,
        request: v1.RequestMessage,
        on_event: OnEvent,
        answerer: Answerer | None = None,
        seconds: float | None = None,
    ) -> str:
        """Any other request to a server; its result as JSON text. The rest is as of a call."""
        outcome = Outcome(request.method, request.server, on_event)
        self._run(self._stub.Request(request, timeout=seconds), outcome, answerer)
        result: str = outcome.result()
        return result

    def _run(self, call: Any, outcome: Outcome, answerer: Answerer | None) -> None:
        with cancelled_by_ctrl_c(call.cancel), self._heard_soon(call) as watch:
            try:
                for event in heard(self._heard(call, watch), answerer or Nobody(), self._answer):
                    outcome.note(event)
            except grpc.RpcError as error:
                raise call_error(
                    error, str(self.socket), outcome, _ACCEPTED_SECONDS, gave_up=watch.gave_up
                ) from error

    def _answer(self, answer: v1.AnswerRequest) -> bool:
        return self._stub.Answer(answer, timeout=ANSWER_SECONDS).was_open

    def _heard(self, call: Iterator[v1.CallToolEvent], watch: Watch) -> Iterator[v1.CallToolEvent]:
        for event in call:
            watch.end()
            yield event

    @contextmanager
    def _heard_soon(self, call: Any) -> Iterator[Watch]:
        """Cancels a call of which nothing is heard in time, unless the watch is ended; and at the end."""
        watch = self._watchdog.watch(call.cancel)
        try:
            yield watch
        except (McpError, GeneratorExit):
            call.cancel()
            _forget(call)
            raise
        finally:
            watch.end()
            call.cancel()

    @contextmanager
    def _translated(self, seconds: float) -> Iterator[None]:
        try:
            yield
        except grpc.RpcError as error:
            raise error_from_status(error, str(self.socket), seconds) from error


def _forget(call: Any) -> None:
    """Take in the last events of a cancelled call.

    Nobody else does for a stream that is read in the caller's thread, and until then the call holds its
    connection, also when the channel is closed (grpc 1.85).
    """
    consume, state = getattr(call, "_consume_next_event", None), getattr(call, "_state", None)
    while consume is not None and getattr(state, "due", None):
        consume()


class AsyncDaemonClient:
    """Calls tools from an event loop, concurrently. One a loop; the channel is opened by the first call."""

    def __init__(self, socket: Path) -> None:
        threads.check()
        self._socket = socket
        self._endpoint = Endpoint(socket)
        self._channel = grpc.aio.insecure_channel(self._endpoint.address, options=_OPTIONS)
        self._stub = McpDaemonStub(self._channel)

    async def aclose(self) -> None:
        await self._channel.close()
        self._endpoint.close()

    async def call(
        self, request: v1.CallToolRequest, on_event: OnEvent, answerer: Answerer | None = None
    ) -> v1.ToolResult:
        """As DaemonClient.call; cancelling the task cancels the call."""
        outcome = Outcome(request.tool, request.server, on_event)
        await self._run(self._stub.CallTool(request), outcome, answerer)
        result: v1.ToolResult = outcome.result()
        return result

    async def request(self, request: v1.RequestMessage, on_event: OnEvent) -> str:
        """As DaemonClient.request; nobody is asked anything."""
        outcome = Outcome(request.method, request.server, on_event)
        await self._run(self._stub.Request(request), outcome, None)
        result: str = outcome.result()
        return result

    async def _run(self, call: Any, outcome: Outcome, answerer: Answerer | None) -> None:
        import asyncio

        gave_up: list[bool] = []

        def give_up() -> None:
            gave_up.append(True)
            call.cancel()

        conversation = AsyncConversation(answerer or Nobody(), self._answer)
        timer = asyncio.get_running_loop().call_later(_ACCEPTED_SECONDS, give_up)
        try:
            async for event in call:
                timer.cancel()
                if not conversation.take(event):
                    outcome.note(event)
        except grpc.RpcError as error:
            raise call_error(error, str(self._socket), outcome, _ACCEPTED_SECONDS, gave_up=False) from error
        except asyncio.CancelledError:
            if not gave_up:  # it is our task that was cancelled
                raise
            raise DaemonUnresponsive(str(self._socket), _ACCEPTED_SECONDS) from None
        finally:
            timer.cancel()
            conversation.close()
            call.cancel()

    async def _answer(self, answer: v1.AnswerRequest) -> v1.AnswerResponse:
        response: v1.AnswerResponse = await self._stub.Answer(answer, timeout=ANSWER_SECONDS)  # type: ignore[misc]  # the stub is of both kinds
        return response
