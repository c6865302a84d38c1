"""`llm mcp call`: one tool call from the shell; text on stdout, everything else on stderr or in files."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from llm_tools_mcp.cli.command import as_json, command, config_option
from llm_tools_mcp.cli.completers import json_or_file
from llm_tools_mcp.cli.tool_completers import argument_words, target_words, tool_names
from llm_tools_mcp.terminal.screen import clean_line, print_json, read_stdin
from llm_tools_mcp.text.plain import plain

from .answers import answer_options, scripted, warn_of_unused
from .call_output import STDOUT, as_dict, output_option, point_at_links, print_result, save
from .target import Target, command_option, target_of

if TYPE_CHECKING:
    from llm_tools_mcp import v1
    from llm_tools_mcp.client.tools import Offer


class WrongArguments(click.ClickException):
    """A usage error that explains the tool's usage, not that of `call`."""

    exit_code = 2


@command(
    "call",
    "llm mcp call filesystem read_text_file path=README.md head=3",
    "llm mcp call filesystem write_file path=copy.md content=@README.md",
    'llm mcp call git git_log --json-args \'{"repo_path": ".", "max_count": 3}\'',
    "llm mcp call screen shot --output shot.png",
    "llm mcp call https://mcp.example.com/mcp search query=x",
    "llm mcp call --command 'uvx mcp-server-time' get_current_time timezone=UTC",
    error_shape={"is_error": True, "content": [], "structured_content": None},
)
@click.argument("server", shell_complete=target_words)
@click.argument("tool", required=False, metavar="TOOL", shell_complete=tool_names)
@click.argument("arguments", nargs=-1, metavar="[KEY=VALUE]...", shell_complete=argument_words)
@click.option(
    "--json-args",
    metavar="JSON",
    shell_complete=json_or_file,
    help="All arguments as a JSON object; @FILE reads a file, - stdin.",
)
@output_option
@answer_options
@command_option
@config_option
@as_json
@click.pass_context
def call_command(  # noqa: PLR0913 - its options
    context: click.Context,
    *,
    server: str,
    tool: str | None,
    arguments: tuple[str, ...],
    json_args: str | None,
    output: Path | None,
    server_command: str | None,
    config_path: str | None,
    as_json: bool,
) -> None:
    """Call TOOL of SERVER and print its result; exit 1 if it fails, 2 if the arguments are wrong.

    Values are read as the tool's schema says: count=3 is a number where it asks for one. @FILE as a value is
    the content of the file, @- what comes on stdin, and @@ stands for a plain @ in front. A key that is given
    several times makes a list. SERVER.TOOL is the same as SERVER TOOL, and SERVER may be a URL.

    What the server asks during the call is asked on the terminal, unless --answer and --accept-defaults
    say it all. Without a terminal, and with LLM_MCP_ANSWERS=decline, it is declined.
    """
    words = [server, *([tool] if tool is not None else []), *arguments]
    target = target_of(words, config_path, server_command)
    if not target.tool:
        raise click.UsageError(_no_tool(target.server), context)
    place = None if as_json and output == STDOUT else output
    result, saved = _called(context, target, json_args, place)
    if as_json:
        print_json(as_dict(result, saved))
    else:
        print_result(result, saved)
        if target.source.path:  # a server of a config, which `read` knows too
            point_at_links(result, target.server)
    context.exit(1 if result.is_error else 0)


def _called(
    context: click.Context, target: Target, json_args: str | None, output: Path | None
) -> tuple[v1.ToolResult, dict[int, Path]]:
    """The result, and what of it was saved where. Raises McpError, WrongArguments."""
    from llm_tools_mcp.client.daemon import Daemon
    from llm_tools_mcp.terminal.progress import Display
    from llm_tools_mcp.terminal.questions import Person

    from .tools import listing_with

    daemon, display = Daemon(by_hand=True), Display()
    listing, offer = listing_with(target.source, target.server, target.tool, daemon, display)
    values = _json_object(json_args) if json_args is not None else {}
    values |= _typed(offer, target.words, values)
    _check_unicode(values)
    answers = scripted(context)
    with display.call(offer.server, offer.tool) as on_event:
        result = daemon.call(listing.call(offer, values), on_event, Person(display, answers))
    warn_of_unused(answers)
    return result, save(result, offer.tool, output)


