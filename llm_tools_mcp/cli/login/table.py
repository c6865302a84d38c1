"""Who is logged in where: for people and for programs. Never a token."""

from __future__ import annotations

import time
from datetime import datetime
from typing import TYPE_CHECKING, Any

import click

from llm_tools_mcp import paths
from llm_tools_mcp.config.definition import public_url
from llm_tools_mcp.errors import LoginsUnusable, McpError
from llm_tools_mcp.login.store import LoginStore
from llm_tools_mcp.terminal.screen import clean_line, print_json, print_table

if TYPE_CHECKING:
    from llm_tools_mcp.login.records import Login


NEEDS_LOGIN = "needs login"


def print_logins(server: str | None, *, as_json: bool) -> None:
    """All, or those of one server. Raises McpError."""
    logins = [login for login in stored_logins() if server in (None, login.server)]
    if as_json:
        print_json({"logins": [as_dict(login) for login in logins]})
        return
    if server is not None and not logins:
        raise McpError(f"nobody is logged in to {server!r}")
    if not logins:
        click.echo("no logins; to log in: llm mcp login NAME")
        return
    titles = ["SERVER", "STATE", "AT", "SINCE", "UNTIL", "SCOPES"]
    print_table(titles, [_cells(login) for login in logins], ["bold"])


def stored_logins() -> list[Login]:
    """Raises LoginsUnusable."""
    return sorted(LoginStore(paths.logins_file()).read().logins, key=lambda login: login.server)


def as_dict(login: Login) -> dict[str, Any]:
    return {
        "server": login.server,
        "url": public_url(login.url),
        "state": state(login),
        "reason": login.ended,
        "issuer": login.issuer,
        "scopes": list(login.scopes),
        "since": _moment(login.since),
        "expires": _moment(login.expires_at),
        "renewed": login.can_be_renewed,
        "kept": "keyring" if login.in_keyring else "file",
    }


def state(login: Login) -> str:
    is_over = bool(login.expires_at) and time.time() >= login.expires_at and not login.can_be_renewed
    return "logged in" if login.is_usable and not is_over else NEEDS_LOGIN


def login_state(server: str, url: str) -> str:
    """Empty where nobody has ever logged in, or the store cannot be read: `doctor` says that."""
    try:
        login = LoginStore(paths.logins_file()).read().login(server, url)
    except LoginsUnusable:
        return ""
    return state(login) if login is not None else ""


def store_trouble() -> str:
    """Why the store cannot be used, and what to type; empty where it can."""
    try:
        stored_logins()
    except LoginsUnusable as error:
        return str(error)
    return ""


def rename_logins(old: str, new: str) -> None:
    """They go with the entry. Raises LoginsUnusable."""
    if any(login.server == old for login in stored_logins()):
        LoginStore(paths.logins_file()).change(lambda records: records.renamed(old, new))


def logged_in_names() -> set[str]:
    """Of all servers that somebody is logged in to; none where the store cannot be read."""
    try:
        return {login.server for login in stored_logins() if login.is_usable}
    except LoginsUnusable:
        return set()


def until(login: Login) -> str:
    """Until when it lasts, in words."""
    if login.can_be_renewed:
        return "it is renewed by itself"
    return f"it ends at {_moment(login.expires_at)}" if login.expires_at else "it lasts until it is revoked"


def _cells(login: Login) -> list[str]:
    ends = "renewed" if login.can_be_renewed else _moment(login.expires_at) or "revoked"
    usable = login.is_usable
    return [
        clean_line(login.server),
        state(login),
        clean_line(login.issuer),
        _moment(login.since),
        ends if usable else clean_line(login.ended) or "-",
        clean_line(" ".join(login.scopes)) or "-",
    ]


def _moment(seconds: float) -> str:
    """In the local time zone, to the second; empty where it is not known."""
    return datetime.fromtimestamp(seconds).astimezone().isoformat(" ", "seconds") if seconds else ""
