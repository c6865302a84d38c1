"""Who logs in, at a terminal: sees the page's url, opens it, or pastes where the browser ended up."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import threading
from contextlib import suppress

import click

from llm_tools_mcp.login import browser
from llm_tools_mcp.text.plain import plain


class TerminalPerson:
    """`as_json`: what a script needs goes to stdout, a JSON object a line; all else to stderr."""

    def __init__(self, *, use_browser: bool, as_json: bool) -> None:
        self._use_browser = use_browser and browser.has_browser(os.environ)
        self._as_json = as_json

    def say(self, text: str) -> None:
        click.echo(plain(text), err=True)

    def send_to(self, url: str) -> None:
        shown = plain(url)
        if self._as_json:
            click.echo(json.dumps({"authorization_url": shown}))
            sys.stdout.flush()
        if self._use_browser and browser.open_page(url, os.environ):
            self.say(f"The browser opens; if no page comes up, open this one:\n\n  {shown}\n")
            self.say("waiting for the browser to come back (Ctrl-C ends it)…")
            return
        self._use_browser = False
        if not self._as_json:
            click.echo(f"Open this page in a browser, on any machine:\n\n  {shown}\n")
            sys.stdout.flush()
        self.say(
            "When it ends at an address on 127.0.0.1 or localhost, a page that may not load, "
            "paste that address here (Ctrl-C ends it):"
        )

    async def paste(self) -> str:
        if self._use_browser and not _is_terminal():
            await asyncio.get_running_loop().create_future()  # a pipe that nobody meant for this
        return await _typed_line()


def _is_terminal() -> bool:
    return sys.stdin is not None and sys.stdin.isatty()


async def _typed_line() -> str:
    """In a thread of its own, which holds up nobody who leaves; waits for ever at the end of stdin."""
    loop = asyncio.get_running_loop()
    line: asyncio.Future[str] = loop.create_future()

    def take(text: str) -> None:
        if text.strip() and not line.done():
            line.set_result(text)

    def read() -> None:
        text = sys.stdin.readline() if sys.stdin is not None else ""
        while text and not text.strip():
            text = sys.stdin.readline()
        with suppress(RuntimeError):  # the loop has ended meanwhile
            loop.call_soon_threadsafe(take, text)

    threading.Thread(target=read, daemon=True).start()
    return await line
