"""The command group of `llm-mcp` and `llm mcp`. Each family of commands is a module, loaded when used."""

from __future__ import annotations

import importlib
import io
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, NoReturn

import click

from llm_tools_mcp import __version__
from llm_tools_mcp.errors import McpError
from llm_tools_mcp.system.streams import open_closed

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

# Command → its module here and the first line of its help, so that `--help` loads no module.
_COMMANDS = {
    "demo": ("help.demo", "See it work: a real prompt, through the daemon, to a real MCP server."),
    "add": ("servers.entries", "Add a server to mcp.json: a command that is run, or a URL."),
    "add-json": ("servers.entries", "Add a server to mcp.json as its entry stands there."),
    "search": ("servers.search", "Look for servers in the registry of MCP."),
    "import": ("servers.importing", "Take over the servers of other MCP clients."),
    "list": ("servers.listing", "Show the configured servers and their state."),
    "get": ("servers.entries", "Show a server's entry in mcp.json."),
    "set": ("servers.changes", "Change keys of a server's entry in mcp.json."),
    "rename": ("servers.changes", "Call a server otherwise."),
    "remove": ("servers.changes", "Remove servers from mcp.json."),
    "enable": ("servers.changes", "Use servers again that were disabled."),
    "disable": ("servers.changes", "Keep servers in mcp.json, but do not use them."),
    "edit": ("servers.changes", "Open mcp.json in your editor, and check it afterwards."),
    "trust": ("servers.trusting", "Show the servers that a project brings along, and use them."),
    "untrust": ("servers.trusting", "Use a project's own servers no more."),
    "login": ("login.login", "Log in to a remote server, in the browser."),
    "logout": ("login.logout", "Log out of a remote server."),
    "tools": ("tools.tools", "Show the tools that the configured servers offer."),
    "call": ("tools.call", "Call a tool from the shell."),
    "approvals": ("tools.approvals", "Show the tools that you have allowed for good, or forget them."),
    "resources": ("resources.resources", "Show what the servers have to read, for `llm -f mcp:SERVER/URI`."),
    "read": ("resources.resources", "Print or save a resource of a server."),
    "prompts": ("resources.prompts", "Show the prompts of the servers, for `llm -t mcp:SERVER/PROMPT`."),
    "prompt": ("resources.prompts", "Print a prompt of a server, its arguments filled in."),
    "doctor": ("help.doctor", "Look for what is wrong, and say what to type about it."),
    "status": ("daemon.status", "Show the state of the daemon and of its servers."),
    "metrics": ("daemon.metrics", "Print OpenMetrics for Prometheus: calls, errors, latency."),
    "health": ("daemon.start_stop", "Ask the daemon whether it can serve; exit 1 if not."),
    "logs": ("daemon.logs", "Show the log of the daemon or of a server."),
    "start": ("daemon.start_stop", "Start the daemon, through its owner."),
    "stop": ("daemon.start_stop", "Stop the daemon; calls in flight finish first."),
    "restart": ("daemon.start_stop", "Restart the daemon, or one server."),
    "forget": ("daemon.forgetting", "Drop servers from `status`: one, or all that do not run."),
    "service": ("daemon.service", "Hand the daemon to systemd or launchd, or take it back."),
    "help": ("help.helping", "Show the help of a command."),
    "completion": ("help.completion", "Print what makes a shell complete llm-mcp."),
    "daemon": ("daemon.start_stop", "Run the daemon in the foreground: what the units execute."),
}
# What fingers type.
_ALIASES = {"ls": "list", "rm": "remove"}
# What else is typed for a command; the letters alone would lead from `rename` to `remove`.
_MEANT = {
    **dict.fromkeys(("delete", "del", "uninstall", "forget-server"), "remove"),
    **dict.fromkeys(("mv", "move"), "rename"),
    **dict.fromkeys(("show", "info", "describe", "cat"), "get"),
    **dict.fromkeys(("servers", "all"), "list"),
    **dict.fromkeys(("update", "change", "configure", "modify"), "set"),
    **dict.fromkeys(("config", "vi", "vim", "nano", "open"), "edit"),
    **dict.fromkeys(("install", "new", "create", "register"), "add"),
    **dict.fromkeys(("run", "exec", "invoke", "use"), "call"),
    **dict.fromkeys(("tool", "inspect", "list-tools"), "tools"),
    **dict.fromkeys(("check", "test", "debug", "diagnose", "validate", "verify"), "doctor"),
    **dict.fromkeys(("ps", "top", "stats"), "status"),
    **dict.fromkeys(("kill", "quit", "shutdown", "down"), "stop"),
    **dict.fromkeys(("reload", "refresh"), "restart"),
    **dict.fromkeys(("up",), "start"),
    **dict.fromkeys(("log", "tail", "journal"), "logs"),
    **dict.fromkeys(("ping",), "health"),
    **dict.fromkeys(("find", "browse", "discover", "registry"), "search"),
    **dict.fromkeys(("migrate", "copy", "take"), "import"),
    **dict.fromkeys(("unit", "systemd", "launchd"), "service"),
    **dict.fromkeys(("auth", "authenticate", "signin", "sign-in"), "login"),
    **dict.fromkeys(("signout", "sign-out"), "logout"),
    **dict.fromkeys(("man", "usage"), "help"),
    **dict.fromkeys(("complete", "completions"), "completion"),
}
_INTERRUPTED = 130  # exit status, as a shell's


