"""A server with a command, as the caller would start its process."""

from __future__ import annotations

import os
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from .context import Context, below
from .definition import ServerDefinition, Transport
from .env_file import variables_of
from .expansion import Expansion
from .file_identity import program_files, stamped
from .problems import nested_key
from .variables import ENV_FILE, inherited, is_inherited

if TYPE_CHECKING:
    from .model import StdioEntry


def stdio_server(
    entry: StdioEntry, context: Context, expansion: Expansion, common: dict[str, Any]
) -> ServerDefinition:
    own_env = expansion.mapping("env", entry.env or {})
    own_env = _env_of_file(entry, context, expansion) | own_env
    command = expansion.text("command", entry.command)
    args = expansion.texts("args", entry.args or ())
    written_cwd = expansion.text("cwd", entry.cwd or "")
    _check_process(expansion, command, args, own_env, written_cwd)
    env = _inherited(context, entry.inherit_env) | own_env
    cwd = _folder(written_cwd, context)
    executable = _executable(_from_home(command, context), env.get("PATH", os.defpath), cwd)
    return ServerDefinition(
        transport=Transport.STDIO,
        command=executable,
        command_as_written=command,
        args=args,
        env=MappingProxyType(env),
        own_env=frozenset(own_env),
        cwd=cwd,
        cwd_is_pinned=bool(written_cwd),
        umask=context.umask,
        folder=stamped([cwd]),
        program=stamped(program_files(executable, args, cwd)),
        confided=frozenset(expansion.used),
        instances=entry.instances or 1,
        **common,
    )


def _env_of_file(entry: StdioEntry, context: Context, expansion: Expansion) -> dict[str, str]:
    """The KEY=value lines of `envFile`; a value may refer to those before it, and to the caller's."""
    if not entry.env_file:
        return {}
    content = expansion.confided("envFile", ENV_FILE + expansion.text("envFile", entry.env_file))
    env: dict[str, str] = {}
    for name, value in variables_of(content).items():
        inner = expansion.within({**context.environment, **env})
        env[name] = inner.text(nested_key("envFile", name), value)
    return env


def _inherited(context: Context, more: bool | list[str] | None) -> dict[str, str]:  # noqa: FBT001 - `inheritEnv`
    always = {name: value for name, value in context.environment.items() if is_inherited(name)}
    return always | inherited(context.environment, more)


def _folder(written: str, context: Context) -> str:
    return os.path.normpath(below(context.cwd, _from_home(written, context)))


def _from_home(written: str, context: Context) -> str:
    """With the caller's home for a ~ in front."""
    home = context.environment.get("HOME")
    if home and (written == "~" or written.startswith("~/")):
        return home + written[1:]
    return os.path.expanduser(written)  # noqa: PTH111 - leaves an unknown ~user alone, pathlib raises


def _executable(command: str, path: str, cwd: str) -> str:
    """The absolute path of what the child would run, or the command as written when there is none.

    What is there and cannot be run is named by its path, too: the daemon has another folder.
    """
    from shutil import which

    if "/" in command:
        path = below(cwd, command)
        return which(path) or (path if os.path.exists(path) else command)  # noqa: PTH110 - never raises
    # An empty or relative entry means the child's folder, not the daemon's.
    folders = (below(cwd, folder) for folder in path.split(os.pathsep))
    return which(command, path=os.pathsep.join(folders)) or command


def _check_process(
    expansion: Expansion, command: str, args: tuple[str, ...], env: dict[str, str], cwd: str
) -> None:
    values = {"command": command, "cwd": cwd}
    values |= {nested_key("args", index): value for index, value in enumerate(args)}
    values |= {nested_key("env", name): value for name, value in env.items()}
    for key, value in values.items():
        if "\0" in value:
            expansion.complain(key, "holds a NUL character, which no process can be given")
    if not command.strip() and not expansion.problems:
        expansion.complain("command", "is empty")
    if any(not name or "=" in name or "\0" in name for name in env):
        expansion.complain("env", "the name of a variable is empty, or holds '=' or NUL")
    expansion.check()
