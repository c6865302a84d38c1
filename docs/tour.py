"""Records docs/tour.svg: real commands, a real daemon and real servers, in a home that is gone afterwards.

    python -m docs.tour

Needs what `make setup` installs. The commands run in a pseudo-terminal; rich draws what came out of it. The
remote server, which wants a login, and the browser are those of the tests.
"""

from __future__ import annotations

import fcntl
import io
import os
import pty
import shlex
import struct
import subprocess
import sys
import tempfile
import termios
from pathlib import Path

from rich.console import Console
from rich.text import Text

from tests.servers.guarded import guarded

PICTURE = Path(__file__).parent / "tour.svg"
BROWSER = Path(__file__).parents[1] / "tests" / "conformance" / "browser.py"
COLUMNS, ROWS = 92, 200

COMMANDS = (
    "llm mcp add files -- python -m llm_tools_mcp.cli.help.demo_server",
    "llm mcp tools files",
    "llm mcp call files read_file path=hello.txt",
    "llm mcp call files read_file pth=hello.txt",
    'llm -m echo -T MCP \'{"tool_calls": [{"name": "list_files"}]}\' | tail -8',
    "llm mcp add notes {url} --no-check",
    "llm mcp call notes echo text=hi",
    "llm mcp login notes",
    "llm mcp call notes echo text=hi",
    "llm mcp list",
    "llm mcp status",
    "llm mcp doctor --no-connect",
)


def main() -> None:
    console = Console(record=True, width=COLUMNS, file=io.StringIO(), force_terminal=True)
    with tempfile.TemporaryDirectory(prefix="tour-", dir="/tmp") as name, guarded() as remote:
        home = Path(name)
        environment = _environment(home)
        (home / "work").mkdir()
        (home / "run").mkdir(mode=0o700)
        (home / "work" / "hello.txt").write_text("Hello from a file.\n")
        try:
            for command in (each.replace("{url}", remote.url) for each in COMMANDS):
                console.print(Text.assemble(("$ ", "bold green"), (command, "bold")))
                shown = _output(command, environment, home / "work").replace(name, "/home/me")
                shown = shown.replace(sys.prefix, "/home/me/.venv")
                console.print(Text.from_ansi(shown))
                console.print()
        finally:
            subprocess.run(["llm-mcp", "stop"], env=environment, stdout=subprocess.DEVNULL, check=False)
    console.save_svg(str(PICTURE), title="llm mcp")
    print(PICTURE)


def _environment(home: Path) -> dict[str, str]:
    folders = {
        "HOME": "",
        "LLM_USER_PATH": "llm",
        "XDG_CACHE_HOME": "cache",
        "LLM_TOOLS_MCP_CONFIG_DIR": ".llm-tools-mcp",
    }
    return {
        **{variable: str(home / below) for variable, below in folders.items()},
        "XDG_RUNTIME_DIR": str(home / "run"),
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "BROWSER": f"{sys.executable} {BROWSER} %s",
        "LANG": "C.UTF-8",
        "TERM": "xterm-256color",
    }


def _output(command: str, environment: dict[str, str], folder: Path) -> str:
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
    argv = ["sh", "-c", command] if "|" in command else shlex.split(command)
    with subprocess.Popen(
        argv, stdin=slave, stdout=slave, stderr=slave, env=environment, cwd=folder, start_new_session=True
    ):
        os.close(slave)
        written = b""
        while True:
            try:
                chunk = os.read(master, 65536)
            except OSError:
                break
            if not chunk:
                break
            written += chunk
    os.close(master)
    return written.decode().replace("\r\n", "\n").rstrip("\n")


if __name__ == "__main__":
    main()
