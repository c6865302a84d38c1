"""A whole login under a real user manager: no byte of a token lies anywhere but in the store."""

from __future__ import annotations

import json
import sys

import pytest

from tests.servers.guarded import guarded
from tests.service.manager import ROOT, UNPRIVILEGED, UserManager

BROWSER = ROOT / "tests" / "conformance" / "browser.py"
pytestmark = pytest.mark.systemd

# Prints where each of the lines of stdin is found: all that is on disk, in the journal, and what `ps` shows.
SEARCH = """
import pathlib, subprocess, sys
secrets = sys.stdin.read().split()
places = {}

def look(path):
    try:
        places[path] = path.read_bytes()
    except OSError:
        pass

for folder in sys.argv[1:]:
    for path in pathlib.Path(folder).rglob("*"):
        if path.is_file() and path.name != "logins.json":
            look(path)
for process in pathlib.Path("/proc").glob("[0-9]*"):
    for name in ("cmdline", "environ"):
        look(process / name)
journal = ["journalctl", "--user", "--all", "-o", "export", "--no-pager"]
places["journal"] = subprocess.run(journal, stdout=subprocess.PIPE, check=True).stdout
print(len(places["journal"]), b"renewed the login" in places["journal"])
for place, held in places.items():
    for secret in secrets:
        if secret.encode() in held:
            print(place, secret[:12])
"""


@pytest.mark.parametrize("manager", [UNPRIVILEGED], ids=["unprivileged"], indirect=True)
def test_no_token_is_left_anywhere(manager: UserManager) -> None:
    """Not in the journal, not on disk, not in what `ps` shows, and no core would be written: after a login,

    a renewal, and an error that repeats the token, while the daemon lives.
    """
    with guarded() as server:
        config = json.dumps({"mcpServers": {"remote": {"url": server.url}}})
        manager.write(manager.home / ".llm-tools-mcp" / "mcp.json", config, 0o600)
        manager.cli("service", "install")
        opener = {"BROWSER": f"{sys.executable} {BROWSER} %s"}
        assert "it offers 4 tools" in manager.cli("login", "remote", env=opener).stdout
        server.tokens.clear()
        said = manager.cli("call", "remote", "repeat_token", check=False)
        assert "I was given [redacted]" in said.stderr
        pid = manager.show("llm-mcp.service", "MainPID")
        assert "Max core file size        0" in manager.read(f"/proc/{pid}/limits")
        folders = [str(manager.home), str(manager.runtime)]
        found = manager.run(sys.executable, "-c", SEARCH, *folders, input="\n".join(server.secrets))
        size, *leaks = found.stdout.splitlines()
        assert (int(size.split()[0]) > 1000, size.split()[1], leaks) == (True, "True", [])
