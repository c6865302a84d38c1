"""`llm mcp add`, `add-json`, `get`: the entries of mcp.json."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from llm_tools_mcp import paths
from llm_tools_mcp.cli.command import HAS_DASHES, as_json, command, config_option
from llm_tools_mcp.cli.completers import names_or_file, server_names
from llm_tools_mcp.cli.editing import config_file, entry_of, servers_of
from llm_tools_mcp.cli.secrets import shown_entry
from llm_tools_mcp.errors import McpError
from llm_tools_mcp.terminal.screen import clean_line, print_json, read_stdin, styled

from .adding import OPTIONS_OF_OTHERS, Adding, add
from .forgotten_name import check_name_is_no_command
from .search import registry_option
from .secret_storage import secrets_option

if TYPE_CHECKING:
    from llm_tools_mcp.cli.editing import Entry

_HOST_AND_PORT = re.compile(r"[\w.-]+:\d+(?:/|$)")
_BUNDLE = re.compile(r".*\.(?:mcpb|dxt)", re.IGNORECASE | re.DOTALL)
_KINDS = ("npm", "pypi", "oci", "nuget", "mcpb", "remote")

_check = click.option(
    "--check/--no-check", default=True, help="Connect and show its tools.  [default: check]"
)
_force = click.option("--force", is_flag=True, help="Replace a server of this name.")
_force_change = click.option(
    "--force", is_flag=True, help="Change a server of this name; what is not given here stays as it is."
)
_name = click.argument("name", shell_complete=server_names)


@command(
    "add",
    "llm mcp add filesystem -- npx -y @modelcontextprotocol/server-filesystem .",
    "llm mcp add github -e GITHUB_TOKEN='${GITHUB_TOKEN}' -- docker run -i --rm -e GITHUB_TOKEN ghcr.io/…",
    "llm mcp add linear https://mcp.linear.app/mcp -H 'Authorization: Bearer ${LINEAR_KEY}'",
    "llm mcp add --from io.github.user/weather API_KEY='${WEATHER_KEY}'",
    "llm mcp add notes.mcpb folder=~/notes",
    hint=" (options of the server's command go after --: llm mcp add NAME -- COMMAND ARGS…)",
    instead=OPTIONS_OF_OTHERS,
)
@click.argument("name", required=False, shell_complete=names_or_file(()))
@click.argument(
    "target",
    nargs=-1,
    shell_complete=names_or_file(()),
    metavar="URL | -- COMMAND [ARGS]... | FILE.mcpb [KEY=VALUE]...",
)
@click.option("-e", "--env", multiple=True, metavar="NAME=VALUE", help="Environment variable of the server.")
@click.option("-H", "--header", multiple=True, metavar="'NAME: VALUE'", help="HTTP header, for a URL.")
@click.option(
    "-t",
    "--transport",
    type=click.Choice(["stdio", "http", "sse"]),
    help="Only where it cannot be inferred.",
)
@click.option("--cwd", metavar="FOLDER", help="Where the command runs.  [default: the caller's folder]")
@click.option(
    "--from", "published", metavar="NAME", help="A server of the registry of MCP; see: llm mcp search."
)
@click.option("--version", metavar="VERSION", help="With --from: not the latest one.")
@click.option(
    "--package", type=click.Choice(_KINDS), help="With --from: in which form, where there are several."
)
@registry_option
@secrets_option
@click.option("--yes", is_flag=True, help="Do not ask whether to add what is published.")
@_force_change
@_check
@config_option
@click.pass_context
def add_command(context: click.Context, /, **typed: Any) -> None:
    """Add a server to mcp.json: a command that is run, a URL, one of the registry, or an MCPB bundle.

    '${VAR}' in single quotes takes the value from your environment whenever the server starts, so that
    no secret has to be in the file. What a published server wants to be told is asked for, or given as
    KEY=VALUE.
    """
    words = tuple(word for word in (typed["name"], *typed["target"]) if word is not None)
    adding = Adding(typed["config_path"], typed["force"], typed["check"], typed["secrets"])
    if typed["published"] is not None:
        _add_published(context, words, typed, adding)
        return
    _refuse(
        "--from (options of the server's command go after --)",
        {f"--{option}": typed[option] for option in ("version", "package")},
    )
    if bundle := _bundle(words):
        _add_bundle(context, words, bundle, typed, adding)
        return
    if not words:
        raise click.UsageError("Missing argument 'NAME'.", context)
    if len(words) == 1:
        raise click.UsageError("Missing argument 'URL | -- COMMAND [ARGS]...'.", context)
    if not context.meta[HAS_DASHES]:
        check_name_is_no_command(words)
    add(context, words[0], _typed_entry(words[1:], typed), adding, merges=True)


@command(
    "add-json",
    'llm mcp add-json time \'{"command": "uvx", "args": ["mcp-server-time"]}\'',
    "llm mcp add-json time - < time.json",
)
@click.argument("name")
@click.argument("text", metavar="JSON")
@secrets_option
@_force
@_check
@config_option
@click.pass_context
def add_json_command(
    context: click.Context,
    *,
    name: str,
    text: str,
    force: bool,
    check: bool,
    secrets: str | None,
    config_path: str | None,
) -> None:
    """Add a server to mcp.json, its entry given as JSON; - reads it from stdin."""
    try:
        entry = json.loads(read_stdin() if text == "-" else text)
    except (ValueError, RecursionError) as error:
        raise click.BadParameter(f"not valid JSON: {error}", param_hint="JSON") from None
    if not isinstance(entry, dict):
        raise click.BadParameter("has to be an object", param_hint="JSON")
    if "mcpServers" in entry or "servers" in entry:
        raise click.BadParameter(
            "is a whole config, not a single server; use: llm mcp import FILE", param_hint="JSON"
        )
    add(context, name, entry, Adding(config_path, force, check, secrets))


@command("get", "llm mcp get filesystem", "llm mcp get filesystem --json")
@_name
@click.option("--reveal", is_flag=True, help="Show secrets too.")
@config_option
@as_json
def get_command(*, name: str, reveal: bool, config_path: str | None, as_json: bool) -> None:
    """Show a server's entry in mcp.json. Possible secrets are hidden."""
    path = Path(config_path).expanduser() if config_path else config_file(None)  # as it is: may be a pipe
    entry = entry_of(servers_of(path), name)
    shown = entry if reveal or not isinstance(entry, dict) else shown_entry(entry)
    if as_json:
        print_json(shown)
        return
    click.echo(f"{styled(clean_line(name), bold=True)}  {styled(str(path), dim=True)}")
    for key, value in shown.items() if isinstance(shown, dict) else [("", shown)]:
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        click.echo(f"  {key}: {clean_line(text)}")
    _tell_known(name, config_path)


