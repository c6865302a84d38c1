"""Lists of resources and prompts: whole, kept, and believed as long as the server lets us."""

from __future__ import annotations

import asyncio
import json
import threading
from dataclasses import replace
from types import MappingProxyType
from typing import Any

import pytest

from llm_tools_mcp.cache import known_lists
from llm_tools_mcp.config import ServerDefinition
from llm_tools_mcp.daemon.failure import Kind
from llm_tools_mcp.daemon.server import pagination
from tests.daemon.live import Live, failure_of, variant, with_live
from tests.servers import entry, library_server
from tests.waiting import SOON, wait_until_async

RESOURCES = "resources/list"


async def uris(live: Live, library: ServerDefinition, **how: bool) -> list[str]:
    listed = await live.pool.listed(library, RESOURCES, **how)
    return [item["uri"] for item in listed["resources"]]


async def asked(live: Live, library: ServerDefinition) -> int:
    """How many pages of the list the server was asked for."""
    return json.loads(await live.call(library, "asked")).get(RESOURCES, 0)


@with_live
async def test_whole_list_is_kept_until_it_changes(live: Live) -> None:
    """All pages are one list, in the server's order; it is asked for again when the server says so."""
    library = live.define({"library": entry(library_server())})
    first = await uris(live, library)
    assert (len(first), first[:2]) == (260, ["book://shelf/0", "book://shelf/1"])
    assert await uris(live, library) == first
    assert await asked(live, library) == 3
    await live.call(library, "add")
    await wait_until_async(lambda: not live.session(library).offer.vouches_for(RESOURCES))
    assert len(await uris(live, library)) == 261
    assert await asked(live, library) == 6
    assert len(await uris(live, library, refresh=True)) == 261
    assert await asked(live, library) == 9


@with_live
async def test_server_that_says_nothing_is_asked_each_time(live: Live) -> None:
    """Its list may have changed; of one that is not connected the last one is believed for a day."""
    library = live.define({"library": entry(library_server("--silent"))})
    assert len(await uris(live, library)) == 260
    await live.call(library, "add")
    assert len(await uris(live, library)) == 261
    live.session(library).stop()
    assert len(await uris(live, library)) == 261
    assert not live.is_ready(library)


@pytest.mark.parametrize("milliseconds", [0, 3_600_000])
def test_time_that_a_server_gives_its_list(tmp_path: object, milliseconds: int) -> None:
    """`ttlMs`: after it the server is asked again, also if that has to be started."""

    @with_live
    async def scenario(live: Live) -> None:
        library = live.define({"library": entry(library_server("--silent", "--ttl", str(milliseconds)))})
        await uris(live, library)
        live.session(library).stop()
        await uris(live, library)
        assert live.is_ready(library) == (milliseconds == 0)

    scenario(tmp_path)


@with_live
async def test_nothing_is_started_for_what_is_known(live: Live) -> None:
    """Whoever completes a word gets an old list, or none; and no server for it."""
    library = live.define({"library": entry(library_server("--ttl", "0"))})
    failure = await failure_of(live.pool.listed(library, RESOURCES, only_known=True))
    assert failure.kind == Kind.STILL_STARTING
    params = {"ref": {"type": "ref/prompt", "name": "travel"}, "argument": {"name": "city", "value": "b"}}
    complete = ("completion/complete", params, lambda _: None)
    await failure_of(live.pool.request(library, *complete, only_connected=True))
    assert live.processes() == []
    await uris(live, library)
    answer = await live.pool.request(library, *complete, only_connected=True)
    assert answer["completion"]["values"] == ["Berlin", "Bern"]
    in_another_terminal = replace(library, env=MappingProxyType({**library.env, "PATH": "/other"}))
    assert in_another_terminal.identity != library.identity
    answer = await live.pool.request(in_another_terminal, *complete, only_connected=True)
    assert answer["completion"]["values"] == ["Berlin", "Bern"]
    another_server = replace(library, args=(*library.args, "--silent"))
    await failure_of(live.pool.request(another_server, *complete, only_connected=True))
    assert len(live.processes()) == 1
    live.session(library).stop()
    assert len(await uris(live, library, only_known=True)) == 260
    assert not live.is_ready(library)


@with_live
async def test_loop_goes_on_while_a_list_is_written(live: Live, monkeypatch: pytest.MonkeyPatch) -> None:
    """A slow disk keeps nobody else waiting; the list is for this folder, and for shells anywhere."""
    begun, may_go_on = threading.Event(), threading.Event()
    store = known_lists.store

    def slow(*args: Any) -> None:
        begun.set()
        assert may_go_on.wait(SOON)
        store(*args)

    monkeypatch.setattr(known_lists, "store", slow)
    server = live.faulty("fine")
    writing = asyncio.create_task(live.lists.put(server, RESOURCES, {"resources": []}))
    await wait_until_async(begun.is_set)
    assert not writing.done()
    may_go_on.set()
    await writing
    for key in (server.identity, server.cache_key):
        known = known_lists.load(live.folder / "lists", key, RESOURCES)
        assert known is not None
        assert known.result == {"resources": []}


@with_live
async def test_server_without_resources_is_not_asked(live: Live) -> None:
    """It does not say that it has some: its list is empty."""
    assert await uris(live, live.faulty("fine")) == []


CIRCLE = """
def initialize(self, params):
    found = super().initialize(params)
    found["capabilities"]["resources"] = {}
    return found

def handle(self, message):
    if message.get("method") != "resources/list":
        return super().handle(message)
    number = int((message.get("params") or {}).get("cursor") or 0)
    page = [{"uri": f"a://{number}", "name": "a"}]
    self.answer(message, {"resources": page, "nextCursor": "1", "ttlMs": 10**400})
"""


@with_live
async def test_list_that_leads_in_a_circle_ends(live: Live) -> None:
    """Each page is taken once, and the log says so; a time of 400 digits is a long one."""
    circle = live.define({"circle": variant(CIRCLE)})
    for _ in range(2):
        assert await uris(live, circle) == ["a://0", "a://1"]
    assert any("list of resources leads back" in line for line in live.logged["circle"])


ENDLESS = """
def initialize(self, params):
    found = super().initialize(params)
    found["capabilities"]["resources"] = {}
    return found

def handle(self, message):
    if message.get("method") not in ("resources/list", "tools/list"):
        return super().handle(message)
    number = int((message.get("params") or {}).get("cursor") or 0)
    self.answer(message, {"nextCursor": str(number + 1), "_meta": {"filling": "x" * 1000}})
"""


@with_live
async def test_list_without_end_is_given_up(live: Live, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the bytes of all its pages, whatever is in them."""
    monkeypatch.setattr(pagination, "_MAX_BYTES", 5000)
    endless = live.define({"endless": variant(ENDLESS)})
    for listing, words in ((uris(live, endless), "list of resources"), (live.names(endless), "tool list")):
        failure = await failure_of(listing)
        assert failure.kind == Kind.TOO_LARGE
        assert f"its {words} of 0 MiB exceeds the limit" in failure.text
