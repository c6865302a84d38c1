"""A request of a client and its answer."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Protocol

Headers = Sequence[tuple[bytes, bytes]]


class ClientGone(ConnectionResetError):
    """The client has given its request up, or left."""


class Sender(Protocol):
    """What a stream needs of its connection."""

    def send_headers(self, stream: Stream, headers: Headers, *, end: bool) -> None: ...

    async def send_data(self, stream: Stream, data: bytes) -> None: ...

    def serve(self, stream: Stream) -> None: ...


class Stream:
    """A request and its answer. `body` is what has come of the request until it is served."""

    def __init__(self, connection: Sender, stream_id: int, headers: Headers) -> None:
        self._connection = connection
        self.id = stream_id
        self.headers = dict(headers)
        self.body = bytearray()
        self.size = 0  # bytes of the body, also when it was taken
        self.is_open = True  # the client has not given it up
        self.is_complete = False  # all of the request has come
        self.is_answered = False  # to the end
        self.refusal = ""  # why there is no room for all of it
        self.task: asyncio.Task[None] | None = None

    def receive(self, data: bytes) -> None:
        self.size += len(data)
        self.body += data

    def take_body(self) -> bytearray:
        """Whole, and only once: it may be large."""
        body, self.body = self.body, bytearray()
        return body

    def refuse(self, why: str) -> None:
        """There is no room for the rest of it: what has come is forgotten, and the client hears of it."""
        self.refusal = why
        self.take_body()
        self._connection.serve(self)

    def send_headers(self, headers: Headers, *, end: bool = False) -> None:
        """The first time they open the answer; with `end` they close it. Raises ClientGone."""
        self._connection.send_headers(self, headers, end=end)

    async def send(self, data: bytes) -> None:
        """Until all of it is on its way. Raises ClientGone when nobody listens any more."""
        await self._connection.send_data(self, data)


class Handler(Protocol):
    """Serves requests."""

    def is_ready(self, stream: Stream) -> bool:
        """Whether to begin: asked at the headers, and whenever more of the body has come."""

    async def handle(self, stream: Stream) -> None:
        """Answer a request that is ready, has ended, or was refused."""
