"""`llm mcp doctor`: what is wrong here, and what to type about it."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import click

from llm_tools_mcp.cli.command import as_json, command, config_option
from llm_tools_mcp.terminal.screen import print_json, styled
from llm_tools_mcp.text.plain import plain

from .finding import BAD, NOTE, OK, Finding

_MARKS = {OK: ("✓", "green"), NOTE: ("!", "yellow"), BAD: ("✗", "red")}
_ASCII = {OK: "+", NOTE: "!", BAD: "x"}


@command("doctor", "llm mcp doctor", "llm mcp doctor --no-connect")
@click.option("--connect/--no-connect", default=True, help="Connect to every server.  [default: connect]")
@config_option
@as_json
@click.pass_context
def doctor_command(context: click.Context, *, connect: bool, config_path: str | None, as_json: bool) -> None:
    """Look for what is wrong: environment, daemon, service, config, and whether each server connects.

    Exit code 1 if something is wrong.
    """
    findings = []
    for finding in _findings(config_path, connect=connect):
        findings.append(finding)
        if not as_json:
            _print(finding)
    if as_json:
        print_json([{"level": f.level, "text": f.text, "repair": f.repair} for f in findings])
    context.exit(1 if any(finding.level == BAD for finding in findings) else 0)


def _findings(config_path: str | None, *, connect: bool) -> Iterator[Finding]:
    from .configuration import look_at_config
    from .surroundings import look_around

    yield from look_around()
    yield from look_at_config(config_path, connect=connect)


def _print(finding: Finding) -> None:
    mark, color = _MARKS[finding.level]
    is_utf8 = str(getattr(sys.stdout, "encoding", "")).lower().startswith("utf")
    shown = mark if is_utf8 else _ASCII[finding.level]
    click.echo(f"{styled(shown, fg=color, bold=True)} {plain(finding.text)}")
    for line in finding.repair.splitlines():
        click.echo(f"    {styled('→' if is_utf8 else '->', dim=True)} {plain(line)}")
