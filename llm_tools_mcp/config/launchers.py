"""The programs that most servers are run by: their own name says nothing of the server, and many lack one."""

from __future__ import annotations

LAUNCHERS = frozenset({"npx", "npm", "bunx", "bun", "uvx", "uv", "pipx", "python", "node", "deno"})

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


def how_to_install(command: str) -> str:
    """What to do where there is no such program; nothing for one that is not known here."""
    return _INSTALL.get(command, "")
