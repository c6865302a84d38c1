"""`llm mcp import`: take over the servers of other MCP clients."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import click

from llm_tools_mcp.cli.command import command, config_option, did_you_mean
from llm_tools_mcp.cli.completers import names_or_file
from llm_tools_mcp.cli.editing import Entry, check, config_file, edited, servers_of, wrong_name
from llm_tools_mcp.cli.secrets import shown_command, whole_command
from llm_tools_mcp.cli.servers.literal_secrets import literals, same_but_for_tokens
from llm_tools_mcp.cli.servers.secret_storage import (
    FILE,
    KEEP,
    KEYS,
    secrets_option,
    tell_how,
    without_secrets,
)
from llm_tools_mcp.config.secret_arguments import HIDDEN
from llm_tools_mcp.errors import ConfigError, McpError
from llm_tools_mcp.terminal.screen import clean_line, print_remarks, styled
from llm_tools_mcp.text.plain import plain

from .catalogue import ALSO_CALLED, CLIENTS
from .foreign_config import servers_of_client, servers_of_file
from .translation import Found

if TYPE_CHECKING:
    from llm_tools_mcp.terminal.choosing import Option

_WITHOUT_ASKING = "to go ahead: --yes, to look only: --dry-run"


@command(
    "import",
    "llm mcp import                          # whatever is found",
    "llm mcp import claude-desktop cursor",
    "llm mcp import cursor github            # only the server of that name",
    "llm mcp import ~/project/.mcp.json --dry-run",
)
@click.argument("sources", nargs=-1, metavar="[CLIENT|FILE|NAME]...", shell_complete=names_or_file(CLIENTS))
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@click.option("--dry-run", is_flag=True, help="Only show what would be added.")
@click.option("--force", is_flag=True, help="Replace servers that have the same name and differ.")
@click.option("--reveal", is_flag=True, help="Show secrets too.")
@click.option(
    "--check/--no-check", default=True, help="Ask remote servers whether they need a login.  [default: check]"
)
@secrets_option
@config_option
@click.pass_context
def import_command(  # noqa: PLR0913 - its options
    context: click.Context,
    *,
    sources: tuple[str, ...],
    yes: bool,
    dry_run: bool,
    force: bool,
    reveal: bool,
    check: bool,
    secrets: str | None,
    config_path: str | None,
) -> None:
    """Take over the servers of other MCP clients into mcp.json; shows them, and asks.

    CLIENT is claude-desktop, claude-code, cursor, vscode, windsurf, gemini, codex, opencode, kilo, zed,
    crush, amp, continue, mcphost, mcporter, goose, jetbrains, librechat, fast-agent, cline, roo, qwen,
    antigravity, kiro, amazon-q, lmstudio, warp, trae, augment, factory, boltai, anythingllm, rovodev, kimi
    or mcphub; without any, all of them are looked for, also in the current folder. FILE may be of any
    client, in JSON, TOML, YAML or XML. With a NAME only servers of that name count.
    """
    path = config_file(config_path)
    present = servers_of(path)
    found = [_checked(server) for server in _found(sources)]
    if not found:
        click.echo(f"nothing found for {', '.join(sources or CLIENTS)}")
        return
    wanted = _show(found, present, force=force, reveal=reveal)
    what = _summary(wanted, present)
    if not wanted:
        click.echo("\nnothing to add")
    elif dry_run:
        click.echo(f"\nwould {what} in {path}")
    elif place := _agreed(f"\n{what.capitalize()} in {path}?", wanted, secrets, yes=yes):
        _take_over(path, wanted, present, place)
        if yes and secrets is None:
            tell_how(wanted)
        if check:
            _tell_logins(config_path, wanted)
    else:
        context.exit(1)


def _take_over(path: Path, wanted: Entry, present: Entry, place: str) -> None:
    kept = {name: without_secrets(path, name, entry, place) for name, entry in wanted.items()}
    with edited(path) as servers:
        taken = {name: kept[name] for name in kept if servers.get(name) == present.get(name)}
        servers.update(taken)
    did = _summary(taken, present, "added", "replaced") or "added nothing"
    click.echo(f"{did} in {path}; to connect and see their tools: llm mcp tools")


def _tell_logins(config_path: str | None, wanted: Entry) -> None:
    """Which of the remote ones need one; no program of another client is started for that."""
    remote = [name for name, entry in wanted.items() if "url" in entry and not entry.get("disabled")]
    if not remote:
        return
    from llm_tools_mcp.cli.tools.tools import read_source
    from llm_tools_mcp.client.daemon import Daemon
    from llm_tools_mcp.terminal.progress import Display

    try:
        with Display().listing() as on_answer:
            source, daemon = read_source(config_path), Daemon(by_hand=True)
            failed = daemon.list_tools(source, remote, refresh=True, on_answer=on_answer).failed
    except McpError as error:  # they are added all the same
        click.echo(f"which of them need a login is unknown: {plain(str(error))}", err=True)
        return
    for one in failed:
        if one.login and one.server in remote:
            click.echo(plain(one.line), err=True)


def _found(sources: Sequence[str]) -> list[Found]:
    """Those of the clients and files, or of all there are; of them those that are named."""
    found: list[Found] = []
    sources = [ALSO_CALLED.get(source, source) for source in sources]
    names = [source for source in sources if source not in CLIENTS and not _is_path(source)]
    for source in (source for source in sources if source not in names):
        if source in CLIENTS:
            found += servers_of_client(CLIENTS[source])
        else:
            found += servers_of_file(Path(source).expanduser())
    if len(names) == len(sources):
        found = _everywhere()
    for name in names:
        if all(server.name != name for server in found):
            raise McpError(_unknown(name, [server.name for server in found]))
    return [server for server in found if server.name in names] if names else found


def _is_path(source: str) -> bool:
    return "/" in source or Path(source).expanduser().is_file()


def _unknown(name: str, servers: Sequence[str]) -> str:
    near = did_you_mean(name, [*CLIENTS, *servers])
    known = f"; servers found: {', '.join(map(clean_line, dict.fromkeys(servers)))}" if servers else ""
    return f"there is no file, no client and no server {name!r}{near}; clients: {', '.join(CLIENTS)}{known}"


def _everywhere() -> list[Found]:
    """A file that cannot be read is no reason to leave the others out."""
    found: list[Found] = []
    for client in CLIENTS.values():
        try:
            found += servers_of_client(client)
        except ConfigError as error:
            click.echo(f"Warning: {error}", err=True)
    return found


def _checked(server: Found) -> Found:
    """One that mcp.json cannot hold as it is would spoil the whole of it."""
    if server.entry is None:
        return server
    reason = wrong_name(server.name)
    if reason:
        return replace(server, entry=None, notes=(f"its name {reason}",))
    enabled = {key: value for key, value in server.entry.items() if key != "disabled"}
    parsed = check(server.source, json.dumps({"mcpServers": {server.name: enabled}}))
    if error := parsed.mistakes.get(server.name):
        return replace(server, entry=None, notes=(error.reason,))
    outcome = parsed.servers.get(server.name)
    if isinstance(outcome, ConfigError) and not outcome.repair:  # a variable that is not set can be set later
        return replace(server, notes=(*server.notes, outcome.reason))
    return server


class _Verdict(NamedTuple):
    word: str
    reasons: tuple[str, ...] = ()


def _show(found: Sequence[Found], present: Entry, *, force: bool, reveal: bool) -> Entry:
    """Each server whole, for its command will run, and remarks; returns what is to be added."""
    wanted: dict[str, Found] = {}
    remarks = []
    is_hidden = False
    width = max(len(clean_line(server.name)) for server in found)
    for server in found:
        verdict = _verdict(server, present, wanted, force=force)
        if verdict.word in ("add", "replace"):
            wanted[server.name] = server
        name = styled(f"{clean_line(server.name):{width}}", bold=True)
        click.echo(f"{name}  {verdict.word:8}  {styled(_short(server.source), dim=True)}")
        shown = list(_lines(server.entry, reveal=reveal)) if server.entry else []
        for line in shown:
            click.echo(f"{'':{width}}  {clean_line(line)}")
        remarks.append((server.name, "; ".join(verdict.reasons)))
        is_hidden = is_hidden or any(HIDDEN in line for line in shown)
    if is_hidden:
        click.echo(f"\n{HIDDEN} may be a secret; to see it too: --reveal")
    print_remarks(remarks)
    return {name: server.entry for name, server in wanted.items()}


def _lines(entry: Entry, *, reveal: bool) -> Iterator[str]:
    """What would run, or be asked, and what it is given."""
    yield whole_command(entry) if reveal else shown_command(entry)
    for key in ("env", "headers"):
        if given := entry.get(key):
            pairs = (f"{name}={value}" for name, value in given.items())
            yield f"{key}: {', '.join(pairs if reveal else given)}"
    if cwd := entry.get("cwd"):
        yield f"cwd: {cwd}"


def _verdict(server: Found, present: Entry, wanted: dict[str, Found], *, force: bool) -> _Verdict:
    if server.entry is None:
        return _Verdict("skip", server.notes)
    if first := wanted.get(server.name):
        if first.entry == server.entry:
            return _Verdict("same")
        return _Verdict(
            "conflict", (f"{_short(first.source)} has another one of this name, and comes first",)
        )
    if server.name in present and same_but_for_tokens(server.entry, present[server.name]):
        return _Verdict("have it")
    if server.name in present and not force:
        return _Verdict("conflict", ("the config has another one of this name; to replace it: --force",))
    return _Verdict("replace" if server.name in present else "add", server.notes)


def _short(path: Path) -> str:
    home = str(Path.home())
    text = str(path)
    return f"~{text[len(home) :]}" if text.startswith(f"{home}/") else text


def _summary(wanted: Entry, present: Entry, add: str = "add", replace: str = "replace") -> str:
    replaced = sum(name in present for name in wanted)
    steps = {add: len(wanted) - replaced, replace: replaced}
    return " and ".join(f"{step} {_count(number)}" for step, number in steps.items() if number)


def _count(number: int) -> str:
    return f"{number} server{'' if number == 1 else 's'}"


def _agreed(question: str, wanted: Entry, secrets: str | None, *, yes: bool) -> str:
    """Where the tokens of the servers are to be kept; empty for a no. One answer says both."""
    if yes:
        return secrets or KEEP
    from llm_tools_mcp.terminal.choosing import choose
    from llm_tools_mcp.terminal.tty import EndOfInput, NoTerminal, terminal

    try:
        with terminal() as tty:
            options = list(_options(has_tokens=secrets is None and any(map(literals, wanted.values()))))
            typed = choose(tty, question, options)
    except EndOfInput:
        return ""
    except NoTerminal as why:
        raise McpError(f"{why}; {_WITHOUT_ASKING}") from None
    return {"n": "", "y": secrets or KEEP, "k": KEYS, "f": FILE}[typed]


def _options(*, has_tokens: bool) -> Iterator[Option]:
    from llm_tools_mcp.terminal.choosing import Option

    yield Option("n", "no", "nothing is changed")
    kept = ", with their tokens, to be read by whoever sees the file" if has_tokens else ""
    yield Option("y", "yes", f"they are written into mcp.json{kept}")
    if has_tokens:
        yield Option("k", "keys of llm", "yes, and their tokens go into `llm keys`; mcp.json names the keys")
        yield Option("f", "files", "yes, and their tokens go into files that only you can read")
