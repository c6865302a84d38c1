"""What a call returned: text on stdout, everything else on stderr or in files."""

from __future__ import annotations

import base64
import json
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from llm_tools_mcp.errors import McpError
from llm_tools_mcp.terminal.screen import clean_line, is_terminal
from llm_tools_mcp.text.plain import plain

if TYPE_CHECKING:
    from llm_tools_mcp import v1

# What stands for the text of a result among its contents that were saved.
_TEXT = -1
# As a place to save: what would be a file is written there as it is.
STDOUT = Path("-")


def output_path(text: str) -> Path:
    """Checked before the call: it may not be one to repeat."""
    if text == "-":
        return STDOUT
    path = Path(text).expanduser()
    folder = path if text.endswith("/") else path.parent
    if not folder.is_dir():
        raise click.BadParameter(f"there is no folder {str(folder)!r}")
    return path


output_option = click.option(
    "-o",
    "--output",
    type=output_path,
    metavar="PATH",
    help="Save images, audio and files, else the text, to this file or folder; - is stdout.",
)


def print_result(result: v1.ToolResult, saved: dict[int, Path]) -> None:
    text = _text(result)
    if result.is_error:
        click.echo(
            f"Error: {plain(text) or 'the tool reported an error and said nothing about it'}", err=True
        )
    elif saved.get(_TEXT) == STDOUT:
        pass
    elif _TEXT in saved:
        click.echo(f"[text, {len(text.encode())} bytes: saved as {saved[_TEXT]}]", err=True)
    elif STDOUT in saved.values():  # which is the media's
        click.echo(plain(text), err=True)
    elif text:
        click.echo(plain(text) if is_terminal() else text, color=True)  # click would strip what came
    for index, content in enumerate(result.content):
        if content.WhichOneof("kind") == "media":
            click.echo(_described(content.media, saved.get(index)), err=True)


def point_at_links(result: v1.ToolResult, server: str) -> None:
    """What to type to read the resources that a result only names."""
    for content in result.content:
        if content.WhichOneof("kind") == "link":
            words = shlex.join([server, content.link.uri])
            click.echo(f"[to read it: llm mcp read {clean_line(words)}]", err=True)


def _text(result: v1.ToolResult) -> str:
    lines = []
    for content in result.content:
        kind = content.WhichOneof("kind")
        if kind == "text":
            lines.append(content.text)
        elif kind == "link":
            lines.append(f"{content.link.name or 'resource'}: {content.link.uri}")
        elif kind is None:
            lines.append("[content of a kind that this version of llm-mcp does not know]")
    if result.structured_says_more or not lines:
        lines.append(result.structured_content)
    return "\n".join(lines)


def _described(media: v1.Media, saved: Path | None) -> str:
    what = f"{plain(media.mime_type) or 'data'}, {len(media.data)} bytes"
    if saved == STDOUT:
        return f"[{what}: on stdout]"
    return f"[{what}: saved as {saved}]" if saved else f"[{what}: --output FILE saves it]"


def save(result: v1.ToolResult, tool: str, output: Path | None) -> dict[int, Path]:
    """Write images and their kin; with nothing of the kind the text. Returns which content went where."""
    if output is None or result.is_error:
        return {}
    if output == STDOUT:
        return _written_out(result)
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


def _written_out(result: v1.ToolResult) -> dict[int, Path]:
    """To stdout, byte by byte."""
    media = [index for index, content in enumerate(result.content) if content.WhichOneof("kind") == "media"]
    data = [result.content[index].media.data for index in media] or [_text(result).encode()]
    sys.stdout.buffer.write(b"".join(data))
    return dict.fromkeys(media or [_TEXT], STDOUT)


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


def as_dict(result: v1.ToolResult, saved: dict[int, Path]) -> dict[str, Any]:
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
    if kind is None:
        return {"type": "unknown"}
    media = content.media
    where = {"file": str(saved)} if saved else {"data": base64.b64encode(media.data).decode()}
    return {"type": "media", "mime_type": media.mime_type, "uri": media.uri, "size": len(media.data), **where}
