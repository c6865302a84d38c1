"""login and logout by the real commands, a real daemon and a real authorization server."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from click.testing import CliRunner

from llm_tools_mcp.cli.login import logout
from llm_tools_mcp.cli.login.login import log_in_to
from llm_tools_mcp.cli.login.person import TerminalPerson
from llm_tools_mcp.errors import McpError
from llm_tools_mcp.login.records import Records
from llm_tools_mcp.login.store import LoginStore
from tests.cli.terminal import run_in_terminal
from tests.daemon.live import variant
from tests.home import BIN, Home, living_in
from tests.login.browsing import definition, logged_in, redirected
from tests.programs import GONE
from tests.prompting import ask, outputs, prompt
from tests.servers.guarded import Guarded, guarded
from tests.waiting import wait_until

BROWSER = f"{sys.executable} {Path(__file__).parents[2] / 'conformance' / 'browser.py'} %s"
MARK = b"renewing"
LINE = "'remote' needs a login: llm mcp login remote"


@pytest.fixture
def server() -> Iterator[Guarded]:
    with guarded() as made:
        yield made


@pytest.fixture
def apart(home: Home, server: Guarded) -> Home:
    """A home with a browser, and the server in its config."""
    home.env["BROWSER"] = BROWSER
    home.write_config({"remote": {"url": server.url}})
    return home


def daemon_of(home: Home) -> int:
    return int(json.loads(home.run_here("health", "--json").stdout)["pid"])


def leaks(home: Home, server: Guarded, *texts: str) -> list[str]:
    """Where a token is that should not be: files but for the store, and what `ps` shows."""
    places = {str(index): text.encode() for index, text in enumerate(texts)}
    for path in home.folder.rglob("*"):
        if path.is_file() and path.name != "logins.json":
            places[str(path)] = path.read_bytes()
    for process in home.processes():
        try:
            places[f"pid {process.pid}"] = repr((process.cmdline(), process.environ())).encode()
        except GONE:
            continue
    return [place for place, held in places.items() for secret in server.secrets if secret.encode() in held]


def test_from_refusal_to_tools_and_back(apart: Home, server: Guarded) -> None:
    """A prompt says what to type, in one line; after the login the same daemon has the tools; after the
    logout it has not, and nothing of a token is left anywhere but in the store.
    """
    refused = prompt(apart, "MCP")
    assert refused.stderr.splitlines() == [LINE]
    done = apart.run_cli("login", "remote")
    assert f"logged in to 'remote' at {server.origin}; it is renewed by itself; scopes: read" in done.stdout
    assert "it offers 4 tools: echo, whoami" in done.stdout
    with living_in(apart):
        used = ask("MCP", ("whoami", {}), ("repeat_token", {}), ("write", {}))
    assert used.stderr == ""
    assert outputs(used)[0] == "client-1"
    assert "I was given [redacted]" in outputs(used)[1]
    assert "needs more rights (write): llm mcp login remote" in outputs(used)[2]
    shown = apart.run_here("login", "--status", "--json")
    (login,) = json.loads(shown.stdout)["logins"]
    assert (login["server"], login["state"], login["scopes"]) == ("remote", "logged in", ["read"])
    status = apart.run_here("status", "--json")
    (session,) = json.loads(status.stdout)["servers"]
    assert (session["login"], session["state"]) == (server.origin, "ready")
    logins_of(apart).chmod(0o644)
    store = f"'remote' needs a login, and the store of logins {logins_of(apart)} can be read by others"
    assert store in apart.run_here("call", "remote", "whoami", check=False).stderr
    logins_of(apart).chmod(0o600)
    told = apart.run_cli("logout", "remote")
    assert told.stdout == "logged out of 'remote'\n"
    assert [form["token_type_hint"] for form in server.asked("/revoke")] == ["refresh_token", "access_token"]
    again = prompt(apart, "MCP")
    assert again.stderr.splitlines() == [LINE]
    (row,) = json.loads(apart.run_here("list", "--json").stdout)["servers"]
    assert (row["state"], row["tools"], row["login"]) == ("needs login", 4, "needs login")
    results = (done, used, shown, status, told, again)
    assert leaks(apart, server, *(f"{each.stdout}{each.stderr}" for each in results)) == []
    assert not [secret for secret in server.secrets if secret in logins_of(apart).read_text()]


def logins_of(home: Home) -> Path:
    (found,) = home.folder.rglob("logins.json")
    return found


def test_killed_while_a_token_rotates(apart: Home, server: Guarded) -> None:
    """A daemon that is killed in the middle of a renewal loses no login: the next one goes on with it,

    also where the server has replaced the token already; its mark tells the next one that this may be so.
    """
    apart.run_cli("login", "remote")
    before = logins_of(apart).read_bytes()
    daemon = psutil.Process(daemon_of(apart))
    server.tokens.clear()
    server.late["/token"] = threading.Event()
    (refresh,) = server.refreshes.values()
    with subprocess.Popen(
        [str(BIN / "llm-mcp"), "call", "remote", "whoami"],
        env=apart.env,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as call:
        wait_until(lambda: refresh.successor)
        daemon.send_signal(signal.SIGKILL)
        call.wait(20)
    assert logins_of(apart).read_bytes() == before
    (lock,) = logins_of(apart).parent.glob(".refresh-*.lock")
    assert lock.read_bytes() == MARK
    server.late.clear()
    assert apart.run_here("call", "remote", "whoami").stdout == "client-1\n"
    assert lock.read_bytes() == b""


def test_without_a_browser(home: Home, server: Guarded) -> None:
    """A script is given the page's url as JSON, and hands back the address that the browser ended at.

    The tokens are in the keyring, as it wants, until it logs out; the daemon finds them there.
    """
    home.env["PYTHON_KEYRING_BACKEND"] = "keyrings.alt.file.PlaintextKeyring"
    with subprocess.Popen(
        [str(BIN / "llm-mcp"), "login", server.url, "--keyring", "--json"],
        env=home.env,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as login:
        assert login.stdin is not None
        assert login.stdout is not None
        url = json.loads(login.stdout.readline())["authorization_url"]
        stdout, stderr = login.communicate(redirected(url) + "\n", timeout=30)
    done, offered = map(json.loads, stdout.splitlines())
    assert (login.returncode, done["state"], offered["tools"][0]) == (0, "logged in", "echo"), stderr
    assert "127.0.0.1" in stderr
    (login,) = json.loads(logins_of(home).read_text())["logins"]
    assert (login["issuer"], login["in_keyring"], done["kept"]) == (server.origin, True, "keyring")
    assert not [secret for secret in server.secrets if secret in logins_of(home).read_text()]
    (keyring,) = home.folder.rglob("keyring_pass.cfg")
    assert login["id"] in keyring.read_text()
    assert home.run_cli("logout", "127.0.0.1").stderr == ""
    assert login["id"] not in keyring.read_text()
    assert [form["token_type_hint"] for form in server.asked("/revoke")] == ["refresh_token", "access_token"]


def test_add_offers_the_login(home: Home, server: Guarded) -> None:
    """On a terminal `add` logs in at once, if that is wanted; Ctrl-C in the middle leaves no traceback."""
    seen = run_in_terminal(
        home,
        "add",
        "remote",
        server.url,
        env={"BROWSER": BROWSER},
        when=lambda raw: "Log in now?" in raw,
        then=b"\r",
    )
    assert seen.code == 0
    assert "it offers 4 tools" in seen.screen
    broken_off = run_in_terminal(
        home, "login", "remote", "--no-browser", when=lambda raw: "paste that address" in raw
    )
    assert broken_off.code == 130
    assert "Traceback" not in broken_off.screen


def test_import_says_who_needs_a_login(home: Home, server: Guarded) -> None:
    """Of remote servers; a program that another client would run is not started for that."""
    ran = home.work / "ran"
    others = {"remote": {"url": server.url}, "local": {"command": "touch", "args": [str(ran)]}}
    (home.work / "theirs.json").write_text(json.dumps({"mcpServers": others}))
    done = home.run_here("import", "theirs.json", "--yes")
    assert "added 2 servers" in done.stdout
    assert done.stderr.splitlines()[-1] == LINE
    assert not ran.exists()


def test_no_login_for(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a login cannot be had for is said, with the reason."""
    url = "https://a.example/mcp"
    refused = {
        "a": ({"command": "true"}, "is a command that runs here"),
        "b": ({"url": url, "oauth": False}, "rules a login out"),
        "c": ({"url": url, "headers": {"authorization": "Bearer x"}}, "has an `Authorization` header"),
        "d": ({"url": url, "headersHelper": "true"}, "has a `headersHelper`"),
        "e": ({"url": url, "disabled": True}, "llm mcp enable e"),
        "f": ({"url": url, "oauth": {"grantType": "client_credentials"}}, "`clientId`"),
        "g": ({"url": url, "oauth": {"redirectUri": "https://evil.example/"}}, "should be http://"),
    }
    home.write_config({name: entry for name, (entry, _) in refused.items()})
    for name, value in home.env.items():
        monkeypatch.setenv(name, value)
    for name, (_, words) in refused.items():
        with pytest.raises(McpError, match=re.escape(words)):
            log_in_to(name, None, TerminalPerson(use_browser=False, as_json=False))


