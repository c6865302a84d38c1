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


class Stream:
    """A request and its answer."""

    def __init__(self, connection: Sender, stream_id: int, headers: Headers, bound: int) -> None:
        self._connection = connection
        self._bound = bound
        self._parts: list[bytes] = []
        self._size = 0
        self.id = stream_id
        self.headers = dict(headers)
        self.is_open = True  # the client has not given it up
        self.is_complete = False  # all of the request has come
        self.is_answered = False  # to the end
        self.task: asyncio.Task[None] | None = None

    @property
    def is_too_large(self) -> bool:
        """The body exceeds the bound; what came of it is gone."""
        return self._size > self._bound

    def receive(self, data: bytes) -> None:
        self._size += len(data)
        self._parts.append(data)
        if self.is_too_large:
            self._parts.clear()

    def take_body(self) -> bytes:
        """Whole, and only once: it may be large."""
        body = b"".join(self._parts)
        self._parts.clear()
        return body

    def send_headers(self, headers: Headers, *, end: bool = False) -> None:
        """The first time they open the answer; with `end` they close it. Raises ClientGone."""
        self._connection.send_headers(self, headers, end=end)

    async def send(self, data: bytes) -> None:
        """Until all of it is on its way. Raises ClientGone when nobody listens any more."""
        await self._connection.send_data(self, data)
