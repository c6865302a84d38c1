"""Every location, in one place: config, socket, locks, logs, cache.

The socket's path must come out the same for every shell of a user (tmux, ssh, cron, su), or two
daemons would run. So an XDG_RUNTIME_DIR that is not the effective user's own does not count.
"""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path

from .errors import ConfigError, McpError, SocketRefused
from .system.access import can_make_folder, is_own_folder

CONFIG_NAME = "mcp.json"
SOCKET_NAME = "llm-mcp.sock"

# sun_path holds 108 bytes on Linux and 104 on the BSDs and macOS, the closing NUL included.
SOCKET_PATH_LIMIT = 103 if sys.platform == "darwin" else 107
# Of each user, where no other folder can be used; nobody else's is taken.
_SHORT = "/tmp/llm-mcp-{}"  # noqa: S108
# What is bound beside the socket: ".n" (client/spawning.py).
_LONGEST_SUFFIX = 2


def config_folder() -> Path:
    """Absolute folder of mcp.json; $LLM_TOOLS_MCP_CONFIG_DIR may be relative and may hold ~."""
    given = os.environ.get("LLM_TOOLS_MCP_CONFIG_DIR") or "~/.llm-tools-mcp"
    try:
        return _below_current(Path(given).expanduser())
    except RuntimeError:
        reason = "its ~ stands for no known home folder; set HOME or LLM_TOOLS_MCP_CONFIG_DIR"
    raise ConfigError(given, reason)


def default_config() -> Path:
    return config_folder() / CONFIG_NAME


def config_option(path: str) -> str:
    """What a command of `llm mcp` needs after its name to mean this config; nothing for the default one."""
    from shlex import quote

    return "" if path == str(default_config()) else f" --config {quote(path)}"


def log_folder() -> Path:
    return config_folder() / "logs"


def daemon_log() -> Path:
    return log_folder() / "daemon.log"


def server_log_name(server: str) -> str:
    """The file in the log folder that gets what a server writes to its stderr."""
    name = re.sub(r"[^A-Za-z0-9_-]", "_", server)[:100] or "server"
    return f"{name}_.log" if name == "daemon" else f"{name}.log"


def pid_file() -> Path:
    """Of a spawned daemon only, for people: liveness is the Health RPC."""
    return config_folder() / "daemon.pid"


def cache_folder() -> Path:
    from platformdirs import user_cache_path

    return user_cache_path("llm-tools-mcp")


def data_folder() -> Path:
    """What the person has agreed to, and logins: no cleaner of caches may take it for refuse."""
    from platformdirs import user_data_path

    return user_data_path("llm-tools-mcp")


def results_folder() -> Path:
    """Results that were too large for a model."""
    return cache_folder() / "results"


def user_folders() -> dict[str, str]:
    """Where the user keeps things, as MCPB calls them: HOME, DESKTOP, DOCUMENTS, DOWNLOADS."""
    import platformdirs

    return {
        "HOME": os.path.expanduser("~"),  # noqa: PTH111 - leaves an unknown ~ alone, pathlib raises
        "DESKTOP": platformdirs.user_desktop_dir(),
        "DOCUMENTS": platformdirs.user_documents_dir(),
        "DOWNLOADS": platformdirs.user_downloads_dir(),
    }


def bundles_folder() -> Path:
    """Unpacked MCPB bundles, a folder each."""
    return data_folder() / "bundles"


def secrets_folder() -> Path:
    """Secrets that were moved out of a config, a file each."""
    return data_folder() / "secrets"


def logins_file() -> Path:
    return data_folder() / "logins.json"


def socket_path() -> Path:
    """The daemon's socket. Raises SocketRefused when the path does not fit a unix socket."""
    override = os.environ.get("LLM_MCP_SOCKET")
    try:
        if not override:
            return _runtime_folder() / SOCKET_NAME
        return checked_socket_path(_below_current(Path(override).expanduser()))
    except RuntimeError:
        reason = "its ~ stands for no known home folder; set HOME or LLM_MCP_SOCKET"
        raise SocketRefused(override or SOCKET_NAME, reason) from None


def socket_is_overridden() -> bool:
    """Whether $LLM_MCP_SOCKET is set: then no installed unit counts."""
    return bool(os.environ.get("LLM_MCP_SOCKET"))


def checked_socket_path(path: Path) -> Path:
    length = len(os.fsencode(path))
    if length > SOCKET_PATH_LIMIT:
        raise SocketRefused(
            str(path),
            f"its path is {length} bytes long, and this system allows {SOCKET_PATH_LIMIT}; "
            "set LLM_MCP_SOCKET to a shorter one",
        )
    return path


def lock_path(socket: Path) -> Path:
    """Held by the daemon that bound the socket. Never unlinked."""
    return socket.with_name(socket.name + ".lock")


def spawn_lock_path(socket: Path) -> Path:
    """Held by the client that spawns a daemon. Never unlinked."""
    return socket.with_name(socket.name + ".spawn.lock")


def sendable(path: str | Path) -> str:
    """The path as text that can be sent: bytes that are not UTF-8 become question marks."""
    return str(path).encode("utf-8", "replace").decode()


def grpc_address(socket: Path) -> str:
    """A target of gRPC is a URI: in a path %, ? and # would mean something, and it is text, not bytes."""
    from urllib.parse import quote

    return f"unix:{quote(os.fsencode(socket))}"


def current_folder() -> str:
    """Where the caller is; its bytes need not be UTF-8 (os.fsencode). Raises McpError where it is unknown."""
    try:
        return str(Path.cwd())
    except FileNotFoundError:
        reason = "the current folder does not exist any more; cd to another one"
    except PermissionError:
        reason = "the current folder may not be looked at; cd to another one"
    raise McpError(reason)


def _below_current(path: Path) -> Path:
    return path if path.is_absolute() else Path(current_folder()) / path


def _runtime_folder() -> Path:
    if sys.platform == "darwin":
        home = Path("~/Library/Application Support/llm-mcp").expanduser()
    else:
        given = os.environ.get("XDG_RUNTIME_DIR", "")
        for folder in (Path(given), Path(f"/run/user/{os.geteuid()}")):
            if folder.is_absolute() and is_own_folder(folder.resolve()):
                return folder if _fits(folder) else _short_folder(folder)
        home = Path("~/.llm-tools-mcp/run").expanduser()
    return home if _fits(home) and can_make_folder(home) else _short_folder(home)


def _fits(folder: Path) -> bool:
    return len(os.fsencode(folder / SOCKET_NAME)) + _LONGEST_SUFFIX <= SOCKET_PATH_LIMIT


def _short_folder(instead: Path) -> Path:
    """One of this user's for each that cannot be used. Not below TMPDIR, which shells differ in."""
    from zlib import crc32

    own = Path(_SHORT.format(os.geteuid()))
    if os.path.lexists(own) and not is_own_folder(own):
        raise SocketRefused(
            str(own), f"it is no folder of yours, and {instead} cannot be used; set LLM_MCP_SOCKET"
        )
    return own / f"{crc32(os.fsencode(instead)):08x}"
