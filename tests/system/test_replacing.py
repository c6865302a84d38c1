"""Files that are replaced whole."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from llm_tools_mcp.system.replacing import replace_private


def test_file_is_replaced_whole_and_private(tmp_path: Path) -> None:
    """Whoever has the old one open reads that to its end; the new one is the user's alone."""
    path = tmp_path / "x"
    path.write_bytes(b"old")
    path.chmod(0o644)
    with path.open("rb") as old:
        replace_private(path, b"new", is_durable=True)
        assert old.read() == b"old"
    assert (path.read_bytes(), path.stat().st_mode & 0o777) == (b"new", 0o600)


def test_failure_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk that is full is told of; the old file stays, and half of a new one does not."""

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    path = tmp_path / "x"
    path.write_bytes(b"old")
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        replace_private(path, b"new", is_durable=True)
    assert [one.read_bytes() for one in tmp_path.iterdir()] == [b"old"]