class _LazyGroup(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - click's
        cmd_name = _ALIASES.get(cmd_name, cmd_name)
        if cmd_name not in _COMMANDS:
            return None
        module = importlib.import_module(f".{_COMMANDS[cmd_name][0]}", __name__)
        command: click.Command = getattr(module, f"{cmd_name.replace('-', '_')}_command")
        return command

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:  # noqa: ARG002
        from click.shell_completion import CompletionItem

        names = [name for name in _COMMANDS if name.startswith(incomplete)]
        return [CompletionItem(name, help=_COMMANDS[name][1]) for name in names]

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and not args[0].startswith("-") and args[0] not in {*_COMMANDS, *_ALIASES}:
            ctx.fail(f"there is no command {args[0]!r}{_meant(args[0])}")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in _COMMANDS.items()])


def _meant(given: str) -> str:
    from .command import did_you_mean

    if _MEANT.get(given.lower()) in _COMMANDS:
        return f"; did you mean {_MEANT[given.lower()]!r}?"
    return did_you_mean(given, _COMMANDS)


@click.group(cls=_LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="llm-mcp")
def group() -> None:
    """Use MCP servers from llm and from the shell.

    A small daemon keeps the servers of ~/.llm-tools-mcp/mcp.json connected, so that `llm -T MCP "prompt"`
    does not start them anew. To see it work:  llm mcp demo
    """


@contextmanager
def readable_errors() -> Iterator[None]:
    """Our errors become click's: a line on stderr and exit code 1, no traceback."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper) and stream.encoding.lower() != "utf-8":
            stream.reconfigure(errors="replace")  # a terminal without UTF-8 gets what it can show
    try:
        yield
    except KeyboardInterrupt:  # click would say `Aborted!` of what is meant to be ended so
        click.echo(err=True)
        raise SystemExit(_INTERRUPTED) from None
    except (McpError, OSError) as error:
        from .command import words_for

        raise click.ClickException(words_for(error)) from error


def main() -> None:
    """The console script `llm-mcp`."""
    open_closed()
    try:
        _run()
    except SystemExit as leaving:
        _leave(leaving.code)


def _run() -> NoReturn:
    if "_LLM_MCP_COMPLETE" in os.environ:
        importlib.import_module(".help.shells", __name__)  # click learns how our script for bash asks
    try:
        with readable_errors():
            sys.exit(group(prog_name="llm-mcp", standalone_mode=False))
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except click.Abort as abort:
        if abort.__cause__ is None:  # at a prompt; else click has ended the line
            click.echo(err=True)
        sys.exit(_INTERRUPTED)


def _leave(code: object) -> NoReturn:
    """Without taking apart what was loaded: that takes Python 40 ms, a quarter of a `call`."""
    if not isinstance(code, int | None):
        sys.exit(str(code))
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError, AttributeError):  # whoever read it has gone, or closed it
            stream.flush()
    os._exit(code or 0)
