"""What a call tells while it runs: in order, bounded, nothing for a short call, nothing after the result."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from llm_tools_mcp import v1
from llm_tools_mcp.client.caller import make_call, make_caller
from llm_tools_mcp.client.channel import DaemonClient
from llm_tools_mcp.config import read_config
from llm_tools_mcp.daemon.front.events import EventWriter
from tests.daemon.stack import in_loop
from tests.home import Home, living_in
from tests.servers import entry, everything_server
from tests.waiting import SOON, wait_until_async


class Client:
    """Notes what it is sent; reads only while `reading` is set."""

    def __init__(self) -> None:
        self.events: list[v1.CallToolEvent] = []
        self.reading = asyncio.Event()
        self.reading.set()
        self.is_gone = False

    async def write(self, event: v1.CallToolEvent) -> None:
        await self.reading.wait()
        if self.is_gone:
            raise ConnectionError
        self.events.append(event)

    @property
    def kinds(self) -> list[str | None]:
        return [event.WhichOneof("event") for event in self.events]


async def let_timers_pass() -> None:
    """Until a call that begins now has been accepted: every older timer is over by then."""
    later = Client()
    writer = EventWriter(later.write)
    await wait_until_async(lambda: later.events)
    await writer.flush()


# --- the writer -------------------------------------------------------------------------------------


@in_loop
async def test_short_call_has_no_event_of_its_own() -> None:
    """A call that ends at once costs one message: its result."""
    client = Client()
    await EventWriter(client.write).flush()
    await let_timers_pass()
    assert client.events == []


@in_loop
async def test_call_that_takes_time_is_accepted() -> None:
    """The client hears within moments that its call runs, and hears it once."""
    client = Client()
    writer = EventWriter(client.write)
    await wait_until_async(lambda: client.events)
    await let_timers_pass()
    await writer.flush()
    assert client.kinds == ["accepted"]


@in_loop
async def test_first_event_comes_after_the_acceptance() -> None:
    """A call that reports something at once is accepted first, and only once."""
    client = Client()
    writer = EventWriter(client.write)
    writer.put(v1.Progress(progress=1))
    await writer.flush()
    await let_timers_pass()
    assert client.kinds == ["accepted", "progress"]


@in_loop
async def test_progress_and_log_keep_their_order() -> None:
    """What the server said first arrives first, whatever kind it is."""
    client = Client()
    writer = EventWriter(client.write)
    for number in range(10):
        writer.put(v1.Progress(progress=number))
        writer.put(v1.LogMessage(level="warning", text=str(number)))
        await asyncio.sleep(0)
    await writer.flush()
    told = [(event.progress.progress, event.log.text) for event in client.events[1:]]
    assert told == [pair for number in range(10) for pair in ((number, ""), (0, str(number)))]


@in_loop
async def test_slow_client_is_sent_a_bounded_number() -> None:
    """What a client does not read is dropped beyond a bound; the result does not wait for more."""
    client = Client()
    client.reading.clear()
    writer = EventWriter(client.write)
    for number in range(10_000):
        writer.put(v1.Progress(progress=number))
    flushed = asyncio.create_task(writer.flush())
    client.reading.set()
    await flushed
    assert client.kinds[0] == "accepted"
    assert 32 < len(client.events) < 128
    numbers = [event.progress.progress for event in client.events[1:]]
    assert numbers == sorted(numbers)


@in_loop
async def test_nothing_comes_after_the_last_event() -> None:
    """`flush` returns when all is written, and no timer writes later."""
    client = Client()
    writer = EventWriter(client.write)
    writer.put(v1.Progress(progress=1))
    await writer.flush()
    count = len(client.events)
    await let_timers_pass()
    assert len(client.events) == count


@pytest.mark.parametrize("gone", ["reading", "stuck"])
@in_loop
async def test_client_that_has_gone_is_no_error(gone: str) -> None:
    """Whether writing fails or never ends: the call is cancelled by others, nothing escapes here."""
    client = Client()
    client.is_gone = True
    writer = EventWriter(client.write)
    if gone == "stuck":
        client.reading.clear()
    writer.put(v1.Progress(progress=1))
    await asyncio.sleep(0)
    if gone == "reading":
        await writer.flush()
    writer.cancel()
    await let_timers_pass()
    assert client.events == []


# --- through the daemon -----------------------------------------------------------------------------


@pytest.fixture
def called(home: Home) -> Iterator[tuple[DaemonClient, v1.Caller]]:
    """A daemon with a server that is connected, and who calls it."""
    home.write_config({"everything": entry(everything_server())})
    home.run_cli("tools")
    home.run_cli("call", "everything", "echo", "text=warm")
    with living_in(home), DaemonClient(home.socket) as client:
        yield client, make_caller(read_config(None))


def kinds_of(called: tuple[DaemonClient, v1.Caller], tool: str, **arguments: object) -> list[str | None]:
    client, caller = called
    request = make_call(caller, "everything", tool, arguments)
    return [event.WhichOneof("event") for event in client._stub.CallTool(request, timeout=SOON)]


def test_events_of_real_calls(called: tuple[DaemonClient, v1.Caller]) -> None:
    """A long call is accepted, tells its progress, and ends with its result; a short one has that alone."""
    first, *between, last = kinds_of(called, "sleep", seconds=0.3)
    assert (first, last) == ("accepted", "result")
    assert set(between) == {"progress"}
    assert kinds_of(called, "crash")[-1] == "failure"

    # Of some short calls at least one is answered before it is worth a word.
    assert ["result"] in [kinds_of(called, "echo", text="x") for _ in range(10)]
