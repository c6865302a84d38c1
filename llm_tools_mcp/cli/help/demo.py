"""`llm mcp demo`: a real prompt, the real daemon and a real MCP server, in a home that is gone afterwards."""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import click

from llm_tools_mcp.cli.command import command
from llm_tools_mcp.errors import McpError
from llm_tools_mcp.terminal.screen import styled
from llm_tools_mcp.text.plain import plain

_SHOWN_LINES = 12
_PROMPT_SECONDS = 120.0
_ECHO_MODEL = ("llm", "llm_echo")
# Set by tests and units; here everything is the demo's own.
_FOREIGN = ("LLM_MCP_SOCKET", "LLM_TOOLS_MCP_CONFIG_DIR", "XDG_RUNTIME_DIR", "NOTIFY_SOCKET", "LLM_MODEL")


@dataclass(frozen=True, slots=True)
class _Answer:
    output: str
    seconds: float


@command("demo", "llm mcp demo")
def demo_command() -> None:
    """See it work: real prompts, through a daemon, to a real MCP server.

    Runs `llm` with a model that needs no network, and a server that lists the files of the current folder.
    Everything else is temporary: your own config, daemon and logs are not touched.
    """
    with _home() as environment:
        has_model = all(map(_is_importable, _ECHO_MODEL))
        ask = _ask_model if has_model else _ask_daemon
        if not has_model:
            click.echo(
                "llm-echo is not installed, so there is no model to ask (pip install llm-echo); the calls go"
            )
            click.echo("to the daemon without one.\n")
        first = ask(environment, "list_files", {})
        _show(first, "starts the daemon and the server")
        second = ask(environment, "now", {"timezone": "UTC"})
        _show(second, "finds both of them running")
        click.echo(
            f"first prompt {styled(f'{first.seconds:.2f} s', bold=True)}, "
            f"second {styled(f'{second.seconds:.2f} s', bold=True)}. "
            "The daemon and its server are stopped again."
        )
    click.echo("\nYour own servers: llm mcp add NAME -- COMMAND ARGS…   then: llm -T MCP 'a prompt'")
    own = Path(sys.executable).with_name("llm")
    if shutil.which("llm") != str(own) and own.exists():
        click.echo(f"That is the llm of this environment, which is not on your PATH: {shlex.quote(str(own))}")


def _is_importable(name: str) -> bool:
    try:
        return importlib.util.find_spec(name) is not None
    except ImportError:
        return False


def _show(answer: _Answer, what: str) -> None:
    lines = plain(answer.output).splitlines()
    shown = lines if len(lines) <= _SHOWN_LINES + 1 else lines[:_SHOWN_LINES]
    for line in shown:
        click.echo(f"  {line}")
    if len(lines) > len(shown):
        click.echo(f"  … and {len(lines) - len(shown)} more lines")
    click.echo(styled(f"{answer.seconds:.2f} s: {what}\n", dim=True))


# --- asking -----------------------------------------------------------------------------------------


def _ask_model(environment: Mapping[str, str], tool: str, arguments: Mapping[str, str]) -> _Answer:
    """A prompt to the model `echo`, which calls the tools that it is told to."""
    prompt = json.dumps({"tool_calls": [{"name": tool, "arguments": arguments}]})
    words = ["-m", "echo", "-T", "MCP", prompt]
    answer = _run(["llm", *words], [sys.executable, "-m", "llm", *words], environment)
    return _Answer(_tool_output(answer.output), answer.seconds)


def _tool_output(text: str) -> str:
    """The model answers with all that it was told, as JSON objects one after the other."""
    decoder, position, results = json.JSONDecoder(), 0, []
    while (position := text.find("{", position)) >= 0:
        answer, position = decoder.raw_decode(text, position)
        results += [result["output"] for result in answer.get("tool_results", ())]
    return "\n".join(results) or text


def _ask_daemon(environment: Mapping[str, str], tool: str, arguments: Mapping[str, str]) -> _Answer:
    words = ["call", "demo", tool, *(f"{name}={value}" for name, value in arguments.items())]
    code = "from llm_tools_mcp.cli import main; main()"
    return _run(["llm-mcp", *words], [sys.executable, "-c", code, *words], environment)


def _run(shown: list[str], argv: list[str], environment: Mapping[str, str]) -> _Answer:
    click.echo(styled(f"$ {shlex.join(shown)}", bold=True))
    began = time.monotonic()
    try:
        done = subprocess.run(
            argv,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_PROMPT_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise McpError(f"{shown[0]} did not end within {_PROMPT_SECONDS:g} s") from None
    seconds = time.monotonic() - began
    if done.returncode or not done.stdout.strip():
        raise McpError(f"{shown[0]} failed:\n{plain(done.stderr or done.stdout).strip()}")
    return _Answer(done.stdout.strip(), seconds)


# --- the home ---------------------------------------------------------------------------------------


@contextlib.contextmanager
def _home() -> Iterator[dict[str, str]]:
    """The environment of a user who has one server configured. Afterwards its daemon and files are gone."""
    # Not in $TMPDIR, which is long on macOS: a socket's path is limited.
    with tempfile.TemporaryDirectory(prefix="llm-mcp-demo-", dir="/tmp") as name:
        folder = Path(name)
        environment = _environment(folder)
        _write_config(folder / "mcp.json")
        try:
            yield environment
        finally:
            _stop(folder / "s")


def _environment(folder: Path) -> dict[str, str]:
    inherited = {name: value for name, value in os.environ.items() if name not in _FOREIGN}
    own = {"HOME": "", "LLM_USER_PATH": "llm", "XDG_CACHE_HOME": "cache", "LLM_TOOLS_MCP_CONFIG_DIR": ""}
    return {
        **inherited,
        **{variable: str(folder / below) for variable, below in own.items()},
        "LLM_MCP_SOCKET": str(folder / "s"),
        "LLM_LOAD_PLUGINS": "llm-echo,llm-tools-mcp",
    }


def _write_config(path: Path) -> None:
    server = {"command": sys.executable, "args": ["-m", "llm_tools_mcp.cli.help.demo_server"]}
    path.write_text(json.dumps({"mcpServers": {"demo": server}}), encoding="utf-8")


def _stop(socket: Path) -> None:
    from llm_tools_mcp.cli.daemon.stopping import stop_daemon

    with contextlib.suppress(McpError):
        stop_daemon(socket)