def _no_tool(server: str) -> str:
    return f"Missing argument 'TOOL'; to see what there is: llm mcp tools {shlex.quote(clean_line(server))}"


# --- arguments --------------------------------------------------------------------------------------


def _typed(offer: Offer, words: tuple[str, ...], others: dict[str, Any]) -> dict[str, Any]:
    """Raises WrongArguments that explains the schema. What came as JSON is for the server to judge."""
    from llm_tools_mcp.cli.schema import complaints, required_defaults
    from llm_tools_mcp.cli.typed_arguments import Mistyped, convert

    schema = offer.input_schema
    typed = _split(offer, words)
    values = {} if others else required_defaults(schema)
    wrong: list[str] = [] if others and not typed else complaints([*typed, *others], schema)
    for name, texts in typed.items():
        try:
            values[name] = convert(name, texts, schema)
        except Mistyped as error:
            wrong.append(str(error))
    if wrong:
        raise _explained(offer, wrong)
    return values


def _split(offer: Offer, words: tuple[str, ...]) -> dict[str, list[str]]:
    typed: dict[str, list[str]] = {}
    for word in words:
        name, separator, text = word.partition("=")
        if not separator:
            raise _explained(offer, [_no_pair(word)])
        typed.setdefault(name, []).append(_content(text))
    return typed


def _no_pair(word: str) -> str:
    if word.lstrip().startswith("{"):
        return f"arguments as a JSON object are given so: --json-args {shlex.quote(word)}"
    return f"{word!r} is not of the form KEY=VALUE"


def _explained(offer: Offer, wrong: list[str]) -> WrongArguments:
    from llm_tools_mcp.cli.schema import arguments_of, nested_arguments, usage

    words = shlex.join([clean_line(offer.server), clean_line(offer.tool)])
    call = f"llm mcp call {words} {usage(offer.input_schema)}".rstrip()
    inner = [
        f"       {argument.name}: {argument.kind}"
        for outer in arguments_of(offer.input_schema)
        for argument in nested_arguments(offer.input_schema, outer.name)
    ]
    return WrongArguments(
        "\n".join(
            [*(plain(line) for line in wrong), f"Usage: {call}", *inner, f"More:  llm mcp tools {words}"]
        )
    )


def _check_unicode(values: dict[str, Any]) -> None:
    """Raises WrongArguments: a shell can hand over any bytes, and JSON half of a pair."""
    for name, value in values.items():
        try:
            json.dumps([name, value], ensure_ascii=False).encode()
        except UnicodeEncodeError:
            raise WrongArguments(f"{name!a} is not UTF-8 text") from None


def _json_object(text: str) -> dict[str, Any]:
    from llm_tools_mcp.text import strict_json

    content = read_stdin() if text == "-" else _content(text)
    try:
        value = strict_json.loads(content)
    except ValueError as error:
        raise click.BadParameter(f"not valid JSON: {error}", param_hint="--json-args") from None
    if not isinstance(value, dict):
        raise click.BadParameter("has to be a JSON object", param_hint="--json-args")
    return value


def _content(text: str) -> str:
    """What a value stands for: @FILE, @-, @@text."""
    if not text.startswith("@"):
        return text
    if text.startswith("@@"):
        return text[1:]
    if text == "@-":
        return read_stdin()
    path = plain(text[1:])
    try:
        return _read(Path(text[1:]).expanduser())
    except OSError as error:
        raise WrongArguments(
            f"{path} cannot be read: {error.strerror} (a value that begins with @: @@)"
        ) from None
    except UnicodeDecodeError:
        raise WrongArguments(f"{path} is not UTF-8 text") from None


def _read(path: Path) -> str:
    from llm_tools_mcp import v1

    with path.open("rb") as file:
        content = file.read(v1.MAX_MESSAGE_BYTES + 1)  # /dev/zero has no end
    if len(content) > v1.MAX_MESSAGE_BYTES:
        most = f"{v1.MAX_MESSAGE_BYTES >> 20} MiB, which is the most that a call takes"
        raise WrongArguments(f"{plain(str(path))} is larger than {most}")
    return content.decode()
