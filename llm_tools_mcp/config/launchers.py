"""The programs that most servers are run by: their own name says nothing of the server, and many lack one."""

from __future__ import annotations

import re

LAUNCHERS = frozenset({"npx", "npm", "bunx", "bun", "uvx", "uv", "pipx", "python", "node", "deno"})
# What else starts a server and is none.
_OTHERS = frozenset({"docker", "podman", "sh", "bash", "java", "dotnet", "ruby", "php", "pnpm", "yarn"})

_NODE = "install Node.js: https://nodejs.org"
_UV = "install uv: https://docs.astral.sh/uv"
_INSTALL = {
    **dict.fromkeys(("npx", "npm", "node"), _NODE),
    **dict.fromkeys(("uvx", "uv"), _UV),
    **dict.fromkeys(("bunx", "bun"), "install Bun: https://bun.sh"),
    "deno": "install Deno: https://deno.com",
    "docker": "install Docker: https://docs.docker.com/get-docker",
    "podman": "install Podman: https://podman.io",
    "pipx": "install pipx: https://pipx.pypa.io",
}


def is_launcher(program: str) -> bool:
    """Of its path or its name, with a version or without one: `/usr/bin/python3.12`."""
    return program.rpartition("/")[2].rstrip("0123456789.") in LAUNCHERS | _OTHERS


def how_to_install(command: str) -> str:
    """What to do where there is no such program; nothing for one that is not known here."""
    if re.match(r"[A-Za-z]:[\\/]", command):
        return "write a path of this machine: that one is of Windows"
    if of_windows := re.fullmatch(r"([\w.-]+)\.(?:cmd|bat|exe)", command, re.IGNORECASE):
        return f"write {of_windows[1]!r}, which is its name outside of Windows"
    return _INSTALL.get(command, "")
