"""The folders that a stdio server is told to work in."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from llm_tools_mcp.daemon.server.roots import roots_of
from tests.daemon.live import Live, with_live
from tests.servers import entry


@with_live
async def test_folders_that_are_told(live: Live) -> None:
    """The caller's; those that the arguments name, where they stand by themselves; none to a url."""
    inner = live.folder / "in ner"
    inner.mkdir()

    def told(*args: str) -> list[str] | None:
        definition = live.define({"s": {"command": "srv", "args": list(args)}})
        roots = roots_of(definition)
        return None if roots is None else [root["uri"] for root in roots]

    here, there = live.folder.as_uri(), inner.as_uri()
    assert "%20" in there
    assert told() == [here]
    assert told("-y", "@scope/package", str(inner)) == [there]
    assert told("-y", ".", str(inner)) == [here, there]
    assert told("--directory", str(inner), "run") == [here]
    assert told("/not/there", "in ner") == [here]
    assert roots_of(live.define({"s": {"url": "http://127.0.0.1:1/mcp"}})) is None


@with_live
async def test_folder_whose_name_is_no_text_is_told(live: Live) -> None:
    """By its bytes; the name beside it is for people."""
    odd = live.folder / "caf\udce9"
    odd.mkdir()
    roots = roots_of(live.define({"s": {"command": "srv"}}, cwd=odd))
    assert roots == [{"uri": f"{live.folder.as_uri()}/caf%E9", "name": "caf?"}]


@pytest.mark.external
def test_filesystem_server(npm_server: Callable[[str], list[str]], tmp_path: Path) -> None:
    """It may touch the caller's folder where its entry names none, and what the entry names where it does."""
    argv, named = npm_server("server-filesystem"), tmp_path / "named"
    named.mkdir()

    @with_live
    async def test(live: Live) -> None:
        for definition, allowed in (
            (live.define({"fs": entry([*argv, str(named)])}), named),
            (live.define({"fs": entry(argv)}), live.folder),
        ):
            await live.names(definition)
            found = ""
            while str(allowed) not in found:  # it asks for the roots when it likes to
                found = await live.call(definition, "list_allowed_directories")
            assert found.splitlines()[1:] == [str(allowed)]

    test(tmp_path)
