"""Which servers live: limits, idle ones, instances, changed configs, refreshed lists."""

from __future__ import annotations

import asyncio
import logging
import signal
from pathlib import Path
from typing import Any

import pytest

from llm_tools_mcp.config import ServerDefinition
from llm_tools_mcp.daemon.failure import Kind
from llm_tools_mcp.daemon.pool import registry
from llm_tools_mcp.daemon.pool.configured_servers import ConfiguredServers
from llm_tools_mcp.daemon.pool.statistics import State
from llm_tools_mcp.daemon.server import process
from tests.daemon.live import Live, blocking, failure_of, living, with_live
from tests.servers import entry, faulty_server
from tests.waiting import wait_until_async


def in_folder(live: Live, name: str, folder: str = "") -> ServerDefinition:
    """A server of this name for a caller in that folder."""
    place = live.folder / folder
    place.mkdir(exist_ok=True)
    return live.define({name: entry(faulty_server("fine"))}, cwd=place, env={"USER": name})


def live_names(live: Live) -> list[str]:
    return [session.definition.name for session in live.pool.sessions.registry.all() if session.is_live]


# --- limits -----------------------------------------------------------------------------------------


def test_limit_ends_copies_first_and_never_a_busy_one(tmp_path: Path) -> None:
    """Over the limit an idle copy goes first, then the least recently used; never one with a call."""

    async def body() -> None:
        async with living(tmp_path, max_live=3) as live:
            go = tmp_path / "go"
            busy = live.define({"blocking": blocking()})
            call = asyncio.create_task(live.call(busy, "pid", until=str(go)))
            await wait_until_async(lambda: live_names(live) == ["blocking"] and live.pool.sessions.in_use)
            await live.call(in_folder(live, "fs", "one"), "pid")
            await live.call(in_folder(live, "fs", "two"), "pid")
            await live.call(in_folder(live, "git"), "pid")
            assert live_names(live) == ["blocking", "fs", "git"]
            sessions = live.pool.sessions.registry.all()
            (left,) = [s for s in sessions if s.is_live and s.definition.name == "fs"]
            assert left.definition.cwd.endswith("two")
            await live.call(in_folder(live, "time"), "pid")
            assert live_names(live) == ["blocking", "git", "time"]
            go.touch()
            assert int(await call)

    asyncio.run(body())


def test_limit_gives_way_to_busy_ones(tmp_path: Path) -> None:
    """More calls than the limit all run; afterwards the limit holds again."""

    async def body() -> None:
        async with living(tmp_path, max_live=1) as live:
            pids = await asyncio.gather(*(live.call(in_folder(live, f"s{n}"), "pid") for n in range(3)))
            assert len(set(pids)) == 3
            await wait_until_async(lambda: len(live_names(live)) == 1)

    asyncio.run(body())


@with_live
async def test_unused_server_is_stopped(live: Live) -> None:
    """After `idleTimeout` without use the process ends, by itself; a call in flight prevents that."""
    go = live.folder / "go"
    server = live.define({"blocking": blocking(idleTimeout=0.4)})
    call = asyncio.create_task(live.call(server, "pid", until=str(go)))
    await wait_until_async(lambda: live.is_ready(server))
    live.forward += 100
    live.pool.sessions.expire()
    assert live.session(server).state is State.READY
    go.touch()
    await call
    await wait_until_async(lambda: live.session(server).state is State.STOPPED)
    assert live.processes() == []


@with_live
async def test_idle_timeout_of_zero_is_never(live: Live) -> None:
    """`idleTimeout: 0` keeps a server."""
    server = live.faulty("fine", idleTimeout=0)
    await live.call(server, "pid")
    live.forward += 1e6
    live.pool.sessions.expire()
    assert live.session(server).state is State.READY


@with_live
async def test_instances_share_the_calls(live: Live) -> None:
    """`instances: 2`: a call goes to the least busy process, and there are never more than two."""
    go = live.folder / "go"
    server = live.define({"blocking": blocking(instances=2)})
    first = asyncio.create_task(live.call(server, "pid", until=str(go)))
    await wait_until_async(lambda: live.pool.sessions.in_use)
    second = await live.call(server, "pid")
    third = asyncio.create_task(live.call(server, "pid", until=str(go)))
    await wait_until_async(lambda: live.pool.sessions.in_use == 2)
    assert len(live.pool.sessions.registry.all()) == 2
    go.touch()
    assert await first != second
    assert await third == second


@with_live
async def test_one_instance_is_the_default(live: Live) -> None:
    """Without `instances` calls at the same time share one process."""
    server = live.faulty("fine")
    assert len(set(await asyncio.gather(*(live.call(server, "pid") for _ in range(20))))) == 1