def _tell_known(name: str, config_path: str | None) -> None:
    """What the server says of itself and of its tools, as far as the daemon knows."""
    from llm_tools_mcp.cli.completers import known_servers
    from llm_tools_mcp.cli.tools.display import summary

    try:
        known = known_servers(config_path).get(name)
    except McpError:
        return
    for line in summary(known) if known is not None else ():
        click.echo(line)


# --- what is published ------------------------------------------------------------------------------


def _add_published(
    context: click.Context, words: tuple[str, ...], typed: dict[str, Any], adding: Adding
) -> None:
    from .installing import Wish, add_from_registry

    _refuse_entry_options(typed)
    names = [word for word in words if "=" not in word]
    if len(names) > 1:
        raise click.UsageError("beside --from stand one name at most, and KEY=VALUE")
    wish = Wish(
        name="".join(names),
        words=tuple(word for word in words if "=" in word),
        yes=typed["yes"],
        version=typed["version"] or "latest",
        kind=typed["package"],
        registry=typed["registry"],
    )
    add_from_registry(context, typed["published"], wish, adding)


def _bundle(words: tuple[str, ...]) -> str:
    """`[NAME] FILE.mcpb [KEY=VALUE]…`; elsewhere what is called so is a word of a command."""
    for index, word in enumerate(words[:2]):
        if _BUNDLE.fullmatch(word) and "://" not in word and all("=" in more for more in words[index + 1 :]):
            return word
    return ""


