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
for name in ("llm_tools_mcp.daemon", "asyncio"):
    logging.getLogger(name).error("%s is heard", name)
"""


def test_libraries_quote_nothing_of_a_server_in_the_log(tmp_path: Path) -> None:
    """The SDK warns of what it cannot read by quoting it, also under other names: all that is dropped."""
    log = tmp_path / "daemon.log"
    result = run([sys.executable, "-c", SCRIPT, str(log)])
    heard = log.read_text(encoding="utf-8")
    assert "sk-secret" not in heard + result.stdout + result.stderr
    assert heard.count("is heard") == 2


MANY = """
import os, sys
from pathlib import Path
from llm_tools_mcp.daemon.log import Logs
logs = Logs(Path(sys.argv[1]), "info", {})
for line in ("first", "second"):
    for number in range(200):
        logs.server_line(f"server{number}", line)
print(len(os.listdir("/dev/fd")))
"""


def test_logs_of_many_servers_hold_few_files_open(tmp_path: Path) -> None:
    """Each server has its whole log; only the last ones used are kept open."""
    result = run([sys.executable, "-c", MANY, str(tmp_path / "daemon.log")])
    assert int(result.stdout) < 80
    logs = [path.read_text(encoding="utf-8") for path in tmp_path.glob("server*.log")]
    assert len(logs) == 200
    assert all("first" in log and "second" in log for log in logs)


VANISHING = """
import logging, shutil, sys
from pathlib import Path
from llm_tools_mcp.daemon import log as module
path = Path(sys.argv[1], "logs", "daemon.log")
module._MAX_BYTES = 1000
logs, others = module.Logs(path, "info", {}), module._PrivateRotatingFile(path)
logger = logging.getLogger("llm_tools_mcp.daemon")
logger.warning("before")
shutil.rmtree(path.parent)
logger.warning("after")
for number in range(14):
    logger.warning("line %d %s", number, "x" * 30)
    others.emit(logging.makeLogRecord({"msg": f"other {number} {'x' * 30}", "levelname": "INFO"}))
"""


def test_log_survives_its_folder_and_another_daemon(tmp_path: Path) -> None:
    """A folder that was removed is made again; of two that write to one file neither rotates lines away."""
    run([sys.executable, "-c", VANISHING, str(tmp_path)])
    files = sorted((tmp_path / "logs").iterdir())
    text = "".join(path.read_text() for path in files)
    assert "after" in text
    assert all(f"line {number} " in text and f"other {number} " in text for number in range(14))
    assert [path.name for path in files] == ["daemon.log", "daemon.log.1", "daemon.log.2"]
    assert (tmp_path / "logs").stat().st_mode & 0o777 == 0o700