def test_no_login_where_nobody_answers(home: Home) -> None:
    """A refused port has not been asked: that is said, and not that no login is wanted."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))  # and does not listen
        home.write_config({"remote": {"url": f"http://127.0.0.1:{bound.getsockname()[1]}/mcp"}})
        done = home.run_here("login", "remote", "--no-browser", check=False)
    assert done.code == 1
    assert "'remote' cannot be reached" in done.stderr
    assert "did not ask" not in done.stderr


def test_page_that_a_command_waits_at_is_shown(home: Home) -> None:
    """What mcp-remote and its kin print to stderr, a page to sign in at, is shown whole while one waits,

    be it for the server's tools or, where these are known, for a call.
    """
    url = f"https://auth.example/authorize?client_id=x&state={'s' * 300}"
    signed_in = home.work / "signed-in"
    os.mkfifo(signed_in)
    waiting = f"""
    def serve(self):
        print("Please authorize this client by visiting:", "{url}", sep="\\n", file=sys.stderr, flush=True)
        pathlib.Path({str(signed_in)!r}).read_text()  # once somebody writes
        super().serve()
    """
    home.write_config({"remote": variant(waiting)})
    said, stdout = _heard_until_signed_in(home, signed_in, "tools", "remote")
    assert said == ["'remote' waits for you to sign in at:\n", f"{url}\n"]
    assert "echo" in stdout
    home.run_here("restart", "remote")
    said, stdout = _heard_until_signed_in(home, signed_in, "call", "remote", "echo", "text=here")
    assert said == ["remote: alert: it waits for you to sign in at:\n", f"{url}\n"]
    assert "here" in stdout


def _heard_until_signed_in(home: Home, signed_in: Path, *words: str) -> tuple[list[str], str]:
    """Two lines of its stderr, which are all, and its stdout."""
    with subprocess.Popen(
        [str(BIN / "llm-mcp"), *words],
        env=home.env,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as command:
        assert command.stderr is not None
        said = [command.stderr.readline(), command.stderr.readline()]
        signed_in.write_text("yes")
        stdout, stderr = command.communicate(timeout=30)
    assert stderr == ""
    return said, stdout


def test_logout_revokes_what_was_renewed_meanwhile(
    tmp_path: Path, server: Guarded, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A renewal that is stored after the command has read the login ends with it."""
    login = asyncio.run(logged_in(tmp_path, definition(server.url)))
    renewed = dataclasses.replace(login, refresh_token="renewed")

    class Renewed(LoginStore):
        def read(self) -> Records:
            found = super().read()
            self.change(lambda records: records.with_changed_login(renewed))
            return found

    path = tmp_path / "logins.json"
    monkeypatch.setattr(logout, "LoginStore", lambda _: Renewed(path))
    monkeypatch.setattr(logout, "_definition", lambda *_: None)
    monkeypatch.setattr(logout, "_tell_daemon", lambda: None)
    CliRunner().invoke(logout.logout_command, ["guarded"], catch_exceptions=False)
    assert [form["token"] for form in server.asked("/revoke")] == ["renewed", renewed.access_token]
    assert not LoginStore(path).read().logins[0].is_usable
