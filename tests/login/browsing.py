"""A person of the tests: whose browser follows redirects, or who pastes."""

from __future__ import annotations

import asyncio
import ssl
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import httpx2

from llm_tools_mcp import config
from llm_tools_mcp.config import ServerDefinition
from llm_tools_mcp.login.authorize import log_in
from llm_tools_mcp.login.records import Login
from llm_tools_mcp.login.store import LoginStore

_CERTIFICATES = ssl.create_default_context()


class Browser:
    """`pages` has what each page said, once it has come. `before` says where to go instead; "" is nowhere."""

    def __init__(self, before: Callable[[str], str] = str) -> None:
        self.pages: list[str] = []
        self.said: list[str] = []
        self.sent_to: list[str] = []
        self._before = before
        self._threads: list[threading.Thread] = []

    def send_to(self, url: str) -> None:
        self.sent_to.append(url)
        self._begin(lambda: self.visit(self._before(url)))

    def visit_meanwhile(self, url: str) -> None:
        self._begin(lambda: self.visit(url))

    def _begin(self, visiting: Callable[[], None]) -> None:
        thread = threading.Thread(target=visiting, daemon=True)
        self._threads.append(thread)
        thread.start()

    def visit(self, url: str) -> None:
        if not url:
            return
        try:
            with urllib.request.urlopen(url, timeout=20) as page:  # noqa: S310 - of a test
                self.pages.append(page.read().decode())
        except urllib.error.HTTPError as error:
            self.pages.append(error.read().decode())

    def wait(self) -> None:
        for thread in self._threads:
            thread.join(20)

    def say(self, text: str) -> None:
        self.said.append(text)

    async def paste(self) -> str:
        await asyncio.get_running_loop().create_future()
        raise AssertionError


class Paster(Browser):
    """Types these one after the other; a function is given the page's url."""

    def __init__(self, *typed: str | Callable[[str], str]) -> None:
        super().__init__()
        self._typed = list(typed)

    def send_to(self, url: str) -> None:
        self.sent_to.append(url)

    async def paste(self) -> str:
        text = self._typed.pop(0)
        return await asyncio.to_thread(text, self.sent_to[-1]) if callable(text) else text


def redirected(url: str) -> str:
    """Where the authorization server sends the browser, without going there."""
    with httpx2.Client(verify=_CERTIFICATES) as client:
        return str(client.get(url).headers["location"])


def with_parameters(url: str, **parameters: str) -> str:
    base, _, query = url.partition("?")
    return f"{base}?{urlencode({**httpx2.QueryParams(query), **parameters})}"


def definition(url: str, name: str = "guarded", **keys: Any) -> ServerDefinition:
    import json

    text = json.dumps({"mcpServers": {name: {"url": url, **keys}}})
    (made,) = config.parse("mcp.json", text, config.Context("/", {})).servers.values()
    assert isinstance(made, ServerDefinition), made
    return made


async def logged_in(
    folder: Path,
    server: ServerDefinition,
    person: Browser | None = None,
    scopes: tuple[str, ...] = (),
    *,
    in_keyring: bool | None = None,
) -> Login:
    """A real login, into the store of this folder."""
    store = LoginStore(folder / "logins.json")
    async with httpx2.AsyncClient(verify=_CERTIFICATES) as http:
        return await log_in(http, store, server, person or Browser(), scopes, in_keyring=in_keyring)


async def expired(folder: Path) -> None:
    """As if the time of all access tokens were over."""
    import dataclasses

    def change(records: Any) -> Any:
        over = [dataclasses.replace(login, expires_at=time.time() - 1) for login in records.logins]
        return dataclasses.replace(records, logins=tuple(over))

    await asyncio.to_thread(LoginStore(folder / "logins.json").change, change)
