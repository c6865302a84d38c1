"""What a server stands on: a folder that is another one now, an edited program, a twin elsewhere."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from llm_tools_mcp.config import ServerDefinition
from llm_tools_mcp.daemon.pool.statistics import State
from tests.daemon.live import Live, failure_of, variant, with_live
from tests.servers import FOLDER, entry, faulty_server, naming_server
from tests.waiting import wait_until_async

READS = variant("def run(self, tool, arguments): return pathlib.Path('file').read_text()")


@with_live
async def test_folder_made_anew(live: Live) -> None:
    """A call runs in the folder that is there now, and the server of the former one ends."""
    work = live.folder / "work"

    def make(content: str) -> ServerDefinition:
        work.mkdir()
        (work / "file").write_text(content)
        return live.define({"reads": READS}, cwd=work)

    first = make("first")
    assert await live.call(first, "echo") == "first"
    shutil.rmtree(work)
    second = make("second")
    assert await live.call(second, "echo") == "second"
    await wait_until_async(lambda: live.session(first).state is State.STOPPED)


def program(folder: Path, *tools: str) -> Path:
    """A server in a file of its own, edited in place."""
    shutil.copy(FOLDER / "faulty.py", folder)
    text = (FOLDER / "naming.py").read_text().replace("required=True", f"default={','.join(tools)!r}")
    (folder / "naming.py").write_text(text)
    return folder / "naming.py"


@with_live
async def test_edited_program(live: Live) -> None:
    """It is asked again in the background, and the process of the old version ends."""
    argv = [sys.executable, str(program(live.folder, "old"))]
    old = live.define({"x": entry(argv)})
    assert await live.names(old) == ["old"]
    program(live.folder, "old", "new")
    new = live.define({"x": entry(argv)})
    live.pool.sessions.note_config("/mcp.json", {}, [new])
    known = live.pool.known_tools(new)
    assert known is not None
    assert [tool.name for tool in known.tools] == ["old"]
    live.pool.refresh_if_stale(new, known)
    await wait_until_async(lambda: live.known(new) == ["old", "new"])
    await wait_until_async(lambda: not live.session(old).has_owner)
    assert await live.call(new, "new") == "new"


@with_live
async def test_known_list_is_asked_for_once_by_each_daemon_and_after_a_restart(live: Live) -> None:
    """Else it is believed for a day."""
    definition = live.define({"x": entry(naming_server("a"))})
    tool = (await live.pool.list_tools(definition)).tools[0]
    old = live.cache.listed([tool], is_legacy=True)
    live.pool.refresh_if_stale(definition, old)
    assert not live.pool._refreshing.is_under_way
    for doubt in (lambda: live.pool.restart("x"), live.pool._refreshing._asked.clear):
        live.cache.put(definition.cache_key, (), is_legacy=True)
        doubt()
        live.pool.refresh_if_stale(definition, old)
        await wait_until_async(
            lambda: live.known(definition) == ["a"] and not live.pool._refreshing.is_under_way
        )
        live.pool.refresh_if_stale(definition, old)
        assert not live.pool._refreshing.is_under_way


@with_live
async def test_old_list_of_a_server_that_fails_is_asked_for_once_a_day(live: Live) -> None:
    """Not at every prompt."""
    definition = live.define({"x": entry(faulty_server("exit"))})
    known = live.cache.put(definition.cache_key, (), is_legacy=True)
    for hours in (1, 26, 12, 13):
        live.forward += hours * 3600
        live.pool.refresh_if_stale(definition, known)
        assert live.pool._refreshing.is_under_way == (hours != 12)
        await wait_until_async(lambda: not live.pool._refreshing.is_under_way)
        live.pool.refresh_if_stale(definition, known)
        assert not live.pool._refreshing.is_under_way


@with_live
async def test_twin_in_another_folder_is_named(live: Live) -> None:
    """Of a server that can run only once the error says where it runs, and what to write."""
    lock = live.folder / "lock"
    once = variant(f"lock = open({str(lock)!r}, 'x')")
    folders = [live.folder / name for name in ("first", "second")]
    for folder in folders:
        folder.mkdir()
    first, second = (live.define({"once": once}, cwd=folder) for folder in folders)
    await live.names(first)
    failure = await failure_of(live.names(second))
    assert f"it runs for another folder already, {folders[0]}: if there can be only one" in failure.text
    assert "`cwd`" in failure.text
    other = live.define({"broken": entry(faulty_server("exit"))}, cwd=folders[1])
    assert "another folder" not in (await failure_of(live.names(other))).text
