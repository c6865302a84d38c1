"""h2 as the daemon needs it: any number of streams, an end that lets clients finish, a quarter faster."""

from __future__ import annotations

import struct
from collections.abc import Iterable
from typing import TYPE_CHECKING, TypeVar

from h2.config import H2Configuration
from h2.connection import ConnectionInputs, H2Connection, H2ConnectionStateMachine
from h2.settings import SettingCodes, Settings
from hpack import Decoder, Encoder, HeaderTuple

if TYPE_CHECKING:
    from h2.events import Event

K = TypeVar("K")
V = TypeVar("V")

# Bytes that a client may send before it hears from us, on a stream and on the whole connection.
_WINDOW = 1024 * 1024
_STREAMS = 2**31 - 1  # at the same time
_PRUNED_EVERY = 256  # requests

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


class _Encoder(Encoder):
    """Remembers header blocks that only point into the table: they mean the same until it changes."""

    def __init__(self) -> None:
        super().__init__()
        self._known: dict[tuple[tuple[bytes, bytes], ...], bytes] = {}

    def encode(self, headers: Iterable[tuple[bytes, bytes]], huffman: bool = True) -> bytes:  # type: ignore[override]  # noqa: FBT001, FBT002
        key = tuple(headers)
        block = None if self.header_table.resized else self._known.get(key)
        if block is None:
            block = super().encode(key, huffman)
            _remember(self._known, key, block, block)
        return block


class _Decoder(Decoder):
    """The same for what comes in."""

    def __init__(self, configured: Decoder) -> None:
        super().__init__(configured.max_header_list_size)
        self.max_allowed_table_size = configured.max_allowed_table_size
        self._known: dict[bytes, list[HeaderTuple]] = {}

    def decode(self, data: bytes, raw: bool = False) -> Iterable[HeaderTuple]:  # noqa: FBT001, FBT002
        headers = self._known.get(data)
        if headers is None:
            headers = list(super().decode(data, raw))
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
        window = {SettingCodes.INITIAL_WINDOW_SIZE: _WINDOW, SettingCodes.MAX_CONCURRENT_STREAMS: _STREAMS}
        self.local_settings = Settings(client=False, initial_values=window)
        self.initiate_connection()
        self.increment_flow_control_window(_WINDOW - 65535)  # of the connection, which settings do not change
        self._opened = 0

    def clear_outbound_data_buffer(self) -> None:
        """Not at a client's GOAWAY either: it still wants what is due."""

    @property
    def open_inbound_streams(self) -> int:
        """h2 asks for each request, and looks at all others to answer. There is no limit: seldom will do.

        It also forgets the closed ones there, so it has to look now and then.
        """
        self._opened += 1
        return 0 if self._opened % _PRUNED_EVERY else super().open_inbound_streams


def goaway(last_stream: int) -> bytes:
    """The frame that says: streams up to this one are served, open no other (6.8). h2 would close with it.

    Length 8, type 7, no flags, stream 0; last stream, NO_ERROR.
    """
    return struct.pack("!xHBBLLL", 8, 7, 0, 0, last_stream, 0)
