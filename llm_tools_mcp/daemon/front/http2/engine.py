"""h2 as the daemon needs it: with bounds, an end that lets clients finish, and a quarter faster."""

from __future__ import annotations

import struct
from collections.abc import Iterable
from typing import TYPE_CHECKING, TypeVar

from h2.config import H2Configuration
from h2.connection import ConnectionInputs, H2Connection, H2ConnectionStateMachine
from h2.settings import SettingCodes, Settings
from hpack import Decoder, Encoder, HeaderTuple
from hpack.table import table_entry_size

from llm_tools_mcp.dependencies import require

if TYPE_CHECKING:
    from h2.events import Event

K = TypeVar("K")
V = TypeVar("V")

# Bytes that a client may send before it hears from us, on a stream and on the whole connection.
_WINDOW = 1024 * 1024
# At the same time. Not the usual 100: a synchronous client with so many unread answers starves its Health.
_STREAMS = 2000
# Bytes of a request's headers, as HTTP/2 counts them; beyond the first bound it is refused, beyond the second
# its whole connection, since each block has to be read to understand the next.
MAX_HEADERS = 64 * 1024
_MAX_READ_HEADERS = 1024 * 1024
# Bytes of the table of the headers that we send: a client may offer gigabytes, which texts of errors fill.
_MAX_TABLE = 4096

# RFC 7541, 6.1: what a byte of a header block is at least that points into the table. Blocks to remember.
_INDEX = 0x80
_MAX_KNOWN = 64

# Who gets here may do all that this daemon can do, so headers are read, not judged: a tenth of a call.
_CONFIG = H2Configuration(
    client_side=False,
    header_encoding=None,
    validate_inbound_headers=False,
    normalize_inbound_headers=False,
    validate_outbound_headers=False,
    normalize_outbound_headers=False,
)


def check_overrides() -> None:
    """Raises ImportError where h2 or hpack lacks what the classes below override or replace."""
    connection = H2Connection(_CONFIG)
    require(connection, "state_machine", "encoder", "decoder", "local_settings", "clear_outbound_data_buffer")
    require(connection, "MAX_CLOSED_STREAMS")
    require(connection.state_machine, "process_input")
    require(connection.encoder, "encode", "header_table", "header_table_size")
    require(connection.decoder, "decode", "max_allowed_table_size")


check_overrides()


class _Encoder(Encoder):
    """Remembers header blocks that only point into the table: they mean the same until it changes."""

    def __init__(self) -> None:
        super().__init__()
        self._known: dict[tuple[tuple[bytes, bytes], ...], bytes] = {}

    @property
    def header_table_size(self) -> int:
        return self.header_table.maxsize

    @header_table_size.setter
    def header_table_size(self, value: int) -> None:
        Encoder.header_table_size.fset(self, min(value, _MAX_TABLE))  # type: ignore[attr-defined]

    def encode(self, headers: Iterable[tuple[bytes, bytes]], huffman: bool = True) -> bytes:  # type: ignore[override]  # noqa: FBT001, FBT002
        key = tuple(headers)
        block = None if self.header_table.resized else self._known.get(key)
        if block is None:
            block = super().encode(key, huffman)
            _remember(self._known, key, block, block)
        return block


class _Decoder(Decoder):
    """The same for what comes in. Headers over the bound come as none at all."""

    def __init__(self, configured: Decoder) -> None:
        super().__init__(_MAX_READ_HEADERS)
        self.max_allowed_table_size = configured.max_allowed_table_size
        self._known: dict[bytes, list[HeaderTuple]] = {}

    def decode(self, data: bytes, raw: bool = False) -> Iterable[HeaderTuple]:  # noqa: FBT001, FBT002
        headers = self._known.get(data)
        if headers is None:
            headers = list(super().decode(data, raw))
            if sum(table_entry_size(*header) for header in headers) > MAX_HEADERS:
                headers = []
            _remember(self._known, data, headers, data)
        return headers


def _remember(known: dict[K, V], key: K, value: V, block: bytes) -> None:
    """Where the block is nothing but indices: every other kind may have changed the table."""
    if min(block, default=0) < _INDEX or len(known) >= _MAX_KNOWN:
        known.clear()
    else:
        known[key] = value


class _StateMachine(H2ConnectionStateMachine):
    def process_input(self, input_: ConnectionInputs) -> list[Event]:
        """A client's GOAWAY is not the end, as h2 has it: it waits for the answers that it is due (6.8)."""
        return [] if input_ is ConnectionInputs.RECV_GOAWAY else super().process_input(input_)


class Engine(H2Connection):
    """The server's side of a connection, which has begun."""

    MAX_CLOSED_STREAMS = 256  # whose late frames are known as such; by default h2 keeps 65,536

    def __init__(self) -> None:
        super().__init__(_CONFIG)
        self.state_machine = _StateMachine()
        self.encoder = _Encoder()
        self.decoder = _Decoder(self.decoder)
        bounds = {
            SettingCodes.INITIAL_WINDOW_SIZE: _WINDOW,
            SettingCodes.MAX_CONCURRENT_STREAMS: _STREAMS,
            SettingCodes.MAX_HEADER_LIST_SIZE: MAX_HEADERS,
        }
        self.local_settings = Settings(client=False, initial_values=bounds)
        self.initiate_connection()
        self.increment_flow_control_window(_WINDOW - 65535)  # of the connection, which settings do not change

    def clear_outbound_data_buffer(self) -> None:
        """Not at a client's GOAWAY either: it still wants what is due."""

    def clear(self) -> None:
        """When the connection is lost. h2's refers to itself, and would wait for the garbage collector."""
        vars(self).clear()


def goaway(last_stream: int) -> bytes:
    """The frame that says: streams up to this one are served, open no other (6.8). h2 would close with it.

    Length 8, type 7, no flags, stream 0; last stream, NO_ERROR.
    """
    return struct.pack("!xHBBLLL", 8, 7, 0, 0, last_stream, 0)
