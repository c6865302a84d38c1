"""`llm mcp call`: one tool call from the shell; text on stdout, everything else on stderr or in files."""

from __future__ import annotations

import base64
import json
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from llm_tools_mcp.cli.command import as_json, command, config_option
from llm_tools_mcp.cli.completers import argument_words, json_or_file, server_names, tool_names
from llm_tools_mcp.errors import McpError
from llm_tools_mcp.plain import plain
from llm_tools_mcp.terminal.screen import clean_line, is_terminal, print_json, read_stdin

from .answering import answer_options, scripted, warn_of_unused

if TYPE_CHECKING:
    from llm_tools_mcp import v1
    from llm_tools_mcp.client.tools import Offer


# What stands for the text of a result among its contents that were saved.
_TEXT = -1


class WrongArguments(click.ClickException):
    """A usage error that explains the tool's usage, not that of `call`."""

    exit_code = 2


def _output_path(text: str) -> Path:
    """Checked before the call: it may not be one to repeat."""
    path = Path(text).expanduser()
    folder = path if text.endswith("/") else path.parent
    if not folder.is_dir():
        raise click.BadParameter(f"there is no folder {str(folder)!r}")
    return path


@command(
    "call",
    "llm mcp call filesystem read_text_file path=README.md head=3",
    "llm mcp call filesystem write_file path=copy.md content=@README.md",
    'llm mcp call git git_log --json-args \'{"repo_path": ".", "max_count": 3}\'',
    "llm mcp call screen shot --output shot.png",
)
@click.argument("server", shell_complete=server_names)
@click.argument("tool", shell_complete=tool_names)
@click.argument("arguments", nargs=-1, metavar="[KEY=VALUE]...", shell_complete=argument_words)
@click.option(
    "--json-args",
    metavar="JSON",
    shell_complete=json_or_file,
    help="All arguments as a JSON object; @FILE reads a file, - stdin.",
)
@click.option(
    "--output",
    type=_output_path,
    metavar="PATH",
    help="Save images, audio and files, else the text, to this file or folder.",
)
@answer_options
@config_option
@as_json
@click.pass_context
def call_command(
    context: click.Context,
    *,
    server: str,
    tool: str,
    arguments: tuple[str, ...],
    json_args: str | None,
    output: Path | None,
    config_path: str | None,
    as_json: bool,
) -> None:
    """Call TOOL of SERVER and print its result; exit 1 if it fails, 2 if the arguments are wrong.

    Values are read as the tool's schema says: count=3 is a number where it asks for one. @FILE as a value is
    the content of the file, @- what comes on stdin, and @@ stands for a plain @ in front. A key that is given
    several times makes a list.

    What the server asks during the call is asked on the terminal, unless --answer and --accept-defaults
    say it all. Without a terminal, and with LLM_MCP_ANSWERS=decline, it is declined.
    """
    from llm_tools_mcp.client.tools import Daemon
    from llm_tools_mcp.terminal.progress import Display
    from llm_tools_mcp.terminal.questions import Person

    from .tools import find_tool, list_tools

    daemon, display = Daemon(), Display()
    listing = list_tools(config_path, server, daemon, display)
    offer = find_tool(listing, server, tool)
    values = _json_object(json_args) if json_args is not None else {}
    values |= _typed(offer, arguments, values)
    _check_unicode(values)
    answers = scripted(context)
    with display.call(server, tool) as on_event:
        result = daemon.call(listing.call(offer, values), on_event, Person(display, answers))
    warn_of_unused(answers)
    saved = _save(result, offer.tool, output)
    if as_json:
        print_json(_as_dict(result, saved))
    else:
        _print(result, saved)
    context.exit(1 if result.is_error else 0)


# --- arguments --------------------------------------------------------------------------------------


def _typed(offer: Offer, words: tuple[str, ...], others: dict[str, Any]) -> dict[str, Any]:
    """Raises WrongArguments that explains the schema. What came as JSON is for the server to judge."""
    from llm_tools_mcp.cli.schema import Mistyped, complaints, convert

    schema = offer.input_schema
    typed = _split(offer, words)
    values: dict[str, Any] = {}
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
            raise _explained(offer, [f"{word!r} is not of the form KEY=VALUE"])
        typed.setdefault(name, []).append(_content(text))
    return typed


