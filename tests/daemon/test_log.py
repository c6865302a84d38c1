"""What the daemon's log holds, and what must not get into it."""

from __future__ import annotations

import sys
from pathlib import Path

from tests.programs import run

SCRIPT = """
import logging, sys
from pathlib import Path
from llm_tools_mcp.daemon.log import Logs
Logs(Path(sys.argv[1]), "info", {})
for name in ("mcp.client.session", "client", "httpx2", "somebody"):
    logging.getLogger(name).warning("input_value='sk-secret'")
for name in ("llm_tools_mcp.daemon", "asyncio", "grpc._cython.cygrpc"):
    logging.getLogger(name).error("%s is heard", name)
"""


def test_libraries_quote_nothing_of_a_server_in_the_log(tmp_path: Path) -> None:
    """The SDK warns of what it cannot read by quoting it, also under other names: all that is dropped."""
    log = tmp_path / "daemon.log"
    result = run([sys.executable, "-c", SCRIPT, str(log)])
    heard = log.read_text(encoding="utf-8")
    assert "sk-secret" not in heard + result.stdout + result.stderr
    assert heard.count("is heard") == 3
