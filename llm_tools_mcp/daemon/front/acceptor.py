"""Accepts the clients of the daemon, lets in only its own user, counts them, and sees them off in a drain.

grpcio can neither serve a socket that a service manager holds, nor say who its peers are, nor stop without
losing calls: hence an acceptor and HTTP/2 of our own.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Callable, Sequence

from llm_tools_mcp.system.peer import peer_uid

from .http2 import Connection

log = logging.getLogger(__name__)

# Clients taken per turn of the loop, so that a flood of them does not starve those who are served.
ACCEPT_BATCH = 64

# Seconds: until accepting is tried again when descriptors or memory ran out; between two warnings of that.
ACCEPT_PAUSE = 0.2
WARNING_INTERVAL = 60.0

# Seconds from its connect that a client may stay silent during a drain. It may be about to send: gRPC
# fails the calls of a client whose connection ends before the handshake.
SILENCE = 1.0


class Acceptor:
    """`connect` makes the connection of a client that was let in.

    `on_change` is called when the number of connections has changed. A drain is stop_accepting(); for
    sockets bound here, accept_queued() once their path is gone; then send_goaway() and wait_closed().
    """

    def __init__(
        self,
        connect: Callable[[socket.socket], Connection],
        *,
        allowed_uids: frozenset[int],
        on_change: Callable[[], None],
    ) -> None:
        self._connect = connect
        self._allowed_uids = allowed_uids
        self._on_change = on_change
        self._listeners: list[socket.socket] = []
        self._accepting: dict[socket.socket, asyncio.TimerHandle | None] = {}  # the timer of a pause
        self._connections: dict[asyncio.Task[None], Connection] = {}
        self._empty = asyncio.Event()
        self._empty.set()
        self._draining = False
        self._silence: asyncio.TimerHandle | None = None
        self._next_warning = float("-inf")

    @property
    def connections(self) -> int:
        """Clients that are connected, silent ones included."""
        return len(self._connections)

    def start(self, sockets: Sequence[socket.socket]) -> None:
        """Accept clients on listening, non-blocking sockets. They stay the caller's to close."""
        self._loop = asyncio.get_running_loop()
        self._listeners = list(sockets)
        for listener in self._listeners:
            self._watch(listener)

    def stop_accepting(self) -> None:
        """From now on new clients wait in the kernel's queue."""
        for listener, pause in self._accepting.items():
            if pause:
                pause.cancel()
            else:
                self._loop.remove_reader(listener.fileno())
        self._accepting.clear()

    def accept_queued(self) -> None:
        """Take all clients that wait: nobody else will, once the path of a socket is gone."""
        for listener in self._listeners:
            while self._accept(listener):
                pass

    def send_goaway(self) -> None:
        """Tell each client, those to come included, to open no new stream; what it has sent is served."""
        self._draining = True
        for connection in self._connections.values():
            connection.send_goaway()
        self._end_silent()

    async def wait_closed(self) -> None:
        """Until no connection is left."""
        await self._empty.wait()

    async def aclose(self) -> None:
        """Stop accepting, and cut off the connections that remain."""
        self.stop_accepting()
        for connection in self._connections.values():
            connection.abort()
        await self.wait_closed()
        self._cancel_silence()

    def _watch(self, listener: socket.socket) -> None:
        self._accepting[listener] = None
        self._loop.add_reader(listener.fileno(), self._accept, listener)

    def _accept(self, listener: socket.socket) -> bool:
        """Take a batch of clients. False when no more can be taken now."""
        for _ in range(ACCEPT_BATCH):
            try:
                sock, _address = listener.accept()
            except BlockingIOError:
                return False
            except ConnectionAbortedError:  # it has left the queue again
                continue
            except OSError as error:  # EMFILE, ENFILE, ENOBUFS, ENOMEM
                self._pause_accepting(listener, error)
                return False
            self._admit(sock)
        return True

    def _pause_accepting(self, listener: socket.socket, error: OSError) -> None:
        """The client stays in the queue: without a pause the loop would spin."""
        if self._loop.time() >= self._next_warning:
            self._next_warning = self._loop.time() + WARNING_INTERVAL
            log.warning("cannot accept clients, trying again: %s", error)
        if listener in self._accepting:
            self._loop.remove_reader(listener.fileno())
            self._accepting[listener] = self._loop.call_later(ACCEPT_PAUSE, self._watch, listener)

    def _admit(self, sock: socket.socket) -> None:
        if not self._is_allowed(sock):
            sock.close()
            return
        sock.setblocking(False)
        connection = self._connect(sock)
        if self._draining:
            connection.send_goaway()
        task = self._loop.create_task(connection.run())
        task.add_done_callback(self._forget)
        self._connections[task] = connection
        self._empty.clear()
        self._on_change()

    def _is_allowed(self, sock: socket.socket) -> bool:
        try:
            uid = peer_uid(sock)
        except OSError as error:
            log.debug("a client left before it was asked for its uid: %s", error)
            return False
        if uid not in self._allowed_uids:
            log.warning("refused a client that runs as uid %d", uid)
        return uid in self._allowed_uids

    def _forget(self, task: asyncio.Task[None]) -> None:
        del self._connections[task]
        if not task.cancelled() and (error := task.exception()):
            log.error("a connection failed", exc_info=error)
        if not self._connections:
            self._empty.set()
        if self._draining:
            self._end_silent()
        self._on_change()

    def _end_silent(self) -> None:
        """When only silent clients are left in a drain: cut off those who had the time to say something."""
        self._cancel_silence()
        if not all(connection.is_silent for connection in self._connections.values()):
            return
        now = self._loop.time()
        for connection in self._connections.values():
            if connection.since + SILENCE <= now:
                connection.abort()
        if self._connections:
            self._silence = self._loop.call_later(SILENCE, self._end_silent)

    def _cancel_silence(self) -> None:
        if self._silence:
            self._silence.cancel()
        self._silence = None
