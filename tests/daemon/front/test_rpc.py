"""gRPC as the daemon speaks it: statuses, texts, and requests that are none."""

from __future__ import annotations

import logging
from pathlib import Path

import grpc
import pytest
from h2.events import DataReceived, ResponseReceived, StreamEnded, StreamReset, TrailersReceived

from llm_tools_mcp import v1
from llm_tools_mcp.daemon.front.rpc import methods
from llm_tools_mcp.daemon.front.servicer import Servicer
from tests.daemon.stack import (
    MAX_MESSAGE,
    aio_channel,
    echo,
    fail,
    framed,
    in_loop,
    raw_client,
    repeat,
    serving,
)

INTERNAL, UNIMPLEMENTED = b"13", b"12"
NO_ERROR = 0


async def error_of(answers: grpc.aio.UnaryStreamCall) -> grpc.aio.AioRpcError:
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        async for _ in answers:
            pass
    return raised.value


@in_loop
async def test_error_has_its_code_and_its_words(folder: Path) -> None:
    """Whatever is in the text, percent signs, other alphabets, line ends; before a message or after some."""
    async with serving(folder) as (_, path), aio_channel(path) as channel:
        for how in ("early", "late"):
            error = await error_of(fail(channel)(how.encode()))
            assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
            assert error.details() == f"50% of {how}\nare wröng"


@pytest.mark.parametrize("character", ["a", "ж", "漢", "\n"])
def test_long_error_is_cut(folder: Path, character: str) -> None:
    """Whatever the characters take on the wire, grpc gets no more than it takes, and the right code."""

    @in_loop
    async def scenario() -> None:
        async with serving(folder) as (_, path), aio_channel(path) as channel:
            error = await error_of(fail(channel)((character * 20_000).encode()))
            assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
            assert str(error.details()).startswith(f"50% of {character * 600}")

    scenario()


