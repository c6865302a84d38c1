"""The tool lists on disk: kept, found again, never fatal."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from llm_tools_mcp import v1
from llm_tools_mcp.cache.pruning import prune_unused
from llm_tools_mcp.daemon.pool.tool_cache import ToolCache

TOOLS = (v1.Tool(name="b", input_schema="{}"), v1.Tool(name="a", description="ü"))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "cache" / "tools"


def test_list_is_found_by_another_daemon(folder: Path) -> None:
    """Tools in the server's order, when they were listed, and the era, survive the daemon."""
    ToolCache(folder, lambda: 1000.0).put("key", TOOLS, is_legacy=True)
    later = ToolCache(folder, lambda: 1500.0)
    known = later.get("key")
    assert known is not None
    assert (known.tools, known.is_legacy, later.age(known)) == (TOOLS, True, 500.0)
    assert later.get("other") is None


def test_entries_are_private(folder: Path) -> None:
    """0600 in a 0700 folder, whatever the umask."""
    former = os.umask(0)
    try:
        ToolCache(folder).put("key", TOOLS, is_legacy=False)
    finally:
        os.umask(former)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert [stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()] == [0o600]


@pytest.mark.parametrize("damage", ["cut", "flipped", "empty", "foreign", "folder"])
def test_damaged_entry_is_discarded(folder: Path, damage: str) -> None:
    """Whatever lies there instead of an entry counts as no entry, and is replaced by the next one."""
    ToolCache(folder).put("key", TOOLS, is_legacy=False)
    (path,) = folder.iterdir()
    content = path.read_bytes()
    if damage == "folder":
        path.unlink()
        path.mkdir()
    else:
        middle = len(content) - 4
        flipped = content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]
        damaged = {"cut": content[:-3], "flipped": flipped, "empty": b"", "foreign": b"\x80pickle"}
        path.write_bytes(damaged[damage])
    cache = ToolCache(folder)
    assert cache.get("key") is None
    cache.put("key", TOOLS, is_legacy=False)
    known = cache.get("key")
    assert known is not None
    assert known.tools == TOOLS


def test_what_another_daemon_wrote_counts(folder: Path) -> None:
    """The newer list on disk is taken instead of the one in memory; a removed entry is gone."""
    one, other = ToolCache(folder), ToolCache(folder)
    one.put("key", TOOLS, is_legacy=False)
    other.put("key", TOOLS[:1], is_legacy=False)
    known = one.get("key")
    assert known is not None
    assert known.tools == TOOLS[:1]
    next(folder.iterdir()).unlink()
    assert one.get("key") is None


def test_unwritable_folder_costs_only_time(tmp_path: Path) -> None:
    """Where nothing can be written, the list is known in memory."""
    (tmp_path / "file").write_text("in the way")
    cache = ToolCache(tmp_path / "file" / "tools")
    cache.put("key", TOOLS, is_legacy=False)
    known = cache.get("key")
    assert known is not None
    assert known.tools == TOOLS


def test_old_entries_are_pruned(folder: Path) -> None:
    """What nobody has listed for months goes; the rest stays."""
    cache = ToolCache(folder)
    cache.put("old", TOOLS, is_legacy=False)
    (old,) = folder.iterdir()
    os.utime(old, (1e9, 1e9))
    cache.put("new", TOOLS, is_legacy=False)
    prune_unused(folder)
    assert cache.get("old") is None
    assert cache.get("new") is not None


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to give a file away")
def test_entry_of_another_user_counts_as_absent(folder: Path) -> None:
    """Its descriptions would be read by a model."""
    ToolCache(folder).put("key", TOOLS, is_legacy=False)
    (entry,) = folder.iterdir()
    os.chown(entry, 65534, -1)
    assert ToolCache(folder).get("key") is None
