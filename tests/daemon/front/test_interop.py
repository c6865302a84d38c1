"""Clients of gRPC and HTTP/2 that nobody here wrote, in four languages, at our server."""

from __future__ import annotations

import asyncio
import base64
import json
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from tests import external
from tests.daemon.stack import MAX_MESSAGE, Stack, aio_channel, echo, framed, in_loop, listener, serving
from tests.waiting import wait_until_async

pytestmark = pytest.mark.external

CLIENTS = Path(__file__).parent / "clients"
CALLS = 100  # to each daemon under load
UNIMPLEMENTED = 12
PROTO = """
syntax = "proto3";
package test;
message Bytes { bytes value = 1; }
service Test {
  rpc Echo(Bytes) returns (Bytes);
  rpc Repeat(Bytes) returns (stream Bytes);
  rpc New(Bytes) returns (Bytes);
}
"""


class Client:
    """A process that does what its stdin says, a line each, and answers in JSON."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    async def do(self, line: str) -> Any:
        self.tell(line)
        return await self.answer()

    def tell(self, line: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(line.encode() + b"\n")

    async def answer(self) -> Any:
        assert self._process.stdout is not None
        return json.loads(await self._process.stdout.readline())


@asynccontextmanager
async def client_of(kind: str, path: Path) -> AsyncIterator[Client]:
    environment = dict(os.environ)
    if kind == "grpc-js":
        node, modules = external.grpc_js()
        argv, environment["NODE_PATH"] = [node, str(CLIENTS / "calls.js")], str(modules)
    else:
        argv = [str(external.generator()), str(CLIENTS / "calls.py")]
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(*argv, str(path), stdin=pipe, stdout=pipe, env=environment)
    try:
        yield Client(process)
    finally:
        process.kill()
        await process.wait()


async def output_of(*argv: str) -> tuple[int, str]:
    """The exit code, and what it wrote to stdout and stderr."""
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(*argv, stdout=pipe, stderr=asyncio.subprocess.STDOUT)
    try:
        written, _ = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert process.returncode is not None
    return process.returncode, written.decode()


@pytest.mark.parametrize("kind", ["grpc-js", "oldest grpcio"])
def test_clients_of_other_makers(folder: Path, available: None, kind: str) -> None:
    """Calls, 60 MiB, a method of tomorrow, a cancellation, and a restart under load that loses no call."""

    @in_loop
    async def scenario() -> None:
        path = folder / "s.sock"
        with listener(path) as sock:
            stack = Stack()
            stack.start(sock)
            async with client_of(kind, path) as client:
                assert await client.do("echo") == "hi"
                assert await client.do(f"repeat 4 {MAX_MESSAGE - 16}") > 4 * (MAX_MESSAGE - 16)
                assert await client.do("unknown") == UNIMPLEMENTED
                await client.do("hang")
                await wait_until_async(lambda: stack.hanging == 1)
                await client.do("cancel")
                await wait_until_async(lambda: stack.cancelled == 1)
                await restart_under_load(stack, Stack(), sock, client)

    scenario()


async def restart_under_load(old: Stack, new: Stack, sock: Any, client: Client) -> None:
    client.tell("load")
    await wait_until_async(lambda: old.served >= CALLS)
    await old.drain()
    new.start(sock)
    await wait_until_async(lambda: new.served >= CALLS)
    client.tell("stop")
    result = await client.answer()
    assert result["failures"] == []
    assert result["calls"] >= 2 * CALLS
    await new.close()


@in_loop
async def test_grpcurl(folder: Path, available: None) -> None:
    """Go's gRPC: calls by a .proto; what needs reflection, or a method of tomorrow, is refused at once."""
    (folder / "test.proto").write_text(PROTO)
    program = [str(external.grpcurl()), "-plaintext", "-unix", "-max-time", "60"]
    described = ["-import-path", str(folder), "-proto", "test.proto", "-d"]
    async with serving(folder) as (_, path):

        async def call(method: str, value: bytes) -> tuple[int, str]:
            request = json.dumps({"value": base64.b64encode(value).decode()})
            return await output_of(*program, *described, request, str(path), f"test.Test/{method}")

        answers = await asyncio.gather(
            call("Echo", b"hi"),
            call("Repeat", b"2 3"),
            call("New", b""),
            output_of(*program, str(path), "list"),
        )
    echoed, repeated, unknown, listed = answers
    assert json.loads(echoed[1]) == {"value": base64.b64encode(b"hi").decode()}
    assert repeated[1].count("AAAA") == 2
    assert "Code: Unimplemented" in unknown[1]
    assert "does not support the reflection API" in listed[1]


@in_loop
async def test_flood_of_h2load_beside_a_good_client(folder: Path, available: None) -> None:
    """A hundred calls at a time over each of four connections are answered, and so are those of others."""
    (folder / "body").write_bytes(framed(b"x" * 300))
    load = [external.nghttp2("h2load"), "-n", "3000", "-c", "4", "-m", "100", "-d", str(folder / "body")]
    load += ["-H", "content-type: application/grpc", "-H", "te: trailers"]
    async with serving(folder) as (stack, path), aio_channel(path) as other:
        base = ["--base-uri", f"unix:{path}", "http://localhost/test.Test/Echo"]
        flood = asyncio.ensure_future(output_of(*load, *base))
        calls = 0
        while not flood.done():
            assert await echo(other)(b"on") == b"on"
            calls += 1
        assert "3000 succeeded, 0 failed, 0 errored, 0 timeout" in flood.result()[1]
        assert stack.served == 3000 + calls


@in_loop
async def test_nghttp_with_padding_and_continuation(folder: Path, available: None) -> None:
    """It sends what gRPC's clients do not: padded frames, and headers in two of them."""
    (folder / "body").write_bytes(framed(b"padded"))
    argv = [
        external.nghttp2("nghttp"),
        "-v",
        "--no-dep",
        "-b",
        "64",
        "--continuation",
        "-d",
        str(folder / "body"),
    ]
    argv += ["-H", "content-type: application/grpc"]
    async with serving(folder) as (stack, path):
        relay = await asyncio.start_server(relay_to(path), "127.0.0.1", 0)
        async with relay:
            port = relay.sockets[0].getsockname()[1]
            _, written = await output_of(*argv, f"http://127.0.0.1:{port}/test.Test/Echo")
        assert ") grpc-status: 0" in written
        assert stack.served == 1


def relay_to(path: Path) -> Any:
    """For nghttp, which knows no unix sockets."""

    async def relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        server_reader, server_writer = await asyncio.open_unix_connection(str(path))
        await asyncio.gather(copy(reader, server_writer), copy(server_reader, writer))

    return relay


async def copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()
    writer.close()


@pytest.fixture
def available() -> None:
    """Skips where something is not installed."""
    try:
        external.grpc_js()
        external.generator()
        external.grpcurl()
        external.nghttp2("nghttp")
        external.nghttp2("h2load")
    except external.Unavailable as why:
        pytest.skip(str(why))