@with_live
async def test_callers_that_mean_the_same_share_it(live: Live) -> None:
    """A server from two folders is two processes, with a pinned `cwd` one; two tokens share nothing."""
    here, there = (in_folder(live, "fs", folder) for folder in ("here", "there"))
    assert await live.call(here, "pid") != await live.call(there, "pid")
    written = {"fs": entry(faulty_server("fine"), cwd=str(live.folder), env={"TOKEN": "${T}"})}
    pinned = [live.define(written, cwd=live.folder / folder, env={"T": "1"}) for folder in ("here", "there")]
    assert await live.call(pinned[0], "pid") == await live.call(pinned[1], "pid")
    other = live.define(written, env={"T": "2"})
    assert await live.call(other, "pid") != await live.call(pinned[0], "pid")


# --- known lists ------------------------------------------------------------------------------------


@with_live
async def test_known_list_starts_nothing(live: Live) -> None:
    """What is cached is answered without a process, in another folder too; another env is another entry."""
    first = in_folder(live, "fs", "one")
    await live.names(first)
    await live.pool.aclose()
    async with living(live.folder) as later:
        assert later.known(in_folder(later, "fs", "two")) == ["echo", "pid"]
        assert later.processes() == []
        assert later.pool.known_tools(in_folder(later, "other")) is None
        changed = later.define({"fs": entry(faulty_server("fine"), env={"TOKEN": "new"})}, env={"USER": "fs"})
        assert later.pool.known_tools(changed) is None


@with_live
async def test_old_list_is_refreshed_in_the_background(live: Live) -> None:
    """An entry older than a day is used, and asked for anew meanwhile; a younger one is left alone."""
    server = live.faulty("fine")
    old = live.cache.put(server.cache_key, (), is_legacy=True)
    live.pool.refresh_if_stale(server, old)
    assert live.pool.sessions.registry.all() == []
    live.forward = 25 * 3600
    live.pool.refresh_if_stale(server, old)
    live.pool.refresh_if_stale(server, old)
    await wait_until_async(lambda: len(live.known(server)) == 2)
    assert live.session(server).statistics.starts == 1


@with_live
async def test_list_is_known_under_every_key(live: Live) -> None:
    """A server shared by definitions with different keys tells its list to each of them."""
    written = entry(faulty_server("fine"))
    here = live.define({"fs": written})
    pinned = live.define({"fs": {**written, "cwd": str(live.folder)}})
    assert here.identity == pinned.identity
    assert here.cache_key != pinned.cache_key
    await asyncio.gather(live.names(here), live.names(pinned))
    assert live.pool.known_tools(here)
    assert live.pool.known_tools(pinned)


# --- config changes ---------------------------------------------------------------------------------


@with_live
async def test_changed_entry_is_replaced_and_nothing_else(live: Live) -> None:
    """A nested change (env) replaces its server once unused; the call in flight finishes, others stay."""
    go = live.folder / "go"

    def config(token: str) -> dict[str, Any]:
        return {
            "blocking": blocking(env={"TOKEN": token}),
            "other": entry(faulty_server("fine")),
        }

    def definitions(servers: dict[str, Any]) -> list[ServerDefinition]:
        return [live.define({name: written}) for name, written in servers.items()]

    def prompt(servers: dict[str, Any]) -> list[ServerDefinition]:
        made = definitions(servers)
        live.pool.sessions.note_config("/mcp.json", servers, made)
        return made

    old, other = prompt(config("1"))
    other_pid = await live.call(other, "pid")
    call = asyncio.create_task(live.call(old, "pid", until=str(go)))
    await wait_until_async(lambda: live.is_ready(old))
    new, _ = prompt(config("2"))
    new_pid = await live.call(new, "pid")
    assert live.session(old).state is State.READY
    go.touch()
    assert await call != new_pid
    await wait_until_async(lambda: not live.session(old).is_live)
    assert await live.call(other, "pid") == other_pid
    prompt({"blocking": config("2")["blocking"]})  # `other` is removed
    assert not live.session(other).is_live
    assert live.session(new).is_live


@with_live
async def test_start_that_nobody_wants_any_more_is_broken_off(live: Live) -> None:
    """A server that hangs at its start ends with its entry, though a start goes on without its prompt."""
    servers = {"hanging": entry(faulty_server("hang"), connectTimeout=0.1)}
    hanging = live.define(servers)
    live.pool.sessions.note_config("/mcp.json", servers, [hanging])
    assert (await failure_of(live.names(hanging))).kind == Kind.STILL_STARTING
    live.pool.sessions.note_config("/other.json", {}, [])
    assert live.session(hanging).state is State.STARTING
    live.pool.sessions.note_config("/mcp.json", {}, [])
    assert live.session(hanging).state is not State.STARTING
    await wait_until_async(lambda: live.processes() == [])


def wanted_by(
    configured: ConfiguredServers, live: Live, path: str, env: dict[str, str], **servers: Any
) -> set[str]:
    wanted = {name: written for name, written in servers.items() if not written.get("disabled")}
    made = [live.define({name: written}, env=env) for name, written in wanted.items()]
    return set(configured.note(path, wanted, made).unwanted)


@with_live
async def test_two_callers_with_other_variables_replace_nothing(live: Live) -> None:
    """Shells with different tokens use one config in turns: neither ends the other's servers."""
    configured = ConfiguredServers()
    web = {"url": "http://a/mcp", "headers": {"Authorization": "${T}"}}
    for token in ("1", "2", "1"):
        assert wanted_by(configured, live, "/mcp.json", {"T": token}, web=web) == set()
    gone = wanted_by(
        configured, live, "/mcp.json", {"T": "1"}, web={**web, "timeout": 5, "url": "http://b/mcp"}
    )
    assert len(gone) == 2