def _explained(offer: Offer, wrong: list[str]) -> WrongArguments:
    from llm_tools_mcp.cli.schema import usage

    words = shlex.join([clean_line(offer.server), clean_line(offer.tool)])
    call = f"llm mcp call {words} {usage(offer.input_schema)}".rstrip()
    return WrongArguments(
        "\n".join([*(plain(line) for line in wrong), f"Usage: {call}", f"More:  llm mcp tools {words}"])
    )


def _check_unicode(values: dict[str, Any]) -> None:
    """Raises WrongArguments: a shell can hand over any bytes, and JSON half of a pair."""
    for name, value in values.items():
        try:
            json.dumps([name, value], ensure_ascii=False).encode()
        except UnicodeEncodeError:
            raise WrongArguments(f"{name!a} is not UTF-8 text") from None


def _json_object(text: str) -> dict[str, Any]:
    from llm_tools_mcp.cli.schema import strict_json

    content = read_stdin() if text == "-" else _content(text)
    try:
        value = strict_json(content)
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


# --- results ----------------------------------------------------------------------------------------


def _print(result: v1.ToolResult, saved: dict[int, Path]) -> None:
    text = _text(result)
    if result.is_error:
        click.echo(
            f"Error: {plain(text) or 'the tool reported an error and said nothing about it'}", err=True
        )
    elif _TEXT in saved:
        click.echo(f"[text, {len(text.encode())} bytes: saved as {saved[_TEXT]}]", err=True)
    elif text:
        click.echo(plain(text) if is_terminal() else text, color=True)  # click would strip what came
    for index, content in enumerate(result.content):
        if content.WhichOneof("kind") == "media":
            click.echo(_described(content.media, saved.get(index)), err=True)


def _text(result: v1.ToolResult) -> str:
    lines = []
    for content in result.content:
        kind = content.WhichOneof("kind")
        if kind == "text":
            lines.append(content.text)
        elif kind == "link":
            lines.append(f"{content.link.name or 'resource'}: {content.link.uri}")
    if result.structured_says_more or not lines:
        lines.append(result.structured_content)
    return "\n".join(lines)


def _described(media: v1.Media, saved: Path | None) -> str:
    what = f"{plain(media.mime_type) or 'data'}, {len(media.data)} bytes"
    return f"[{what}: saved as {saved}]" if saved else f"[{what}: --output FILE saves it]"


def _save(result: v1.ToolResult, tool: str, output: Path | None) -> dict[int, Path]:
    """Write images and their kin; with nothing of the kind the text. Returns which content went where."""
    if output is None or result.is_error:
        return {}
    media = [index for index, content in enumerate(result.content) if content.WhichOneof("kind") == "media"]
    if not media:
        path = _path(output, tool, 1, "text/plain")
        _write(path, _text(result).encode())
        return {_TEXT: path}
    saved: dict[int, Path] = {}
    for number, index in enumerate(media, 1):
        path = _path(output, tool, number, result.content[index].media.mime_type)
        _write(path, result.content[index].media.data)
        saved[index] = path
    return saved


def _path(output: Path, tool: str, number: int, mime_type: str) -> Path:
    import mimetypes

    if output.is_dir():
        name = "".join(c if c.isalnum() or c in "-_" else "_" for c in tool)
        return output / f"{name}-{number}{mimetypes.guess_extension(mime_type) or '.bin'}"
    return output if number == 1 else output.with_name(f"{output.stem}-{number}{output.suffix}")


def _write(path: Path, data: bytes) -> None:
    try:
        path.write_bytes(data)
    except OSError as error:
        raise McpError(f"{path} cannot be written: {error.strerror}") from None


def _as_dict(result: v1.ToolResult, saved: dict[int, Path]) -> dict[str, Any]:
    structured = json.loads(result.structured_content) if result.structured_content else None
    content = [_content_as_dict(item, saved.get(index)) for index, item in enumerate(result.content)]
    return {"is_error": result.is_error, "content": content, "structured_content": structured}


def _content_as_dict(content: v1.Content, saved: Path | None) -> dict[str, Any]:
    kind = content.WhichOneof("kind")
    if kind == "text":
        return {"type": "text", "text": content.text}
    if kind == "link":
        link = content.link
        return {
            "type": "link",
            "uri": link.uri,
            "name": link.name,
            "description": link.description,
            "mime_type": link.mime_type,
        }
    media = content.media
    where = {"file": str(saved)} if saved else {"data": base64.b64encode(media.data).decode()}
    return {"type": "media", "mime_type": media.mime_type, "uri": media.uri, "size": len(media.data), **where}
