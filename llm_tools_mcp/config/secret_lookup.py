"""Secrets that lie elsewhere: ${file:PATH}, ${llm:NAME}, ${keyring:SERVICE:USER}, and files of `envFile`.

The client looks them up, as the caller sees them, and sends what it found; the daemon puts it in.
"""

from __future__ import annotations

import json
import os
import re
import stat
import sys
from collections.abc import Callable, Iterator, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

from llm_tools_mcp import paths
from llm_tools_mcp.system import access

from .variables import ENV_FILE, FILES, Confided, is_utf8

# What stands in the braces is the key of what is sent.
_MENTION = re.compile(r"\$\{((?:file|llm|keyring):[^{}]+)\}")
_IN_RAW_TEXT = re.compile(r"\$\{(?:file|llm|keyring):|\"env(?:F|_f)ile\"")
# Of a file that holds a secret. What has no end (/dev/zero) would otherwise take all memory.
_MAX_BYTES = 1 << 20


class _Missing(Exception):
    """The text says why."""


def confided(text: str, environ: Mapping[str, str], folder: str = "") -> Confided:
    """What the placeholders and env files of a config stand for. Looks at nothing that is not mentioned.

    Relative paths are below `folder`, without one below the current one.
    """
    values: dict[str, str] = {}
    missing: dict[str, str] = {}
    for key in dict(_wanted(text, environ, folder)):
        kind, _, rest = key.partition(":")
        if not is_utf8(key):
            continue  # the wire takes no such key, and its server is refused for it (model.py)
        try:
            values[key] = _sendable(_READERS[kind](rest, environ, folder))
        except _Missing as reason:
            missing[key] = str(reason)
    return Confided(values, missing)


def references(value: Any) -> list[str]:
    """What stands in the braces of all such placeholders within a JSON value."""
    return [key for string in _strings(value) for key in _MENTION.findall(string)]


def named_files(text: str, environ: Mapping[str, str], folder: str) -> dict[str, str]:
    """The files among what a config refers to, by the key of what is sent: as they are written there."""
    wanted = dict(_wanted(text, environ, folder))
    return {key: written for key, written in wanted.items() if key.startswith(FILES) and is_utf8(key)}


def _sendable(value: str) -> str:
    if not is_utf8(value):
        raise _Missing("what stands there is no text: it holds half of a \\ud800 pair")
    return value


def _wanted(text: str, environ: Mapping[str, str], folder: str) -> Iterator[tuple[str, str]]:
    """Each with its place as it is written: variables in the name of an `envFile` may be secrets."""
    if not _IN_RAW_TEXT.search(text):
        return
    from .context import Context, variables_for
    from .document import named_entries
    from .expansion import Expansion

    variables = variables_for(Context(folder or paths.current_folder(), environ))
    for name, entry in named_entries(text).items():
        yield from ((key, key.partition(":")[2]) for key in references(entry))
        given = entry if isinstance(entry, dict) else {}
        env_file = next((given[key] for key in ("envFile", "env_file") if given.get(key) is not None), None)
        if isinstance(env_file, str):
            yield ENV_FILE + Expansion(name, variables).text("envFile", env_file), env_file


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    for one in inner:
        yield from _strings(one)


# --- where they lie ---------------------------------------------------------------------------------


def _file(written: str, environ: Mapping[str, str], folder: str) -> str:
    """The text without its last line end."""
    text = _text(written, environ, folder)
    return text.removesuffix("\n").removesuffix("\r")


def _text(written: str, environ: Mapping[str, str], folder: str) -> str:
    home = environ.get("HOME")
    path = f"{home}{written[1:]}" if home and written.startswith("~/") else os.path.expanduser(written)  # noqa: PTH111
    try:
        with open(os.path.join(folder, path), "rb", opener=access.open_unwaiting) as file:  # noqa: PTH118 - with an opener
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise _Missing(f"{written} is no regular file")
            content = file.read(_MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not a possible path"
        raise _Missing(f"{written} cannot be read: {reason}") from None
    if len(content) > _MAX_BYTES:
        raise _Missing(f"{written} is larger than {_MAX_BYTES >> 20} MB")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise _Missing(f"{written} is not UTF-8 text") from None


def llm_keys_file(environ: Mapping[str, str]) -> Path:
    """Where `llm keys` keeps them; llm itself takes half a second to load. Raises RuntimeError: no home."""
    config = environ.get("XDG_CONFIG_HOME") or "~/.config"
    folder = "~/Library/Application Support" if sys.platform == "darwin" else config
    user = environ.get("LLM_USER_PATH") or f"{folder}/io.datasette.llm"
    return Path(user).expanduser() / "keys.json"


def _llm_key(name: str, environ: Mapping[str, str], _: str) -> str:
    try:
        keys = json.loads(llm_keys_file(environ).read_text(encoding="utf-8"))
    except (OSError, ValueError, RuntimeError):
        keys = {}
    key = keys.get(name) if isinstance(keys, dict) else None
    if not isinstance(key, str):
        raise _Missing(f"llm has no key {name!r}; to set it: llm keys set {name}")
    return key


def _keyring(place: str, _: Mapping[str, str], __: str) -> str:
    service, separator, user = place.rpartition(":")
    if not separator or not service:
        raise _Missing("it is written ${keyring:SERVICE:USER}")
    try:
        keyring = import_module("keyring")  # an extra
    except ImportError:
        raise _Missing("the library keyring is missing; to install it: llm install keyring") from None
    try:
        found = keyring.get_password(service, user)
    except Exception as error:  # noqa: BLE001 - each backend has its own
        raise _Missing(f"the keyring cannot be asked ({type(error).__name__})") from None
    if found is None:
        raise _Missing(f"the keyring has nothing of {user!r} for {service!r}")
    return str(found)


_READERS: dict[str, Callable[[str, Mapping[str, str], str], str]] = {
    "file": _file,
    "envFile": _text,
    "llm": _llm_key,
    "keyring": _keyring,
}