@with_live
async def test_server_of_two_configs_stays_while_one_wants_it(live: Live) -> None:
    """What one config drops is kept while another one has it. A timeout is no other server."""
    configured = ConfiguredServers()
    web = {"url": "http://a/mcp"}
    assert wanted_by(configured, live, "/one.json", {}, web=web) == set()
    assert wanted_by(configured, live, "/two.json", {}, web=web) == set()
    assert wanted_by(configured, live, "/one.json", {}) == set()
    assert wanted_by(configured, live, "/two.json", {}, web={**web, "timeout": 7}) == set()
    assert len(wanted_by(configured, live, "/two.json", {}, web={**web, "disabled": True}, x=web)) == 0
    assert len(wanted_by(configured, live, "/two.json", {}, y={"url": "http://b/mcp"})) == 1


@with_live
async def test_passing_configs_replace_nothing(live: Live) -> None:
    """Two configs by process substitution have the same path, and nothing to do with each other."""
    configured = ConfiguredServers()
    for port in (1, 2):
        assert wanted_by(configured, live, "/dev/fd/63", {}, web={"url": f"http://a:{port}/"}) == set()


@with_live
async def test_servers_that_ignore_sigterm_end_together(live: Live, monkeypatch: Any) -> None:
    """Eight servers that ignore everything end together: each is asked before the first one is killed."""
    signals: list[int] = []
    signal_group = process._signal_group

    def noted(group: int, number: int) -> bool:
        signals.append(number)
        return signal_group(group, number)

    monkeypatch.setattr(process, "_signal_group", noted)
    monkeypatch.setattr(process, "_EOF_SECONDS", 0.2)
    servers = [live.faulty("ignore-term", name=f"s{n}", env={"N": str(n)}) for n in range(8)]
    await asyncio.gather(*(live.call(server, "pid") for server in servers))
    await live.pool.aclose()
    assert live.processes() == []
    sent = [number for number in signals if number]
    assert sent == [signal.SIGTERM] * len(servers) + [signal.SIGKILL] * len(servers)


@with_live
async def test_server_that_no_config_has_is_forgotten(live: Live) -> None:
    """One by its command or URL: when it has ended nothing of it is left; a config that has it keeps it."""
    passing = live.faulty("fine")
    live.pool.sessions.registry.let_pass([passing])
    await live.call(passing, "echo", text="x")
    session = live.session(passing)
    assert not live.pool.sessions.registry.is_gone(session)
    session.stop()
    await wait_until_async(lambda: live.pool.sessions.registry.is_gone(session))
    live.pool.sessions.note_config("mcp.json", {}, [passing])
    assert not live.pool.sessions.registry.is_gone(session)
    live.pool.sessions.registry.let_pass([passing])
    live.pool.sessions.expire()
    assert live.pool.sessions.registry.all() == []


@with_live
async def test_each_request_is_told_to_who_watches(live: Live, caplog: pytest.LogCaptureFixture) -> None:
    """At the level debug: server, tool, outcome, duration; never the arguments."""
    caplog.set_level(logging.DEBUG, "llm_tools_mcp.daemon.pool.pool")
    server = live.faulty("fine")
    await live.call(server, "echo", text="very-private")
    await failure_of(live.call(live.faulty("exit", name="gone"), "echo", text="very-private"))
    told = [record.getMessage() for record in caplog.records if " after " in record.getMessage()]
    assert [line.rpartition(" after ")[0] for line in told] == [
        "faulty: echo: answered",
        "gone: echo: start failed",
    ]
    assert "very-private" not in caplog.text


@with_live
async def test_servers_are_forgotten(live: Live) -> None:
    """By name, ended first; all that do not run; and by themselves an hour after no config names them."""
    for server in (live.faulty("fine", name="one"), live.define({"two": blocking(idleTimeout=1)})):
        await live.names(server)
    assert live.pool.sessions.forget("one") == 1
    assert live.pool.sessions.forget("nobody") == 0
    live.forward += 3601
    live.pool.sessions.expire()
    registry = live.pool.sessions.registry
    await wait_until_async(lambda: (live.pool.sessions.expire(), len(registry.all()))[1] == 0)


@with_live
async def test_servers_that_never_live_are_forgotten_too(live: Live, monkeypatch: pytest.MonkeyPatch) -> None:
    """No timer rings for them: with an environment that changes each prompt would leave one for ever."""
    monkeypatch.setattr(registry, "_MAX_KNOWN", 8)
    live.pool.sessions.registry = registry.Registry(lambda _: False)
    for number in range(40):
        await failure_of(live.names(live.define({"x": {"command": "/nowhere", "env": {"N": str(number)}}})))
    known = live.pool.sessions.registry.all()
    assert 8 <= len(known) <= 16
    assert known[-1].definition.env["N"] == "39"
