"""gRPC over HTTP/2, as its protocol document has it, for methods that take one message.

https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md. Messages come and go uncompressed. A method
starts at its first whole message, and an unknown one is refused at its headers: a client of a later release
may stream where this daemon does not, and would wait for ever.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from google.protobuf.message import DecodeError, Message
from google.protobuf.message_factory import GetMessageClass

from llm_tools_mcp.daemon.pool.deadline import Deadline

from .http2 import MAX_HEADERS, ClientGone, Headers, Stream

if TYPE_CHECKING:
    from google.protobuf.descriptor import ServiceDescriptor

_log = logging.getLogger(__name__)

Write = Callable[[Message], Awaitable[None]]

_TYPE = b"application/grpc"
_TYPES = (_TYPE + b"+", _TYPE + b";")  # how one may go on
_BEGIN = [(b":status", b"200"), (b"content-type", _TYPE), (b"grpc-accept-encoding", b"identity")]
# What stays in `grpc-message` as it is: printable ASCII but the percent sign.
_PLAIN = "".join(chr(code) for code in range(0x20, 0x7F) if chr(code) != "%")

# A message is preceded by a byte, which says whether it is compressed, and its length, 4 bytes, big-endian.
_PREFIX_BYTES = 5
_MAX_STATUS_BYTES = 6000  # of its text: grpc's clients refuse headers of more than 8 KiB in all
# How `grpc-timeout` ends, in seconds.
_UNITS = {b"H": 3600.0, b"M": 60.0, b"S": 1.0, b"m": 1e-3, b"u": 1e-6, b"n": 1e-9}
_SMALL = 64 * 1024  # bytes of a message that is rather copied than sent in two steps


class Code(IntEnum):
    """Those of gRPC's status codes that are used here."""

    OK = 0
    INVALID_ARGUMENT = 3
    DEADLINE_EXCEEDED = 4
    RESOURCE_EXHAUSTED = 8
    UNIMPLEMENTED = 12
    INTERNAL = 13
    UNAVAILABLE = 14


class RpcError(Exception):
    """Ends an RPC with a status other than OK; the text reaches the client."""

    def __init__(self, code: Code, text: str) -> None:
        super().__init__(text)
        self.code = code
        self.text = text


class AnswerTooLarge(RpcError):
    """Nothing of it was sent: another answer may take its place."""

    def __init__(self, size: int, limit: int) -> None:
        self.excess = f"of {size / 2**20:.0f} MiB exceeds the limit of {limit // 2**20} MiB"
        super().__init__(Code.RESOURCE_EXHAUSTED, f"an answer {self.excess}")


@dataclass(frozen=True, slots=True)
class Method:
    """`serve` gets the request and writes the answers."""

    request: type[Message]
    serve: Callable[[Any, Write], Awaitable[None]]


def unary(method: Callable[[Any], Awaitable[Message]]) -> Callable[[Any, Write], Awaitable[None]]:
    """Of a method that returns its only answer."""

    async def serve(request: Any, write: Write) -> None:
        await write(await method(request))

    return serve


def methods(service: ServiceDescriptor, servicer: object) -> dict[str, Method]:
    """By their paths: what a .proto describes, done by the servicer's methods of the same names.

    Those that answer with a stream take (request, write), the others take the request and return the answer.
    """
    found = {}
    for method in service.methods:
        function = getattr(servicer, method.name)
        serve = function if method.server_streaming else unary(function)
        found[f"/{service.full_name}/{method.name}"] = Method(GetMessageClass(method.input_type), serve)
    return found