@in_loop
async def test_bug_is_logged_and_not_told(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A client hears that something is wrong and where to look; the details are the log's."""
    async with serving(folder) as (_, path), aio_channel(path) as channel:
        for how in ("early bug", "late bug"):
            error = await error_of(fail(channel)(how.encode()))
            assert error.code() is grpc.StatusCode.INTERNAL
            assert "llm mcp logs" in str(error.details())
            assert "secret" not in str(error.details())
        assert await echo(channel)(b"on") == b"on"
    assert [record.levelno for record in caplog.records] == [logging.ERROR] * 2
    assert "secret details" in caplog.text


@in_loop
async def test_unknown_method(folder: Path) -> None:
    """A client of a later release learns that this daemon does not know the method."""
    async with serving(folder) as (_, path), aio_channel(path) as channel:
        with pytest.raises(grpc.aio.AioRpcError) as raised:
            await channel.unary_unary("/test.Test/New")(b"")
        assert raised.value.code() is grpc.StatusCode.UNIMPLEMENTED
        assert "/test.Test/New" in str(raised.value.details())


@in_loop
async def test_unknown_method_of_a_client_that_waits(folder: Path) -> None:
    """Refused at its headers: one that streams asks nothing before it has heard something."""
    async with serving(folder) as (_, path), aio_channel(path) as channel:
        call = channel.stream_stream("/grpc.reflection.v1.ServerReflection/ServerReflectionInfo")()
        assert await call.code() is grpc.StatusCode.UNIMPLEMENTED


@in_loop
async def test_method_starts_at_its_first_whole_message(folder: Path) -> None:
    """A client of a later release may keep its side open: it is answered, and the rest is dropped."""
    async with serving(folder) as (stack, path), raw_client(path) as client:
        message = framed(b"hi")
        stream = client.request("Echo", message[:4], end=False)
        client.http.send_data(stream, message[4:-1])
        client.request("Echo", framed(b"meanwhile"))
        await client.until(StreamEnded)
        assert stack.served == 1
        client.seen.clear()
        client.http.send_data(stream, message[-1:])
        assert (await client.until(StreamReset)).error_code == NO_ERROR
        assert [event.stream_id for event in client.seen if isinstance(event, StreamEnded)] == [stream]
        await client.send(b"\0\0\1\0\0" + stream.to_bytes(4, "big") + b"x")
        client.request("Echo", framed(b"on"))
        await client.until(DataReceived)


@in_loop
async def test_time_that_a_client_gives_a_call(folder: Path) -> None:
    """It is kept here, too: a client that was stopped cannot end its call."""
    async with serving(folder) as (stack, path), raw_client(path) as client:
        client.request("Hang", framed(b""), grpc_timeout="20m")
        headers = dict((await client.until(ResponseReceived)).headers)
        assert headers[b"grpc-status"] == b"4"
        assert (stack.hanging, stack.cancelled) == (0, 1)


@pytest.mark.parametrize("timeout", ["", "5", "xS", "-1S", "123456789S", "1" * 5000 + "S", "99999999H"])
def test_time_that_is_none(folder: Path, timeout: str) -> None:
    """What cannot be read is no limit, and one of ten thousand years is no harm."""

    @in_loop
    async def scenario() -> None:
        async with serving(folder) as (_, path), raw_client(path) as client:
            client.request("Echo", framed(b"hi"), grpc_timeout=timeout)
            await client.until(StreamEnded)
            assert b"hi" in client.received

    scenario()


@in_loop
async def test_answer_over_the_bound(folder: Path) -> None:
    """It is refused where it is made; what came before it has arrived."""
    async with serving(folder) as (_, path), aio_channel(path) as channel:
        error = await error_of(repeat(channel)(b"1 %d" % (MAX_MESSAGE + 1)))
        assert error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert error.details() == "an answer of 16 MiB exceeds the limit of 16 MiB"


@pytest.mark.parametrize(
    ("body", "status", "words"),
    [
        (b"", INTERNAL, b"not one whole message"),
        (b"\0\0\0\0", INTERNAL, b"not one whole message"),
        (framed(b"cut off")[:-1], INTERNAL, b"not one whole message"),
        (framed(b"one") + framed(b"two"), INTERNAL, b"not one whole message"),
        (b"\0\0\0\0\2\xff\xff", INTERNAL, b"no google.protobuf.BytesValue"),
        (b"\1" + framed(b"zipped")[1:], UNIMPLEMENTED, b"compressed"),
    ],
)
def test_request_that_is_no_message(folder: Path, body: bytes, status: bytes, words: bytes) -> None:
    """It is refused by a status that says what is wrong; the connection goes on."""

    @in_loop
    async def scenario() -> None:
        async with serving(folder) as (stack, path), raw_client(path) as client:
            client.request("Echo", body)
            headers = dict((await client.until(ResponseReceived)).headers)
            assert (headers[b":status"], headers[b"grpc-status"]) == (b"200", status)
            assert words in headers[b"grpc-message"]
            assert headers[b"grpc-accept-encoding"] == b"identity"  # what a compressed one has to be told
            client.request("Echo", framed(b"on"))
            await client.until(DataReceived)
            assert stack.served == 1

    scenario()


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"content_type": "application/json"}, b"415"),
        ({"content_type": "application/grpcfoo"}, b"415"),
        ({":method": "GET"}, b"405"),
        ({"content_type": "application/grpc+proto"}, b"200"),
        ({"content_type": "application/grpc;charset=x"}, b"200"),
    ],
)
def test_request_of_another_protocol(folder: Path, headers: dict[str, str], status: bytes) -> None:
    """HTTP/2 that is no gRPC gets an HTTP status, as the protocol has it, and at its headers."""

    @in_loop
    async def scenario() -> None:
        async with serving(folder) as (_, path), raw_client(path) as client:
            client.request("Echo", framed(b"") if status == b"200" else b"", end=status == b"200", **headers)
            assert dict((await client.until(ResponseReceived)).headers)[b":status"] == status

    scenario()


@in_loop
async def test_answer_is_headers_messages_trailers(folder: Path) -> None:
    """As the protocol has it, for clients of any language."""
    async with serving(folder) as (_, path), raw_client(path) as client:
        client.request("Repeat", framed(b"2 3"))
        await client.until(StreamEnded)
        headers = dict((await client.until(ResponseReceived)).headers)
        assert headers == {
            b":status": b"200",
            b"content-type": b"application/grpc",
            b"grpc-accept-encoding": b"identity",
        }
        assert dict((await client.until(TrailersReceived)).headers) == {b"grpc-status": b"0"}
        data = b"".join(event.data for event in client.seen if isinstance(event, DataReceived))
        assert data == framed(bytes(3)) * 2


def test_every_method_of_the_contract_is_served() -> None:
    """What proto/ describes, the servicer does."""
    served = methods(v1.SERVICE, Servicer.__new__(Servicer))
    assert set(served) == {f"/llm_tools_mcp.v1.McpDaemon/{method.name}" for method in v1.SERVICE.methods}
