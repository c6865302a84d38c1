"""One at a time, and nobody waits for ever."""

from __future__ import annotations

from pathlib import Path

import pytest

from llm_tools_mcp.consent.store import ConsentStore, ConsentUnusable
from llm_tools_mcp.errors import LoginsUnusable
from llm_tools_mcp.login.store import LoginStore
from llm_tools_mcp.system import locking
from llm_tools_mcp.system.locking import exclusively


def test_held_lock_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who finds a store held for too long says so, with the lock, and changes nothing."""
    monkeypatch.setattr(locking, "_PATIENCE", 0.05)
    logins, consents = LoginStore(tmp_path / "logins.json"), ConsentStore(tmp_path / "approvals.json", _any)
    uses = ((logins, lambda: logins.change(lambda records: records)), (consents, lambda: agree(consents)))
    for store, use in uses:
        lock = store.path.with_name(f"{store.path.name}.lock")
        with exclusively(lock), pytest.raises((LoginsUnusable, ConsentUnusable), match="held by") as caught:
            use()
        assert f"fuser -v {lock}" in str(caught.value)
        assert not store.path.exists()
    agree(consents)
    assert consents.read() == {"a": {}}


def _any(_entry: object) -> bool:
    return True


def agree(store: ConsentStore) -> None:
    with store.changed() as agreed:
        agreed["a"] = {}
