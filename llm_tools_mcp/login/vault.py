"""Tokens in the desktop's keyring, where the user chose it: the file of logins has all but them."""

from __future__ import annotations

import asyncio
import json
import shlex
import threading
from collections.abc import Callable
from contextlib import suppress
from importlib import import_module
from typing import Any, TypeVar

from llm_tools_mcp.errors import KeyringUnusable

from .records import Login

_SERVICE = "llm-tools-mcp"
_PROBE = "probe"
# Seconds for which a prompt waits: a keyring that is locked may ask its owner meanwhile.
PATIENCE = 10.0
Result = TypeVar("Result")
Subject = TypeVar("Subject", str, Login)  # a server, or a login of it


def check(server: str) -> None:
    """Whether something can be kept there for this server. Raises KeyringUnusable."""
    _asked(server, lambda keyring: keyring.set_password(_SERVICE, _PROBE, _PROBE))
    found = _asked(server, lambda keyring: keyring.get_password(_SERVICE, _PROBE))
    _asked(server, lambda keyring: keyring.delete_password(_SERVICE, _PROBE))
    if found != _PROBE:
        raise KeyringUnusable("forgets what is put there", _without(server))


def put(login: Login) -> None:
    """In place of what was there of it. Raises KeyringUnusable."""
    text = json.dumps(login.tokens)
    _asked(login.server, lambda keyring: keyring.set_password(_SERVICE, login.id, text))


def opened(login: Login) -> Login:
    """With its tokens, wherever they are. Raises KeyringUnusable."""
    if not login.in_keyring or login.ended:
        return login
    text = _asked(login.server, lambda keyring: keyring.get_password(_SERVICE, login.id))
    try:
        return login.with_tokens(json.loads(text or ""))
    except (ValueError, TypeError, AttributeError):
        repair = f"llm mcp login {shlex.quote(login.server)}"
    raise KeyringUnusable(f"has no tokens of {login.server!r} any more", repair)


def forget(login: Login) -> None:
    """Harmless where nothing is there. Raises KeyringUnusable."""
    server = login.server
    if not login.in_keyring:
        return
    if _asked(server, lambda keyring: keyring.get_password(_SERVICE, login.id)) is not None:
        _asked(server, lambda keyring: keyring.delete_password(_SERVICE, login.id))


async def patiently(act: Callable[[Subject], Result], subject: Subject, seconds: float = PATIENCE) -> Result:
    """Holds up nobody for longer. Raises KeyringUnusable."""
    return await in_time(begun(act, subject), subject, seconds)


def begun(act: Callable[[Subject], Result], subject: Subject) -> asyncio.Future[Result]:
    """In a thread that holds up nobody: not even the end of the process."""
    loop = asyncio.get_running_loop()
    outcome: asyncio.Future[Result] = loop.create_future()

    def settle(settled: Callable[[Any], None], value: object) -> None:
        if not outcome.done():
            settled(value)

    def run() -> None:
        try:
            settled, value = outcome.set_result, act(subject)
        except Exception as error:  # noqa: BLE001 - told to whoever waits
            settled, value = outcome.set_exception, error  # type: ignore[assignment]
        with suppress(RuntimeError):  # the loop has ended meanwhile
            loop.call_soon_threadsafe(settle, settled, value)

    outcome.add_done_callback(lambda done: done.cancelled() or done.exception())  # nobody may wait any more
    threading.Thread(target=run, name="keyring", daemon=True).start()
    return outcome


async def in_time(outcome: asyncio.Future[Result], subject: Subject, seconds: float) -> Result:
    """What has begun goes on, also for others who wait. Raises KeyringUnusable."""
    try:
        return await asyncio.wait_for(asyncio.shield(outcome), seconds)
    except asyncio.TimeoutError:
        server = subject.server if isinstance(subject, Login) else subject
        raise KeyringUnusable(f"did not answer within {seconds:g} s", _unlocked(server)) from None


# By the names of keyring's errors: those of its backends are not known here.
_REASONS = {
    "NoKeyringError": "is missing: this machine has none that the library keyring knows",
    "KeyringLocked": "is locked",
    "InitError": "cannot be opened",
}


def _asked(server: str, ask: Callable[[Any], Result]) -> Result:
    """Nothing that a backend says is repeated: it may hold what it was given."""
    try:
        keyring = import_module("keyring")  # an extra
    except ImportError:
        raise KeyringUnusable("needs the library keyring", "llm install keyring") from None
    try:
        return ask(keyring)
    except Exception as error:  # noqa: BLE001 - each backend has its own
        name = type(error).__name__
    repair = _without(server) if name == "NoKeyringError" else _unlocked(server)
    raise KeyringUnusable(_REASONS.get(name, f"cannot be used ({name})"), repair)


def _without(server: str) -> str:
    return f"llm mcp login --no-keyring {shlex.quote(server)}, which keeps the tokens in a file of yours"


def _unlocked(server: str) -> str:
    return f"unlock it, as when you log in to the desktop; or: {_without(server)}"