def _add_bundle(
    context: click.Context, words: tuple[str, ...], file: str, typed: dict[str, Any], adding: Adding
) -> None:
    from .installing import Wish, add_from_file

    _refuse_entry_options(typed)
    at = words.index(file)
    wish = Wish("".join(words[:at]), words[at + 1 :], yes=typed["yes"])
    add_from_file(context, Path(file).expanduser().absolute(), wish, adding)


def _refuse_entry_options(typed: dict[str, Any]) -> None:
    _refuse("a command or a URL", {f"--{key}": typed[key] for key in ("env", "header", "transport", "cwd")})


# --- what is typed → an entry -----------------------------------------------------------------------


def _typed_entry(target: tuple[str, ...], typed: dict[str, Any]) -> Entry:
    env, header, transport, cwd = (typed[key] for key in ("env", "header", "transport", "cwd"))
    if transport in ("http", "sse") or (transport is None and _is_url(target)):
        entry = _remote_entry(target, header, transport)
        _refuse("a command", {"--env": env, "--cwd": cwd})
        return entry
    if "://" in target[0]:
        raise click.UsageError("a URL begins with http:// or https://, and stands alone")
    entry = _command_entry(target, env, cwd)
    _refuse("a URL", {"--header": header})
    return entry


def _is_url(target: tuple[str, ...]) -> bool:
    return len(target) == 1 and target[0].lower().startswith(("http://", "https://"))


def _remote_entry(target: tuple[str, ...], headers: tuple[str, ...], transport: str | None) -> Entry:
    if not _is_url(target) and not (len(target) == 1 and target[0].startswith("${")):
        raise click.UsageError("a URL is expected here, such as https://example.com/mcp")
    entry: Entry = {"type": transport} if transport else {}
    entry["url"] = target[0]
    if headers:
        entry["headers"] = _pairs(headers, ":", "--header", "'NAME: VALUE'")
    return entry


def _command_entry(target: tuple[str, ...], env: tuple[str, ...], cwd: str | None) -> Entry:
    program, *args = target
    if not program.strip():
        raise click.UsageError("the command is empty")
    if not args and _HOST_AND_PORT.match(program):
        raise click.UsageError("a URL begins with http:// or https://")
    if " " in program and not args and not Path(program).exists():
        raise click.UsageError(f"the command is one word with spaces in it; without the quotes: -- {program}")
    entry: Entry = {"command": program}
    if args:
        entry["args"] = args
    if env:
        entry["env"] = _pairs(env, "=", "--env", "NAME=VALUE")
    if cwd:
        entry["cwd"] = cwd if cwd.startswith(("~", "$")) else _absolute(cwd)
    return entry


def _absolute(cwd: str) -> str:
    folder = str(Path(paths.current_folder(), cwd))
    if paths.sendable(folder) != folder:
        raise click.UsageError(f"--cwd: {folder!a} is not UTF-8, and JSON knows no other text")
    return folder


def _pairs(texts: tuple[str, ...], separator: str, option: str, form: str) -> dict[str, str]:
    pairs = {}
    for text in texts:
        name, found, value = text.partition(separator)
        if not found or not name.strip():
            raise click.BadParameter(f"is written {form}", param_hint=option)  # not what was typed: a secret
        pairs[name.strip()] = value.strip() if separator == ":" else value
    return pairs


def _refuse(what: str, options: dict[str, Any]) -> None:
    for option, value in options.items():
        if value:
            raise click.UsageError(f"{option} is for {what}")