class Server:
    """Answers the streams of all connections. `max_message` in bytes, both ways."""

    def __init__(self, methods: Mapping[str, Method], *, max_message: int) -> None:
        self._methods = {path.encode(): method for path, method in methods.items()}
        self._max_message = max_message

    def is_ready(self, stream: Stream) -> bool:
        """When there is a whole message, or nothing that would make it one that is served."""
        body = stream.body
        if len(body) < _PREFIX_BYTES:
            return _http_refusal(stream.headers) is not None or self._method_of(stream.headers) is None
        size = _message_size(body)
        return len(body) >= _PREFIX_BYTES + size or size > self._max_message

    async def handle(self, stream: Stream) -> None:
        """One RPC, from its request to its status."""
        if refusal := _http_refusal(stream.headers):
            stream.send_headers(refusal, end=True)
            return
        answer = _Answer(stream, self._max_message)
        try:
            await self._call(stream, answer.write)
        except RpcError as error:
            answer.end(error.code, error.text)
        except ClientGone:
            raise
        except Exception as error:  # noqa: BLE001 - the caller must hear of it
            _log.exception("an RPC failed: %s", stream.headers.get(b":path"))
            answer.end(Code.INTERNAL, f"{type(error).__name__} in the daemon; its log has more: llm mcp logs")
        else:
            answer.end(Code.OK)

    async def _call(self, stream: Stream, write: Write) -> None:
        if stream.refusal:
            raise RpcError(Code.RESOURCE_EXHAUSTED, stream.refusal)
        if not stream.headers:
            raise RpcError(Code.RESOURCE_EXHAUSTED, f"the headers exceed {MAX_HEADERS // 1024} KiB")
        method = self._method_of(stream.headers)
        if method is None:
            path = stream.headers.get(b":path", b"").decode("ascii", "replace")
            raise RpcError(Code.UNIMPLEMENTED, f"there is no method {path}")
        request = self._parsed(method.request, stream.take_body())
        # A client ends its call itself when the time is over, unless it was stopped.
        with Deadline(_seconds(stream.headers.get(b"grpc-timeout", b""))) as deadline:
            await method.serve(request, write)
        if deadline.is_over:
            raise RpcError(Code.DEADLINE_EXCEEDED, "the time that the client gave the call is over")

    def _method_of(self, headers: Mapping[bytes, bytes]) -> Method | None:
        return self._methods.get(headers.get(b":path", b""))

    def _parsed(self, kind: type[Message], body: bytearray) -> Message:
        if body[:1] == b"\1":
            raise RpcError(Code.UNIMPLEMENTED, "compressed messages are not understood")
        if len(body) >= _PREFIX_BYTES and _message_size(body) > self._max_message:
            limit = f"the limit of {self._max_message // 2**20} MiB"
            raise RpcError(Code.RESOURCE_EXHAUSTED, f"the request exceeds {limit}")
        if len(body) < _PREFIX_BYTES or _message_size(body) != len(body) - _PREFIX_BYTES:
            raise RpcError(Code.INTERNAL, "the request is not one whole message")
        message = kind()
        try:
            message.MergeFromString(memoryview(body)[_PREFIX_BYTES:])  # type: ignore[arg-type]  # any buffer
        except DecodeError as error:
            raise RpcError(Code.INTERNAL, f"the request is no {kind.DESCRIPTOR.full_name}") from error
        return message


def _message_size(body: bytearray) -> int:
    """Bytes of the message that begins here."""
    return int.from_bytes(body[1:_PREFIX_BYTES], "big")


def _http_refusal(headers: Mapping[bytes, bytes]) -> Headers | None:
    """The answer to what is no gRPC."""
    if not headers:
        return None  # there were too many: that has a status of its own
    if headers.get(b":method") != b"POST":
        return [(b":status", b"405"), (b"allow", b"POST")]
    kind = headers.get(b"content-type", b"")
    return None if kind == _TYPE or kind.startswith(_TYPES) else [(b":status", b"415")]


def _seconds(timeout: bytes) -> float:
    """Of `grpc-timeout`: up to eight digits and a unit. 0 where there is none, or none that can be read."""
    unit = _UNITS.get(timeout[-1:])
    if unit is None or len(timeout) > 9 or not timeout[:-1].isdigit():
        return 0
    return max(int(timeout[:-1]) * unit, 1e-9)


class _Answer:
    """Messages, then a status. Before the first message a status goes alone."""

    def __init__(self, stream: Stream, max_message: int) -> None:
        self._stream = stream
        self._max_message = max_message
        self._has_begun = False

    async def write(self, message: Message) -> None:
        data = message.SerializeToString()
        if len(data) > self._max_message:
            raise AnswerTooLarge(len(data), self._max_message)
        if not self._has_begun:
            self._has_begun = True
            self._stream.send_headers(_BEGIN)
        prefix = b"\0" + len(data).to_bytes(4, "big")
        if len(data) <= _SMALL:
            await self._stream.send(prefix + data)
        else:
            await self._stream.send(prefix)
            await self._stream.send(data)

    def end(self, code: Code, text: str = "") -> None:
        status = [(b"grpc-status", b"%d" % code)]
        if text:
            status.append((b"grpc-message", _encoded(text)))
        self._stream.send_headers(status if self._has_begun else [*_BEGIN, *status], end=True)


def _encoded(text: str) -> bytes:
    """As the protocol wants it, cut where it would be too long."""
    encoded = quote(text, safe=_PLAIN, errors="replace")
    while len(encoded) > _MAX_STATUS_BYTES:
        text = text[: len(text) * _MAX_STATUS_BYTES // len(encoded)]
        encoded = quote(text, safe=_PLAIN, errors="replace")
    return encoded.encode()
