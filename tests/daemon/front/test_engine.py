"""Header blocks that are remembered say the same as those that h2 reads and writes itself."""

from __future__ import annotations

import random

import hpack
import pytest

from llm_tools_mcp.daemon.front.http2.engine import Engine

FIELDS = [(b":status", b"200"), (b"content-type", b"application/grpc"), (b"grpc-status", b"0")]


def some_headers(chance: random.Random) -> list[tuple[bytes, bytes]]:
    """Few names and values, so that blocks repeat, and now and then one that pushes others out."""
    fields = [(b"name-%d" % chance.randrange(4), b"value-%d" % chance.randrange(4)) for _ in range(3)]
    if chance.random() < 0.05:
        fields.append((b"large", chance.randbytes(500).hex().encode()))
    return chance.sample(FIELDS + fields, 4)


@pytest.mark.parametrize("seed", range(20))
def test_what_is_written_is_read(seed: int) -> None:
    """By a decoder that remembers nothing, whatever came before, also when the client shrinks the table."""
    chance = random.Random(seed)
    encoder, decoder = Engine().encoder, hpack.Decoder()
    for _ in range(300):
        if chance.random() < 0.02:
            encoder.header_table_size = chance.choice([0, 64, 256, 4096])
        headers = some_headers(chance)
        assert list(decoder.decode(encoder.encode(headers), raw=True)) == headers


@pytest.mark.parametrize("seed", range(20))
def test_what_comes_is_understood(seed: int) -> None:
    """From an encoder that remembers nothing, whatever came before, also when it shrinks its table."""
    chance = random.Random(seed)
    encoder, decoder = hpack.Encoder(), Engine().decoder
    for _ in range(300):
        if chance.random() < 0.02:
            encoder.header_table_size = chance.choice([0, 64, 256, 4096])
        headers = some_headers(chance)
        assert list(decoder.decode(encoder.encode(headers), raw=True)) == headers


def test_repeated_blocks_are_remembered() -> None:
    """Those of pure indices, of which all calls but a client's first consist."""
    encoder, decoder = hpack.Encoder(), Engine().decoder
    blocks = [encoder.encode(FIELDS) for _ in range(3)]
    first, second, third = (decoder.decode(block, raw=True) for block in blocks)
    assert first == second == third
    assert second is third
    ours = Engine().encoder
    assert ours.encode(FIELDS) != ours.encode(FIELDS)
    assert ours.encode(FIELDS) is ours.encode(FIELDS)


def test_table_of_a_client_that_offers_gigabytes() -> None:
    """What we send fills it only up to the usual bound: a daemon that runs for months keeps no texts."""
    encoder, decoder = Engine().encoder, hpack.Decoder()
    encoder.header_table_size = 2**32 - 1
    for number in range(1000):
        headers = [(b"grpc-message", b"%d" % number)]
        assert list(decoder.decode(encoder.encode(headers), raw=True)) == headers
    assert encoder.header_table._current_size <= 4096
