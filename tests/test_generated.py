"""The committed code of llm_tools_mcp/v1 is what proto/ generates."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests import external
from tests.programs import run

COMMITTED = external.ROOT / "llm_tools_mcp" / "v1"


@pytest.mark.external
def test_generated_code_is_current(tmp_path: Path) -> None:
    """A fresh generation equals the committed files; mend it with `make grpc`."""
    try:
        python = external.generator()
    except external.Unavailable as why:
        pytest.skip(str(why))
    run([str(python), str(external.ROOT / "proto" / "generate.py"), str(tmp_path)])
    fresh = {path.name: path.read_text() for path in (tmp_path / "llm_tools_mcp" / "v1").iterdir()}
    committed = {path.name: path.read_text() for path in COMMITTED.glob("*_pb2*.py*")}
    assert sorted(fresh) == sorted(committed)
    assert [name for name in fresh if fresh[name] != committed[name]] == [], "run: make grpc"
